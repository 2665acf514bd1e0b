// The requests in flight, and those that have ended.

import { ask, get, request as path } from "./api.js";
import { el, find, keep, show, write } from "./dom.js";
import { explain } from "./explain.js";
import { clock, rate, seconds, words } from "./format.js";
import { notice } from "./notices.js";
import { apply, colour, LISTED, now, state } from "./store.js";

/** Rows that are shown at first, and added by each «Show older». */
const PAGE = 50;

export const OUTCOMES = ["complete", "client_gone", "cancelled", "refused", "upstream_error"];

export function renderLive(parent) {
  if (!parent.table) {
    parent.table = table(["Model", "Route", "Request", "Phase", "#Elapsed", ""]);
    parent.empty = el("p", { class: "empty" }, "No requests in flight.");
    parent.rest = el("p", { class: "quiet" });
    parent.append(parent.table.node, parent.rest, parent.empty);
  }
  keep(parent.table.body, state.inFlight, (row) => row.id, liveRow);
  const more = state.inFlightTotal - state.inFlight.length;
  show(parent.rest, more > 0);
  write(parent.rest, `and ${more} more recent requests`);
  show(parent.table.node, state.inFlight.length > 0);
  show(parent.empty, state.inFlight.length === 0);
}

function liveRow({ id }) {
  const cells = row(["Model", "Route", "Request", "Phase", "#Elapsed"]);
  const cancel = el("button", { type: "button", "aria-label": `Cancel request ${id}` }, "Cancel");
  cancel.addEventListener("click", async () => {
    cancel.disabled = true;
    try {
      await ask("DELETE", path(id));
      notice(`Cancelled request ${id}`);
    } catch (error) {
      cancel.disabled = false;
      notice(error.message, "bad");
    }
  });
  cells.node.append(el("td", { class: "number wide" }, cancel));
  const update = (live) => {
    who(cells.Model, live.model);
    write(cells.Route, words(live.route));
    write(cells.Request, live.key ? `${id} (key ${live.key})` : id);
    write(cells.Phase, PHASES[live.state] ?? live.state);
    write(cells.Elapsed, seconds(Math.max(0, now() - live.at)));
  };
  return { node: cells.node, update };
}

const PHASES = { queued: "queued", waiting: "waiting for the first byte", streaming: "streaming" };

let asked = PAGE;

export function setUpEnded() {
  find("ended-outcome").append(el("option", { value: "" }, "all"));
  for (const outcome of OUTCOMES) find("ended-outcome").append(el("option", { value: outcome }, words(outcome)));
  for (const id of ["ended-model", "ended-outcome"]) {
    find(id).addEventListener("change", () => {
      asked = PAGE;
      renderEnded();
    });
  }
  const parent = find("ended");
  const names = ["Ended", "Model", "Route", "Outcome", "#TTFT", "#Total", "#Tokens", "#Tokens/s", ""];
  parent.table = table(names);
  parent.empty = el("p", { class: "empty" });
  parent.more = el("button", { type: "button", class: "more" }, "Show older");
  parent.more.addEventListener("click", () => older(parent.more));
  parent.append(parent.table.node, parent.empty, parent.more);
}

export function renderEnded() {
  const parent = find("ended");
  chooseModels(find("ended-model"), "all");
  const model = find("ended-model").value;
  const outcome = find("ended-outcome").value;
  const fits = (row) => (!model || row.model === model) && (!outcome || row.outcome === outcome);
  const rows = [];
  for (const row of state.ended) {
    if (fits(row)) rows.push(row);
    if (rows.length > asked) break;
  }
  keep(parent.table.body, rows.slice(0, asked), (row) => `${row.seq} ${row.at}`, endedRow);
  show(parent.table.node, rows.length > 0);
  show(parent.more, rows.length > asked || !state.all);
  show(parent.empty, rows.length === 0);
  const none = state.ended.length === 0;
  write(parent.empty, none ? "No finished requests yet. Send one from the Chat page or to the public address." : "No requests match these filters.");
}

async function older(button) {
  asked += PAGE;
  renderEnded();
  if (find("ended").table.body.childElementCount < asked && !state.all) {
    button.disabled = true;
    try {
      const oldest = state.ended.at(-1)?.seq;
      apply("older", await get(`/api/requests?limit=${LISTED}&before=${oldest}`));
    } catch (error) {
      notice(error.message, "bad");
    } finally {
      button.disabled = false;
    }
    renderEnded();
  }
  if (button.hidden) find("ended").table.node.focus();
}

function endedRow(ended) {
  const cells = row(["Ended", "Model", "Route", "Outcome", "#TTFT", "#Total", "#Tokens", "#Tokens/s"]);
  const more = el("button", { type: "button", "aria-label": `Explain request ${ended.id}` }, "Explain");
  more.addEventListener("click", () => explain(ended));
  cells.node.append(el("td", { class: "number wide" }, more));
  write(cells.Ended, clock(ended.at + ended.total_seconds));
  write(cells.Route, words(ended.route));
  const outcome = ended.error ? `${words(ended.outcome)}: ${words(ended.error)}` : words(ended.outcome);
  cells.Outcome.append(el("span", { class: `outcome ${kind(ended)}` }, outcome));
  write(cells.TTFT, seconds(ended.ttft_seconds));
  write(cells.Total, seconds(ended.total_seconds));
  write(cells.Tokens, tokens(ended.tokens));
  write(cells["Tokens/s"], rate(ended.tokens_per_second));
  return { node: cells.node, update: () => who(cells.Model, ended.model) };
}

/** How bad it is: the client's own leaving is nobody's fault. */
function kind({ outcome, status }) {
  if (outcome === "upstream_error" || outcome === "refused") return "wrong";
  if (outcome === "complete") return status >= 400 ? "wrong" : "";
  return "off";
}

function tokens({ prompt, generated }) {
  if (prompt === null && generated === null) return "–";
  return `${prompt ?? "?"} → ${generated ?? "?"}`;
}

function who(cell, model) {
  let name = cell.firstElementChild;
  if (!name) cell.append((name = el("span", { class: "who" }, el("span", { "aria-hidden": "true" }), el("span"))));
  name.firstElementChild.className = `swatch ${colour(model)}`;
  write(name.lastElementChild, model ?? "–");
}

/** The models as options, kept as they are chosen. */
export function chooseModels(select, all) {
  const names = [...state.models.keys()];
  const options = [...(all ? [{ value: "", text: all }] : []), ...names.map((name) => ({ value: name, text: name }))];
  const chosen = select.value;
  keep(select, options, (option) => option.value, ({ value, text }) => ({ node: el("option", { value }, text), update: () => {} }));
  if (select.value !== chosen && options.some((option) => option.value === chosen)) select.value = chosen;
}

/** A table whose columns have these names; those after `#` are numbers. */
function table(names) {
  const head = names.map((name) =>
    name === "" ? el("th", {}, el("span", { class: "unseen" }, "Action")) : el("th", { scope: "col", class: name.startsWith("#") && "number" }, name.replace("#", "")),
  );
  const body = el("tbody");
  const node = el("div", { class: "sheet", tabindex: "-1" }, el("table", {}, el("thead", {}, el("tr", {}, head)), body));
  return { node, body };
}

/** A row with these cells, by their names. */
function row(names) {
  const cells = {};
  for (const name of names) {
    const plain = name.replace("#", "");
    const kind = name.startsWith("#") ? "number" : plain === "Request" ? "id" : plain === "Outcome" && "wide";
    cells[plain] = el("td", { class: kind, "data-name": plain });
  }
  return { ...cells, node: el("tr", {}, Object.values(cells)) };
}
