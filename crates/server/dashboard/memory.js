// Memory: a bar for the host and for each device, as long as its budget, with what every model takes.

import { el, keep, write } from "./dom.js";
import { bytes } from "./format.js";
import { colour } from "./store.js";

/** What is there, everywhere: `[name, amount of a memory]` for the host and each device. */
export function places(memory) {
  const devices = Object.keys(memory.budget.devices);
  const device = (name) => [name, (amount) => amount?.devices[name] ?? 0];
  return [["Host", (amount) => amount?.host ?? 0], ...devices.map(device)];
}

export function renderMemory(parent, memory, models) {
  if (!memory) return;
  const shown = places(memory).map(([name, of]) => place(name, of, memory, models));
  keep(parent, shown, (item) => item.name, makePlace);
}

/** What a place holds, and how long its bar is. */
function place(name, of, memory, models) {
  const limit = name === "Host" ? memory.budget.host : memory.budget.devices[name];
  const taken = models
    .map((model) => ({ id: model.id, measured: of(model.memory.measured), predicted: of(model.memory.predicted), held: holds(model) }))
    .filter((model) => model.held && (model.measured || model.predicted))
    .map((model) => ({ ...model, size: model.measured || model.predicted }));
  const used = of(memory.used);
  const claimed = of(memory.claimed);
  const sum = taken.reduce((all, model) => all + model.size, 0);
  return { name, limit, used, claimed, taken, whole: Math.max(limit ?? 0, used + claimed, sum, 1) };
}

const holds = (model) => ["ready", "draining"].includes(model.status) || (model.status === "loading" && model.pid);

function makePlace() {
  const name = el("span", { class: "name" });
  const words = el("span");
  const bar = el("div", { class: "bar", "aria-hidden": "true" });
  const legend = el("ul", { class: "legend" });
  const node = el("div", { class: "place" }, el("p", {}, name, words), bar, legend);
  const update = (place) => {
    write(name, place.name);
    const limit = place.limit === null ? "in use, no limit" : `of ${bytes(place.limit)} in use`;
    const claimed = place.claimed > 0 ? `, ${bytes(place.claimed)} reserved for a load` : "";
    write(words, `${bytes(place.used)} ${limit}${claimed}`);
    const parts = place.taken.map((model) => ({ id: model.id, kind: colour(model.id), size: model.size }));
    if (place.claimed > 0) parts.push({ id: "\0claimed", kind: "other claimed", size: place.claimed });
    keep(bar, parts, (part) => part.id, () => makePart(place));
    for (const part of parts) bar.kept.get(part.id).node.style.width = `${(100 * part.size) / place.whole}%`;
    keep(legend, place.taken, (model) => model.id, makeEntry);
  };
  return { node, update };
}

function makePart() {
  const node = el("i");
  return { node, update: (part) => node.setAttribute("class", part.kind) };
}

function makeEntry() {
  const swatch = el("span", { "aria-hidden": "true" });
  const words = el("span");
  const update = (model) => {
    swatch.className = `swatch ${colour(model.id)}`;
    write(words, `${model.id} ${sizes(model)}`);
  };
  return { node: el("li", {}, swatch, words), update };
}

function sizes({ measured, predicted }) {
  const [is, was] = [bytes(measured), bytes(predicted)];
  if (!measured) return `${was} predicted`;
  if (!predicted) return `${is} measured`;
  return is === was ? `${is} measured, as predicted` : `${is} measured, ${was} predicted`;
}
