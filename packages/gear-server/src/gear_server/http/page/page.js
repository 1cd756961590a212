/** The live page: which view is shown, and how the connection to the server is. */

import { hasToken, setToken } from "./api.js";
import { Connections } from "./connections.js";
import { askToken } from "./dialog.js";
import { announce, make, setText } from "./dom.js";
import { Events } from "./events.js";
import { age } from "./format.js";
import { FunctionView } from "./function.js";
import { Functions } from "./functions.js";
import { Health } from "./health.js";
import { Route } from "./route.js";
import { ServerView } from "./server.js";
import { Workers } from "./workers.js";

const byId = (id) => document.getElementById(id);

const events = new Events();
const health = new Health(byId("health"));
const oneFunction = new FunctionView();
const views = {
  functions: new Functions(events),
  workers: new Workers(),
  connections: new Connections(),
  server: new ServerView(),
};
let view = null;
let route = null;
let lastServer = null;

/** What the lamp at the top says of each state of the connection. */
const STATES = {
  loading: "Connecting…",
  live: "Live",
  lost: "Disconnected",
  token: "Token wanted",
  refused: "Refused",
};

/** Show the view of the location, unless it is there already. */
function showView() {
  const before = route;
  route = Route.now();
  const next = route.view === "functions" && route.name !== null ? oneFunction : views[route.view] ?? views.functions;
  const moved = next !== view || route.name !== before?.name;
  if (next !== view) {
    view?.close?.();
    view = next;
    byId("view").replaceChildren(view.element);
    for (const link of document.querySelectorAll("header nav a")) {
      if (link.hash === `#/${route.view}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }
  view.open(route);
  showTitle();
  if (before && moved) {
    view.element.querySelector("h2").focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  if (lastServer) view.tick?.(lastServer);
}

/** Have a tab in the background tell, too, that its numbers are old. */
function showTitle() {
  const mark = events.state === "live" || events.state === "loading" ? "" : "▲ ";
  document.title = `${mark}${view.title} · ${location.host} · gear`;
}

/** Show how the connection is, and say so if that has changed. */
function showState() {
  const { state } = events;
  document.body.dataset.state = state;
  byId("status").dataset.state = state;
  setText(byId("status-text"), STATES[state]);
  if (state !== "loading") announce(STATES[state]);
  byId("banner").hidden = state !== "lost" && state !== "refused";
  byId("health").hidden = state === "refused" || state === "token";
  byId("view").hidden = byId("health").hidden;
  if (state === "token" || state === "refused") lastServer = null;
  if (state === "token") wantToken();
  showTitle();
  showAge();
}

/** Say how old the numbers are while none come. */
function showAge() {
  const seconds = (since) => Math.max(0, (performance.now() - since) / 1000);
  if (events.state === "refused") {
    setText(byId("banner-text"), `This server does not let you look at it: ${events.reason}.`);
  } else if (events.state === "token") {
    setText(byId("banner-text"), "This server shows itself to those who have its token.");
  } else if (events.state === "lost") {
    const known = events.fresh === null ? "The server does not answer." : `No news for ${age(seconds(events.fresh))}: these numbers are old.`;
    const left = Math.ceil((events.next - performance.now()) / 1000);
    setText(byId("banner-text"), `${known} ${left > 0 ? `Next try in ${left} s.` : "Trying…"}`);
  }
}

async function wantToken() {
  if (byId("token").open) return;
  const token = await askToken(hasToken());
  if (token === null) {
    byId("banner").hidden = false; // it has a button to be asked again
    return;
  }
  setToken(token);
  events.connect();
}

events.addEventListener("state", showState);
events.addEventListener("functions", ({ detail }) => view.functions?.(detail));
events.addEventListener("server", ({ detail }) => {
  lastServer = detail;
  health.show(detail);
  view.tick?.(detail);
});
addEventListener("hashchange", showView);
// Its target is a place of the page, and hashes are for views.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("view").focus();
});
byId("retry").addEventListener("click", () => events.connect());
byId("host").replaceChildren(make("span", { className: "brand" }, "gear"), ` ${location.host}`);
setInterval(showAge, 1000);

showView();
events.connect();
