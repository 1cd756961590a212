/**
 * A table whose rows are changed in place.
 *
 * A row is found again by its key. While somebody points at the rows, or has the focus in them, their
 * order is held: new ones come last, and those that are gone stay, struck out. So nothing moves away from
 * under a pointer that is about to click.
 *
 * A column is {label, sort, kind, cell}. `cell(td)` fills a new cell, and returns what shows a row in it.
 */

import { make, setAttribute, setText } from "./dom.js";

/** Milliseconds after which a pointer that rests holds nothing any more. */
const RESTING = 5000;

export class Table {
  #rows = new Map();
  #moved = -Infinity;
  #latest = null;

  constructor({ label, columns, key, onSort = null }) {
    this.key = key;
    this.columns = columns;
    this.headers = new Map();
    this.body = make("tbody", { role: "rowgroup" });
    const head = make("tr", { role: "row" });
    for (const column of columns) head.append(this.#header(column, onSort));
    this.element = make(
      "table",
      { role: "table", "aria-label": label },
      make("thead", { role: "rowgroup" }, head),
      this.body,
    );
    this.body.addEventListener("pointermove", () => { this.#moved = performance.now(); });
    this.body.addEventListener("pointerleave", () => this.#release());
    this.body.addEventListener("focusout", (event) => {
      if (!this.body.contains(event.relatedTarget)) this.#release();
    });
  }

  /** Show rows, in this order unless it is held. */
  update(rows) {
    this.#latest = rows;
    const held = this.#held();
    const seen = new Set();
    let place = this.body.firstElementChild;
    for (const row of rows) {
      const key = this.key(row);
      seen.add(key);
      const known = this.#rows.get(key) ?? this.#add(key);
      for (const show of known.shows) show(row);
      known.element.classList.remove("gone");
      if (held) continue;
      if (known.element === place) place = place.nextElementSibling;
      else this.body.insertBefore(known.element, place);
    }
    for (const [key, { element }] of this.#rows) {
      if (seen.has(key)) continue;
      if (held) element.classList.add("gone");
      else {
        element.remove();
        this.#rows.delete(key);
      }
    }
  }

  /** Forget all rows, since others are asked for. */
  clear() {
    this.#rows.clear();
    this.#latest = null;
    this.body.replaceChildren();
  }

  /** Say by what the rows are sorted: a field, or one after "-" for the greatest first. */
  sortedBy(sort) {
    for (const [field, header] of this.headers) {
      const order = sort === field ? "ascending" : sort === `-${field}` ? "descending" : null;
      setAttribute(header, "aria-sort", order);
    }
  }

  #held() {
    if (this.body.contains(document.activeElement)) return true;
    return this.body.matches(":hover") && performance.now() - this.#moved < RESTING;
  }

  #release() {
    if (this.#latest) queueMicrotask(() => this.#latest && this.update(this.#latest));
  }

  #add(key) {
    const element = make("tr", { role: "row" });
    const shows = this.columns.map((column, index) => {
      const name = index === 0;
      const cell = make(name ? "th" : "td", {
        role: name ? "rowheader" : "cell",
        className: column.kind,
        ...(name && { scope: "row" }),
      });
      element.append(cell);
      return column.cell(cell);
    });
    this.body.append(element);
    const row = { element, shows };
    this.#rows.set(key, row);
    return row;
  }

  #header({ label, sort, kind }, onSort) {
    const header = make("th", { role: "columnheader", scope: "col", className: kind });
    if (!sort) {
      header.append(label);
      return header;
    }
    const field = sort.replace("-", "");
    this.headers.set(field, header);
    header.append(make("button", {
      type: "button",
      textContent: label,
      onclick: () => {
        const now = header.getAttribute("aria-sort");
        const descending = now ? now === "ascending" : sort.startsWith("-");
        onSort(descending ? `-${field}` : field);
      },
    }));
    return header;
  }
}

/** The pages of a table: where one is, and the ways on and back. */
export class Pager {
  constructor(onPage, most = Infinity) {
    this.most = most;
    this.text = make("span");
    this.back = make("button", { type: "button", textContent: "Previous", onclick: () => onPage(this.page - 1) });
    this.on = make("button", { type: "button", textContent: "Next", onclick: () => onPage(this.page + 1) });
    this.element = make("nav", { className: "pager", "aria-label": "Pages" }, this.text, this.back, this.on);
    this.element.hidden = true;
  }

  show({ page, size, total }, format) {
    this.page = page;
    const first = (page - 1) * size + 1;
    const last = Math.min(total, page * size);
    setText(this.text, `${format(Math.min(first, total))}–${format(last)} of ${format(total)}`);
    this.back.disabled = page <= 1;
    this.on.disabled = last >= total || page >= this.most;
    this.element.hidden = total <= size && page === 1;
  }
}
