/** The strip at the top: how the server is, at a glance. */

import { make, setAttribute, setText } from "./dom.js";
import { age, brief, count, duration, NONE, rate, size } from "./format.js";
import { Sparkline } from "./sparkline.js";

/** Seconds for which a failure is news. */
const RECENT = 60;

export const STORES = { memory: "None", sqlite: "SQLite", postgresql: "PostgreSQL" };

const failures = (server) => server.counters.failed + server.counters.exhausted;

const refused = (server) => server.limits.reduce((sum, limit) => sum + limit.refused, 0);

const memory = ({ memory: { limit, used } }) => (limit ? used / limit : 0);

function store({ queue }) {
  if (queue.failure) return `Failing: ${queue.failure}`;
  if (queue.kind === "memory") return "jobs are in memory";
  if (queue.backlog) return `${count(queue.backlog)} to be written`;
  return queue.latency === null ? "idle" : `${duration(queue.latency)} to write`;
}

/** A tile is a label, a value, a note under it, and whether these are bad news. */
const TILES = [
  { label: "Jobs per second", value: (server) => rate(server.rate), history: true },
  {
    label: "Queued",
    value: (server) => brief(server.queued),
    note: (server) => (server.scheduled ? `${brief(server.scheduled)} scheduled` : "none scheduled"),
  },
  {
    label: "Oldest waits",
    value: (server) => age(server.oldest),
    note: (server) => (server.oldest === null ? "nothing waits" : "for a worker"),
  },
  {
    label: "Running",
    value: (server) => brief(server.running),
    note: (server) => `of ${count(server.functions)} function${server.functions === 1 ? "" : "s"}`,
  },
  {
    label: "Workers",
    value: ({ connections: { worker, both } }) => brief(worker + both),
    note: ({ connections: { client, both } }) =>
      `${count(client + both)} client${client + both === 1 ? "" : "s"}`,
  },
  {
    label: "Failed",
    value: (server) => brief(failures(server)),
    note: (server, recent) => (recent ? `▲ ${count(recent)} in a minute` : "none lately"),
    bad: (server, recent) => recent > 0,
  },
  {
    label: "Memory",
    value: (server) => size(server.memory.used),
    note: (server) =>
      refused(server) ? `▲ ${brief(refused(server))} refused`
        : server.memory.limit ? `of ${size(server.memory.limit)}` : "no limit",
    bad: (server) => refused(server) > 0 || memory(server) > 0.9,
    level: memory,
  },
  {
    label: "Store",
    value: (server) => STORES[server.queue.kind],
    note: store,
    bad: (server) => server.queue.failure !== null,
  },
];

class Tile {
  constructor(tile) {
    this.tile = tile;
    this.value = make("dd", { className: "value" }, NONE);
    this.note = make("dd", { className: "note" }, "\u00a0");
    this.element = make("div", {}, make("dt", {}, tile.label), this.value, this.note);
    if (tile.history) {
      this.sparkline = new Sparkline();
      this.note.replaceChildren(this.sparkline.element);
    }
    if (tile.level) {
      this.meter = make("meter", { max: 1, low: 0.7, high: 0.9, optimum: 0, "aria-label": `${tile.label} in use` });
      this.element.append(make("dd", {}, this.meter));
    }
  }

  show(server, recent) {
    const { value, note, bad, level } = this.tile;
    setText(this.value, value(server));
    if (note) setText(this.note, note(server, recent));
    setAttribute(this.note, "title", note ? note(server, recent) : null);
    if (level) this.meter.value = level(server);
    this.element.classList.toggle("bad", bad?.(server, recent) ?? false);
    this.sparkline?.show(server.history);
  }
}

export class Health {
  #failures = [];

  constructor(element) {
    this.tiles = TILES.map((tile) => new Tile(tile));
    element.append(make("dl", { className: "tiles" }, ...this.tiles.map((tile) => tile.element)));
  }

  show(server) {
    const now = performance.now() / 1000;
    if (failures(server) < (this.#failures.at(-1)?.number ?? 0)) this.#failures = []; // it was restarted
    this.#failures.push({ number: failures(server), now });
    this.#failures = this.#failures.filter((sample) => sample.now > now - RECENT);
    const recent = failures(server) - this.#failures[0].number;
    for (const tile of this.tiles) tile.show(server, recent);
  }
}
