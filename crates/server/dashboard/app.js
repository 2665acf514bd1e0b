// Joins the parts: which view is shown, and when it is drawn.

import { find, show, write } from "./dom.js";
import { renderModels } from "./models.js";
import { state, subscribe } from "./store.js";
import { follow } from "./stream.js";

const views = { overview: renderOverview, requests: () => {}, model: () => {}, chat: () => {} };
let shown = "overview";
let due = false;

function renderOverview() {
  const models = [...state.models.values()];
  renderModels(find("models"), models);
  show(find("models-empty"), state.known && models.length === 0);
}

function draw() {
  due = false;
  views[shown]();
  write(find("version"), state.version ? `paddock ${state.version}` : "");
}

function soon() {
  if (due) return;
  due = true;
  requestAnimationFrame(draw);
}

function go() {
  for (const name of Object.keys(views)) show(find(name), name === shown);
  soon();
}

subscribe(soon);
setInterval(soon, 1000);
go();
follow();
