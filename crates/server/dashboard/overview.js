// What matters, in a few numbers, to be read from across the room.

import { el, find, keep, show, write } from "./dom.js";
import { digits } from "./format.js";
import { renderHistory } from "./history.js";
import { renderMemory } from "./memory.js";
import { renderModels } from "./models.js";
import { renderLive } from "./requests.js";
import { now, state } from "./store.js";

const MINUTE = 60;

export function renderOverview() {
  const models = [...state.models.values()];
  keep(find("tiles"), tiles(models), (tile) => tile.name, makeTile);
  renderMemory(find("memory"), state.memory, models);
  renderModels(find("models"), models);
  show(find("models-empty"), state.known && models.length === 0);
  renderLive(find("overview").querySelector(".live"));
  renderHistory();
}

function tiles(models) {
  const sum = (of) => models.reduce((all, model) => all + of(model), 0);
  const are = (...statuses) => models.filter((model) => statuses.includes(model.status)).length;
  const [loading, failed] = [are("loading"), are("failed")];
  const more = [`of ${models.length}`, loading && `${loading} loading`, failed && `${failed} failed`];
  const from = now() - MINUTE;
  let [requests, tokens] = [0, 0];
  for (const row of state.ended) {
    if (row.at + row.total_seconds < from) break;
    requests += 1;
    tokens += row.tokens.generated ?? 0;
  }
  return [
    { name: "Models ready", value: String(are("ready", "draining")), small: more.filter(Boolean).join(", ") },
    { name: "In flight", value: String(sum((model) => model.in_flight)), small: "" },
    { name: "Queued", value: String(sum((model) => model.queued)), small: "" },
    { name: "Requests/min", value: String(requests), small: "" },
    { name: "Tokens/s", value: digits(tokens / MINUTE), small: "" },
  ];
}

function makeTile({ name }) {
  const value = el("span");
  const small = el("small");
  const node = el("div", {}, el("dt", {}, name), el("dd", {}, value, " ", small));
  const update = (tile) => {
    write(value, tile.value);
    write(small, tile.small);
  };
  return { node, update };
}
