// The picture: the network with what flows through it, lit for what is chosen.

import { html, number, parsed, svg } from "./dom.js";
import { label, nameOf, roomy, targetOf, valueOf } from "./labels.js";
import { columnsOf, moved } from "./moves.js";
import { Plan } from "./plan.js";

const HUES = 6;
const AT_ONCE = 300; // so many items are told to screen readers before anything else happens

/** The hue of a cost: one of a few that everybody can tell apart, then again from the first. */
export function hue(key) {
  const { kind, to } = parsed(key);
  return kind === "C" ? `hue${to % HUES}` : kind === "R" ? "hueR" : "hueAll";
}

/**
 * Draws a network; `choose`, `point` and `leave` are told what is clicked, pointed at and left.
 * With `small`, a height in pixels, everything fits into it and nothing is told.
 */
export class Picture {
  constructor(document, { choose, point, leave, later, small = 0 }) {
    this.document = document;
    this.later = later;
    this.handlers = { choose, point, leave };
    this.small = small;
    this.svg = svg("svg", { class: "network", role: "group", "aria-roledescription": "network" });
    this.scroll = html("div", { class: "scroll" }, this.svg);
    this.element = this.scroll;
    this.groups = new Map();
    this.width = 0;
    if (!small) this.listen();
  }

  listen() {
    this.svg.addEventListener("keydown", (event) => this.pressed(event));
    // On the SVG itself a listener for the focus would make it one more stop for the Tab key.
    const found = (event) => event.target.closest?.("[data-q]");
    this.svg.addEventListener("pointerover", (event) => {
      const group = found(event);
      if (group) this.handlers.point(group.dataset.q, group);
    });
    this.svg.addEventListener("pointerleave", () => this.handlers.leave());
    this.scroll.addEventListener("focusin", (event) => found(event) && this.handlers.point(found(event).dataset.q, found(event)));
    this.scroll.addEventListener("focusout", () => this.handlers.leave());
    this.svg.addEventListener("click", (event) => {
      const group = found(event);
      if (!group) return;
      this.handlers.leave(); // what is chosen is explained beside the picture: nothing has to cover it
      this.handlers.choose(group.dataset.q, group);
    });
  }

  update(document) {
    this.document = document;
    this.width = 0;
  }

  /** Places everything for a width in pixels; returns whether anything changed. */
  resize(width, formulas) {
    if (Math.abs(width - this.width) < 2 && formulas === this.formulas) return false;
    this.width = width;
    this.formulas = formulas;
    const plan = (this.plan = new Plan(this.document, width, this.small));
    this.svg.style.setProperty("--text", `${plan.size}px`);
    this.svg.classList.toggle("tiny", plan.radius < 11);
    this.dense = this.document.picture.items.length > 700; // too many lines to paint one by one, frame by frame
    this.svg.classList.toggle("dense", this.dense);
    this.svg.setAttribute("width", plan.across);
    this.svg.setAttribute("height", plan.high);
    this.svg.setAttribute("viewBox", `0 0 ${plan.across} ${plan.high}`);
    this.draw();
    return true;
  }

  draw() {
    const { plan } = this;
    this.groups.clear();
    this.before = {}; // what was shown last
    this.through = this.selected = null;
    const { layers, hidden, items } = this.document.picture;
    this.edges = svg("g", { class: "edges" });
    this.glow = svg("g", { class: "strands", "aria-hidden": "true" });
    this.chips = svg("g", { class: "chips", "aria-hidden": "true" });
    this.nodes = svg("g", { class: "nodes" });
    const last = layers.length - 1;
    for (const k of layers[last]) this.edges.append(svg("path", { class: "wire", d: plan.curve(`a${last}.${k}`, `C${k}`) }));
    if (plan.has("total"))
      for (const key of [...layers[last].map((k) => `C${k}`), ...(plan.has("R") ? ["R"] : [])])
        this.edges.append(svg("path", { class: "wire", d: plan.curve(key, "total") }));
    if (plan.has("total") && hidden[last]) this.edges.append(svg("path", { class: "wire", d: plan.curve(`o${last}`, "total") }));
    for (const [key] of items) if (key.startsWith("w")) this.edge(key);
    if (this.dense) this.edges.prepend(...this.ground());
    layers.forEach((_, layer) => hidden[layer] && this.others(layer, hidden[layer]));
    this.marked = items.some(([key]) => key.startsWith("z")); // a mark at the rim, where long names would begin
    const bodies = items.filter(([key]) => /^[aCR]/.test(key));
    for (const [key] of [...bodies, ...items.filter(([key]) => /^[zby]/.test(key))]) this.node(key);
    if (plan.has("total")) this.node("total");
    this.texts = new Map();
    for (const [key, group] of this.groups) if (group.querySelector(".value")) this.texts.set(key, group.querySelector(".value"));
    this.columns = columnsOf(this.document.picture, (key) => plan.at(key));
    this.svg.replaceChildren(this.edges, this.glow, this.nodes, this.chips);
  }

  group(key, ...children) {
    const made = svg("g", { class: "item", "data-q": key, role: "button", tabindex: "-1", "aria-pressed": "false" }, ...children);
    this.groups.set(key, made);
    return made;
  }

  /** Returns the lines of each layer as one path: thousands of their own would be painted again and again. */
  ground() {
    const layers = new Map();
    for (const [key] of this.document.picture.items) if (key.startsWith("w")) layers.set(key.split(".")[0], `${layers.get(key.split(".")[0]) ?? ""}${this.plan.curve(...this.plan.ends(key))}`);
    return [...layers.values()].map((d) => svg("path", { class: "wire", d }));
  }

  edge(key) {
    const d = this.plan.curve(...this.plan.ends(key));
    this.edges.append(this.group(key, svg("path", { class: "hit", d }), this.dense ? null : svg("path", { class: "wire", d })));
  }

  /** Returns an item, on which something is to be shown: one of thousands of lines gets its own only then. */
  item(key) {
    const group = this.groups.get(key);
    if (this.dense && group?.childElementCount === 1 && key.startsWith("w")) group.append(svg("path", { class: "wire", d: group.firstElementChild.getAttribute("d") }));
    return group;
  }

  node(key) {
    const { kind } = parsed(key);
    const { plan, formulas } = this;
    const { x, y } = plan.at(key);
    const r = plan.radius;
    const readable = r >= 11 && !this.small;
    const numbers = readable && plan.row > 50 && plan.gap > 4.6 * plan.size;
    const size = Math.max(10, Math.min(Math.max(15, plan.size * 1.5), r * 0.82));
    let parts;
    if (kind === "a") {
      parts = [svg("circle", { class: "body", cx: x, cy: y, r })];
      if (readable) parts.push(nameOf(plan, formulas, key, x, y, 2 * r - (this.marked ? 5 : 0), size));
      if (numbers) parts.push(valueOf(plan, x, y));
    } else if (kind === "z") {
      parts = [svg("circle", { class: "small", cx: x - r, cy: y, r: Math.max(1.5, r * 0.2) })];
    } else if (kind === "b") {
      const half = Math.max(1.4, r * 0.18);
      parts = [svg("rect", { class: "small", x: x - r * 0.72 - half, y: y - r * 0.72 - half, width: 2 * half, height: 2 * half, rx: half * 0.4 })];
    } else if (kind === "y") {
      parts = [svg("path", { class: "small", d: diamond(x - r, y - r, Math.max(3.5, r * 0.3)) })];
      if (numbers && roomy(plan)) parts.push(targetOf(plan, formulas, key, x - r * 0.55, y - r - plan.size * 0.75));
    } else {
      const wide = kind === "total" ? r * 1.15 : r;
      parts = [svg("rect", { class: `body ${hue(key)}`, x: x - wide, y: y - r, width: 2 * wide, height: 2 * r, rx: kind === "total" ? r : 6 })];
      if (readable) parts.push(nameOf(plan, formulas, key, x, y, 2 * wide, size));
      if (numbers) parts.push(valueOf(plan, x, y));
    }
    this.nodes.append(this.group(key, ...parts.filter(Boolean)));
  }

  others(layer, many) {
    const { plan } = this;
    const { x, y } = plan.at(`o${layer}`);
    const r = plan.radius + 4;
    const said = `+ ${many.toLocaleString("en").replaceAll(",", "\u202f")}`;
    const text = svg("text", { class: "others", x, y: y + r + plan.size + 2, "text-anchor": "middle" }, plan.gap < 7.5 * plan.size ? said : `${said} others`);
    this.nodes.append(svg("g", { class: "rest", "data-o": layer }, svg("rect", { class: "body", x: x - r, y: y - r * 0.7, width: 2 * r, height: r * 1.4, rx: 7 }), svg("text", { class: "dots", x, y: y + 4, "text-anchor": "middle" }, "···"), text));
  }

  // What is shown

  /** Shows values, what is chosen, and lights the flow or a colouring; of the items, only what is other than before is touched. */
  show({ chosen, of, values, total, flow, colours, path, lit, missing, marks, describe, label }) {
    const before = this.before;
    this.before = { of, values, lit, marks };
    if (values !== before.values) this.write(values, total);
    if (!this.small && (values !== before.values || of !== before.of)) this.tell(describe);
    this.select(chosen);
    this.mark("lit", before.lit, lit);
    if (marks || before.marks) {
      const those = (all, kind) => all && new Set([...all].filter(([, found]) => found === kind).map(([key]) => key));
      for (const kind of ["wrong", "right"]) this.mark(kind, those(before.marks, kind), those(marks, kind));
    }
    this.svg.setAttribute("aria-label", label);
    this.svg.classList.toggle("playing", Boolean(lit));
    this.strands(chosen, lit ? null : colours ? this.coloured(colours, of) : flow, colours ? null : flow);
    if (!colours && !lit) this.flows(`${chosen}|${of}`);
    this.marks(path, lit ? null : chosen, missing);
    this.reveal(chosen);
  }

  /** Writes the values that stand in the picture. */
  write(values, total) {
    if (this.texts.has("total")) this.texts.get("total").textContent = number(total, 4);
    this.document.picture.items.forEach(([key], place) => {
      const text = this.texts.get(key);
      const value = values[place];
      if (text) text.textContent = value === null ? "" : `${key[0] === "y" ? " = " : ""}${number(value, 4)}`;
    });
  }

  /** Says what each item is to those who don't see it: what has the focus at once, the others when there is time. */
  tell(describe) {
    const { items } = this.document.picture;
    this.describe = describe;
    this.unsaid = new Map([...items.map(([key], place) => [key, place]), ["total", -1]]);
    if (items.length <= AT_ONCE) for (const key of [...this.unsaid.keys()]) this.say(key);
    else for (let start = 0; start <= items.length; start += AT_ONCE) this.later.add(() => [...items.slice(start, start + AT_ONCE), ["total"]].forEach(([key]) => this.say(key)));
  }

  say(key) {
    if (!this.unsaid?.has(key)) return;
    this.groups.get(key)?.setAttribute("aria-label", this.describe(key, this.unsaid.get(key)));
    this.unsaid.delete(key);
  }

  /** Turns to what is chosen; browsers lay out all that has changed before they let the focused item's tabindex change. */
  select(chosen) {
    if (chosen === this.selected) return;
    this.turn(this.selected ?? this.document.picture.items[0][0], false);
    this.turn(chosen, true);
    this.selected = chosen;
  }

  /** Chooses an item, or no longer. */
  turn(key, is) {
    const group = this.item(key) ?? (is ? this.item(this.document.picture.items[0][0]) : null);
    if (!group) return;
    group.classList.toggle("chosen", is && this.groups.has(key));
    if (this.small) return;
    this.say(key);
    group.setAttribute("aria-pressed", String(is && this.groups.has(key)));
    group.setAttribute("tabindex", is ? "0" : "-1");
  }

  /** Gives a class to the items of a set, and takes it from those of the set before. */
  mark(name, before, now) {
    if (before === now) return;
    const element = (key) => (key.startsWith("o") ? this.nodes.querySelector(`[data-o="${key.slice(1)}"]`) : this.item(key));
    for (const key of before ?? []) if (!now?.has(key)) element(key)?.classList.remove(name);
    for (const key of now ?? []) if (!before?.has(key)) element(key)?.classList.add(name);
  }

  /** Every weight's own value of a semiring as a line. */
  coloured(colours, of) {
    const items = this.document.picture.items;
    const size = (value) => (Array.isArray(value) ? Math.max(...value.map((v) => Math.abs(v ?? 0))) : Math.abs(Number(value ?? 0)));
    const weights = items.map(([key], place) => [key, colours[place]]).filter(([key]) => key.startsWith("w"));
    const widest = Math.max(...weights.map(([, value]) => size(value)), 0);
    return {
      costs: [of],
      widest,
      nodes: [],
      lines: weights.filter(([, value]) => widest && size(value) > 0.004 * widest).map(([key, value]) => {
        const signed = Array.isArray(value) ? value.reduce((a, b) => (Math.abs(b ?? 0) > Math.abs(a ?? 0) ? b : a), 0) : Number(value);
        return [...this.plan.ends(key), signed];
      }),
    };
  }

  /** Lets the lines of another choice flow in, from what is chosen to the costs; the first ones just stand there. */
  flows(what) {
    const other = this.flowing && this.flowing !== what;
    this.flowing = what;
    if (!other || this.small || this.dense || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const from = (right) => ({ clipPath: `inset(-20px ${right} -20px -20px)` });
    this.glow.animate([from("100%"), from("-20px")], { duration: 420, easing: "ease-out" });
  }

  strands(chosen, flow, nodesOf) {
    const { plan } = this;
    this.glow.replaceChildren();
    const through = new Set(flow ? (nodesOf?.nodes ?? []).map(([key]) => key) : []);
    this.mark("through", this.through, through);
    this.through = through;
    if (!flow) return;
    const widest = Math.max(flow.widest, Math.abs(flow.regular ?? 0)) || 1;
    if (chosen.startsWith("w")) {
      const [from, to] = plan.ends(chosen);
      const carries = flow.lines.some(([start, end, ...parts]) => start === from && end === to && parts.some(Boolean));
      this.groups.get(chosen)?.classList.toggle("carries", carries);
    }
    for (const [start, end, ...parts] of flow.lines.toReversed()) {
      const widths = parts.map((part) => (part ? Math.max(1.3, (plan.full * Math.abs(part)) / widest) : 0));
      let shift = -widths.reduce((a, b) => a + b, 0) / 2;
      parts.forEach((part, place) => {
        if (!part) return;
        const negative = part * (flow.sign ?? 1) < 0;
        const d = plan.curve(start, end, shift + widths[place] / 2);
        shift += widths[place];
        if (d) this.glow.append(strand(hue(flow.costs[place]), negative, d, widths[place]));
      });
    }
    const d = flow.regular && plan.curve(chosen, "R");
    if (d) this.glow.append(strand("hueR", flow.regular < 0, d, Math.max(1.3, (plan.full * Math.abs(flow.regular)) / widest)));
  }

  /** Labels the factors of a path on its edges, in the colours of their cards. */
  marks(path, chosen, missing) {
    const { plan } = this;
    this.chips.replaceChildren();
    if (missing) {
      for (const stations of missing)
        stations.forEach((key, n) => {
          const next = stations[n + 1];
          const d = next && (key.startsWith("w") ? "" : plan.curve(key.replace("z", "a"), next.replace("z", "a")));
          if (d) this.chips.append(svg("path", { class: "missing", d }));
        });
    }
    if (chosen) this.named(chosen);
    if (!path) return;
    const stations = path.stations;
    path.cards.forEach((card, n) => {
      const [start, end] = [stations[n], stations[n + 1]];
      if (!end) return;
      const key = start.startsWith("w") || start.startsWith("b") ? start : null;
      const [from, to] = key?.startsWith("w") && end !== "R" ? plan.ends(start) : [start, end];
      const [a, b] = [plan.at(end === "R" ? plan.ends(start)[0] : from), plan.at(to)];
      if (!a || !b || a.x === b.x) return;
      const d = plan.curve(from, to);
      if (d) this.chips.append(svg("path", { class: `trace factor${n % 6}`, d, "data-factor": n }));
      if (plan.gap < 84 || plan.row < 34 || !d) return;
      const text = number(card.v, 4);
      const wide = plan.size * (0.64 * text.length + 1.1);
      const [x, y] = end === "R" ? [(a.x + b.x) / 2, plan.lowest] : [(a.x + b.x) / 2, (a.y + b.y) / 2];
      const chip = svg("g", { class: `chip factor${n % 6}`, "data-factor": n }, svg("rect", { x: x - wide / 2, y: y - plan.size * 0.9, width: wide, height: plan.size * 1.8, rx: plan.size * 0.9 }), svg("text", { x, y: y + plan.size * 0.36, "text-anchor": "middle" }, text));
      this.chips.append(chip);
    });
  }

  /** Writes the chosen weight's name at its line. */
  named(chosen) {
    const { plan } = this;
    if (!chosen.startsWith("w") || plan.gap < 84 || plan.row < 30) return;
    const [from, to] = plan.ends(chosen).map((key) => plan.at(key));
    if (!from || !to) return;
    const x = (from.x + to.x) / 2;
    const y = (from.y + to.y) / 2 - plan.size * 2.1;
    this.chips.append(label(this.formulas, chosen, x, y, plan.gap - 2 * plan.radius + 8, plan.size * 1.22) ?? "");
  }

  /** Brings what is chosen into sight, where the picture is wider than its place. */
  reveal(chosen) {
    const { plan } = this;
    const place = plan.across > this.width && plan.at(chosen.startsWith("w") ? plan.ends(chosen)[1] : chosen);
    if (!place || chosen === this.revealed) return;
    this.revealed = chosen;
    requestAnimationFrame(() => {
      const { scrollLeft, clientWidth } = this.scroll; // everything has its place by now, or would get it next
      if (place.x < scrollLeft + 40 || place.x > scrollLeft + clientWidth - 40) this.scroll.scrollLeft = place.x - clientWidth / 2;
    });
  }

  /** Returns the elements that stand for a quantity. */
  standing(key) {
    const group = this.item(key);
    return group ? [group] : [];
  }

  // The keyboard

  pressed(event) {
    const key = event.target.closest?.("[data-q]")?.dataset.q;
    if (!key) return;
    const next = moved(this.columns, key, event.key, this.document.picture.layers.length - 1);
    if (next) {
      event.preventDefault();
      event.stopPropagation();
      // The focus asks where things are: before anything changes that is known.
      this.groups.get(next).focus();
      this.groups.get(next).scrollIntoView?.({ block: "nearest", inline: "nearest" });
      this.handlers.choose(next, this.groups.get(next), true);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.handlers.choose(key, this.groups.get(key));
    }
  }
}

/** Returns a line of the flow; what takes away is dashed, the dashes as long as suits its width. */
function strand(kind, negative, d, width) {
  const dashes = `${Math.max(6, width * 1.05).toFixed(1)} ${Math.max(3.5, width * 0.5).toFixed(1)}`;
  return svg("path", { class: `strand ${kind}${negative ? " negative" : ""}`, d, "stroke-width": width.toFixed(2), "stroke-dasharray": negative ? dashes : null });
}

function diamond(x, y, r) {
  return `M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}Z`;
}
