// The viewer: shows a document in a host element, alone or with somebody to ask.

import { read, written } from "./address.js";
import { controls, page } from "./controls.js";
import { html, number } from "./dom.js";
import { brief, cards, further, heading, pathsOf, steps } from "./explanation.js";
import { Formulas } from "./formula.js";
import { Live } from "./live.js";
import { pathsTable } from "./paths.js";
import { hue, Picture } from "./picture.js";
import { Player } from "./play.js";
import { mountRecorded } from "./recorded.js";
import { STYLE } from "./viewer.css";
import { alternative, described, weightTables } from "./weights.js";

const sheetOfStyle = new CSSStyleSheet();
sheetOfStyle.replaceSync(STYLE);
const NOTHING = { chosen: null, of: null, notation: null, show: "paths", example: null, path: 0, step: null, theme: null };

class View {
  constructor(host, given, ask) {
    this.host = host;
    this.ask = ask;
    this.addressed = host.hasAttribute("data-address");
    this.root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    this.root.adoptedStyleSheets = [sheetOfStyle];
    this.trail = [];
    this.sorted = "size";
    this.through = "";
    this.missing = null;
    this.marks = null;
    this.stamp = 0;
    this.shownStamp = 0;
    this.failure = "";
    this.take(given);
    this.first = { ...this.initial };
    this.state = { ...this.initial };
    if (this.addressed) this.state = this.allowed({ ...this.state, ...read(location.hash) });
    this.build();
    this.listen();
    this.render();
    if (this.needs()) this.refresh();
  }

  /** Takes a document. */
  take(given) {
    if (given.version !== 1) throw new Error(`whygrad: this viewer shows documents of version 1, not ${given.version}`);
    this.document = given;
    const { chosen, of, notation, semiring, example } = given.state;
    this.initial = { ...NOTHING, chosen, of, notation, example, show: semiring === "gradient" ? "paths" : semiring };
    for (const scene of Object.values(given.scenes))
      for (const [name, explanation] of Object.entries(scene.explanations)) explanation.key = name.split("|")[0];
    this.formulas = null;
  }

  /** Returns a state without what the document does not have. */
  allowed(state) {
    const { document, initial } = this;
    const has = (list, value) => list.some(([name]) => name === value);
    const explained = Object.values(document.scenes).some((scene) => Object.keys(scene.explanations).some((name) => name.startsWith(`${state.chosen}|`)));
    if (!has(document.picture.items, state.chosen) && !explained && !(this.ask && /^[wbazyCR]/.test(state.chosen))) state.chosen = initial.chosen;
    if (!has(document.of, state.of) && !(`${state.chosen}|${state.of}` in this.sceneOf(state).explanations)) state.of = initial.of;
    if (!has(document.notations, state.notation)) state.notation = initial.notation;
    if (state.show !== "paths" && !has(document.semirings, state.show)) state.show = "paths";
    if (!this.ask && !((state.example ?? "all") in document.scenes)) state.example = initial.example;
    if (state.theme !== "dark" && state.theme !== "light") state.theme = null;
    if (state.step !== null && !(state.step < this.sceneOf(state).play.length)) state.step = null;
    return state;
  }

  sceneOf(state) {
    return this.document.scenes[state.example ?? "all"] ?? Object.values(this.document.scenes)[0];
  }

  get scene() {
    return this.sceneOf(this.state);
  }

  get explained() {
    return this.scene.explanations;
  }

  get explanation() {
    return this.explained[`${this.state.chosen}|${this.state.of}`] ?? null;
  }

  /** Returns whether what is to be shown has to be asked for. */
  needs() {
    if (!this.ask) return false;
    const scene = this.document.scenes[this.state.example ?? "all"];
    const colours = this.state.show === "paths" || (scene && this.state.show in scene.colours);
    return !scene || !this.explanation || !colours;
  }

  // Building

  build() {
    this.picture = new Picture(this.document, {
      choose: (key, group, quiet) => this.pick(key, quiet),
      point: (key, group) => this.point(key, group),
      leave: () => this.leave(),
    });
    this.player = new Player(this);
    this.tooltip = html("div", { class: "tooltip", role: "tooltip", hidden: true });
    this.announcer = html("div", { class: "sr", "aria-live": "polite" });
    this.top = html("div", { class: "top" });
    this.controlRow = html("div");
    this.alternative = html("p", { class: "sr", id: "alternative" });
    this.legend = html("div", { class: "legend", "aria-hidden": "true" });
    this.live = this.ask ? new Live(this) : null;
    this.figure = html("figure", { "aria-describedby": "alternative" }, this.picture.element, this.legend, this.alternative, this.live?.handle);
    this.paths = html("div", { class: "paths-place" });
    this.answer = html("div", { class: "answer-place" });
    this.cards = html("div");
    this.steps = html("div");
    this.further = html("div");
    this.tables = html("details", { class: "fold every" }, html("summary", {}, "Every weight as a table"), html("div", { class: "tables" }));
    this.tables.addEventListener("toggle", () => this.fillTables());
    this.left = html("div", { class: "left" }, this.controlRow, this.figure, this.player.element, this.paths, this.live?.element ?? "", this.tables);
    this.right = html("div", { class: "right" }, this.answer, this.cards, this.steps, this.further);
    this.page = html(this.addressed ? "main" : "section", { class: "page", "aria-label": "whygrad" }, this.top, html("div", { class: "columns" }, this.left, this.right), this.tooltip, this.announcer);
    this.root.replaceChildren(this.page);
  }

  listen() {
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(this.figure);
    this.onpop = () => {
      if (!this.addressed) return;
      this.trail.pop();
      this.state = this.allowed({ ...this.first, ...read(location.hash) });
      this.render();
      if (this.needs()) this.refresh();
    };
    window.addEventListener("popstate", this.onpop);
    this.page.addEventListener("pointerover", (event) => this.over(event));
    this.page.addEventListener("pointerout", (event) => this.over(event, true));
    this.page.addEventListener("focusin", (event) => this.over(event));
    this.page.addEventListener("focusout", (event) => this.over(event, true));
    this.page.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.leave();
    });
  }

  // The state

  /** Goes to another state; `quiet` adds nothing to the way back. */
  go(changes, quiet = false) {
    const before = { ...this.state };
    const moved = ("chosen" in changes && changes.chosen !== before.chosen) || ("of" in changes && changes.of !== before.of);
    if (moved) changes = { path: 0, step: null, ...changes };
    this.state = this.allowed({ ...this.state, ...changes });
    if (moved) {
      this.player.halt();
      this.missing = null;
      if (!quiet) this.trail.push(before);
    }
    if (this.addressed) {
      const address = written(this.state, this.first);
      if (moved && !quiet) history.pushState(null, "", address);
      else history.replaceState(null, "", address);
    }
    if (moved || "example" in changes) this.live?.fill();
    if (["example", "notation"].some((name) => name in changes && changes[name] !== before[name])) this.live?.forget();
    this.render();
    if (moved) this.announce();
    if (this.needs()) this.refresh();
  }

  back() {
    if (!this.trail.length) return;
    if (this.addressed) {
      history.back();
      return;
    }
    this.state = this.allowed({ ...this.trail.pop() });
    this.render();
    if (this.needs()) this.refresh();
  }

  pick(key, quiet) {
    const { of } = this.state;
    if (key === "total") this.go({ of: "total" }, quiet);
    else if (key.startsWith("C") || key === "R") {
      if (quiet || of === key) this.go({ chosen: key, of: "total" }, quiet);
      else this.go({ of: key, ...(this.state.chosen.startsWith("C") ? { chosen: this.initial.chosen } : {}) });
    } else this.go({ chosen: key, ...(this.isCost(of) ? {} : { of: "total" }) }, quiet);
  }

  isCost(of) {
    return this.document.of.some(([key]) => key === of);
  }

  announce() {
    const { explanation, formulas } = this;
    if (explanation) this.announcer.textContent = `${formulas.text(this.document.sheet.formulas[explanation.heading], "t")} = ${number(explanation.value)}. ${formulas.plainWords(explanation.words[0] ?? [])}`;
  }

  showPath(place) {
    this.go({ path: place }, true);
  }

  sortPaths(sort) {
    this.sorted = sort;
    this.renderPaths();
  }

  filterPaths(key) {
    this.through = key;
    this.renderPaths();
  }

  async copied(latex, button) {
    let done = true;
    try {
      await navigator.clipboard.writeText(latex);
    } catch {
      done = this.copyByHand(latex);
    }
    button.textContent = done ? "copied" : "no access";
    this.announcer.textContent = done ? "LaTeX copied" : "The clipboard can't be written";
    setTimeout(() => (button.textContent = "TeX"), 1400);
  }

  /** Copies where the clipboard is closed to pages, as it is for some files. */
  copyByHand(text) {
    const box = html("textarea", { class: "sr", "aria-hidden": "true" });
    box.value = text;
    this.page.append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    return done;
  }

  // Asking

  /** Sends a request with the state and a stamp; returns nothing where the reply is too old. */
  async request(asked) {
    const stamp = ++this.stamp;
    const { chosen, of, notation, show, example } = this.state;
    const state = { chosen, of, notation, semiring: show === "paths" ? "gradient" : show, example, ...this.live.state };
    let reply;
    try {
      reply = await this.ask({ ...asked, state, stamp });
    } catch (error) {
      reply = { ok: false, error: { message: `No answer: ${error.message}` }, stamp };
    }
    if (this.gone || (asked.do === "document" && stamp < this.shownStamp)) return null;
    return reply;
  }

  /** Asks for the document of the state; while a request is under way, the next waits for it. */
  async refresh() {
    if (!this.ask) return;
    this.wanted = true;
    this.pending(true);
    if (this.running) return;
    this.running = true;
    while (this.wanted && !this.gone) {
      this.wanted = false;
      const reply = await this.request({ do: "document" });
      if (this.gone || reply === null) continue;
      if (!reply.ok) {
        this.live.say(reply.error.message, "bad");
        continue;
      }
      if (this.wanted) continue;
      this.shownStamp = reply.stamp ?? this.stamp;
      this.live.say("");
      this.show(reply.result, true);
      this.pending(false);
    }
    this.running = false;
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
    this.state = kept ? this.allowed({ ...state }) : { ...this.initial };
    if (!kept) this.first = { ...this.initial };
    this.render();
  }

  // Rendering

  render() {
    const renamed = this.notation !== this.state.notation;
    if (this.formulas === null || renamed) {
      this.formulas = new Formulas(this.document.sheet, this.state.notation, (by, of) => this.follow(by, of));
      this.notation = this.state.notation;
    }
    if (renamed) this.live?.fill();
    const { state } = this;
    this.formulas.here = `${state.chosen}|${state.of}`;
    const theme = state.theme ?? "";
    this.page.style.colorScheme = theme || "light dark";
    if (this.addressed) document.documentElement.style.colorScheme = theme || "light dark";
    const had = this.root.activeElement;
    const focus = had ? this.focusKey(had) : null;
    const title = html("div", { class: "brand" }, html("strong", {}, "whygrad"), html("span", {}, this.document.title));
    this.top.replaceChildren(title, page(this));
    this.controlRow.replaceChildren(controls(this));
    this.renderLegend();
    const { explanation } = this;
    if (explanation) {
      this.answer.replaceChildren(heading(this, explanation));
      this.steps.replaceChildren(steps(this, explanation) ?? "");
      this.further.replaceChildren(further(this, explanation));
    } else if (!this.ask) {
      this.answer.replaceChildren(brief(this));
      this.steps.replaceChildren();
      this.further.replaceChildren();
    }
    this.renderPaths();
    this.player.show();
    this.fillTables();
    this.alternative.textContent = alternative(this);
    if (focus) this.restore(focus);
  }

  focusKey(element) {
    if (this.answer.contains(element) || this.steps.contains(element) || this.further.contains(element)) return { heading: true };
    const label = element.getAttribute("aria-label") ?? element.closest("label")?.textContent ?? element.textContent;
    const place = [this.top, this.controlRow, this.paths, this.cards, this.tables].find((each) => each.contains(element));
    return place ? { place, label, tag: element.tagName } : null;
  }

  restore(focus) {
    if (focus.heading) {
      this.answer.querySelector("h1")?.focus({ preventScroll: true });
      return;
    }
    const same = [...focus.place.querySelectorAll(focus.tag)].find((each) => (each.getAttribute("aria-label") ?? each.closest("label")?.textContent ?? each.textContent) === focus.label);
    const instead = same ?? focus.place.querySelector('[aria-pressed="true"]');
    instead?.focus({ preventScroll: true });
  }

  renderPaths() {
    const { explanation, document, state } = this;
    if (!explanation) {
      this.paths.replaceChildren();
      this.cards.replaceChildren();
      this.path = null;
      this.measure(true);
      return;
    }
    const rows = pathsOf(document.sheet, explanation, state.of, this.explained);
    const place = Math.min(state.path, Math.max(rows.length - 1, 0));
    this.path = rows[place] ?? null;
    this.paths.replaceChildren(pathsTable(this, explanation, rows, place));
    this.cards.replaceChildren(cards(this, this.path, place) ?? "");
    this.measure(true);
  }

  renderLegend() {
    const { document, state } = this;
    const says = state.show === "paths" ? "line width: how much of the derivative goes through" : `line width: ${document.semirings.find(([name]) => name === state.show)?.[1] ?? ""}`;
    const costs = state.of === "total" ? (this.explanation?.flow.costs ?? []) : [state.of];
    this.legend.replaceChildren(
      ...costs.filter((key) => key !== "total").map((key) => html("span", {}, html("span", { class: `dot ${hue(key)}` }), this.formulas.name(key, false))),
      html("span", {}, html("span", { class: "sample" }), "adds"),
      html("span", {}, html("span", { class: "sample negative" }), "takes away"),
      html("span", { class: "says" }, says),
    );
  }

  fillTables() {
    if (!this.tables.open) return;
    this.tables.querySelector(".tables").replaceChildren(...weightTables(this));
  }

  measure(always = false) {
    const width = this.figure.clientWidth;
    if (!width) return;
    if (this.picture.resize(width, this.formulas) || always) this.paint();
  }

  /** Shows the state in the picture. */
  paint() {
    const { state, scene, explanation, document } = this;
    if (!this.picture.width) return;
    const after = explanation?.after ? this.explained[`${explanation.after}|${state.of}`] : null;
    const flow = after ? after.flow : explanation?.flow;
    const colours = state.show === "paths" ? null : (scene.colours[state.show]?.[state.of] ?? scene.colours[state.show]?.total);
    this.picture.show({
      chosen: state.chosen,
      of: state.of,
      values: scene.values,
      flow,
      flip: after ? explanation.flow.sign : 1,
      own: after && explanation.flow.own ? Object.assign([...explanation.flow.own], { widest: explanation.flow.widest }) : null,
      colours,
      path: this.path && !colours && !this.player.known() ? { stations: this.path.stations, cards: this.path.cards } : null,
      lit: this.player.known(),
      missing: this.missing,
      marks: this.marks,
      describe: (key, place) => described(this, key, place),
      label: alternative(this),
    });
    this.picture.svg.setAttribute("data-of", document.of.length > 1 ? state.of : "");
  }

  follow(by, of) {
    const name = `${by}|${of}`;
    if (name in this.explained || this.ask) this.go({ chosen: by, of });
    else this.go({ chosen: by, of: this.isCost(of) ? of : "total" });
  }

  // Pointing

  over(event, left = false) {
    const element = event.target.closest?.("[data-q],[data-factor],[data-by]");
    if (!element) return;
    if (element.dataset.factor !== undefined) {
      this.lightFactor(left ? null : Number(element.dataset.factor));
      return;
    }
    const key = element.dataset.q ?? element.dataset.by;
    this.light(left ? [] : [key]);
  }

  light(keys) {
    this.picture.light(keys);
    for (const each of this.right.querySelectorAll(".name.hover")) each.classList.remove("hover");
    for (const key of keys) for (const each of this.right.querySelectorAll(`.name[data-q="${CSS.escape(key)}"]`)) each.classList.add("hover");
  }

  lightFactor(n) {
    this.picture.lightFactor(n);
    for (const each of this.root.querySelectorAll("[data-factor]")) each.classList.toggle("hover", n !== null && each.dataset.factor === String(n));
  }

  point(key, group) {
    const place = this.document.picture.items.findIndex(([each]) => each === key);
    const { scene, formulas, state, document } = this;
    const value = key === "total" ? scene.total : scene.values[place];
    const rows = document.of
      .filter(([of]) => of !== key && place >= 0)
      .slice(0, 7)
      .map(([of]) => html("tr", {}, html("th", {}, html("span", { class: `dot ${hue(of)}` }), of === "total" ? "total" : formulas.name(of, false)), html("td", { class: "n" }, number(scene.colours.gradient[of][place]))));
    const colours = state.show === "paths" || state.show === "gradient" ? null : scene.colours[state.show]?.[state.of]?.[place];
    this.tooltip.replaceChildren(
      html("div", { class: "tip-name" }, formulas.name(key, false), html("span", { class: "n" }, value === null || value === undefined ? "" : `= ${number(value)}`)),
      rows.length ? html("table", {}, html("caption", {}, "derivative of"), html("tbody", {}, rows)) : "",
      colours === null || colours === undefined ? "" : html("div", { class: "faint" }, `${state.show}: ${number(colours)}`),
    );
    this.tooltip.hidden = false;
    const box = this.page.getBoundingClientRect();
    const there = (group.querySelector(".wire, .body, .small") ?? group).getBoundingClientRect();
    const own = this.tooltip.getBoundingClientRect();
    const x = Math.min(Math.max(there.left + there.width / 2 - own.width / 2, box.left + 6), box.right - own.width - 6);
    const above = there.top - own.height - 8;
    const y = there.height > 60 ? there.top + there.height / 2 + 16 : above > 4 ? above : there.bottom + 8;
    this.tooltip.style.left = `${x - box.left}px`;
    this.tooltip.style.top = `${y - box.top}px`;
    const factor = this.path?.cards.findIndex((_, n) => this.path.stations[n] === key || this.edgeOf(n) === key) ?? -1;
    if (factor >= 0) this.lightFactor(factor);
    this.light([key]);
  }

  /** Returns the weight that a factor of the path stands on. */
  edgeOf(n) {
    const [start, end] = [this.path.stations[n], this.path.stations[n + 1]];
    const a = /^a(\d+)\.(\d+)$/.exec(start);
    const b = end && /^[az](\d+)\.(\d+)$/.exec(end);
    return a && b && +b[1] === +a[1] + 1 ? `w${b[1]}.${b[2]}.${a[2]}` : null;
  }

  leave() {
    this.tooltip.hidden = true;
    this.light([]);
    this.lightFactor(null);
  }

  destroy() {
    this.gone = true;
    this.player.destroy();
    this.observer.disconnect();
    window.removeEventListener("popstate", this.onpop);
    this.root.replaceChildren();
  }
}


/** Shows a document; `ask` is null where there is nobody to ask. Returns `{update, destroy}`. */
export function mount(host, document, ask = null) {
  if (document.kind === "recorded") return mountRecorded(host, document, STYLE);
  const view = new View(host, document, ask);
  return { update: (next) => view.show(next, false), destroy: () => view.destroy() };
}
