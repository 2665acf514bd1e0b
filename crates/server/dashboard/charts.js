// Draws values over time: dots, bars or steps, each series one path, with what lies under the pointer
// said in words.

import { el, svg, write } from "./dom.js";
import { clock, duration } from "./format.js";

const HEIGHT = 150;
const LEFT = 52;
const BOTTOM = 20;
const TOP = 8;
const RIGHT = 6;
/** Pixels to a point that the pointer means. */
const NEAR = 40;

/** A chart whose lines are said by `format`; `log` spaces its values by their ratios, `binary` has lines
 * at powers of two. */
export function makeChart({ title, format, log = false, binary = false }) {
  const headline = el("span");
  const at = el("span", { class: "at", "aria-hidden": "true" });
  const picture = svg("svg", { role: "img" });
  const node = el("figure", { class: "chart" }, el("figcaption", {}, el("b", {}, title), headline, at), picture);
  let drawn = null;
  let pointer = null;

  const redraw = () => drawn && draw(picture, { ...drawn, format, log, binary });
  const point = () => write(at, pointer ? mark(picture, pointer) : "");
  new ResizeObserver(redraw).observe(picture);
  picture.addEventListener("pointermove", (event) => {
    pointer = { x: event.offsetX, y: event.offsetY };
    point();
  });
  picture.addEventListener("pointerleave", () => {
    pointer = null;
    picture.querySelector(".near")?.remove();
    point();
  });

  function update(data) {
    drawn = data;
    write(headline, data.headline);
    picture.setAttribute("aria-label", `${title} over the last ${duration(data.to - data.from)}: ${data.headline || "no data"}`);
    redraw();
    point();
  }

  return { node, update };
}

function draw(picture, data) {
  const width = picture.clientWidth;
  if (width === 0) return;
  picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  const across = (time) => LEFT + ((width - LEFT - RIGHT) * (time - data.from)) / (data.to - data.from);
  const nothing = data.series.every((series) => series.points.length === 0);
  const { up, ticks } = nothing ? { ticks: [] } : upwards(data);
  const parts = ticks.map((tick) => line(up(tick), width, data.format(tick)));
  parts.push(
    label(LEFT, HEIGHT - 4, `${duration(data.to - data.from)} ago`, "start"),
    label(width - RIGHT, HEIGHT - 4, "now", "end"),
  );
  const hits = [];
  for (const series of nothing ? [] : data.series) parts.push(...DRAW[series.kind](series, across, up, hits, data));
  if (nothing) parts.push(label((LEFT + width) / 2, HEIGHT / 2, data.empty, "middle"));
  picture.hits = hits;
  picture.replaceChildren(...parts);
}

/** How high a value stands, and which values have a line. */
function upwards({ series, log, binary }) {
  const values = series.flatMap((one) => one.points.map((point) => point.value)).filter((value) => value > 0);
  const span = HEIGHT - TOP - BOTTOM;
  const greatest = values.reduce((most, value) => Math.max(most, value), 0) || 1;
  if (!log) {
    const step = binary ? 2 ** Math.ceil(Math.log2(greatest / 4)) : nice(greatest / 3);
    const whole = step * Math.ceil((greatest * 1.001) / step);
    const ticks = Array.from({ length: Math.round(whole / step) + 1 }, (_, number) => number * step);
    return { up: (value) => TOP + span * (1 - value / whole), ticks };
  }
  const smallest = values.reduce((smallest, value) => Math.min(smallest, value), greatest);
  const low = Math.floor(Math.log10(smallest) + 1e-9);
  const high = Math.max(low + 1, Math.ceil(Math.log10(greatest) - 1e-9));
  const stride = Math.ceil((high - low) / 4);
  const ticks = [];
  for (let power = low; power <= high; power += stride) ticks.push(10 ** power);
  return { up: (value) => TOP + span * (1 - (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low)), ticks };
}

/** The next of 1, 2, 5, 10, 20, … */
function nice(value) {
  const ten = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((times) => times * ten >= value * 0.999) * ten;
}

function line(y, width, text) {
  const place = y.toFixed(1);
  return svg("g", {}, svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: place, y2: place }), label(LEFT - 8, y + 4, text, "end"));
}

function label(x, y, text, anchor) {
  return svg("text", { x: x.toFixed(1), y: y.toFixed(1), "text-anchor": anchor }, text);
}

const path = (kind, colour, d) => svg("path", { class: `${kind} ${colour}`, d });

const DRAW = {
  dots({ points, colour }, across, up, hits) {
    const places = points.map((point) => ({ x: across(point.at), y: up(point.value), words: `${point.words}, ${clock(point.at)}` }));
    hits.push(...places);
    return [path("dots", colour, places.map(({ x, y }) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join(""))];
  },

  /** Each from `base` to `value`. */
  bars({ points, colour }, across, up, hits) {
    let d = "";
    for (const { at, until, base, value, words } of points) {
      const [x, right, y, bottom] = [across(at), across(until), up(value), up(base)];
      d += `M${(x + 0.5).toFixed(1)} ${bottom.toFixed(1)}V${y.toFixed(1)}H${Math.max(x + 1.5, right - 0.5).toFixed(1)}V${bottom.toFixed(1)}Z`;
      hits.push({ x: (x + right) / 2, y, words: `${words}, ${clock(at)}` });
    }
    return [path("bars", colour, d)];
  },

  /** Each value holds until the next one. */
  steps({ points, colour, filled }, across, up, hits, { from, to }) {
    if (points.length === 0) return [];
    let d = "";
    for (const [number, point] of points.entries()) {
      const x = across(Math.max(point.at, from));
      const y = up(point.value).toFixed(1);
      d += `${number === 0 ? "M" : "H"}${x.toFixed(1)}${number === 0 ? ` ${y}` : `V${y}`}`;
      hits.push({ x, y: up(point.value), words: `${point.words}, ${clock(point.at)}` });
    }
    d += `H${across(to).toFixed(1)}`;
    const floor = up(0).toFixed(1);
    const area = filled && path("area", colour, `${d}V${floor}H${across(Math.max(points[0].at, from)).toFixed(1)}Z`);
    return [area, path("step", colour, d)].filter(Boolean);
  },

  limit({ points }, across, up, hits, { from, to }) {
    const lines = points.map(({ value }) => `M${across(from).toFixed(1)} ${up(value).toFixed(1)}H${across(to).toFixed(1)}`);
    return [path("limit", "", lines.join(""))];
  },
};

/** Marks what lies nearest to the pointer, and says it. */
function mark(picture, { x, y }) {
  picture.querySelector(".near")?.remove();
  let best = null;
  let least = NEAR ** 2;
  for (const hit of picture.hits ?? []) {
    const far = (hit.x - x) ** 2 + ((hit.y - y) / 3) ** 2;
    if (far < least) [best, least] = [hit, far];
  }
  if (!best) return "";
  picture.append(svg("circle", { class: "near", cx: best.x.toFixed(1), cy: best.y.toFixed(1), r: 4 }));
  return best.words;
}
