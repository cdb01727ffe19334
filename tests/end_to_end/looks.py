"""What every page owes everybody: assistive technology, both schemes, small screens, zoom, the keyboard."""

from __future__ import annotations

from playwright.sync_api import Page

from deploy.local.stack import ROOT

_AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")

DESK = {"width": 1280, "height": 800}
SMALL = {"width": 320, "height": 640}
ZOOMED = {"width": 640, "height": 400}
"""A desk's screen at 200 percent."""

_LISTEN = """() => {
  const tabbable = "a[href], button, input, select, textarea, summary, [tabindex]";
  const all = [];
  const reached = new Set();
  const unseen = new Set();
  const hasRing = (e) => {
    const style = e && getComputedStyle(e);
    return Boolean(e) && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  };
  const name = (e) => e.outerHTML.replace(/\\s+/g, " ").slice(0, 110);
  const focused = () => {
    let e = document.activeElement;
    while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
    return e;
  };
  const note = (e) => {
    if (!e || e === document.body || reached.has(e)) return;
    reached.add(e);
    const box = e.getBoundingClientRect();
    const isOn = box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
    // What is drawn round a control instead of round its hidden input stands right behind it.
    if (!isOn || ![e, e.nextElementSibling].some(hasRing)) unseen.add(name(e));
  };
  const walk = (root) => {
    for (const e of root.querySelectorAll("*")) {
      if (e.shadowRoot) walk(e.shadowRoot);
      const isShown = e.checkVisibility({ visibilityProperty: true });
      if (e.matches(tabbable) && e.tabIndex >= 0 && !e.disabled && isShown) {
        const group = e.type === "radio" && [...root.querySelectorAll(`input[type=radio][name="${e.name}"]`)];
        if (!group || e === (group.find((one) => one.checked) ?? group[0])) all.push(e);
      }
    }
  };
  walk(document);
  window.keyboardLeft = () => {
    note(focused());
    return all.filter((e) => e.isConnected && !reached.has(e)).map(name);
  };
  window.keyboardUnseen = () => [...unseen];
  document.activeElement?.blur();
  return all.length;
}"""


def serious_findings(page: Page) -> list[str]:
    """Run axe-core on the page, its shadow roots included, and return what is serious or critical."""
    page.evaluate(_AXE)
    found = page.evaluate("() => axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'] })")
    return [
        f"{violation['id']}: {node['html'][:120]}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    measured = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    return int(page.evaluate(measured))


def look(page: Page) -> None:
    """Assert nothing serious in light and dark, nothing wider than a small telephone or a zoomed desk."""
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert serious_findings(page) == [], f"{page.url} {scheme}"
    for size in (SMALL, ZOOMED):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        assert overflow(page) <= 0, f"{page.url} at {size}"
    page.set_viewport_size(DESK)  # type: ignore[arg-type]


def tab_through(page: Page) -> None:
    """Assert that the Tab key reaches every control, that the focus is seen, and that nothing keeps it."""
    count = page.evaluate(_LISTEN)
    left = ["not begun"]
    for _ in range(count + 40):
        page.keyboard.press("Tab")
        if not (left := page.evaluate("keyboardLeft()")):
            break
    assert left == [], f"{page.url}: the Tab key does not reach these"
    assert page.evaluate("keyboardUnseen()") == [], f"{page.url}: nobody sees the focus on these"
