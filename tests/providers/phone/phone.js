/* Phones of people in front of the played providers. Everything goes by the control API. */

const NAMES = { messenger: "Messenger", zalo: "Zalo" };
const EVERY_MS = 700;
const PLACE = { latitude: 13.983, longitude: 108.0 };

/* What else somebody can do, by provider: event, how it is called, whether it needs words. */
const EVENTS = {
  messenger: [
    ["get_started", "Bấm nút Bắt đầu"],
    ["read", "Đã xem"],
    ["reaction", "Thả tim tin cuối"],
    ["answered_elsewhere", "Có người trả lời trong hộp thư của trang", true],
    ["block", "Chặn trang"],
    ["unblock", "Bỏ chặn"],
    ["unknown", "Sự kiện lạ"],
  ],
  zalo: [
    ["follow", "Quan tâm"],
    ["unfollow", "Bỏ quan tâm"],
    ["submit_info", "Gửi tên và số điện thoại"],
    ["read", "Đã xem"],
    ["reaction", "Thả tim tin cuối"],
    ["withdraw", "Thu hồi tin cuối"],
    ["answered_elsewhere", "Có người trả lời trong công cụ của Zalo", true],
    ["unknown", "Sự kiện lạ"],
  ],
};

const FAULTS = [
  ["down", "Kênh ngừng hoạt động", "checkbox"],
  ["expire_token", "Mã truy cập hết hạn", "checkbox"],
  ["drop_connection", "Ngắt kết nối", ["", "before", "after"], ["Không", "Trước khi nhận", "Sau khi nhận"]],
  ["latency_ms", "Chậm thêm (mili giây)", "number"],
  ["error_code", "Báo lỗi mã", "number"],
  ["repeat_share", "Gửi lặp (0 đến 1)", "number"],
  ["reorder_share", "Đảo thứ tự (0 đến 1)", "number"],
  ["bad_signature_share", "Chữ ký sai (0 đến 1)", "number"],
  ["lose_echo_share", "Mất tin báo lại (0 đến 1)", "number"],
];

async function call(provider, verb, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  const answer = await fetch(`/control/${provider}/${verb}`, options);
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error ?? answer.statusText);
  return found;
}

function made(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

class Phone {
  constructor(provider, user) {
    this.provider = provider;
    this.user = user;
    this.last = "";
    this.element = document.getElementById("phone").content.cloneNode(true).firstElementChild;
    this.screen = this.element.querySelector(".screen");
    this.problem = this.element.querySelector(".problem");
    this.element.querySelector("h2").textContent = user;
    this.element.querySelector("header p").textContent = NAMES[provider] ?? provider;
    this.listen();
  }

  listen() {
    const composer = this.element.querySelector(".composer");
    composer.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = composer.elements.text.value.trim();
      if (text) this.say({ text });
      composer.reset();
    });
    this.element.querySelector("[data-do=place]").addEventListener("click", () => {
      this.say({ attachments: [{ type: "location", ...PLACE }] });
    });
    const file = this.element.querySelector("input[type=file]");
    file.addEventListener("change", async () => {
      if (file.files.length) await this.sendFile(file.files[0]);
      file.value = "";
    });
    const more = this.element.querySelector("select[name=event]");
    for (const [value, text] of EVENTS[this.provider] ?? []) more.append(made("option", { value, text }));
    more.addEventListener("change", () => {
      const [event, , hasWords] = EVENTS[this.provider].find(([name]) => name === more.value) ?? [];
      more.value = "";
      if (event) this.say(hasWords ? { event, text: "Chào anh/chị, tôi là cán bộ trực." } : { event });
    });
  }

  async sendFile(file) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    let binary = "";
    for (const byte of bytes) binary += String.fromCharCode(byte);
    const type = file.type.startsWith("image/") ? "image" : "file";
    const data = btoa(binary);
    await this.say({ attachments: [{ type, name: file.name, content_type: file.type || "application/octet-stream", data }] });
  }

  async say(what) {
    try {
      await call(this.provider, "say", { user: this.user, ...what });
      this.problem.hidden = true;
    } catch (error) {
      this.problem.textContent = `Không gửi được: ${error.message}`;
      this.problem.hidden = false;
    }
    await this.refresh();
  }

  async refresh() {
    const shown = await call(this.provider, `screen?user=${encodeURIComponent(this.user)}`);
    const now = JSON.stringify(shown);
    if (now === this.last) return;
    this.last = now;
    this.screen.replaceChildren(...shown.map((item) => this.bubble(item)));
    this.toEnd();
  }

  bubble(item) {
    const line = made("li", { className: item.from });
    if (item.kind === "typing") line.append("Đang soạn…");
    else if (item.kind === "location") line.append(`Vị trí: ${item.latitude}, ${item.longitude}`);
    else if (item.kind === "image" || item.kind === "sticker") line.append(this.picture(item.url));
    else if (item.url) line.append(made("a", { href: item.url, textContent: item.name || "Tệp" }));
    if (item.text) line.append(item.text);
    if (item.kind === "contact") {
      line.append(made("div", { className: "replies" }, this.button("Chia sẻ tên và số điện thoại", { event: "submit_info" })));
    }
    if (item.buttons?.length) {
      const taps = item.buttons.map(({ title, payload }) => this.button(title, { event: "tap", title, payload }));
      line.append(made("div", { className: "replies" }, ...taps));
    }
    return line;
  }

  picture(src) {
    const picture = made("img", { src, alt: "Ảnh" });
    picture.addEventListener("load", () => this.toEnd());
    return picture;
  }

  toEnd() {
    this.screen.scrollTop = this.screen.scrollHeight;
  }

  button(title, what) {
    const button = made("button", { type: "button", textContent: title });
    button.addEventListener("click", () => this.say(what));
    return button;
  }
}

class FaultPanel {
  constructor(provider) {
    this.provider = provider;
    this.element = document.getElementById("fault-panel").content.cloneNode(true).firstElementChild;
    this.element.querySelector("h2").textContent = `Sự cố của ${NAMES[provider] ?? provider}`;
    this.status = this.element.querySelector("[role=status]");
    const fields = this.element.querySelector(".fields");
    for (const [name, text, kind, words] of FAULTS) fields.append(this.field(name, text, kind, words));
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.apply();
    });
    this.element.addEventListener("reset", () => setTimeout(() => this.apply()));
    this.element.querySelector("[data-do=clock]").addEventListener("click", () => {
      this.tell(call(this.provider, "clock", { forward_seconds: 25 * 3600 }), "Đồng hồ của kênh đã chạy thêm 25 giờ.");
    });
  }

  /* Show what goes wrong already: another page may have set it. */
  async load() {
    const present = await call(this.provider, "faults");
    for (const [name, , kind] of FAULTS) {
      const input = this.element.elements[name];
      if (kind === "checkbox") input.checked = present[name];
      else if (kind === "number") input.value = present[name] || "";
      else input.value = present[name] === true ? "before" : present[name] || "";
    }
  }

  field(name, text, kind, words) {
    let input;
    if (Array.isArray(kind)) {
      input = made("select", { name }, ...kind.map((value, place) => made("option", { value, text: words[place] })));
    } else {
      input = made("input", { name, type: kind });
      if (kind === "number") Object.assign(input, { min: name === "error_code" ? "" : "0", step: "any" });
    }
    return made("label", {}, text, input);
  }

  apply() {
    const values = {};
    for (const [name, , kind] of FAULTS) {
      const input = this.element.elements[name];
      if (kind === "checkbox") values[name] = input.checked;
      else if (kind === "number") values[name] = input.value === "" ? (name === "error_code" ? null : 0) : Number(input.value);
      else values[name] = input.value || false;
    }
    this.tell(call(this.provider, "faults", values), "Đã áp dụng.");
  }

  async tell(work, done) {
    try {
      await work;
      this.status.textContent = done;
    } catch (error) {
      this.status.textContent = `Không được: ${error.message}`;
    }
  }
}

const phones = [];

function add(provider, user) {
  if (phones.some((phone) => phone.provider === provider && phone.user === user)) return;
  const phone = new Phone(provider, user);
  phones.push(phone);
  document.getElementById("phones").append(phone.element);
}

async function look() {
  const offline = document.getElementById("offline");
  try {
    const providers = [...new Set(phones.map((phone) => phone.provider))];
    for (const provider of providers) {
      for (const { user } of await call(provider, "users")) if (phones.length < 12) add(provider, user);
    }
    await Promise.all(phones.map((phone) => phone.refresh()));
    offline.hidden = true;
  } catch {
    offline.hidden = false;
  }
  setTimeout(look, EVERY_MS);
}

const providers = await (await fetch("/providers")).json();
const form = document.getElementById("add");
for (const provider of providers) {
  form.elements.provider.append(made("option", { value: provider, text: NAMES[provider] ?? provider }));
  const panel = new FaultPanel(provider);
  document.getElementById("faults").append(panel.element);
  await panel.load();
  add(provider, "Chị Lan");
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  add(form.elements.provider.value, form.elements.user.value.trim());
  form.elements.user.value = "";
});
look();
