/** One function: its numbers and its jobs. */

import { get, post } from "./api.js";
import { number, since, text } from "./cells.js";
import { confirmed } from "./dialog.js";
import { announce, make, setAttribute, setText } from "./dom.js";
import { age, count, duration, moment, NONE, rate, size } from "./format.js";
import { List, Poll } from "./list.js";
import { go, Route } from "./route.js";
import { Sparkline, STEP } from "./sparkline.js";

const PAGE = 100;
/** How many pages of jobs the server shows. */
const PAGES = 100;

const limits = ({ limits }) =>
  limits ? [limits.high, limits.normal, limits.low].map((limit) => (limit ? count(limit) : "none")).join(" / ") : "none";

/** What is told of a function, as groups of terms. */
const NUMBERS = [
  ["Now", [
    ["Queued", (row) => count(row.queued)],
    ["High precedence", (row) => count(row.queued_high)],
    ["Low precedence", (row) => count(row.queued_low)],
    ["Running", (row) => count(row.running)],
    ["Scheduled", (row) => count(row.scheduled)],
    ["Oldest waits", (row) => age(row.oldest)],
  ]],
  ["How fast", [
    ["Jobs per second", (row) => rate(row.rate)],
    ["Mean wait", (row) => duration(row.waited)],
    ["Mean run", (row) => duration(row.ran)],
    ["Workers", (row) => count(row.workers)],
    ["Asleep", (row) => count(row.asleep)],
    ["Time limit", (row) => (row.timeout ? duration(row.timeout) : "none")],
  ]],
  ["Since the start", [
    ["Submitted", (row) => count(row.submitted)],
    ["Joined another", (row) => count(row.joined)],
    ["Completed", (row) => count(row.completed)],
    ["Failed", (row) => count(row.failed + row.exhausted), (row) => row.failed + row.exhausted > 0],
    ["Cancelled", (row) => count(row.cancelled)],
    ["Abandoned", (row) => count(row.abandoned)],
  ]],
  ["Trouble", [
    ["Requeued", (row) => count(row.requeued), (row) => row.requeued > 0],
    ["Timed out", (row) => count(row.timed_out), (row) => row.timed_out > 0],
    ["Refused", (row) => count(row.refused), (row) => row.refused > 0],
    ["Limit of queue", limits],
  ]],
];

/** What a job does. */
function state(cell) {
  const word = make("span", { className: "state" });
  cell.append(word);
  return (job) => {
    setText(word, job.state === "scheduled" ? `due in ${duration(job.due)}` : job.state);
    setAttribute(word, "data-state", job.state);
    setAttribute(word, "title", job.state === "scheduled" ? `at ${moment(-job.due)}` : null);
  };
}

/** How much of it is done, if its worker has said so. */
function progress(cell) {
  const bar = make("progress");
  const share = make("span");
  cell.append(bar, share);
  return ({ handle, numerator, denominator }) => {
    setAttribute(bar, "aria-label", `Progress of ${handle}`);
    const known = denominator > 0 && numerator !== null;
    bar.hidden = !known;
    bar.max = known ? denominator : 1;
    bar.value = known ? numerator : 0;
    setText(share, known ? `${Math.round((100 * numerator) / denominator)} %` : NONE);
    cell.classList.toggle("zero", !known);
  };
}

export class FunctionView {
  constructor() {
    this.heading = make("h2", { tabIndex: -1 });
    this.sparkline = new Sparkline();
    this.peak = make("span");
    this.workers = make("a", {}, "Its workers");
    this.terms = [];
    this.notice = make("span", { className: "soft" });
    this.filter = make("div", { className: "filter", role: "group", "aria-label": "State of jobs" },
      ...["", "queued", "running", "scheduled"].map((state) => make("button", {
        type: "button",
        value: state,
        textContent: state ? state[0].toUpperCase() + state.slice(1) : "All",
        onclick: () => go(Route.now().with({ state, page: "" })),
      })));
    this.list = new List({
      label: "Jobs",
      className: "jobs",
      pages: PAGES,
      key: (job) => job.handle,
      empty: () => (this.state ? `No job is ${this.state}.` : "No job is queued, running or scheduled."),
      columns: [
        { label: "Job", kind: "name", cell: text((job) => job.handle) },
        { label: "State", kind: "status", cell: state },
        { label: "Age", kind: "number", cell: since((job) => job.age, age) },
        { label: "Runs for", kind: "number", cell: since((job) => job.running_for, age) },
        { label: "Progress", kind: "progress", cell: progress },
        { label: "Retries", kind: "number minor", cell: number((job) => job.retries) },
        { label: "Size", kind: "number minor", cell: number((job) => job.size, size) },
        { label: "Precedence", kind: "minor", cell: text((job) => job.precedence) },
        { label: "Clients", kind: "minor", cell: text((job) =>
          job.background && !job.clients ? "background" : count(job.clients)) },
        { label: "Worker", kind: "minor worker", cell: text((job) =>
          job.worker ? (job.worker.client_id === "-" ? job.worker.address : job.worker.client_id) : NONE) },
        { label: "Action", kind: "action", cell: (cell) => this.#cancelButton(cell) },
      ],
    });
    this.numbers = make("div", { className: "numbers" }, ...NUMBERS.map(([title, terms]) => make(
      "dl", { "aria-label": title }, ...terms.map((term) => this.#term(...term)),
    )));
    this.element = make(
      "section",
      {},
      make("p", { className: "crumb" }, make("a", { href: "#/functions" }, "Functions"), " / "),
      make("div", { className: "heading" }, this.heading, this.workers),
      make("div", { className: "chart" }, this.sparkline.element,
        make("p", { className: "axis" }, make("span", {}, "5 minutes ago"), this.peak, make("span", {}, "now"))),
      this.numbers,
      make("div", { className: "heading" }, make("h3", {}, "Jobs"), this.notice, this.filter),
      this.list.element,
    );
    this.poll = new Poll({
      load: () => Promise.all([
        get(`functions/${encodeURIComponent(this.name)}`),
        get("jobs", { function: this.name, state: this.state, page: this.page, size: PAGE }),
      ]),
      show: ([row, page]) => {
        this.#show(row);
        this.list.show(page.jobs, page);
      },
      fail: (reason) => this.list.fail(reason),
    });
  }

  open(route) {
    this.name = route.name;
    this.title = route.name;
    this.state = route.query.get("state") ?? "";
    this.page = route.page;
    setText(this.heading, this.name);
    setText(this.notice, "");
    this.workers.href = new Route("#/workers").with({ function: this.name });
    for (const button of this.filter.children) {
      setAttribute(button, "aria-pressed", button.value === this.state);
    }
    this.list.load();
    this.poll.reset();
  }

  /** A second has passed. */
  tick(server) {
    this.cancelRunning = server.cancel_running;
    this.poll.run();
  }

  #term(label, read, bad = () => false) {
    const value = make("dd", {}, NONE);
    this.terms.push({ value, read, bad });
    return make("div", {}, make("dt", {}, label), value);
  }

  #show(row) {
    this.sparkline.show(row.history);
    setText(this.peak, `at most ${rate(Math.max(...row.history) / STEP)} per second`);
    for (const { value, read, bad } of this.terms) {
      setText(value, read(row));
      value.classList.toggle("bad", bad(row));
    }
  }

  #cancelButton(cell) {
    let job = null;
    const button = make("button", { type: "button", textContent: "Cancel", onclick: () => this.#cancel(job) });
    cell.append(button);
    return (row) => {
      job = row;
      button.hidden = row.state === "running" && !this.cancelRunning;
      setAttribute(button, "aria-label", `Cancel ${row.handle}`);
    };
  }

  /** Tell what came of it, to eyes and ears. */
  #tell(text) {
    setText(this.notice, text);
    announce(text);
  }

  async #cancel({ handle, state }) {
    if (!(await confirmed(`${handle} of ${this.name} is ${state}. It cannot be brought back.`))) return;
    try {
      await post(`jobs/${encodeURIComponent(handle)}/cancel`);
      this.#tell(`${handle} was cancelled.`);
    } catch (error) {
      this.#tell(`${handle} was not cancelled: ${error.message}`);
    }
    this.poll.run();
  }
}
