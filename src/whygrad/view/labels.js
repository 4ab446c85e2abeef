// The names and numbers in the picture: as large as fits, beside what they are too long for.

import { html, svg } from "./dom.js";

const READABLE = 9; // pixels; smaller only where there is no room beside a neuron
const SMALLEST = 7.5;

/** Returns how wide a text is, in letters of the formulas' font: other alphabets have wider ones. */
function letters(text) {
  let sum = 0;
  for (const sign of text.replace(/[{},]/g, "")) sum += sign < "\u0370" ? 1 : sign < "\u2e80" ? 1.35 : 2;
  return sum;
}

/** Returns a name in a space, smaller where it is long; nothing where it could not be read. */
export function label(formulas, key, x, y, width, wanted, least = SMALLEST) {
  // Scripts, in braces or of one letter, stand above each other in smaller letters; y_true is a word.
  const [base, ...scripts] = formulas.plainName(key).split(/[_^](?=\{|.(?:$|[_^]))/).map(letters);
  const size = Math.min(wanted, width / (0.55 * (base + 0.85 * Math.max(0, ...scripts))));
  if (size < least) return null;
  const inside = html("div", { class: "label", style: { "font-size": `${size}px` } }, formulas.name(key, false));
  return svg("foreignObject", { x: x - width / 2, y: y - 13, width, height: 26 }, inside);
}

/** Returns the name of a neuron or a cost: inside, or beside it where it is too long for that. */
export function nameOf(plan, formulas, key, x, y, width, wanted) {
  const { radius, row, size, gap, across } = plan;
  // Above a neuron; below a cost's value, since its target stands above it.
  const beside = gap > 44 && (key[0] === "a" ? roomy(plan) : row > 2 * radius + 4.4 * size);
  const inside = label(formulas, key, x, y, width, wanted, beside ? READABLE : SMALLEST);
  if (inside) return inside;
  if (!beside) return clipped(formulas, key, { x: x - width / 2 + 3, y: y - size * 0.7, width: width - 6, height: size * 1.4 }, "center");
  const wide = gap - 4;
  const left = Math.max(2, Math.min(x - wide / 2, across - wide - 2));
  const top = key[0] === "a" ? y - radius - size * 1.55 : y + radius + size * 1.45;
  const align = left > x - wide / 2 ? "start" : left < x - wide / 2 ? "end" : "center";
  return clipped(formulas, key, { x: left, y: top, width: wide, height: size * 1.4 }, align);
}

/** Returns a name as plain text, as much of it as there is room for. */
function clipped(formulas, key, place, align) {
  const name = formulas.plainName(key);
  return svg("foreignObject", place, html("div", { class: "outside", style: { "text-align": align } }, name));
}

/** Returns whether there is room for a line of text both above and below a neuron. */
export function roomy({ row, radius, size }) {
  return row > 2 * radius + 3.3 * size;
}

/** Returns the place of a value below a neuron or a cost. */
export function valueOf({ radius, size }, x, y) {
  return svg("text", { class: "value", x, y: y + radius + size + 2, "text-anchor": "middle" });
}

/** Returns a target's name and value, beside its mark. */
export function targetOf({ gap, size }, formulas, key, x, y) {
  const inside = html("div", { class: "label start", style: { "font-size": `${size * 1.15}px` } }, formulas.name(key, false), html("span", { class: "value" }));
  return svg("foreignObject", { x, y: y - 13, width: gap * 0.9, height: 26 }, inside);
}
