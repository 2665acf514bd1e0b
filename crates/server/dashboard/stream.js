// Keeps the page up to date over one connection, which it makes again whenever it is lost, and says
// how old what is shown is.

import { ask, get } from "./api.js";
import { find, write } from "./dom.js";
import { duration } from "./format.js";
import { events } from "./sse.js";
import { apply, LISTED } from "./store.js";

/** Milliseconds of silence after which what is shown counts as old, and the connection as lost. */
const OLD = 20_000;
const LOST = 45_000;
/** Milliseconds until the next try: doubled each time, from one bound to the other. */
const SOON = 500;
const LATE = 10_000;
/** A page that nobody sees lets go of its connection after so long: a browser has six of them. */
const UNSEEN = 30_000;

let heard = 0;
let open = false;
let again = 0;
let abort = new AbortController();

export async function follow() {
  setInterval(tell, 1000);
  document.addEventListener("visibilitychange", rest);
  addEventListener("online", () => wake?.());
  for (let tries = 0; ; tries += 1) {
    await seen();
    const began = performance.now();
    try {
      await listen();
    } catch (error) {
      if (error.name !== "AbortError") console.debug(error);
    }
    open = false;
    if (heard > began) tries = 0;
    const wait = Math.min(LATE, SOON * 2 ** tries) * (0.75 + Math.random() / 2);
    again = performance.now() + wait;
    tell();
    await pause(wait);
  }
}

async function listen() {
  abort = new AbortController();
  const answer = await ask("GET", "/api/events", { signal: abort.signal });
  const hear = () => {
    heard = performance.now();
  };
  for await (const { event, data } of events(answer.body, hear)) {
    if (event === "snapshot") {
      apply("snapshot", JSON.parse(data));
      open = true;
      tell();
      await catchUp();
    } else if (event === "missed") {
      await catchUp();
    } else {
      apply(event, JSON.parse(data));
    }
  }
}

/** What ended before the page was opened, while it was cut off, or too fast for it. */
async function catchUp() {
  apply("asked");
  try {
    apply("history", await get(`/api/requests?limit=${LISTED}`, { signal: abort.signal }));
  } catch (error) {
    if (error.name === "AbortError") throw error;
  }
}

let wake = null;

function pause(time) {
  return new Promise((done) => {
    const timer = setTimeout(done, time);
    wake = () => {
      clearTimeout(timer);
      done();
    };
  });
}

let resting = 0;

function rest() {
  clearTimeout(resting);
  if (document.hidden) resting = setTimeout(() => abort.abort(), UNSEEN);
  else wake?.();
}

async function seen() {
  while (document.hidden) {
    await new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
  }
}

function tell() {
  const silent = performance.now() - heard;
  if (open && silent > LOST) abort.abort();
  const state = open ? (silent > OLD ? "stale" : "live") : heard || again ? "lost" : "connecting";
  const old = state === "lost" || state === "stale";
  find("link").dataset.state = state;
  document.body.classList.toggle("stale", old && heard > 0);
  write(find("link-words"), { live: "live", stale: "no updates", lost: "connection lost", connecting: "connecting" }[state]);
  const ago = heard ? `last update ${duration(silent / 1000)} ago` : "cannot reach paddock";
  write(find("link-heard"), old ? ago : "");
}
