/** Numbers, sizes and durations as people read them. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";

export const NONE = "–";

/** 12,345 */
export const count = (number) => whole.format(number);

/** 12,345, but 1.23M from a million on. */
export const brief = (number) => (number < 1e6 ? whole : short).format(number);

/** Of something per second: 0, 0.4, 7.5, 1,234 */
export const rate = (number) => (number < 10 ? fine : whole).format(number);

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** 512 B, 1.5 MiB */
export function size(bytes) {
  let unit = 0;
  while (bytes >= 1024 && unit < UNITS.length - 1) {
    bytes /= 1024;
    unit += 1;
  }
  return `${bytes < 10 && unit ? bytes.toFixed(1) : Math.round(bytes)} ${UNITS[unit]}`;
}

const SPANS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

/** How long: 80 µs, 3 ms, 0.4 s, 12 s, 3 min 20 s, 2 d 4 h */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  if (seconds < 0.001) return seconds ? `${Math.round(seconds * 1e6)} µs` : "0 s";
  if (seconds < 0.1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  seconds = Math.floor(seconds + 0.05);
  const first = SPANS.findIndex(([length]) => seconds >= length);
  const [length, unit] = SPANS[first];
  const parts = [`${Math.floor(seconds / length)} ${unit}`];
  const next = SPANS[first + 1];
  const rest = next && Math.floor((seconds % length) / next[0]);
  if (rest) parts.push(`${rest} ${next[1]}`);
  return parts.join(" ");
}

/** An age, in whole seconds, so that it ticks without trembling. */
export function age(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  return seconds < 10 ? `${Math.floor(seconds)} s` : duration(seconds);
}

/** The moment so many seconds ago (or, if negative, ahead), in the reader's zone, which is named. */
export const moment = (ago) => `${clock.format(Date.now() - ago * 1000)} (${zone})`;
