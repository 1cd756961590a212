/**
 * The server's events, read with fetch() so that a token can travel with the request.
 *
 * Its own events: `functions` and `server` with what came, and `state` with one of
 * loading, live, lost, token (the server wants one) and refused (it grants no rights).
 */

import { Refusal, request } from "./api.js";

/** Seconds without a byte after which the connection counts as lost: an event comes each second. */
const SILENCE = 10;
const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 15;

export class Events extends EventTarget {
  state = "loading";
  /** Why it is refused. */
  reason = "";
  /** When numbers came last, and when the next try begins, by performance.now(). */
  fresh = null;
  next = null;

  #parameters = { size: 1 };
  #abort = null;
  #timer = null;
  #pause = FIRST_PAUSE;

  /** See what these parameters select from here on. */
  watch(parameters) {
    const changed = JSON.stringify(parameters) !== JSON.stringify(this.#parameters);
    this.#parameters = parameters;
    if (changed && (this.state === "live" || this.state === "loading")) this.connect();
  }

  /** Connect now, instead of whatever is on its way. */
  connect() {
    this.#abort?.abort();
    clearTimeout(this.#timer);
    this.next = null;
    this.#abort = new AbortController();
    this.#read(this.#abort);
  }

  async #read(abort) {
    try {
      const response = await request("events", this.#parameters, { signal: abort.signal });
      await this.#receive(response.body.getReader(), abort);
    } catch (error) {
      if (error instanceof Refusal && (error.status === 401 || error.status === 403)) {
        if (abort === this.#abort) this.#enter(error.status === 401 ? "token" : "refused", error.message);
        return;
      }
    }
    if (abort === this.#abort) this.#retryLater(); // another one may have taken over
  }

  async #receive(reader, abort) {
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const silence = setTimeout(() => reader.cancel(), SILENCE * 1000);
      const { done, value } = await reader.read();
      clearTimeout(silence);
      if (done || abort !== this.#abort) return;
      const blocks = (text + decoder.decode(value, { stream: true })).split(/\r?\n\r?\n/);
      text = blocks.pop();
      blocks.forEach((block) => this.#take(block));
    }
  }

  /** Take one event: lines of `field: value`. */
  #take(block) {
    let type = "message";
    const data = [];
    for (const line of block.split(/\r?\n/)) {
      const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
      if (field === "event") type = value;
      else if (field === "data") data.push(value);
    }
    if (!data.length) return;
    this.fresh = performance.now();
    this.#pause = FIRST_PAUSE;
    this.#enter("live");
    this.dispatchEvent(new CustomEvent(type, { detail: JSON.parse(data.join("\n")) }));
  }

  #retryLater() {
    this.next = performance.now() + this.#pause * 1000;
    this.#timer = setTimeout(() => this.connect(), this.#pause * 1000);
    this.#pause = Math.min(LONGEST_PAUSE, this.#pause * 2);
    this.#enter("lost");
  }

  #enter(state, reason = "") {
    if (state === this.state && state !== "token") return;
    this.state = state;
    this.reason = reason;
    this.dispatchEvent(new Event("state"));
  }
}
