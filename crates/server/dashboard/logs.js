// What a model's children write, line by line as it comes, with a search.

import { ask, model as path } from "./api.js";
import { el, find, show, write } from "./dom.js";
import { count } from "./format.js";
import { lines } from "./sse.js";

/** Lines that are kept, as paddock keeps them. */
const KEPT = 1000;
const AGAIN = 2000;

let shown = { id: null, abort: new AbortController() };
let kept = [];

export function setUpLogs() {
  find("logs-search").addEventListener("input", () => draw());
  find("logs-follow").addEventListener("click", () => following(!follows()));
  find("logs").addEventListener("scroll", () => following(atEnd()));
}

const follows = () => find("logs-follow").getAttribute("aria-pressed") === "true";

function following(on) {
  find("logs-follow").setAttribute("aria-pressed", String(on));
  if (on) toEnd();
}

const atEnd = () => {
  const box = find("logs");
  return box.scrollHeight - box.scrollTop - box.clientHeight < 24;
};

function toEnd() {
  find("logs").scrollTop = find("logs").scrollHeight;
}

/** Follows the log of this model, and of no other; of none with null. */
export function followLogs(id) {
  if (shown.id === id) return;
  shown.abort.abort();
  shown = { id, abort: new AbortController() };
  kept = [];
  find("logs-search").value = "";
  find("logs-follow").setAttribute("aria-pressed", "true");
  draw();
  if (id !== null) run(shown);
}

async function run(mine) {
  while (!mine.abort.signal.aborted) {
    try {
      const query = `/logs?n=${KEPT}&follow=true`;
      const answer = await ask("GET", path(mine.id, query), { signal: mine.abort.signal });
      kept = [];
      soon();
      for await (const text of lines(answer.body)) take(JSON.parse(text));
    } catch (error) {
      if (mine.abort.signal.aborted) return;
      console.debug(error);
    }
    await new Promise((done) => setTimeout(done, AGAIN));
  }
}

function take({ line, missed }) {
  if (missed !== undefined) kept.push({ text: `${count(missed, "line")} lost here because this page was too slow`, gap: true });
  if (line !== undefined) kept.push({ text: plain(line) });
  if (kept.length > 2 * KEPT) kept = kept.slice(-KEPT);
  soon();
}

/** Without what only a terminal understands. */
const plain = (text) => text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "").replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, "\ufffd");

let due = false;

function soon() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    draw();
  });
}

function draw() {
  const words = find("logs-search").value.toLowerCase();
  const fits = kept.slice(-KEPT).filter((entry) => words === "" || entry.text.toLowerCase().includes(words));
  const end = follows();
  find("logs").replaceChildren(...(fits.length > 0 ? fits.map((entry) => drawn(entry, words)) : [nothing(words)]));
  write(find("logs-count"), words === "" ? "" : count(fits.length, "line"));
  if (end) toEnd();
}

function nothing(words) {
  return el("p", { class: "quiet" }, words === "" ? "No output yet. Load the model to see its output here." : "No matching lines.");
}

/** A line, with what is searched for marked. */
function drawn({ text, gap }, words) {
  const node = el("p", { class: gap && "gap" });
  if (words === "") {
    node.textContent = text;
    return node;
  }
  const lower = text.toLowerCase();
  let from = 0;
  for (let at = lower.indexOf(words); at >= 0; at = lower.indexOf(words, from)) {
    node.append(text.slice(from, at), el("mark", {}, text.slice(at, at + words.length)));
    from = at + words.length;
  }
  node.append(text.slice(from));
  return node;
}
