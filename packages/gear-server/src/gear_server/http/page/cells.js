/** What columns are made of: each fills a new cell, and returns what shows a row in it. */

import { make, setAttribute, setText } from "./dom.js";
import { count, moment, NONE } from "./format.js";
import { functionHash } from "./route.js";
import { Sparkline } from "./sparkline.js";

/** Some text. */
export const text = (read) => (cell) => (row) => setText(cell, read(row));

/** A number; what is zero stands back. */
export const number = (read, format = count) => (cell) => (row) => {
  const value = read(row);
  setText(cell, value === null ? NONE : format(value));
  cell.classList.toggle("zero", !value);
};

/** A number of something that had better not happen. */
export const trouble = (read) => (cell) => {
  const show = number(read)(cell);
  return (row) => {
    show(row);
    cell.classList.toggle("bad", read(row) > 0);
  };
};

/** How long something has lasted; pointing at it tells when it began. */
export const since = (read, format) => (cell) => {
  const time = make("time");
  cell.append(time);
  return (row) => {
    const seconds = read(row);
    setText(time, format(seconds));
    setAttribute(time, "title", seconds === null ? null : `since ${moment(seconds)}`);
    cell.classList.toggle("zero", seconds === null);
  };
};

/** A function's name, which leads to it. */
export const functionLink = (read) => (cell) => {
  const link = make("a");
  cell.append(link);
  return (row) => {
    const name = read(row);
    setText(link, name);
    setAttribute(link, "href", functionHash(name));
    setAttribute(link, "title", name);
  };
};

/** The last minutes. */
export const history = (read) => (cell) => {
  const sparkline = new Sparkline();
  cell.append(sparkline.element);
  return (row) => sparkline.show(read(row));
};
