// A model as a card: what it does, what it takes, why it fails, and what can be done.

import { ask, model as path } from "./api.js";
import { el, keep, show, write } from "./dom.js";
import { bytes, digits, duration } from "./format.js";
import { notice } from "./notices.js";
import { colour } from "./store.js";

export function renderModels(list, models) {
  keep(list, models, (model) => model.id, (model) => {
    const card = modelCard(model.id);
    return { node: el("li", {}, card.node), update: card.update };
  });
}

/** The card of a model; `alone` where it has a page to itself. */
export function modelCard(id, alone = false) {
  const name = alone ? null : el("h3", {}, el("a", { href: `#/models/${encodeURIComponent(id)}` }, id));
  const status = el("span", { class: "status" });
  const badges = el("span", { class: "badges" });
  const aliases = el("span");
  const progress = el("progress", { max: 1, "aria-label": `Loading ${id}` });
  const loaded = el("span", { class: "number" });
  const loading = el("div", { class: "loading" }, progress, loaded);
  const facts = el("dl", { class: "facts" });
  const suspicion = el("p", { class: "warning" });
  const failure = failureBox();
  const load = button("Load", id, "load");
  const unload = button("Unload", id, "unload");
  const pin = pinButton(id);
  const more = alone ? null : el("a", { href: `#/models/${encodeURIComponent(id)}` }, "Log and decisions");
  const chat = el("a", { href: `#/chat/${encodeURIComponent(id)}` }, "Chat");
  for (const link of [more, chat]) link?.append(el("span", { class: "unseen" }, ` of ${id}`));

  const node = el(
    "article",
    { class: "card", "aria-label": id },
    el("header", { class: "line" }, name, status),
    el("p", { class: "meta" }, badges, aliases),
    loading,
    facts,
    suspicion,
    failure.node,
    el("footer", { class: "buttons" }, load, unload, pin.node, chat, more),
  );

  function update(model) {
    node.dataset.status = model.status;
    node.dataset.colour = colour(id);
    write(status, model.status);
    const badge = (badge) => badge.text;
    keep(badges, badgesOf(model), badge, (item) => ({
      node: el("span", { class: `badge ${item.kind ?? ""}`, title: item.title }, item.text),
      update: () => {},
    }));
    write(aliases, model.aliases.length > 0 ? `also ${model.aliases.join(", ")}` : "");
    showProgress(model);
    renderFacts(facts, model, alone);
    show(suspicion, Boolean(model.suspicion));
    write(suspicion, model.suspicion ?? "");
    failure.update(model);
    show(load, ["unloaded", "failed"].includes(model.status));
    show(unload, ["ready", "loading"].includes(model.status));
    pin.update(model);
  }

  function showProgress(model) {
    show(loading, model.status === "loading");
    if (model.progress === null || model.progress === undefined) {
      progress.removeAttribute("value");
      write(loaded, model.pid ? "" : "waiting for memory");
    } else {
      progress.value = model.progress;
      write(loaded, `${Math.round(model.progress * 100)} %`);
    }
  }

  return { node, update };
}

function badgesOf(model) {
  const badges = [];
  if (model.pinned) badges.push({ text: "pinned", kind: "pin", title: "Once loaded, the model is neither evicted nor unloaded when idle" });
  const { opened_by: by = [], ...parts } = model.sandbox ?? {};
  const open = Object.keys(parts).filter((part) => !parts[part]);
  const why = by.length > 0 ? `relaxed because of ${by.join(", ")}` : "this kernel does not support the other parts";
  if (Object.keys(parts).length === 0 || !model.pid) return badges;
  if (open.length === 0) badges.push({ text: "sandboxed", title: `Active parts: ${Object.keys(parts).join(", ")}` });
  else if (open.length === Object.keys(parts).length) badges.push({ text: "no sandbox", kind: "warn", title: why });
  else badges.push({ text: `sandbox without ${open.join(", ")}`, kind: "warn", title: why });
  return badges;
}

/** Seconds since paddock said what is known of it. */
const passed = (model) => Date.now() / 1000 - model.told;

function renderFacts(list, model, alone) {
  const facts = [];
  const loaded = ["ready", "draining"].includes(model.status);
  if (loaded || model.in_flight > 0) facts.push(["In flight", String(model.in_flight)]);
  if (loaded || model.queued > 0) facts.push(["Queued", String(model.queued)]);
  if (model.since !== null && (loaded || model.status === "loading")) {
    facts.push([loaded ? "Ready for" : "Loading for", duration(model.since + passed(model))]);
  }
  if (alone && model.pid) facts.push(["Process", String(model.pid)]);
  if (alone && model.restarts > 0) facts.push(["Restarts", String(model.restarts)]);
  const { predicted, measured } = model.memory;
  if (measured) facts.push(["Memory", everywhere(measured)]);
  const same = measured && predicted && everywhere(measured) === everywhere(predicted);
  if (predicted && !same) facts.push([measured ? "Predicted" : "Predicted memory", everywhere(predicted)]);
  const kept = conversations(model.contexts, alone);
  if (kept) facts.push(["Conversations", kept]);
  keep(list, facts, ([name]) => name, ([name]) => {
    const value = el("dd");
    return { node: el("div", {}, el("dt", {}, name), value), update: ([, text]) => write(value, text) };
  });
  show(list, facts.length > 0);
}

/** The model's contexts and the reading time that they have saved. In a list of models, empty if there are none. */
function conversations({ not_kept: reason, stored, bytes: size, hits, tokens_reused: tokens, seconds_saved: saved }, alone) {
  if (reason !== null) return alone ? `not kept: ${reason}` : "";
  if (stored + hits === 0) return alone ? "none kept yet" : "";
  const parts = [`${stored} kept (${bytes(size)})`];
  if (alone && hits > 0) parts.push(`${digits(tokens)} tokens not read again, ${duration(saved)} saved`);
  return parts.join("; ");
}

/** `1.2 GiB, CUDA0 5 GiB`: the host's part has no name. */
function everywhere(memory) {
  const devices = Object.entries(memory.devices).filter(([, taken]) => taken > 0);
  const named = devices.map(([name, taken]) => `${name} ${bytes(taken)}`);
  return [...(memory.host > 0 || named.length === 0 ? [bytes(memory.host)] : []), ...named].join(", ");
}

function failureBox() {
  const kind = el("strong");
  const next = el("span");
  const message = el("p");
  const tail = el("pre");
  const details = el("details", {}, el("summary", {}, "Last lines of output"), tail);
  const node = el("div", { class: "failure" }, el("p", {}, kind, " ", next), message, details);
  const update = (model) => {
    show(node, Boolean(model.failure));
    if (!model.failure) return;
    write(kind, model.failure.class);
    write(message, model.failure.message);
    const lines = model.failure.log_tail ?? [];
    write(tail, Array.isArray(lines) ? lines.join("\n") : String(lines));
    show(details, lines.length > 0);
    const left = (model.retry_after ?? 0) - passed(model);
    const again = model.retry_after === null ? "no automatic retry" : left > 0 ? `next attempt in ${duration(left)}` : "";
    write(next, again);
  };
  return { node, update };
}

function button(words, id, action) {
  const node = el("button", { type: "button", "aria-label": `${words} ${id}` }, words);
  node.addEventListener("click", async () => {
    node.disabled = true;
    try {
      await ask("POST", path(id, `/${action}`));
      notice(`${id}: ${action} requested`);
    } catch (error) {
      notice(`${id}: ${error.message}`, "bad");
    } finally {
      node.disabled = false;
    }
  });
  return node;
}

/** Pressed while the model is pinned. It is not disabled while paddock is asked, so it keeps the focus. */
function pinButton(id) {
  const node = el("button", { type: "button", "aria-label": `Pin ${id}`, "aria-pressed": "false" }, "Pin");
  let pinned = false;
  let asking = false;
  const update = (model) => {
    pinned = model.pinned;
    node.setAttribute("aria-pressed", String(pinned));
    node.title = pinned ? "Unpin: allow the model to be evicted and unloaded when idle" : "Pin: keep the model in memory once it is loaded";
  };
  node.addEventListener("click", async () => {
    if (asking) return;
    asking = true;
    try {
      const answer = await ask("POST", path(id, pinned ? "/unpin" : "/pin"));
      update(await answer.json());
      notice(`${id}: ${pinned ? "pinned" : "unpinned"}`);
    } catch (error) {
      notice(`${id}: ${error.message}`, "bad");
    } finally {
      asking = false;
    }
  });
  return { node, update };
}
