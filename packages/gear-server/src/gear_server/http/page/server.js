/** The server: its limits, its store, its traffic. */

import { number, text, trouble } from "./cells.js";
import { make, setAttribute, setText } from "./dom.js";
import { brief, count, duration, moment, NONE, size } from "./format.js";
import { STORES } from "./health.js";
import { Table } from "./table.js";

const FACTS = [
  ["Process", [
    ["Version", (server) => server.version],
    ["Process ID", (server) => String(server.pid)],
    ["Up for", (server) => duration(server.uptime), (server) => `since ${moment(server.uptime)}`],
    ["State", (server) => (server.draining ? "ending: takes no more jobs" : "takes jobs")],
    ["Memory of jobs", (server) => size(server.memory.used)],
    ["Memory in all", (server) => (server.memory.process ? size(server.memory.process) : NONE)],
    ["Log lines dropped", (server) => count(server.log_dropped)],
  ]],
  ["Traffic", [
    ["Received", (server) => size(server.bytes_in)],
    ["Sent", (server) => size(server.bytes_out)],
    ["Turns", (server) => brief(server.turns)],
    ["A turn takes", (server) => (server.turns ? duration(server.turn_time / server.turns) : NONE)],
    ["Lag of the loop", (server) => duration(server.lag)],
    ["Clients", (server) => count(server.connections.client + server.connections.both)],
    ["Workers", (server) => count(server.connections.worker + server.connections.both)],
  ]],
  ["Jobs since the start", [
    ["Submitted", (server) => count(server.counters.submitted)],
    ["Completed", (server) => count(server.counters.completed)],
    ["Failed", (server) => count(server.counters.failed + server.counters.exhausted)],
    ["Requeued", (server) => count(server.counters.requeued)],
    ["Timed out", (server) => count(server.counters.timed_out)],
    ["Cancelled", (server) => count(server.counters.cancelled)],
    ["Abandoned", (server) => count(server.counters.abandoned)],
  ]],
  ["Store", [
    ["Kind", (server) => STORES[server.queue.kind]],
    ["State", (server) => server.queue.failure ?? "well"],
    ["Jobs stored", (server) => count(server.queue.stored)],
    ["To be written", (server) => count(server.queue.backlog)],
    ["Batches written", (server) => count(server.queue.batches)],
    ["A batch takes", (server) => duration(server.queue.latency)],
    ["Taken over / given up", (server) => `${count(server.queue.adopted)} / ${count(server.queue.moved)}`],
  ]],
];

/** Limits that are sizes; the others are numbers. */
const SIZES = ["max_memory", "max_send_queue"];
const amount = (row, value) => (SIZES.includes(row.name) ? size : count)(value);

function share(cell) {
  const meter = make("meter", { max: 1, low: 0.7, high: 0.9, optimum: 0, "aria-label": "Share in use" });
  const word = make("span");
  cell.append(meter, word);
  return ({ limit, used }) => {
    const known = limit > 0 && used !== null;
    meter.hidden = !known;
    meter.value = known ? used / limit : 0;
    setText(word, known ? `${Math.round((100 * used) / limit)} %` : NONE);
    cell.classList.toggle("zero", !known);
  };
}

export class ServerView {
  title = "Server";
  #terms = [];

  constructor() {
    const facts = FACTS.map(([title, terms]) => make(
      "div", { className: "facts" }, make("h3", {}, title), make("dl", {}, ...terms.map((term) => this.#term(...term))),
    ));
    this.limits = new Table({
      label: "Limits",
      key: (row) => row.name,
      columns: [
        { label: "Limit", kind: "name", cell: text((row) => row.name.replaceAll("_", " ")) },
        { label: "At most", kind: "number", cell: text((row) => (row.limit ? amount(row, row.limit) : "no limit")) },
        { label: "In use", kind: "number", cell: text((row) => (row.used === null ? NONE : amount(row, row.used))) },
        { label: "Share", kind: "progress", cell: share },
        { label: "Refused", kind: "number", cell: trouble((row) => row.refused) },
      ],
    });
    this.packets = new Table({
      label: "Packets received",
      key: ([name]) => name,
      columns: [
        { label: "Packet", kind: "name", cell: text(([name]) => name) },
        { label: "Received", kind: "number", cell: number(([, received]) => received) },
      ],
    });
    this.limits.element.classList.add("limits");
    this.packets.element.classList.add("packets");
    this.element = make(
      "section",
      {},
      make("div", { className: "heading" }, make("h2", { tabIndex: -1 }, this.title)),
      make("div", { className: "numbers" }, ...facts),
      make("div", { className: "beside" },
        make("div", {}, make("h3", {}, "Limits"), this.limits.element),
        make("div", {}, make("h3", {}, "Packets received"), this.packets.element)),
    );
  }

  open() {}

  /** Show the server as an event told. */
  tick(server) {
    for (const { value, read, hint } of this.#terms) {
      setText(value, read(server));
      setAttribute(value, "title", hint?.(server) ?? null);
    }
    this.limits.update(server.limits);
    this.packets.update(
      Object.entries(server.packets)
        .filter(([, received]) => received)
        .sort(([, one], [, other]) => other - one),
    );
  }

  #term(label, read, hint) {
    const value = make("dd", {}, NONE);
    this.#terms.push({ value, read, hint });
    return make("div", {}, make("dt", {}, label), value);
  }
}
