// What became of a request, and why: where its time went, and what was decided meanwhile.

import { get, request as path } from "./api.js";
import { decision } from "./decisions.js";
import { el, find, write } from "./dom.js";
import { bytes, clock, rate, seconds, words } from "./format.js";

export async function explain(ended) {
  const dialog = find("dialog");
  const body = find("dialog-body");
  write(find("dialog-title"), ended.id);
  body.replaceChildren(times(ended), facts(ended));
  if (!dialog.open) dialog.showModal();
  const told = await meanwhile(ended);
  if (find("dialog-title").textContent === ended.id) body.append(told);
}

/** The parts of its time, in their order. */
function parts(ended) {
  const { queue_seconds: queue, load_seconds: load, ttft_seconds: first, total_seconds: total } = ended;
  const begun = first ?? total;
  // An estimate, which may be longer than what is left of the time.
  const engine = Math.min(ended.engine_wait_seconds, Math.max(0, begun - queue - load));
  const waited = queue + load + engine;
  return [
    ["queued", "other", queue],
    ["loading the model", "c2", load],
    ["queued in llama-server (estimated)", "c3", engine],
    [first === null ? "answer" : "until the first token", "c1", Math.max(0, begun - waited)],
    ["rest of the stream", "c0", first === null ? 0 : Math.max(0, total - begun)],
  ].filter(([, , took]) => took > 0);
}

function times(ended) {
  const shown = parts(ended);
  const whole = shown.reduce((sum, [, , took]) => sum + took, 0) || 1;
  const bar = el("div", { class: "bar times", "aria-hidden": "true" });
  for (const [, kind, took] of shown) {
    const part = el("i", { class: kind });
    part.style.width = `${(100 * took) / whole}%`;
    bar.append(part);
  }
  const legend = shown.map(([name, kind, took]) =>
    el("li", {}, el("span", { class: `swatch ${kind}`, "aria-hidden": "true" }), `${name} ${seconds(took)}`),
  );
  return el("div", { class: "place" }, bar, el("ul", { class: "legend" }, legend));
}

function facts(ended) {
  const { prompt, cached, generated } = ended.tokens;
  const rows = [
    ["Started", clock(ended.at)],
    ["Model", ended.model ?? "none"],
    ["Key", ended.key],
    ["Route", words(ended.route)],
    ["Status", ended.status ?? "none: the client disconnected first"],
    ["Outcome", words(ended.outcome)],
    ["Error", ended.error],
    ["Total", seconds(ended.total_seconds)],
    ["Prompt tokens", cached ? `${prompt} (${cached} cached)` : prompt],
    ["Generated tokens", generated],
    ["Tokens/s", ended.tokens_per_second && rate(ended.tokens_per_second)],
    ["Body sizes", `${bytes(ended.bytes_in)} in, ${bytes(ended.bytes_out)} out`],
  ];
  const known = rows.filter(([, value]) => value !== null && value !== undefined);
  return el("dl", { class: "facts" }, known.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, String(value)))));
}

/** The decisions and the cached part of the prompt. There are none if the request did not wait and states no cached tokens. */
async function meanwhile({ id, queue_seconds: queue, load_seconds: load, engine_wait_seconds: engine, outcome, tokens }) {
  const straight = queue + load + engine === 0 && outcome !== "refused" && tokens.cached === null;
  if (straight) return el("p", { class: "quiet" }, "This request reached its model without waiting, so there are no decisions to show.");
  try {
    const told = await get(path(id, "/explain"));
    const error = told.error && el("p", {}, told.error.message);
    const list = told.meanwhile.length > 0 && el("ol", { class: "decisions" }, told.meanwhile.map((one) => decision(one)));
    const difference = told.first_difference && el("p", {}, told.first_difference.message);
    const words = el("p", {}, `Waited ${seconds(told.waited_seconds)}; outcome: ${told.outcome}`);
    return el("div", { class: "block" }, el("h3", {}, "History"), words, error, list, difference);
  } catch (error) {
    const none = error.status === 404;
    return el("p", { class: "quiet" }, none ? "The decisions about this request are no longer stored." : error.message);
  }
}
