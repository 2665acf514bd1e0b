// Numbers as people read them.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(count) {
  if (count === null || count === undefined) return "–";
  let unit = 0;
  while (count >= 1000 && unit < UNITS.length - 1) {
    count /= 1024;
    unit += 1;
  }
  return `${digits(count, unit === 0 ? 0 : 1)} ${UNITS[unit]}`;
}

/** A number without more digits than mean something. */
export function digits(value, most = 1) {
  return value.toLocaleString("en", { maximumFractionDigits: value >= 100 ? 0 : most });
}

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 0.0995) return `${digits(value * 1000, value < 0.00995 ? 1 : 0)} ms`;
  if (value < 9.95) return `${value.toFixed(2)} s`;
  if (value < 60) return `${value.toFixed(1)} s`;
  return duration(value);
}

/** Seconds beside a chart's line. */
export const brief = (value) => (value < 1 ? `${digits(value * 1000, 3)} ms` : `${digits(value)} s`);

/** In the two greatest units. */
export function duration(value) {
  const whole = Math.max(0, Math.round(value));
  if (whole < 60) return `${whole} s`;
  const [large, small, names] =
    whole < 3600
      ? [Math.floor(whole / 60), whole % 60, ["min", "s"]]
      : whole < 86_400
        ? [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), ["h", "min"]]
        : [Math.floor(whole / 86_400), Math.floor((whole % 86_400) / 3600), ["d", "h"]];
  return small === 0 ? `${large} ${names[0]}` : `${large} ${names[0]} ${small} ${names[1]}`;
}

export const rate = (value) => (value === null || value === undefined ? "–" : digits(value));

export const count = (value, one, many = `${one}s`) => `${value} ${value === 1 ? one : many}`;

/** The time of day of a moment in seconds since 1970; with its date where that is another day. */
export function clock(at) {
  const date = new Date(at * 1000);
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const today = date.toDateString() === new Date().toDateString();
  return today ? time : `${date.toLocaleDateString([], { month: "short", day: "numeric" })} ${time}`;
}

/** `upstream_error` as words. */
export const words = (name) => String(name).replaceAll("_", " ");
