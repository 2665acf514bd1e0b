// Why a model was loaded, kept, evicted or refused, and what became of it, the newest first.

import { get, model as path } from "./api.js";
import { el } from "./dom.js";
import { clock, words } from "./format.js";

/** What happened to a model or to paddock, and how it is marked. */
const KINDS = { load_started: "busy", ready: "good", crashed: "bad", load_failed: "bad", refused: "bad" };

const when = (at) => el("time", { datetime: new Date(at * 1000).toISOString() }, clock(at));

export const decision = ({ at, message }) => el("li", {}, when(at), el("span", {}, message));

function happened({ at, event, reason, message }) {
  const what = el("span", { class: `event ${KINDS[event] ?? "other"}` }, words(event), reason ? `: ${words(reason)}` : "");
  return el("li", {}, when(at), what, el("span", {}, message));
}

export const renderDecisions = (list, id, current) =>
  fill(list, current, "No decisions yet. The model is loaded by its first request, or with the Load button.", async () =>
    (await get(path(id, "/explain"))).decisions.reverse().map(decision),
  );

/** Its loads and ends, those before paddock's last start too, and between them paddock's own starts and ends. */
export const renderLife = (list, id, current) => fill(list, current, "This model has not been loaded yet.", () => life(id));

async function life(id) {
  const [own, paddocks] = await Promise.all([id, ""].map(lives));
  const since = own.at(-1)?.seq ?? Infinity;
  const all = [...own, ...paddocks.filter(({ seq }) => seq > since)];
  return all.sort((one, other) => other.seq - one.seq).map(happened);
}

/** What became of a model; without a name, of paddock. */
const lives = async (id) => (await get(`/api/lifecycle?limit=100&model=${encodeURIComponent(id)}`)).events;

async function fill(list, current, none, read) {
  let items;
  try {
    items = await read();
    if (items.length === 0) items = [el("li", {}, el("span", { class: "quiet" }, none))];
  } catch (error) {
    items = [el("li", {}, el("span", {}, error.message))];
  }
  if (current()) list.replaceChildren(...items);
}
