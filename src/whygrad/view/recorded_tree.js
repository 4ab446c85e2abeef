// The tree of a recorded model: a row for each module, and beside it the bands of what the gradient brings back.

import { html, number, svg } from "./dom.js";

// The height of a row, in the page's own rem.
const ROW_HEIGHT = 2.125;

/** The look of a cost: a hue, and a pattern for eyes that can't tell the hues apart. */
export function costClass(k) {
  return `hue${k % 6} pattern${(k + Math.floor(k / 6)) % 6}`;
}

/** Returns a cost's mark and its name, which may be broken behind dots and underscores. */
export function markedCost(name, k) {
  return [html("span", { class: `swatch ${costClass(k)}`, "aria-hidden": "true" }), name.split(/(?<=[._])/).map((part, n) => [n ? html("wbr") : null, part])];
}

/** The look of a cost's line: a hue, and dashes. */
export function strandClass(k) {
  return `hue${k % 6} dash${(k + Math.floor(k / 6)) % 6}`;
}

/** Draws the rows and bands of a document; `choose(n, quiet)` and `toggle(n)` are told what is clicked. */
export class FlowTree {
  constructor(given, { choose, toggle }) {
    this.given = given;
    this.handlers = { choose, toggle };
    this.inside = given.places.map(() => []);
    given.places.forEach((place, n) => place.around !== null && this.inside[place.around].push(n));
    this.grid = html("div", { role: "treegrid", class: "flow-grid", "aria-label": "Modules of the model, in the order of the forward pass" });
    this.picture = svg("svg", { class: "flow", "aria-hidden": "true" });
    this.element = html("div", { class: "flow-tree" }, this.picture, this.grid);
    this.grid.addEventListener("keydown", (event) => this.pressed(event));
    this.grid.addEventListener("click", (event) => this.clicked(event));
    this.picture.addEventListener("click", (event) => {
      const at = event.target.closest?.("[data-place]");
      if (at) this.handlers.choose(Number(at.dataset.place));
    });
  }

  /** Returns the numbers of the rows that are to be seen. */
  visible(open) {
    const rows = [];
    const visit = (n) => {
      rows.push(n);
      if (open.has(n)) this.inside[n].forEach(visit);
    };
    visit(0);
    return rows;
  }

  depth(n) {
    const { around } = this.given.places[n];
    return around === null ? 0 : 1 + this.depth(around);
  }

  show(state, width) {
    this.state = state;
    this.rows = this.visible(state.open);
    const rem = parseFloat(getComputedStyle(this.element).getPropertyValue("--rem")) || 16;
    this.high = ROW_HEIGHT * rem;
    const gutter = ((width < 560 ? 58 : width < 900 ? 130 : 190) * rem) / 16;
    this.element.style.setProperty("--gutter", `${gutter}px`);
    const measure = this.given.measures.find(({ name }) => name === state.show);
    const heads = ["module", measure.label, ...(this.given.costs.length > 1 ? ["cosine"] : [])];
    const head = html("div", { role: "row", class: "flow-row flow-head" }, heads.map((text, n) => html("span", { role: "columnheader", class: n === 2 ? "n" : null, title: n === 1 ? measure.says : n === 2 ? "the smallest cosine between the gradients of two costs" : null }, text)));
    const widest = this.widest(measure);
    this.grid.replaceChildren(head, ...this.rows.map((n) => this.row(n, measure, widest)));
    this.draw(gutter);
  }

  bars(measure, n) {
    const row = (measure.bars ?? measure.values)[n];
    if (!row) return [];
    const { of } = this.state;
    return (of === null ? row.slice(0, -1).map((value, k) => [k, value]) : [[of, row[of]]]).filter(([, value]) => value);
  }

  widest(measure) {
    if (measure.name === "share") return 1;
    const size = (n) => this.bars(measure, n).reduce((sum, [, value]) => sum + value, 0);
    return Math.max(...this.rows.map(size), 1e-300);
  }

  row(n, measure, widest) {
    const place = this.given.places[n];
    const many = this.inside[n].length;
    const isOpen = this.state.open.has(n);
    const chosen = n === this.state.chosen;
    const values = measure.values[n];
    const told = values ? this.given.costs.map(({ name }, k) => `${name} ${number(values[k], 3)}`).join(", ") : "";
    const kind = { join: "operation", input: "input", cost: "cost", parameter: "parameter" }[place.kind] ?? "module";
    const detail = place.kind === "cost" ? number(this.given.costs[place.row].value, 4).replace("–", "not finite") : place.shape ? place.shape.join(" × ") || "scalar" : place.parameters && many ? (n ? `${place.parameters}` : `${place.parameters} parameters`) : "";
    const twist = many ? html("button", { type: "button", class: "twist", tabindex: "-1", "aria-label": `${isOpen ? "Fold" : "Unfold"} ${place.label}` }, isOpen ? "▾" : "▸") : html("span", { class: "twist" });
    const bar = this.bars(measure, n).map(([k, value]) => html("span", { class: `piece ${costClass(k)}`, style: { width: `${(100 * value) / widest}%` } }));
    return html(
      "div",
      {
        role: "row",
        class: `flow-row ${place.kind}${chosen ? " chosen" : ""}${place.conflict ? " conflict" : ""}`,
        "data-place": n,
        "aria-level": this.depth(n) + 1,
        "aria-expanded": many ? String(isOpen) : null,
        "aria-selected": String(chosen),
        tabindex: chosen ? "0" : "-1",
        title: told ? `${place.name || "the model"}: ${told}` : place.name,
      },
      html("span", { role: "rowheader", class: "flow-name", style: { "--depth": this.depth(n) } }, twist, place.kind === "cost" ? html("span", { class: `swatch ${costClass(place.row)}`, "aria-hidden": "true" }) : null, html("span", { class: "flow-label" }, place.label), detail ? html("span", { class: "flow-shape" }, detail, place.shape || place.kind === "cost" || !n ? null : html("span", { class: "sr" }, " parameters")) : null, html("span", { class: "sr" }, ` ${kind}`)),
      html("span", { role: "gridcell", class: "flow-bars" }, html("span", { class: "track", "aria-hidden": "true" }, bar), html("span", { class: "sr" }, told || "nothing of its own")),
      this.given.costs.length > 1 ? html("span", { role: "gridcell", class: `n flow-cosine${place.conflict ? " bad" : ""}` }, place.cosine === null || place.cosine === undefined ? "" : [place.cosine.toFixed(2).replace(/^-0\.00$/, "0.00").replace("-", "−"), place.conflict ? html("span", { class: "mark" }, " ⇄", html("span", { class: "sr" }, " conflict")) : null]) : null,
    );
  }

  // The bands

  /** Returns the rows that have a place in the picture: those that are closed, or that work out something themselves. */
  stations() {
    const open = (n) => this.state.open.has(n) && !this.given.places[n].own && this.inside[n].length;
    const linked = new Set(this.given.bands.flatMap(([a, b]) => [a, b]));
    return this.rows.filter((n) => n && !open(n) && linked.has(n));
  }

  draw(gutter) {
    const { of, chosen } = this.state;
    const high = (this.rows.length + 1) * this.high;
    const spine = gutter - 18;
    const y = new Map(this.rows.map((n, place) => [n, (place + 1.5) * this.high]));
    const order = new Map(this.stations().map((n, place) => [n, place]));
    const lit = new Set([chosen]);
    const within = (n) => n !== null && (n === chosen || within(this.given.places[n].around));
    const shown = this.given.bands
      .filter(([a, b]) => order.has(a) && order.has(b))
      .map(([a, b, norms, total]) => ({ a, b, total, widths: of === null ? norms : norms.map((norm, k) => (k === of ? norm : 0)) }))
      .map((band) => ({ ...band, size: band.widths.reduce((sum, each) => sum + each, 0), top: Math.min(order.get(band.a), order.get(band.b)), end: Math.max(order.get(band.a), order.get(band.b)) }))
      .filter((band) => band.size > 0);
    // What costs send back to their targets is often far more than all else, and seldom what is asked for.
    const aside = (band) => this.given.places[band.a].kind === "input" && this.given.places[band.b].kind === "cost";
    const widest = Math.max(...shown.filter((band) => !aside(band)).map((band) => band.size), 1e-300);
    const lanes = lanesOf(shown);
    const most = Math.max(0, ...lanes.values());
    const full = gutter < 100 ? 9 : 15;
    const gap = most ? Math.min(30, (spine - 10) / most) : 0;
    const strands = svg("g", { class: "flow-bands" });
    for (const band of shown.toSorted((one, two) => two.size - one.size)) {
      const x = spine - gap * lanes.get(band);
      const [from, to] = [y.get(band.a), y.get(band.b)];
      const scaled = band.widths.map((norm) => (norm ? Math.max(1.2, (full * norm) / Math.max(widest, aside(band) ? 2 * band.size : 0)) : 0));
      let shift = -scaled.reduce((sum, each) => sum + each, 0) / 2;
      const group = svg("g", { class: within(band.a) || within(band.b) ? "near" : null });
      scaled.forEach((wide, k) => {
        if (!wide) return;
        const dx = shift + wide / 2;
        shift += wide;
        const bend = Math.min(this.high * 0.9, Math.abs(to - from) / 2);
        const way = Math.sign(to - from) || 1;
        const d =
          x === spine
            ? `M${spine + dx} ${from}V${to}`
            : `M${spine + dx} ${from}C${spine + dx} ${from + way * bend * 0.7} ${x + dx} ${from + way * bend * 0.3} ${x + dx} ${from + way * bend}V${to - way * bend}C${x + dx} ${to - way * bend * 0.3} ${spine + dx} ${to - way * bend * 0.7} ${spine + dx} ${to}`;
        group.append(svg("path", { class: `flow-strand ${strandClass(k)}`, d, "stroke-width": wide.toFixed(2) }));
      });
      const told = band.widths.map((norm, k) => (norm ? `${this.given.costs[k].name} ${number(norm, 3)}` : "")).filter(Boolean).join(", ");
      group.append(svg("title", {}, `${this.given.places[band.b].name} sends back to ${this.given.places[band.a].name}: ${told}`));
      strands.append(group);
      if (band.a === chosen || band.b === chosen) lit.add(band.a).add(band.b);
    }
    const marks = svg("g", { class: "flow-marks" });
    for (const n of order.keys()) {
      const { kind, row, label } = this.given.places[n];
      const [cx, cy] = [spine, y.get(n)];
      const shape =
        kind === "cost"
          ? svg("rect", { class: `hue${row % 6} end`, x: cx - 7, y: cy - 7, width: 14, height: 14, rx: 4 })
          : kind === "parameter"
            ? svg("rect", { x: cx - 5, y: cy - 5, width: 10, height: 10, rx: 1.5 })
            : kind === "input"
              ? svg("path", { d: `M${cx - 8} ${cy - 6}H${cx + 8}L${cx} ${cy + 7}Z` })
              : svg("circle", { cx, cy, r: kind === "join" ? 6 : 7.5 });
      const plus = kind === "join" ? svg("path", { class: "plus", d: `M${cx - 3} ${cy}h6M${cx} ${cy - 3}v6` }) : null;
      marks.append(svg("g", { class: `flow-mark${n === chosen ? " chosen" : lit.has(n) ? " lit" : ""}`, "data-place": n }, svg("title", {}, label), shape, ...(plus ? [plus] : [])));
    }
    this.picture.setAttribute("width", gutter);
    this.picture.setAttribute("height", high);
    this.picture.setAttribute("viewBox", `0 0 ${gutter} ${high}`);
    this.picture.replaceChildren(strands, marks);
  }

  // Mouse and keyboard

  clicked(event) {
    const row = event.target.closest("[data-place]");
    if (!row) return;
    const n = Number(row.dataset.place);
    if (event.target.closest("button.twist")) this.handlers.toggle(n);
    else this.handlers.choose(n);
  }

  focus(n) {
    this.grid.querySelector(`[data-place="${n}"]`)?.focus();
  }

  pressed(event) {
    const row = event.target.closest("[data-place]");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const n = Number(row.dataset.place);
    const at = this.rows.indexOf(n);
    const open = this.state.open.has(n);
    const many = this.inside[n].length;
    let next = null;
    if (event.key === "ArrowDown") next = this.rows[at + 1];
    else if (event.key === "ArrowUp") next = this.rows[at - 1];
    else if (event.key === "Home") next = this.rows[0];
    else if (event.key === "End") next = this.rows.at(-1);
    else if (event.key === "ArrowRight" && many && !open) this.handlers.toggle(n);
    else if (event.key === "ArrowRight" && many) next = this.inside[n][0];
    else if (event.key === "ArrowLeft" && open && n) this.handlers.toggle(n);
    else if (event.key === "ArrowLeft") next = this.given.places[n].around;
    else if (event.key === "Enter" || event.key === " ") {
      if (many) this.handlers.toggle(n);
    } else return;
    event.preventDefault();
    if (next !== null && next !== undefined) this.handlers.choose(next, true);
  }
}

/** Returns the lane of each band: 0 from one place to the next, farther out for those that pass others by. */
function lanesOf(bands) {
  const lanes = new Map();
  const taken = [];
  for (const band of bands.toSorted((one, two) => one.end - one.top - (two.end - two.top))) {
    let lane = 0;
    if (band.end - band.top > 1) {
      lane = 1;
      while ((taken[lane] ?? []).some(([top, end]) => top < band.end && band.top < end)) lane++;
      (taken[lane] ??= []).push([band.top, band.end]);
    }
    lanes.set(band, lane);
  }
  return lanes;
}
