/* The page's sentences, put on it by the server from the catalogue. */
const all = JSON.parse(document.getElementById("words").textContent);

/** Returns the sentence under `key` with its {variables} filled in. */
export function say(key, variables = {}) {
  const sentence = key.split(".").reduce((node, part) => node[part], all);
  return sentence.replace(/\{(\w+)\}/g, (_whole, name) => variables[name]);
}
