/** The workers: what they can do, what they do, and since when. */

import { get } from "./api.js";
import { text } from "./cells.js";
import { make, setAttribute, setText } from "./dom.js";
import { age, count, moment, NONE } from "./format.js";
import { List, Poll } from "./list.js";
import { functionHash } from "./route.js";

const PAGE = 50;

const state = (worker) => (worker.jobs_total ? "busy" : worker.sleeping ? "asleep" : "awake");

function stateWord(cell) {
  const word = make("span", { className: "state" });
  cell.append(word);
  return (worker) => {
    setText(word, state(worker));
    setAttribute(word, "data-state", state(worker));
  };
}

/** Its first job, as a link to the function. */
function work(cell) {
  const link = make("a");
  const more = make("span", { className: "soft" });
  cell.append(link, more);
  return ({ jobs: [job], jobs_total: total }) => {
    link.hidden = !job;
    if (job) {
      setText(link, job.function);
      setAttribute(link, "href", functionHash(job.function));
      setAttribute(link, "title", job.handle);
    }
    setText(more, job ? (total > 1 ? ` and ${count(total - 1)} more` : "") : NONE);
  };
}

function elapsed(cell) {
  const time = make("time");
  cell.append(time);
  return ({ jobs: [job] }) => {
    setText(time, job ? age(job.seconds) : NONE);
    setAttribute(time, "title", job ? `since ${moment(job.seconds)}` : null);
    cell.classList.toggle("zero", !job);
  };
}

function abilities(cell) {
  return ({ functions, functions_total: total }) => {
    const rest = total - functions.length;
    setText(cell, functions.join(", ") + (rest > 0 ? ` and ${count(rest)} more` : ""));
    setAttribute(cell, "title", cell.textContent);
  };
}

export class Workers {
  title = "Workers";

  constructor() {
    this.total = make("span", { className: "total" });
    this.of = make("span");
    this.all = make("a", { href: "#/workers" }, "All workers");
    this.list = new List({
      label: "Workers",
      className: "workers",
      key: (worker) => worker.address,
      empty: () => (this.name ? `No worker can do ${this.name}.` : "No workers are connected."),
      columns: [
        { label: "Worker", kind: "name", cell: text((worker) => (worker.client_id === "-" ? worker.address : worker.client_id)) },
        { label: "State", kind: "status", cell: stateWord },
        { label: "Works on", kind: "work", cell: work },
        { label: "For", kind: "number", cell: elapsed },
        { label: "Can do", kind: "minor abilities", cell: abilities },
        { label: "Address", kind: "minor", cell: text((worker) => worker.address) },
        { label: "Certificate", kind: "minor", cell: text((worker) => worker.subject ?? NONE) },
      ],
    });
    this.element = make(
      "section",
      {},
      make("div", { className: "heading" }, make("h2", { tabIndex: -1 }, this.title), this.total, this.of, this.all),
      this.list.element,
    );
    this.poll = new Poll({
      load: () => get("workers", { function: this.name, page: this.page, size: PAGE }),
      show: (page) => {
        this.list.show(page.workers, page);
        setText(this.total, count(page.total));
      },
      fail: (reason) => this.list.fail(reason),
    });
  }

  open(route) {
    this.name = route.query.get("function") ?? "";
    this.page = route.page;
    setText(this.of, this.name && `of ${this.name}`);
    this.all.hidden = !this.name;
    this.list.load();
    this.poll.reset();
  }

  tick() {
    this.poll.run();
  }
}
