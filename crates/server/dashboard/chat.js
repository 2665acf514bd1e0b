// A conversation with a model, to try it: the answer as it streams, what it thought, and how fast it was.

import { ask } from "./api.js";
import { el, find, show, write } from "./dom.js";
import { count, rate, seconds } from "./format.js";
import { chooseModels } from "./requests.js";
import { events } from "./sse.js";
import { state } from "./store.js";

/** What has been said, as the model is told it. */
let messages = [];
/** Whether a model has been chosen, if only by this page. */
let chosen = false;
/** The answer that is on its way: `{ abort, turn, sent, first }`. */
let current = null;

export function setUpChat() {
  find("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  find("prompt").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      send();
    }
  });
  find("chat-stop").addEventListener("click", () => {
    current?.abort.abort();
    find("prompt").focus();
  });
  find("chat-clear").addEventListener("click", clear);
  clear();
}

function clear() {
  current?.abort.abort();
  messages = [];
  find("talk").replaceChildren(
    el("p", { class: "empty" }, "Try a model: type a message below. paddock first loads the model if necessary. The conversation is lost when you close this page."),
  );
}

/** The models to choose from, and how far a load is that the answer waits for. */
export function renderChat(wanted) {
  const select = find("chat-model");
  chooseModels(select);
  const models = [...state.models.values()];
  const meant = wanted && models.find((model) => model.id === wanted || model.aliases.includes(wanted));
  if (meant) {
    select.value = meant.id;
    chosen = true;
  } else if (!chosen && state.known) {
    const ready = models.find((model) => model.status === "ready");
    if (ready) select.value = ready.id;
    chosen = true;
  }
  if (!current || current.first) return;
  const model = state.models.get(current.model);
  const loaded = model?.progress ? ` ${Math.round(model.progress * 100)} %` : "";
  const loading = model?.status === "loading" ? `, ${current.model} is loading${loaded}` : "";
  write(current.turn.told, `waiting ${seconds((performance.now() - current.sent) / 1000)}${loading}`);
}

async function send() {
  const text = find("prompt").value.trim();
  const model = find("chat-model").value;
  if (current || text === "" || !model) return;
  if (messages.length === 0) find("talk").replaceChildren();
  messages.push({ role: "user", content: text });
  find("prompt").value = "";
  find("talk").append(el("article", { class: "turn user", "aria-label": "You" }, el("p", { class: "text" }, text)));
  const turn = makeTurn(model);
  find("talk").append(turn.node);
  current = { abort: new AbortController(), turn, model, sent: performance.now(), first: 0, tokens: 0, content: "", reasoning: "" };
  busy(true);
  toEnd();
  await answer(current);
  busy(false);
}

function busy(is) {
  if (!is) current = null;
  show(find("chat-stop"), is);
  find("chat-send").disabled = is;
}

async function answer(mine) {
  const { turn } = mine;
  let end = "";
  try {
    const body = { model: mine.model, messages, stream: true, stream_options: { include_usage: true } };
    const answer = await ask("POST", "/api/chat", {
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json" },
      signal: mine.abort.signal,
    });
    end = (await read(answer, mine)) ? "" : "the stream ended before the answer was complete";
  } catch (error) {
    end = mine.abort.signal.aborted ? "stopped" : error.message;
    turn.text.classList.toggle("wrong", end !== "stopped" && mine.content === "");
    if (end !== "stopped" && mine.content === "") write(turn.text, end);
  }
  if (mine.content !== "") messages.push({ role: "assistant", content: mine.content });
  else if (end === "stopped" || mine.first === 0) messages.pop();
  const told = measured(mine, end);
  write(turn.told, told);
  write(find("chat-said"), `Answer from ${mine.model}: ${told}`);
}

/** Shows a stream; whether it came to its regular end. */
async function read(answer, mine) {
  for await (const { data } of events(answer.body)) {
    if (data === "[DONE]") return true;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Error(chunk.error.message);
    if (chunk.timings) mine.timings = chunk.timings;
    if (chunk.usage) mine.usage = chunk.usage;
    for (const { delta } of chunk.choices ?? []) take(delta ?? {}, mine);
  }
  return false;
}

function take({ content, reasoning_content: reasoning }, mine) {
  if (!content && !reasoning) return;
  mine.last = performance.now();
  mine.first ||= mine.last;
  mine.tokens += 1;
  const end = atEnd();
  if (reasoning) {
    mine.reasoning += reasoning;
    show(mine.turn.thought, true);
    mine.turn.reasoning.append(reasoning);
  }
  if (content) {
    mine.content += content;
    mine.turn.text.append(content);
  }
  write(mine.turn.told, measured(mine, "streaming"));
  if (end) toEnd();
}

/** What was measured, by the model where it says so, else here. */
function measured(mine, end) {
  const parts = [];
  if (mine.first) {
    parts.push(`TTFT ${seconds((mine.first - mine.sent) / 1000)}`);
    const took = (mine.last - mine.first) / 1000;
    const speed = mine.timings?.predicted_per_second ?? (took > 0 ? (mine.tokens - 1) / took : null);
    if (speed) parts.push(`${rate(speed)} tokens/s`);
    parts.push(count(mine.usage?.completion_tokens ?? mine.timings?.predicted_n ?? mine.tokens, "token"));
  }
  if (end) parts.push(end);
  return parts.join(" · ");
}

function makeTurn(model) {
  const text = el("p", { class: "text" });
  const reasoning = el("p", { class: "text" });
  const thought = el("details", {}, el("summary", {}, "Reasoning"), reasoning);
  const told = el("p", { class: "told" });
  show(thought, false);
  const node = el("article", { class: "turn", "aria-label": `Answer from ${model}` }, el("p", { class: "by" }, model), thought, text, told);
  return { node, text, thought, reasoning, told };
}

const atEnd = () => innerHeight + scrollY >= document.documentElement.scrollHeight - 80;
const toEnd = () => scrollTo(0, document.documentElement.scrollHeight);
