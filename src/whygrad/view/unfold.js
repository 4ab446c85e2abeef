// Unfolding: an explanation of a large network is a template whose places are filled from one line of numbers.

import { parsed } from "./dom.js";

const FIELDS = ["template", "value", "equals", "sum", "difference", "share", "total", "left", "others", "contributions", "groups"];

/** The explanations of one scene: those that are written out, and those that are folded. */
export class Explained {
  constructor(scene, picture) {
    this.scene = scene;
    this.folded = scene.folded ?? null;
    this.depth = picture.layers.length - 1;
    this.made = new Map();
    this.lines = new Map(); // "group|of" -> one line for each of the group
    this.items = new Map(picture.items.map(([key], place) => [key, place]));
    this.places = new Map(); // key -> [group, number in it]
    const many = new Map();
    for (const [key] of this.folded ? picture.items : []) {
      const group = key.split(".")[0];
      this.places.set(key, [group, many.get(group) ?? 0]);
      many.set(group, (many.get(group) ?? 0) + 1);
    }
  }

  has(by, of) {
    return Object.hasOwn(this.scene.explanations, `${by}|${of}`) || (this.places.has(by) && Object.hasOwn(this.folded.records, `${this.places.get(by)[0]}|${of}`));
  }

  /** Returns whether anything is explained by a quantity. */
  any(by) {
    return this.places.has(by) || Object.keys(this.scene.explanations).some((name) => name.startsWith(`${by}|`));
  }

  /** Returns an explanation, or null. */
  get(by, of) {
    const name = `${by}|${of}`;
    if (Object.hasOwn(this.scene.explanations, name)) return this.scene.explanations[name];
    if (!this.has(by, of)) return null;
    if (!this.made.has(name)) this.made.set(name, this.unfolded(by, of));
    return this.made.get(name);
  }

  /** Returns the fields of a derivative's line. */
  record(by, of) {
    const [group, n] = this.places.get(by);
    const name = `${group}|${of}`;
    if (!this.lines.has(name)) this.lines.set(name, this.folded.records[name].split("\n"));
    const fields = this.lines.get(name)[n].split("|");
    return { ...Object.fromEntries(FIELDS.map((field, at) => [field, fields[at]])), rest: fields.slice(FIELDS.length), group, name };
  }

  unfolded(by, of) {
    const { folded, scene } = this;
    const record = this.record(by, of);
    const { kind, layer, to, from } = parsed(by);
    const station = kind === "a" || (kind === "z" && folded.dense[layer - 1]);
    const leads = station ? by : `${folded.dense[layer - 1] ? "z" : "a"}${layer}.${to}`;
    const behind = station ? record : this.record(leads, of);
    const below = `a${layer - 1}.${from}`;
    const factor = station ? null : record.rest[0];
    const made = filled(folded.templates[record.template], {
      ...record,
      by,
      of,
      to: leads,
      z: `z${layer}.${to}`,
      from: below,
      out: `a${this.depth}.${parsed(of).to}`,
      target: `y${parsed(of).to}`,
      size: record.value.replace(/^-/, ""),
      input: folded.texts[below],
      slope: folded.texts[`s${layer}.${to}`],
      inside: folded.texts[`z${layer}.${to}`],
      behind: behind.value,
      factor: Number(factor),
    });
    made.value = Number(record.value);
    made.costs = {};
    for (const key of Object.keys(scene.costs)) made.costs[key] = scene.colours.gradient[key][this.items.get(by)];
    const own = station ? [] : (made.steps ?? []);
    made.steps = behind.rest[1] === "" || (!station && !made.steps) ? [] : [...own, Number(behind.rest[1]), ...folded.shared[behind.name].steps];
    made.paths = { ...made.paths, left: record.left, others: record.left || null, others_sum: Number(record.others), rows: this.rows(record, behind, leads, of) };
    if (!station) for (const row of made.paths.rows) {
      row.q.unshift(by);
      row.k.unshift(made.card);
    }
    const sums = words(record.groups);
    made.groups = folded.shared[record.name].groups.map((rows) => rows.map(([name, count]) => [name, count, Number(sums.shift())]));
    made.layers = this.layers(record.group, by, of);
    made.flow = this.flow(behind, of, factor, kind === "w" ? [below, `a${layer}.${to}`] : null);
    return made;
  }

  /** Returns the listed paths of a station. */
  rows(record, behind, leads, of) {
    const shares = words(behind.rest[0]);
    return words(record.contributions).map((contribution, n) => {
      const stations = this.route(leads, of, n);
      const c = Number(contribution);
      const share = Math.abs(Number(shares[n]));
      return { q: stations, k: stations.slice(1).map((end, place) => this.card(stations[place], end)), c, h: c < 0 ? -share : c ? share : 0, cost: stations.at(-1), example: null };
    });
  }

  /** Returns the stations of the n-th path from a station. */
  route(start, of, n) {
    const stations = [start];
    for (let at = start, rank = n; !at.startsWith("C"); ) {
      const { kind, layer } = parsed(at);
      const [to, next] = this.folded.ways[of][at].split(" ")[rank].split(".");
      at = kind === "z" ? `a${layer}.${to}` : layer === this.depth ? `C${to}` : `${this.folded.dense[layer] ? "z" : "a"}${layer + 1}.${to}`;
      rank = Number(next);
      stations.push(at);
    }
    return stations;
  }

  card(start, end) {
    const { templates, factors } = this.folded.cards;
    const [template, factor, inside] = factors[`${start}>${end}`];
    const [a, b] = [parsed(start), parsed(end)];
    return filled(templates[template], { from: start, to: end, weight: `w${b.layer}.${b.to}.${a.to}`, z: `z${b.layer}.${b.to}`, same: `a${a.layer}.${a.to}`, target: `y${b.to}`, factor: Number(factor), inside });
  }

  /** Returns the layer-wise form, with the entry that is marked in a grid. */
  layers(group, by, of) {
    const kinds = this.folded.layers[`${group}|${of}`] ?? this.folded.layers[`${group}|${of.startsWith("C") ? "C" : of}`] ?? {};
    const { kind, to, from } = parsed(by);
    const mark = (turned, row) => (kind === "w" ? (turned ? [from, to] : [to, from]) : row ? [0, to] : [to, 0]);
    const made = {};
    for (const [name, lines] of Object.entries(kinds))
      made[name] = filled(lines, { of }).map((line) => ({ ...line, mark: line.mark ? mark(name.startsWith("from-to"), name.includes("rows")) : null }));
    return made;
  }

  /** Returns the lines of the picture: those behind a station, and a weight's own. */
  flow(behind, of, factor, own) {
    const costs = this.folded.strands[of];
    const [, , drawn, into, widest] = behind.rest;
    const numbers = factor === "0" ? [] : words(drawn).map(Number);
    const lines = own && numbers.length ? [[...own, ...words(into).map(Number)]] : [];
    for (let at = 0; at < numbers.length; at += 1 + costs.length) lines.push([...this.folded.edges[numbers[at]], ...numbers.slice(at + 1, at + 1 + costs.length)]);
    return { costs, widest: own ? Number(widest) : 1000, lines, nodes: [...new Set(lines.flatMap(([start, end]) => [start, end]))].map((key) => [key]), sign: factor?.startsWith("-") ? -1 : 1 };
  }
}

function words(text) {
  return text ? text.split(" ") : [];
}

/** Returns a template with its open places filled. */
function filled(template, places) {
  if (Array.isArray(template)) return template.map((part) => filled(part, places));
  if (template !== null && typeof template === "object") return Object.fromEntries(Object.entries(template).map(([name, part]) => [name, filled(part, places)]));
  if (typeof template !== "string") return template;
  const [, bracket, name] = /^(\(?)\$(\w+)\)?$/.exec(template) ?? [];
  if (name === undefined) return template.replace("{total}", places.total);
  const value = places[name];
  return bracket && value.startsWith("-") ? `(${value})` : value;
}
