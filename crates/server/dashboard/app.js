// Joins the parts: which view is shown, and when it is drawn.

import { renderChat, setUpChat } from "./chat.js";
import { renderDecisions, renderLife } from "./decisions.js";
import { find, show, write } from "./dom.js";
import { setUpHistory } from "./history.js";
import { followLogs, setUpLogs } from "./logs.js";
import { modelCard } from "./models.js";
import { renderOverview } from "./overview.js";
import { renderEnded, renderLive, setUpEnded } from "./requests.js";
import { routed } from "./router.js";
import { state, subscribe } from "./store.js";
import { follow } from "./stream.js";

/** Milliseconds that decisions may come in before they are asked for again. */
const GATHER = 400;

const TITLES = { overview: "paddock", requests: "Requests – paddock", chat: "Chat – paddock" };
const RENDER = { overview: renderOverview, requests: renderRequests, model: renderModel, chat: renderChat };

let shown = { view: "overview" };
/** The model whose page is shown, and its card. */
let card = null;

function renderRequests() {
  renderLive(find("requests").querySelector(".live"));
  renderEnded();
}

function renderModel() {
  const model = state.models.get(shown.model);
  write(find("model-title"), shown.model);
  if (model) card.update(model);
  else if (state.known) write(find("model-card"), "No model with this name is configured.");
}

function changed(to) {
  shown = to;
  document.title = TITLES[to.view] ?? `${to.model} – paddock`;
  followLogs(to.view === "model" ? to.model : null);
  card = null;
  if (to.view === "model") {
    card = modelCard(to.model, true);
    find("model-card").replaceChildren(card.node);
    decide();
  }
  if (to.view === "chat") renderChat(to.model);
  draw();
}

function decide() {
  const { model } = shown;
  if (shown.view !== "model") return;
  const current = () => shown.model === model;
  renderDecisions(find("decisions"), model, current);
  renderLife(find("life"), model, current);
}

let deciding = 0;
let due = false;

function told(kind, data) {
  const about = kind === "snapshot" || (kind === "model" && data.id === shown.model);
  if (about && shown.view === "model") {
    clearTimeout(deciding);
    deciding = setTimeout(decide, GATHER);
  }
  if (kind === "snapshot" && shown.view === "chat") renderChat(shown.model);
  say();
  if (due) return;
  due = true;
  requestAnimationFrame(draw);
}

let statuses = new Map();

/** Tells who cannot see it which models have changed. */
function say() {
  const before = statuses;
  statuses = new Map([...state.models.values()].map((model) => [model.id, model.status]));
  const changed = [...statuses].filter(([id, status]) => before.has(id) && before.get(id) !== status);
  if (changed.length > 0) write(find("said"), changed.map(([id, status]) => `${id} is ${status}`).join(", "));
}

function draw() {
  due = false;
  show(find("connecting"), !state.known);
  show(find(shown.view), state.known);
  if (!state.known) return;
  RENDER[shown.view]();
  write(find("version"), state.version && `paddock ${state.version}`);
}

setUpHistory();
setUpLogs();
setUpEnded();
setUpChat();
subscribe(told);
routed(changed);
setInterval(draw, 1000);
follow();
