// What this page knows of paddock. Only `apply` changes it; who subscribed is told.

/** Requests that are remembered for the table and the charts, and how many are asked for at once. */
const KEPT = 5000;
export const LISTED = 1000;
/** Samples of memory, at most one a second. */
const SAMPLES = 3600;

export const state = {
  version: "",
  models: new Map(),
  memory: null,
  /** Requests in flight or queued, the oldest first. */
  inFlight: [],
  /** How many there are in all: the list has the oldest. */
  inFlightTotal: 0,
  /** Requests that have ended, newest first. */
  ended: [],
  /** Whether there are no older ones to ask for. */
  all: true,
  /** Of memory, the oldest first: `{ at, memory }`. */
  samples: [],
  /** Whether anything has been heard yet. */
  known: false,
};

/** Seconds that paddock's clock is ahead of the browser's; differences that a delay explains do not count. */
let ahead = 0;
const DELAY = 3;

/** The time by paddock's clock, in seconds since 1970. */
export const now = () => Date.now() / 1000 + ahead;

function compare(theirs) {
  const difference = theirs - Date.now() / 1000;
  ahead = Math.abs(difference) > DELAY ? difference : 0;
}

/** What has ended since the history was asked for, until it comes. */
let recent = null;
const listeners = new Set();

export function subscribe(listener) {
  listeners.add(listener);
}

export function apply(kind, data) {
  const at = Date.now() / 1000;
  switch (kind) {
    case "snapshot":
      state.version = data.version;
      state.models = new Map(data.models.map((model) => [model.id, told(model, at)]));
      state.known = true;
      state.inFlight = [];
      state.inFlightTotal = 0;
      remember(data.memory);
      break;
    case "model":
      state.models.set(data.id, told(data, at));
      break;
    case "removed":
      state.models.delete(data.id);
      break;
    case "memory":
      remember(data);
      break;
    case "in_flight":
      state.inFlight = data.requests;
      state.inFlightTotal = data.total ?? data.requests.length;
      for (const row of data.requests.slice(-1)) compare(row.at + row.seconds);
      break;
    case "request":
      recent?.push(data);
      compare(data.at + data.total_seconds);
      if (data.seq <= (state.ended[0]?.seq ?? 0)) break;
      state.ended = [data, ...state.ended.slice(0, KEPT - 1)];
      break;
    case "asked":
      recent = [];
      break;
    case "history":
      state.ended = merged(data.requests);
      state.all = data.requests.length < LISTED;
      recent = null;
      break;
    case "older":
      state.ended = [...state.ended, ...data.requests].slice(0, KEPT);
      state.all = data.requests.length < LISTED || state.ended.length === KEPT;
      break;
  }
  for (const listener of listeners) listener(kind, data);
}

/** A model, and when this was told: what it says of times counts from then. */
const told = (model, at) => ({ ...model, told: at });

function remember(memory) {
  if (!memory) return;
  state.memory = memory;
  const at = now();
  const last = state.samples.at(-1);
  if (last && at - last.at < 1) state.samples.pop();
  state.samples.push({ at, memory });
  if (state.samples.length > SAMPLES) state.samples.shift();
}

/** What paddock lists, what has ended meanwhile, and what is older than its list goes back. */
function merged(listed) {
  const all = new Map([...listed, ...(recent ?? [])].map((row) => [row.seq, row]));
  const rows = [...all.values()].sort((one, other) => other.seq - one.seq);
  const older = listed.length < LISTED ? [] : state.ended.filter((row) => row.seq < listed.at(-1).seq);
  return [...rows, ...older].slice(0, KEPT);
}

const COLOURS = 8;

/** A colour for a model, the same everywhere: its place among the models. */
export function colour(id) {
  const at = [...state.models.keys()].indexOf(id);
  return at < 0 ? "other" : `c${at % COLOURS}`;
}
