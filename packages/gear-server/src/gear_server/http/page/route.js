/** Where the reader is: `#/functions/NAME?state=queued&page=2`. The browser's history keeps it. */

export class Route {
  constructor(hash) {
    const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
    const [view = "", ...rest] = path.split("/");
    this.view = view || "functions";
    this.name = rest.length ? decode(rest.join("/")) : null;
    this.query = new URLSearchParams(query);
  }

  static now() {
    return new Route(location.hash);
  }

  get page() {
    return Math.max(1, Number.parseInt(this.query.get("page"), 10) || 1);
  }

  /** The hash of this place with some parameters changed; an empty one is left out. */
  with(changes) {
    const query = new URLSearchParams(this.query);
    for (const [key, value] of Object.entries(changes)) {
      if (value) query.set(key, value);
      else query.delete(key);
    }
    const name = this.name === null ? "" : `/${encodeURIComponent(this.name)}`;
    return `#/${this.view}${name}${query.size ? `?${query}` : ""}`;
  }
}

/** Go somewhere that the back button leaves again. */
export function go(hash) {
  location.hash = hash;
}

/** Go somewhere that is the same place to the back button, such as one more letter of a search. */
export function replace(hash) {
  history.replaceState(null, "", hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export const functionHash = (name) => `#/functions/${encodeURIComponent(name)}`;

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
