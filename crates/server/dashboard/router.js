// Which view the address asks for: `#/`, `#/requests`, `#/chat/MODEL`, `#/models/MODEL`.

import { find, show } from "./dom.js";

const VIEWS = ["overview", "requests", "model", "chat"];

export function route() {
  const parts = location.hash.replace(/^#\/?/, "").split("/");
  const name = parts.slice(1).join("/");
  switch (parts[0]) {
    case "requests":
      return { view: "requests" };
    case "chat":
      return { view: "chat", model: decoded(name) };
    case "models":
      return name ? { view: "model", model: decoded(name) } : { view: "overview" };
    default:
      return { view: "overview" };
  }
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Shows the view of the address, and tells which one, now and whenever the address changes. */
export function routed(changed) {
  let first = true;
  const go = () => {
    if (location.hash === "#main") {
      history.replaceState(null, "", "#/");
      find("main").focus();
    }
    const to = route();
    for (const view of VIEWS) show(find(view), view === to.view);
    for (const link of document.querySelectorAll("nav [data-view]")) {
      if (link.dataset.view === to.view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    changed(to);
    if (!first) {
      scrollTo(0, 0);
      find("main").focus({ preventScroll: true });
    }
    first = false;
  };
  addEventListener("hashchange", go);
  go();
}
