// Says what came of an action, for a while.

import { el, find } from "./dom.js";

const SHOWN = 6000;

export function notice(text, kind = "good") {
  const node = el("p", { class: `notice ${kind}` }, text);
  find("notices").append(node);
  while (find("notices").childElementCount > 4) find("notices").firstElementChild.remove();
  setTimeout(() => node.remove(), kind === "bad" ? 2 * SHOWN : SHOWN);
}
