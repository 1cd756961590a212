/** A line of the last minutes, as wide as its cell. */

import { setAttribute } from "./dom.js";
import { rate } from "./format.js";

const HEIGHT = 20;
const SVG = "http://www.w3.org/2000/svg";
/** Seconds that one number of a history stands for. */
export const STEP = 5;

const shape = (kind) => {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("class", kind);
  return path;
};

export class Sparkline {
  constructor() {
    this.element = document.createElementNS(SVG, "svg");
    this.element.setAttribute("class", "sparkline");
    this.element.setAttribute("preserveAspectRatio", "none");
    this.element.setAttribute("role", "img");
    this.area = shape("area");
    this.line = shape("line");
    this.element.append(this.area, this.line);
  }

  /** Draw counts per five seconds, the newest last. */
  show(history) {
    const top = Math.max(1, ...history);
    const y = (number) => (HEIGHT - 1.5 - (number / top) * (HEIGHT - 3)).toFixed(1);
    const line = history.map((number, x) => `${x ? "L" : "M"}${x} ${y(number)}`).join("");
    const end = Math.max(1, history.length - 1);
    setAttribute(this.element, "viewBox", `0 0 ${end} ${HEIGHT}`);
    setAttribute(this.line, "d", line || `M0 ${HEIGHT - 1.5}`);
    setAttribute(this.area, "d", line ? `${line}V${HEIGHT}H0Z` : "");
    const minutes = Math.round((history.length * STEP) / 60);
    const peak = rate(Math.max(0, ...history) / STEP);
    setAttribute(this.element, "aria-label", `Last ${minutes} minutes: at most ${peak} per second`);
  }
}
