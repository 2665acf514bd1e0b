// The charts: time to first token, tokens per second, requests per second, memory.

import { makeChart } from "./charts.js";
import { el, find } from "./dom.js";
import { brief, bytes, count, digits, duration, rate, seconds, words } from "./format.js";
import { places } from "./memory.js";
import { colour, now, state } from "./store.js";

const SPANS = [300, 900, 3600];
const BARS = 60;

let span = 900;
let charts = null;

export function setUpHistory() {
  charts = {
    ttft: makeChart({ title: "Time to first token", format: brief, log: true }),
    speed: makeChart({ title: "Tokens per second", format: rate }),
    requests: makeChart({ title: "Requests per second", format: (value) => digits(value, 2) }),
    memory: makeChart({ title: "Memory in use", format: bytes, binary: true }),
  };
  find("charts").append(...Object.values(charts).map((chart) => chart.node));
  const buttons = SPANS.map((time) => el("button", { type: "button", onclick: () => choose(time) }, duration(time)));
  find("spans").append(...buttons);
  choose(span);
}

function choose(time) {
  span = time;
  for (const [number, button] of [...find("spans").children].entries()) {
    button.setAttribute("aria-pressed", String(SPANS[number] === span));
  }
  renderHistory();
}

export function renderHistory() {
  const to = now();
  const from = to - span;
  const rows = [];
  for (const row of state.ended) {
    const at = row.at + row.total_seconds;
    if (at < from) continue;
    rows.push({ row, at: Math.min(at, to) });
  }
  charts.ttft.update({ from, to, ...ofEach(rows, (row) => row.ttft_seconds, seconds, 95), empty: "no stream finished in this period" });
  charts.speed.update({ from, to, ...ofEach(rows, (row) => row.tokens_per_second, (value) => `${rate(value)} tokens/s`, 5), empty: "no answer reported token counts in this period" });
  charts.requests.update({ from, to, ...perSecond(rows, from, to), empty: "no request finished in this period" });
  charts.memory.update({ from, to, ...memory(from), empty: "no data yet" });
}

/** A dot for each request, in its model's colour; said are the median and the percentile that is bad. */
function ofEach(rows, of, say, percentile) {
  const series = new Map();
  const values = [];
  for (const { row, at } of rows) {
    const value = of(row);
    if (!(value > 0)) continue;
    values.push(value);
    const kind = colour(row.model);
    if (!series.has(kind)) series.set(kind, { kind: "dots", colour: kind, points: [] });
    series.get(kind).points.push({ at, value, words: `${row.model ?? "no model"} ${say(value)}` });
  }
  values.sort((one, other) => one - other);
  const part = (percent) => say(values[Math.min(values.length - 1, Math.floor((percent * values.length) / 100))]);
  const headline = values.length === 0 ? "" : `median ${part(50)}, p${percentile} ${part(percentile)}`;
  return { series: [...series.values()], headline };
}

/** Bars of equal times: what was answered, and above it what was not. */
function perSecond(rows, from, to) {
  const wide = (to - from) / BARS;
  const first = Math.floor(from / wide);
  const bars = new Map();
  let failed = 0;
  for (const { row, at } of rows) {
    const bar = Math.floor(at / wide);
    if (!bars.has(bar)) bars.set(bar, [0, 0]);
    const bad = row.outcome === "upstream_error" || row.outcome === "refused";
    failed += bad ? 1 : 0;
    bars.get(bar)[bad ? 1 : 0] += 1;
  }
  const series = [{ kind: "bars", colour: "good", points: [] }, { kind: "bars", colour: "bad", points: [] }];
  for (const [bar, [good, bad]] of bars) {
    if (bar < first) continue;
    const [at, until] = [Math.max(from, bar * wide), Math.min(to, (bar + 1) * wide)];
    const said = `${digits((good + bad) / wide, 2)}/s: ${count(good, "request")}${bad ? `, ${bad} failed` : ""}`;
    if (good) series[0].points.push({ at, until, base: 0, value: good / wide, words: said });
    if (bad) series[1].points.push({ at, until, base: good / wide, value: (good + bad) / wide, words: said });
  }
  const headline = rows.length === 0 ? "" : `${count(rows.length, "request")}${failed ? `, ${failed} failed or refused` : ""}`;
  return { series, headline };
}

/** What is in use, everywhere, since this page was opened. */
function memory(from) {
  if (!state.memory) return { series: [], headline: "" };
  const known = state.samples;
  const first = Math.max(0, known.findLastIndex((sample) => sample.at <= from));
  const samples = known.slice(first);
  const series = [];
  const said = [];
  for (const [number, [name, of]] of places(state.memory).entries()) {
    const points = samples.map(({ at, memory }) => ({ at, value: of(memory.used), words: `${name} ${bytes(of(memory.used))}` }));
    series.push({ kind: "steps", colour: `c${number % 8}`, points, filled: number === 0 });
    const limit = of(state.memory.budget);
    if (limit) series.push({ kind: "limit", colour: "", points: [{ value: limit }] });
    said.push(`${words(name)} ${bytes(of(state.memory.used))}${limit ? ` of ${bytes(limit)}` : ""}`);
  }
  return { series, headline: said.join(", ") };
}
