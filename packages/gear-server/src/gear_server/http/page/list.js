/** A table with its pages, and what stands in its place: loading, empty, refused. */

import { make, setText } from "./dom.js";
import { count } from "./format.js";
import { go, Route } from "./route.js";
import { Pager, Table } from "./table.js";

export class List {
  constructor({ empty, pages, ...options }) {
    this.empty = empty;
    this.table = new Table({
      ...options,
      onSort: (sort) => go(Route.now().with({ sort, page: "" })),
    });
    this.table.element.classList.add(options.className);
    this.pager = new Pager((page) => go(Route.now().with({ page: page > 1 ? page : "" })), pages);
    this.message = make("p", { className: "empty" });
    this.element = make("div", { className: "list" }, this.table.element, this.message, this.pager.element);
  }

  /** Others are asked for. */
  load() {
    this.table.clear();
    this.#say("Loading…");
  }

  show(rows, page) {
    this.table.update(rows);
    this.pager.show(page, count);
    this.#say(page.total ? "" : this.empty());
    if (page.total && !rows.length) go(Route.now().with({ page: "" })); // that page is no more
  }

  fail(reason) {
    this.table.clear();
    this.pager.element.hidden = true;
    this.#say(reason);
  }

  #say(text) {
    setText(this.message, text);
    this.message.hidden = !text;
  }
}

/** Asks again and again, one request at a time; what came of a place that was left is dropped. */
export class Poll {
  #visit = 0;
  #busy = false;

  constructor({ load, show, fail }) {
    Object.assign(this, { load, show, fail });
  }

  /** Ask about another place from here on. */
  reset() {
    this.#visit += 1;
    this.#busy = false;
  }

  async run() {
    if (this.#busy) return;
    const visit = this.#visit;
    this.#busy = true;
    try {
      const answer = await this.load();
      if (visit === this.#visit) this.show(answer);
    } catch (error) {
      if (visit === this.#visit && error.status) this.fail(error.message); // else the connection is lost
    } finally {
      if (visit === this.#visit) this.#busy = false;
    }
  }
}
