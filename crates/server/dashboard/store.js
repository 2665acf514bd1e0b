// What this page knows of paddock. Only `apply` changes it; who subscribed is told.

/** Requests that are remembered for the table and the charts. */
const KEPT = 5000;
/** Samples of memory, at most one a second. */
const SAMPLES = 3600;

export const state = {
  version: "",
  models: new Map(),
  memory: null,
  /** Requests in flight or queued, and when that was told. */
  inFlight: [],
  inFlightAt: 0,
  /** Requests that have ended, newest first. */
  ended: [],
  /** Of memory, the oldest first: `{ at, memory }`. */
  samples: [],
  /** Whether anything has been heard yet. */
  known: false,
};

/** What ended since the last snapshot: not in an answer that was asked for before. */
let recent = [];
const listeners = new Set();

export function subscribe(listener) {
  listeners.add(listener);
}

export function apply(kind, data) {
  const now = Date.now() / 1000;
  switch (kind) {
    case "snapshot":
      state.version = data.version;
      state.models = new Map(data.models.map((model) => [model.id, told(model, now)]));
      state.known = true;
      recent = [];
      remember(data.memory, now);
      break;
    case "model":
      state.models.set(data.id, told(data, now));
      break;
    case "removed":
      state.models.delete(data.id);
      break;
    case "memory":
      remember(data, now);
      break;
    case "in_flight":
      state.inFlight = data.requests;
      state.inFlightAt = now;
      break;
    case "request":
      recent.push(data);
      state.ended = [data, ...state.ended.slice(0, KEPT - 1)];
      break;
    case "history":
      state.ended = merged(data.requests);
      break;
  }
  for (const listener of listeners) listener(kind, data);
}

/** A model, and when this was told: what it says of times counts from then. */
const told = (model, now) => ({ ...model, told: now });

function remember(memory, now) {
  if (!memory) return;
  state.memory = memory;
  const last = state.samples.at(-1);
  if (last && now - last.at < 1) state.samples.pop();
  state.samples.push({ at: now, memory });
  if (state.samples.length > SAMPLES) state.samples.shift();
}

/** What paddock lists, what has ended meanwhile, and what is older than its list goes back. */
function merged(listed) {
  const all = new Map([...listed, ...recent].map((row) => [row.seq, row]));
  const rows = [...all.values()].sort((one, other) => other.seq - one.seq);
  const oldest = listed.at(-1)?.at ?? Infinity;
  const older = listed.length < 1000 ? [] : state.ended.filter((row) => row.at < oldest);
  return [...rows, ...older].slice(0, KEPT);
}

const COLOURS = 8;

/** A colour for a model, the same everywhere: its place among the models. */
export function colour(id) {
  const at = [...state.models.keys()].indexOf(id);
  return at < 0 ? "other" : `c${at % COLOURS}`;
}
