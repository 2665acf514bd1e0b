// Keeps the page up to date.

import { get } from "./api.js";
import { apply } from "./store.js";

export async function follow() {
  for (;;) {
    try {
      apply("snapshot", await get("/api/status"));
      tell("live", "live");
    } catch {
      tell("lost", "not connected");
    }
    await new Promise((done) => setTimeout(done, 2000));
  }
}

function tell(state, words) {
  const link = document.getElementById("link");
  link.dataset.state = state;
  document.getElementById("link-words").textContent = words;
}
