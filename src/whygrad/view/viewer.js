// The viewer: shows a document in a host element, alone or with somebody to ask.

import { read, written } from "./address.js";
import { Asking } from "./asking.js";
import { copyLatex } from "./clipboard.js";
import { controls, page } from "./controls.js";
import { html, number } from "./dom.js";
import { brief, cards, further, heading, pathsOf, steps } from "./explanation.js";
import { focused, refocus } from "./focus.js";
import { Formulas } from "./formula.js";
import { Later } from "./later.js";
import { legend } from "./legend.js";
import { Live } from "./live.js";
import { pathsTable } from "./paths.js";
import { Picture } from "./picture.js";
import { NARROW, Pinned } from "./pinned.js";
import { Player } from "./play.js";
import { Pointing } from "./pointing.js";
import { mountRecorded } from "./recorded.js";
import { Sight } from "./sight.js";
import { allowed, initially } from "./state.js";
import { Explained } from "./unfold.js";
import { STYLE } from "./viewer.css";
import { alternative, described, stepInTables, weightTables } from "./weights.js";

const sheetOfStyle = new CSSStyleSheet();
sheetOfStyle.replaceSync(STYLE);
const SETTLED = 250; // milliseconds after which nothing has to be fast
const FEW_ITEMS = 70;

class View {
  constructor(host, given, ask, coming) {
    this.host = host;
    this.asking = ask ? new Asking(this, ask) : null;
    this.coming = coming; // what is still to come of the document
    this.addressed = host.hasAttribute("data-address");
    this.root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    this.root.adoptedStyleSheets = [sheetOfStyle];
    this.trail = [];
    this.folds = new Map(); // which folded parts the reader has opened or closed
    this.missing = null;
    this.marks = null;
    this.take(given);
    this.first = { ...this.initial };
    this.state = { ...this.initial };
    if (this.addressed) this.state = allowed(this, { ...this.state, ...read(location.hash) });
    this.build();
    this.listen();
    this.shows();
    if (coming) this.complete();
  }

  /** Takes a document. */
  take(given) {
    if (given.version !== 1) throw new Error(`whygrad: this viewer shows documents of version 1, not ${given.version}`);
    this.document = given;
    this.places = new Map(given.picture.items.map(([key], place) => [key, place]));
    this.initial = initially(given);
    this.explanations = new Map(Object.values(given.scenes).map((scene) => [scene, new Explained(scene, given.picture)]));
    this.formulas = null;
  }

  sceneOf(state) {
    return this.document.scenes[state.example ?? "all"] ?? Object.values(this.document.scenes)[0];
  }

  get scene() {
    return this.sceneOf(this.state);
  }

  get explained() {
    return this.explanations.get(this.scene);
  }

  get explanation() {
    return this.explained.get(this.state.chosen, this.state.of);
  }

  /** Returns whether what is to be shown isn't in the document, but asked for or still to come. */
  needs() {
    if (!this.asking && !this.coming) return false;
    const { document, state } = this;
    const scene = document.scenes[state.example ?? "all"];
    const colours = state.show === "paths" || (scene && state.show in scene.colours);
    return !scene || !this.explanation || !colours || !(state.notation in document.sheet.names);
  }

  /** Lays what is still to come of the document over what is there, piece by piece while nothing happens. */
  async complete() {
    await this.later.rest();
    for await (const part of this.coming) {
      laid(this.document, part);
      if (this.waits && !this.needs()) this.shows();
      if (!this.waits) await this.later.rest();
    }
    this.coming = null;
    this.state = allowed(this, this.state);
    if (this.waits) this.shows();
  }

  /** Shows the state, and gets what isn't there. */
  shows(moved = false) {
    this.render();
    if (moved) this.announce();
    this.waits = this.needs();
    if (this.waits && this.asking) this.asking.refresh();
    else if (!this.asking) this.pending(this.waits);
  }

  // Building

  build() {
    this.roomy = this.host.clientWidth >= NARROW; // whether there is room beside the text: short parts need not be folded
    this.later = new Later();
    this.parts = new Map(); // what a part of the page was made from
    this.picture = new Picture(this.document, {
      later: this.later,
      choose: (key, group, quiet) => this.pick(key, quiet),
      point: (key, group) => this.pointing.at(key, group),
      leave: () => this.pointing.leave(),
    });
    this.player = new Player(this);
    this.pointing = new Pointing(this);
    this.announcer = html("div", { class: "sr", "aria-live": "polite" });
    this.skip = html("button", { type: "button", class: "skip", on: { click: () => this.answer.querySelector("h1")?.focus() } }, "Skip to the explanation");
    this.top = html("div", { class: "top" });
    this.controlRow = html("div");
    this.alternative = html("p", { class: "sr", id: "alternative" });
    this.legend = html("div", { class: "legend", "aria-hidden": "true" });
    this.live = this.asking ? new Live(this) : null;
    this.figure = html("figure", { "aria-describedby": "alternative" }, this.picture.element, this.legend, this.alternative, this.live?.handle, this.live?.status);
    this.paths = html("div", { class: "paths-place" });
    this.answer = html("div", { class: "answer-place" });
    this.cards = html("div");
    this.steps = html("div");
    this.further = html("div");
    this.tables = html("details", { class: "fold every" }, html("summary", {}, "Every weight as a table"), html("div", { class: "tables" }));
    this.tables.addEventListener("toggle", () => this.fillTables());
    this.tables.addEventListener("keydown", stepInTables);
    this.tables.open = this.roomy && this.document.picture.items.length <= FEW_ITEMS;
    this.left = html("div", { class: "left" }, this.controlRow, this.figure, this.player.element, this.paths, this.live?.element ?? "", this.tables);
    this.right = html("div", { class: "right" }, this.answer, this.cards, this.steps, this.further);
    this.sight = new Sight(this.later, [this.paths, this.cards, this.steps, this.further], [this.paths, this.cards], () => this.measure());
    this.pinned = new Pinned(this);
    this.page = html(this.addressed ? "main" : "section", { class: "page", "aria-label": "whygrad" }, this.skip, this.pinned.element, this.top, html("div", { class: "columns" }, this.left, this.right), this.pointing.tooltip, this.announcer);
    this.root.replaceChildren(this.page);
  }

  listen() {
    // Widths are asked for here alone: to ask while the page is being changed would lay it out once more.
    this.observer = new ResizeObserver(() => {
      this.roomy = this.host.clientWidth >= NARROW;
      this.width = this.figure.clientWidth;
      this.measure();
    });
    this.observer.observe(this.figure);
    this.onpop = () => {
      if (!this.addressed) return;
      this.trail.pop();
      this.state = allowed(this, { ...this.first, ...read(location.hash) });
      this.shows();
    };
    window.addEventListener("popstate", this.onpop);
    this.pointing.listen(this.page);
    this.onkey = (event) => event.key === "Escape" && this.clear();
    this.keyed = this.addressed ? window : this.page; // a page of its own hears it wherever the focus is
    this.keyed.addEventListener("keydown", this.onkey);
    for (const event of ["toggle", "contentvisibilityautostatechange"]) this.page.addEventListener(event, () => this.measure(), true); // what was folded or out of sight had no width
  }

  // The state

  /** Goes to another state; `quiet` adds nothing to the way back. */
  go(changes, quiet = false) {
    const before = { ...this.state };
    const moved = ("chosen" in changes && changes.chosen !== before.chosen) || ("of" in changes && changes.of !== before.of);
    if (moved) changes = { path: 0, step: null, ...changes };
    this.state = allowed(this, { ...this.state, ...changes });
    if (moved) {
      this.player.halt();
      if (!quiet) this.trail.push(before);
    }
    if (this.addressed) {
      const address = written(this.state, this.first);
      if (moved && !quiet) history.pushState(null, "", address);
      else history.replaceState(null, "", address);
    }
    if (moved || "example" in changes) this.live?.fill();
    if (["example", "notation"].some((name) => name in changes && changes[name] !== before[name])) this.live?.forget();
    this.shows(moved);
  }

  back() {
    if (!this.trail.length) return;
    if (this.addressed) {
      history.back();
      return;
    }
    this.state = allowed(this, { ...this.trail.pop() });
    this.shows();
  }

  pick(key, quiet) {
    const { of } = this.state;
    if (key === "total") this.go({ of: "total" }, quiet);
    else if (key.startsWith("C") || key === "R") {
      if (quiet || of === key) this.go({ chosen: key, of: "total" }, quiet);
      else this.go({ of: key, ...(this.state.chosen.startsWith("C") ? { chosen: this.initial.chosen } : {}) });
    } else this.go({ chosen: key, ...(this.isCost(of) ? {} : { of: "total" }) }, quiet);
  }

  /** Takes away what lies over the picture: what is told of an item, a step of the passes, what was drawn of an answer. */
  clear() {
    this.pointing.leave();
    if (this.state.step !== null) {
      this.player.halt();
      this.go({ step: null }, true);
    }
    this.live?.clear();
  }

  isCost(of) {
    return this.document.of.some(([key]) => key === of);
  }

  announce() {
    const { explanation, formulas } = this;
    if (explanation) this.announcer.textContent = `${formulas.plainWords([explanation.heading])} = ${number(explanation.value)}. ${formulas.plainWords(explanation.words[0] ?? [])}`;
  }

  showPath(place) {
    this.go({ path: place }, true);
  }

  copied(latex, button) {
    copyLatex(latex, button, this);
  }

  pending(is) {
    this.page.classList.toggle("stale", is);
    this.page.setAttribute("aria-busy", String(is));
  }

  /** Shows another document; `kept` keeps the state that the reader is in. */
  show(given, kept = false) {
    const state = this.state;
    this.take(given);
    this.picture.update(given);
    this.pinned.update(given);
    this.state = kept ? allowed(this, { ...state }) : { ...this.initial };
    if (!kept) this.first = { ...this.initial };
    this.render();
    if (!kept) this.live?.restart();
  }

  // Rendering

  render() {
    this.picture.select(this.state.chosen); // before anything else changes
    const renamed = this.notation !== this.state.notation;
    if (this.formulas === null || renamed) {
      this.formulas = new Formulas(this.document.sheet, this.state.notation, (by, of) => this.follow(by, of));
      this.notation = this.state.notation in this.document.sheet.names ? this.state.notation : null; // it may still be to come
    }
    if (renamed) this.live?.fill();
    const { state } = this;
    this.formulas.here = `${state.chosen}|${state.of}`;
    const theme = state.theme ?? "";
    this.page.style.colorScheme = theme || "light dark";
    if (this.addressed) document.documentElement.style.colorScheme = theme || "light dark";
    const focus = focused(this);
    this.later.clear();
    const title = () => html("div", { class: "brand" }, html("strong", {}, "whygrad"), html("span", {}, this.document.title));
    this.renew(this.top, [this.document, this.formulas, state.theme], () => [title(), page(this)]);
    this.renew(this.controlRow, [this.document, this.formulas, state.of, state.example, state.show], () => [controls(this)]);
    this.renew(this.legend, [this.document, state.show], () => legend(this));
    const { explanation } = this;
    if (explanation) {
      this.answer.replaceChildren(heading(this, explanation));
      this.sight.refill(this.steps, () => steps(this, explanation));
      this.sight.refill(this.further, () => further(this, explanation));
    } else if (!this.needs()) {
      this.answer.replaceChildren(brief(this));
      this.sight.refill(this.steps, () => null);
      this.sight.refill(this.further, () => null);
    }
    this.player.show();
    this.fillTables();
    this.renderPaths();
    this.alternative.textContent = alternative(this);
    if (focus) refocus(this, focus);
  }

  renderPaths() {
    const { explanation, document, state } = this;
    if (!explanation) {
      this.sight.refill(this.paths, () => null);
      this.sight.refill(this.cards, () => null);
      this.path = null;
      this.measure(true);
      return;
    }
    const rows = pathsOf(document.sheet, explanation);
    const place = Math.min(state.path, Math.max(rows.length - 1, 0));
    this.path = rows[place] ?? null;
    this.sight.refill(this.paths, () => pathsTable(this, explanation, rows, place));
    this.sight.refill(this.cards, () => cards(this, this.path, place, rows.length));
    this.measure(true);
  }

  /** Makes a part of the page again where what it is made from has changed. */
  renew(host, from, make) {
    const before = this.parts.get(host);
    if (before && from.every((each, n) => each === before[n])) return;
    this.parts.set(host, from);
    host.replaceChildren(...make());
  }

  fillTables() {
    if (!this.tables.open) return;
    this.tables.querySelector(".tables").replaceChildren(...weightTables(this));
  }

  measure(always = false) {
    this.width ||= this.figure.clientWidth;
    if (!this.width) return;
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.settled(), SETTLED);
    if (this.picture.resize(this.width, this.formulas) || always) this.paint();
  }

  /** Makes formulas that are wider than their places stops for the Tab key: they are scrolled. Widths are known by now. */
  settled() {
    const formulas = [...this.page.querySelectorAll(".formula")].filter((each) => each.checkVisibility({ contentVisibilityAuto: true }));
    const wide = formulas.map((each) => each.scrollWidth > each.clientWidth + 1);
    formulas.forEach((each, n) => wide[n] !== each.hasAttribute("tabindex") && (wide[n] ? (each.tabIndex = 0) : each.removeAttribute("tabindex")));
  }

  /** Shows the state in the picture. */
  paint() {
    const { state, scene, explanation, document } = this;
    if (!this.picture.width) return;
    const flow = explanation?.flow;
    const colours = state.show === "paths" ? null : (scene.colours[state.show]?.[state.of] ?? scene.colours[state.show]?.total);
    this.shown = {
      chosen: state.chosen,
      of: state.of,
      values: scene.values,
      total: scene.total,
      flow,
      colours,
      path: this.path && !colours && !this.player.known() ? { stations: this.path.stations, cards: this.path.cards } : null,
      lit: this.player.known(),
      missing: this.missing,
      marks: this.marks,
      describe: (key, place) => described(this, key, place),
      label: alternative(this),
    };
    this.picture.show(this.shown);
    this.pinned.paint();
    this.picture.svg.setAttribute("data-of", document.of.length > 1 ? state.of : "");
  }

  follow(by, of) {
    if (this.explained.has(by, of) || this.asking || this.coming) this.go({ chosen: by, of });
    else this.go({ chosen: by, of: this.isCost(of) ? of : "total" });
  }

  destroy() {
    if (this.asking) this.asking.gone = true;
    clearTimeout(this.settling);
    this.player.destroy();
    this.later.destroy();
    this.pinned.destroy();
    this.observer.disconnect();
    this.sight.destroy();
    window.removeEventListener("popstate", this.onpop);
    this.keyed.removeEventListener("keydown", this.onkey);
    this.root.replaceChildren();
  }
}

/** Lays a part of a document over what is there of it. */
function laid(whole, part) {
  for (const [name, value] of Object.entries(part)) {
    if (Object.hasOwn(whole, name) && typeof value === "object") laid(whole[name], value);
    else whole[name] = value;
  }
}

/** Shows a document; `ask` is null where there is nobody to ask, `coming` has the parts that follow. Returns `{update, destroy}`. */
export function mount(host, document, ask = null, coming = null) {
  if (document.kind === "recorded") return mountRecorded(host, document, STYLE, ask);
  const view = new View(host, document, ask, coming);
  return { update: (next) => view.show(next, false), destroy: () => view.destroy() };
}
