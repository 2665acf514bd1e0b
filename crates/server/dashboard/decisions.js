// Why a model was loaded, kept, evicted or refused, the newest first.

import { get, model as path } from "./api.js";
import { el } from "./dom.js";
import { clock } from "./format.js";

export function decision({ at, message }) {
  const when = new Date(at * 1000);
  return el("li", {}, el("time", { datetime: when.toISOString() }, clock(at)), el("span", {}, message));
}

export async function renderDecisions(list, id, current) {
  let items;
  try {
    const told = await get(path(id, "/explain"));
    items = told.decisions.reverse().map(decision);
    if (items.length === 0) items = [el("li", {}, el("span", { class: "quiet" }, "Nothing has been decided about it yet: it is loaded by its first request, or by hand."))];
  } catch (error) {
    items = [el("li", {}, el("span", {}, error.message))];
  }
  if (current()) list.replaceChildren(...items);
}
