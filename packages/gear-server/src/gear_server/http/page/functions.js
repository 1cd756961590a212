/** All functions, a page at a time, in the order that the reader wants. */

import { functionLink, history, number, since, trouble } from "./cells.js";
import { make, setText } from "./dom.js";
import { age, brief, count, duration, rate } from "./format.js";
import { List } from "./list.js";
import { replace, Route } from "./route.js";

/** Rows of a page: each is some 600 bytes a second. */
const PAGE = 25;
/** Milliseconds of quiet after which a search is asked for. */
const TYPING = 200;

const COLUMNS = [
  { label: "Function", sort: "name", kind: "name", cell: functionLink((row) => row.name) },
  { label: "Last 5 minutes", sort: "-activity", kind: "history", cell: history((row) => row.history) },
  { label: "Per second", sort: "-rate", kind: "number", cell: number((row) => row.rate, rate) },
  { label: "Queued", sort: "-queued", kind: "number", cell: number((row) => row.queued) },
  { label: "Running", sort: "-running", kind: "number", cell: number((row) => row.running) },
  { label: "Workers", sort: "-workers", kind: "number", cell: number((row) => row.workers) },
  { label: "Oldest", sort: "-oldest", kind: "number minor", cell: since((row) => row.oldest, age) },
  { label: "Waits", sort: "-waited", kind: "number minor", cell: number((row) => row.waited, duration) },
  { label: "Runs", sort: "-ran", kind: "number minor", cell: number((row) => row.ran, duration) },
  { label: "Completed", sort: "-completed", kind: "number minor", cell: number((row) => row.completed, brief) },
  { label: "Failed", sort: "-failed", kind: "number minor", cell: trouble((row) => row.failed + row.exhausted) },
];

export class Functions {
  title = "Functions";

  constructor(events) {
    this.events = events;
    this.total = make("span", { className: "total" });
    this.search = make("input", {
      type: "search",
      id: "search",
      placeholder: "Search",
      "aria-label": "Search functions",
      spellcheck: false,
      oninput: () => {
        clearTimeout(this.typing);
        this.typing = setTimeout(() => replace(Route.now().with({ search: this.search.value, page: "" })), TYPING);
      },
    });
    this.list = new List({
      label: "Functions",
      className: "functions",
      columns: COLUMNS,
      key: (row) => row.name,
      empty: () =>
        this.search.value ? `No function has “${this.search.value}” in its name.`
          : "No functions yet. One appears here with its first job or its first worker.",
    });
    this.element = make(
      "section",
      {},
      make("div", { className: "heading" }, make("h2", { tabIndex: -1 }, this.title), this.total, this.search),
      this.list.element,
    );
  }

  open(route) {
    const sort = route.query.get("sort") || "-activity";
    const search = route.query.get("search") ?? "";
    if (document.activeElement !== this.search) this.search.value = search;
    this.list.table.sortedBy(sort);
    const wanted = { search, sort, page: route.page, size: PAGE };
    if (JSON.stringify(wanted) !== this.wanted) this.list.load();
    this.wanted = JSON.stringify(wanted);
    this.events.watch(wanted);
  }

  close() {
    clearTimeout(this.typing);
    this.wanted = null;
    this.events.watch({ size: 1 });
  }

  /** Show what an event brought. */
  functions(page) {
    this.list.show(page.functions, page);
    setText(this.total, count(page.total));
  }
}
