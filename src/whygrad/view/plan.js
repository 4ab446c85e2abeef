// Where everything in the picture is, for a width in pixels: neurons, costs, and the curves between them.

import { parsed } from "./dom.js";

/** The places and sizes of a network's picture; with `small`, a height in pixels, everything fits into it. */
export class Plan {
  constructor({ picture, of, network }, width, small) {
    const { layers, hidden } = picture;
    const regular = network.l2 > 0;
    const several = of.some(([key]) => key === "total");
    const columns = layers.length + 1 + (several ? 1 : 0);
    const rows = Math.max(...layers.map((neurons, layer) => neurons.length + (hidden[layer] ? 1 : 0)), layers.at(-1).length + (regular ? 1 : 0));
    this.margin = small ? 14 : width < 480 ? 22 : 40;
    this.measure(width, small, columns, rows);
    this.across = 2 * this.margin + this.gap * (columns - 1);
    this.full = Math.max(small ? 3 : 4, Math.min(13, this.row * 0.15)); // how wide the widest line is
    this.below = regular ? this.full + 6 : 0; // room below the neurons for the line from a weight to R
    this.high = this.row * (rows - 1) + 2 * this.radius + (small ? 8 : 34) + this.below;
    this.places = new Map();
    layers.forEach((neurons, layer) => this.column([...neurons.map((j) => `a${layer}.${j}`), ...(hidden[layer] ? [`o${layer}`] : [])], layer));
    this.column([...layers.at(-1).map((k) => `C${k}`), ...(regular ? ["R"] : [])], layers.length);
    if (regular && !hidden.at(-1)) for (const k of layers.at(-1)) this.places.get(`a${layers.length - 1}.${k}`).y = this.places.get(`C${k}`).y;
    if (several) this.column(["total"], layers.length + 1);
  }

  /** Finds how far columns and rows lie apart, and how large neurons and their names are. */
  measure(width, small, columns, rows) {
    const least = small ? 0 : width < 480 ? 46 : columns > 12 ? 34 : 58;
    this.gap = Math.max(least, (width - 2 * this.margin) / (columns - 1));
    const tall = Math.min(width > 1200 ? width * 0.36 : 520, Math.max(230, width * 0.5));
    this.row = small ? Math.min(40, small / rows) : Math.max(22, Math.min(Math.max(92, width / 13), tall / rows));
    this.radius = Math.max(small ? 2.5 : 5, Math.min(Math.max(21, width / 56), this.row * (small || this.row > 50 ? 0.3 : 0.4), this.gap * (width < 480 ? 0.27 : 0.24)));
    this.size = Math.max(11, this.radius * 0.53);
  }

  /** Places a column of items, centred. */
  column(keys, number) {
    const middle = (this.high - this.below) / 2 - 2;
    keys.forEach((key, n) => this.places.set(key, { x: this.margin + this.gap * number, y: middle + (n - (keys.length - 1) / 2) * this.row }));
  }

  has(key) {
    return this.places.has(key);
  }

  /** Returns the place of an item, or of what it is a mark on. */
  at(key) {
    const { kind, layer, to } = parsed(key);
    if (kind === "z" || kind === "b") return this.places.get(`a${layer}.${to}`);
    if (kind === "y") return this.places.get(`C${to}`);
    return this.places.get(key);
  }

  /** Returns the curve between two places, moved down by a little. */
  curve(start, end, shift = 0) {
    if (start.startsWith("w") && end === "R") return this.around(start, shift);
    const a = this.at(start);
    const b = this.at(end);
    if (!a || !b) return "";
    const r = this.radius;
    const [x1, x2] = [a.x + (start.startsWith("o") ? r + 4 : r), b.x - (end.startsWith("o") ? r + 4 : r)];
    const bend = (x2 - x1) * 0.4;
    return `M${x1} ${a.y + shift}C${x1 + bend} ${a.y + shift} ${x2 - bend} ${b.y + shift} ${x2} ${b.y + shift}`;
  }

  /** Returns the curve from the middle of a weight's line to R, below the neurons. */
  around(key, shift) {
    const [a, b, end] = [...this.ends(key), "R"].map((each) => this.at(each));
    if (!a || !b || !end) return "";
    const [x, y] = [(a.x + b.x) / 2, (a.y + b.y) / 2];
    const low = this.lowest + shift;
    const near = end.x - this.radius - this.gap * 0.62;
    return `M${x} ${y}C${x} ${low} ${x + this.gap * 0.1} ${low} ${x + this.gap * 0.42} ${low}L${Math.max(near, x + this.gap * 0.42)} ${low}C${end.x - this.radius - this.gap * 0.3} ${low} ${end.x - this.radius - this.gap * 0.3} ${end.y + shift} ${end.x - this.radius} ${end.y + shift}`;
  }

  /** The height of the line to R, below the neurons. */
  get lowest() {
    return this.high - this.full / 2 - 2;
  }

  /** Returns the two neurons that a weight is between. */
  ends(key) {
    const { layer, to, from } = parsed(key);
    return [`a${layer - 1}.${from}`, `a${layer}.${to}`];
  }
}
