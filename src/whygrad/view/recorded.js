// The page of a recorded model: findings on top, the tree with its bands, the chosen place, the report's tables.

import { html, number, sentence, spoken, svg } from "./dom.js";
import { chosenPlace } from "./recorded_detail.js";
import { EntryField } from "./recorded_entry.js";
import { reportTables } from "./recorded_tables.js";
import { costClass, FlowTree } from "./recorded_tree.js";

const TITLES = { conflict: "⇄ Conflict", domination: "Dominates", agreement: "No conflict", balance: "Balance", apart: "Apart", vanishing: "Vanishing", exploding: "Exploding", dead: "Dead units", silent: "Silent units", unreached: "No path", "no gradient": "No gradient", worse: "Made worse", cancels: "Cancels", repeated: "Counted twice", "not finite": "Not finite", single: "Largest" };

// Costs whose names have more letters together are chosen from a list.
const LETTERS = 70;

class RecordedView {
  constructor(host, given, style, ask) {
    this.host = host;
    this.ask = ask;
    this.addressed = host.hasAttribute("data-address");
    this.root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style);
    this.root.adoptedStyleSheets = [sheet];
    this.take(given);
    this.onpop = () => {
      if (!this.addressed) return;
      this.state = this.read();
      this.render();
    };
    window.addEventListener("popstate", this.onpop);
    window.addEventListener("hashchange", this.onpop);
  }

  take(given) {
    if (given.version !== 1) throw new Error(`whygrad: this viewer shows documents of version 1, not ${given.version}`);
    this.given = given;
    this.first = { chosen: given.state.chosen, of: given.state.of, entry: null, show: "norm", open: new Set(given.state.open), theme: null };
    this.trail = [];
    this.build();
    this.state = this.addressed ? this.read() : this.reach({ ...this.first, open: new Set(this.first.open) });
    this.render();
  }

  // The state and the address

  /** Opens the modules around what is chosen. */
  reach(state) {
    for (let at = this.given.places[state.chosen].around; at !== null; at = this.given.places[at].around) state.open.add(at);
    return state;
  }

  written() {
    const { state, first } = this;
    const parts = [];
    if (state.chosen !== first.chosen) parts.push(`at=${encodeURIComponent(this.called(state.chosen))}`);
    if (state.entry) parts.push(`entry=${encodeURIComponent(state.entry)}`);
    if (state.of !== first.of) parts.push(`of=${state.of === null ? "total" : state.of}`);
    if (state.show !== first.show) parts.push(`show=${state.show}`);
    const open = [...state.open].sort((a, b) => a - b).join(".");
    if (open !== [...this.reach({ ...first, chosen: state.chosen, open: new Set(first.open) }).open].sort((a, b) => a - b).join(".")) parts.push(`open=${open}`);
    if (state.theme) parts.push(`theme=${state.theme}`);
    return `#${parts.join(";")}`;
  }

  /** Returns a place's name in the address; its number where two have the same. */
  called(n) {
    const { name } = this.given.places[n];
    const same = this.given.places.filter((place) => place.name === name).length;
    return same > 1 || /^\d+$/.test(name) || !name ? String(n) : name;
  }

  read() {
    const state = { ...this.first, open: new Set(this.first.open) };
    const { places, costs, measures } = this.given;
    for (const part of location.hash.replace(/^#/, "").split(";")) {
      const [name, value = ""] = part.split("=");
      let text = "";
      try {
        text = decodeURIComponent(value);
      } catch {
        continue;
      }
      if (name === "at") {
        const n = /^\d{1,6}$/.test(text) ? Number(text) : places.findIndex((place) => place.name === text);
        if (places[n]) state.chosen = n;
      } else if (name === "entry" && text.length <= 1000) {
        const found = this.entry.read(text);
        if (found.entry) Object.assign(state, found);
      } else if (name === "of" && (text === "total" || (/^\d{1,4}$/.test(text) && costs[Number(text)]))) state.of = text === "total" ? null : Number(text);
      else if (name === "show" && measures.some((measure) => measure.name === text)) state.show = text;
      else if (name === "theme" && (text === "dark" || text === "light")) state.theme = text;
      else if (name === "open" && /^[\d.]{1,4000}$/.test(text)) state.open = new Set(text.split(".").map(Number).filter((n) => places[n]));
    }
    return this.reach(state);
  }

  go(changes, quiet = false) {
    const moved = ("chosen" in changes && changes.chosen !== this.state.chosen) || ("entry" in changes && changes.entry !== this.state.entry);
    if (moved && !quiet) this.trail.push({ ...this.state, open: new Set(this.state.open) });
    this.state = this.reach({ ...this.state, ...changes });
    if (this.addressed) {
      if (moved && !quiet) history.pushState(null, "", this.written());
      else history.replaceState(null, "", this.written());
    }
    this.render();
    if (moved) {
      const place = this.given.places[this.state.chosen];
      this.announcer.textContent = spoken(place.says ?? place.name);
    }
  }

  choose(n, quiet = false) {
    this.go({ chosen: n, entry: null }, quiet);
  }

  toggle(n) {
    const open = new Set(this.state.open);
    const shut = open.delete(n);
    if (!shut) open.add(n);
    const hidden = (at) => at !== null && (at === n || hidden(this.given.places[at].around));
    const chosen = shut && hidden(this.given.places[this.state.chosen].around) ? n : this.state.chosen;
    this.go(chosen === this.state.chosen ? { open } : { open, chosen, entry: null }, true);
  }

  back() {
    if (this.addressed) history.back();
    else if (this.trail.length) {
      this.state = this.trail.pop();
      this.render();
    }
  }

  // The page

  build() {
    this.tree = new FlowTree(this.given, { choose: (n, quiet) => this.choose(n, quiet), toggle: (n) => this.toggle(n) });
    this.entry = new EntryField(this, this.ask);
    this.top = html("header", { class: "top" });
    this.findings = html("div");
    this.controls = html("div", { class: "controls" });
    this.legend = html("p", { class: "flow-legend faint" }, "Bands: what comes back along the backward pass, from the costs below to the inputs above; their width is the norm of the cotangent (what goes to targets is drawn at most half as wide).");
    this.detail = html("div", { class: "detail" });
    this.announcer = html("div", { class: "sr", "aria-live": "polite" });
    this.left = html("section", { class: "flow-part", "aria-labelledby": "flow-title" }, html("h2", { id: "flow-title" }, "Which cost pulls where"), this.controls, this.tree.element, this.legend);
    this.page = html("div", { class: "page recorded" }, this.top, html("main", {}, this.findings, html("div", { class: "flow-columns" }, this.left, this.detail), reportTables(this.given)), this.announcer);
    this.root.replaceChildren(this.page);
    this.observer?.disconnect();
    this.observer = new ResizeObserver(() => {
      const width = this.tree.element.clientWidth;
      if (width && Math.abs(width - (this.width ?? 0)) > 1) {
        this.width = width;
        this.shown();
      }
    });
    this.observer.observe(this.tree.element);
    this.renderFindings();
  }

  renderFindings() {
    const { given } = this;
    const card = (finding) =>
      html(
        "li",
        { class: `found${finding.tries.length ? " problem" : ""}` },
        html("h2", { class: "found-title" }, TITLES[finding.kind] ?? finding.kind),
        html("p", {}, sentence(`${finding.says}.`)),
        finding.tries.map((text) => html("p", { class: "try" }, html("strong", {}, "Try "), sentence(text), ".")),
        finding.places.length ? html("p", { class: "where" }, finding.places.slice(0, 4).map((n) => html("button", { type: "button", class: "goto", on: { click: () => this.choose(n) } }, given.places[n].name || "the model"))) : null,
      );
    const costs = html("p", { class: "lede" }, given.costs.map(({ name, value }, k) => html("span", { class: "cost-chip" }, html("span", { class: `swatch ${costClass(k)}`, "aria-hidden": "true" }), name, " ", value === null ? html("strong", { class: "wrong" }, "not finite") : html("strong", { class: "n" }, number(value, 4)))));
    this.findings.replaceChildren(
      html("section", { class: "findings", "aria-labelledby": "findings-title" }, html("h1", { id: "findings-title" }, "Why are the gradients what they are?"), costs, given.findings.length ? html("ul", { class: given.findings.length <= 4 ? "beside" : null, style: { "--cards": given.findings.length } }, given.findings.map(card)) : html("p", {}, "Nothing stands out: no conflict, no cost that dominates, nothing that vanishes or explodes.")),
    );
  }

  /** Draws what changes with the state, keeping the keyboard where it is. */
  render() {
    const { given, state } = this;
    const had = this.root.activeElement;
    const label = had?.getAttribute("aria-label") ?? had?.textContent;
    const inTree = had && this.tree.grid.contains(had);
    const dark = state.theme === "dark" || (!state.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    this.page.style.colorScheme = state.theme || "light dark";
    if (this.addressed) document.documentElement.style.colorScheme = state.theme || "light dark";
    const back = this.trail.length ? html("button", { type: "button", class: "back", on: { click: () => this.back() } }, "← back") : null;
    const colours = html("button", { type: "button", class: "round theme", "aria-label": dark ? "Light colours" : "Dark colours", title: dark ? "Light colours" : "Dark colours", on: { click: () => this.go({ theme: dark ? "light" : "dark" }, true) } }, dark ? "☀" : "☾");
    this.top.replaceChildren(html("div", { class: "brand" }, html("strong", {}, "whygrad"), html("span", {}, given.title)), html("div", { class: "page-controls" }, back, colours));
    this.controls.replaceChildren(this.costControl(), this.measureControl());
    this.shown();
    this.detail.replaceChildren(chosenPlace(this));
    if (inTree) this.tree.focus(state.chosen);
    else if (had && !had.isConnected) {
      const same = [...this.page.querySelectorAll("button, select")].find((each) => (each.getAttribute("aria-label") ?? each.textContent) === label);
      same?.focus({ preventScroll: true });
    } else if (had && had !== this.root.activeElement) had.focus({ preventScroll: true });
  }

  shown() {
    if (!this.state) return;
    this.tree.show(this.state, this.width ?? this.tree.element.clientWidth);
    // A tree that fits on the screen stays there while one reads beside it.
    this.left.classList.toggle("fits", this.left.offsetHeight < window.innerHeight - 28);
  }

  costControl() {
    const { given, state } = this;
    if (given.costs.length < 2) return "";
    const entries = [[null, "all costs"], ...given.costs.map(({ name }, k) => [k, name])];
    const letters = given.costs.reduce((sum, { name }) => sum + name.length, 0);
    if (given.costs.length > 5 || letters > LETTERS) {
      const select = html("select", { on: { change: (event) => this.go({ of: event.target.value === "total" ? null : Number(event.target.value) }) } }, entries.map(([k, name]) => html("option", { value: k ?? "total" }, name)));
      select.value = state.of ?? "total";
      return html("label", { class: "control" }, html("span", {}, "cost"), select);
    }
    return html("div", { class: "segments", role: "group", "aria-label": "Cost" }, entries.map(([k, name]) => html("button", { type: "button", class: k === null ? "hueAll" : `hue${k % 6}`, "aria-pressed": String(state.of === k), on: { click: () => this.go({ of: k }) } }, k === null ? null : html("span", { class: `swatch ${costClass(k)}`, "aria-hidden": "true" }), name)));
  }

  measureControl() {
    const select = html("select", { on: { change: (event) => this.go({ show: event.target.value }) } }, this.given.measures.filter(({ name }) => name !== "share" || this.given.costs.length > 1).map(({ name, label }) => html("option", { value: name }, label)));
    select.value = this.state.show;
    return html("label", { class: "control" }, html("span", {}, "bars show"), select);
  }

  destroy() {
    this.observer.disconnect();
    window.removeEventListener("popstate", this.onpop);
    window.removeEventListener("hashchange", this.onpop);
    this.root.replaceChildren();
  }
}

/** Shows the document of a recorded model; `ask` is null where there is nobody to ask. Returns `{update, destroy}`. */
export function mountRecorded(host, given, style, ask) {
  const view = new RecordedView(host, given, style, ask);
  return { update: (next) => view.take(next), destroy: () => view.destroy() };
}
