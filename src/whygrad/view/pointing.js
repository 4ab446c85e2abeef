// Pointing: whatever has the focus or is pointed at lights up wherever else it stands, with its numbers beside it.

import { html, number } from "./dom.js";
import { hue } from "./picture.js";

const MOST_COSTS = 7;

/** Links names in formulas, factors of the path and lines in the picture; shows what an item is. */
export class Pointing {
  constructor(view) {
    this.view = view;
    this.tooltip = html("div", { class: "tooltip", role: "tooltip", hidden: true });
    this.lit = []; // elements that are lit now, so that taking it back need not look at all of them
    this.litFactors = [];
  }

  /** Listens to a page. */
  listen(page) {
    for (const [event, left] of [["pointerover", false], ["pointerout", true], ["focusin", false], ["focusout", true]]) page.addEventListener(event, (happened) => this.over(happened, left));
  }

  over(event, left) {
    const name = event.target.closest?.("[data-q],[data-by]");
    const factor = event.target.closest?.("[data-factor]");
    if (factor) this.factor(left ? null : Number(factor.dataset.factor));
    if (name) this.light(left ? null : (name.dataset.q ?? name.dataset.by));
  }

  /** Lights a quantity in the picture and in the formulas. */
  light(key) {
    const { picture, pinned, right } = this.view;
    for (const each of this.lit) each.classList.remove("hover");
    const names = key ? right.querySelectorAll(`.name[data-q="${CSS.escape(key)}"]`) : [];
    this.lit = key ? [...picture.standing(key), ...pinned.picture.standing(key), ...names] : [];
    for (const each of this.lit) each.classList.add("hover");
  }

  /** Lights a factor of the path: its card, its number in the product, its line. */
  factor(n) {
    for (const each of this.litFactors) each.classList.remove("hover");
    this.litFactors = n === null ? [] : [...this.view.root.querySelectorAll(`[data-factor="${n}"]`)];
    for (const each of this.litFactors) each.classList.add("hover");
  }

  /** Shows what an item of the picture is: name, value, and every cost's derivative by it. */
  at(key, group) {
    const { scene, formulas, state, document, path } = this.view;
    const place = this.view.places.get(key) ?? -1;
    const value = key === "total" ? scene.total : scene.values[place];
    const rows = document.of
      .filter(([of]) => of !== key && place >= 0)
      .slice(0, MOST_COSTS)
      .map(([of]) => html("tr", {}, html("th", {}, html("span", { class: `dot ${hue(of)}` }), of === "total" ? "total" : formulas.name(of, false)), html("td", { class: "n" }, number(scene.colours.gradient[of][place]))));
    const more = place >= 0 ? document.of.length - MOST_COSTS : 0;
    const shown = state.show === "paths" || state.show === "gradient" ? null : scene.colours[state.show]?.[state.of]?.[place];
    this.tooltip.replaceChildren(
      html("div", { class: "tip-name" }, formulas.whole(key), html("span", { class: "n" }, value === null || value === undefined ? "" : `= ${number(value)}`)),
      rows.length ? html("table", {}, html("caption", {}, "derivative of"), html("tbody", {}, rows)) : "",
      more > 0 ? html("div", { class: "faint" }, `and ${more} more: choose a cost above`) : "",
      shown === null || shown === undefined ? "" : html("div", { class: "faint" }, `${state.show}: ${number(shown)}`),
    );
    this.tooltip.hidden = false;
    this.beside((group.querySelector(".wire, .body, .small") ?? group).getBoundingClientRect());
    const n = path?.cards.findIndex((_, each) => path.stations[each] === key || this.edge(path, each) === key) ?? -1;
    if (n >= 0) this.factor(n);
    this.light(key);
  }

  /** Puts the tooltip beside a place on the screen. */
  beside(there) {
    const box = this.view.page.getBoundingClientRect();
    const own = this.tooltip.getBoundingClientRect();
    const x = Math.min(Math.max(there.left + there.width / 2 - own.width / 2, box.left + 6), box.right - own.width - 6);
    const above = there.top - own.height - 8;
    const y = there.height > 60 ? there.top + there.height / 2 + 16 : above > 4 ? above : there.bottom + 8;
    this.tooltip.style.left = `${x - box.left}px`;
    this.tooltip.style.top = `${y - box.top}px`;
  }

  /** Returns the weight that a factor of the path stands on. */
  edge(path, n) {
    const a = /^a(\d+)\.(\d+)$/.exec(path.stations[n]);
    const b = /^[az](\d+)\.(\d+)$/.exec(path.stations[n + 1] ?? "");
    return a && b && +b[1] === +a[1] + 1 ? `w${b[1]}.${b[2]}.${a[2]}` : null;
  }

  leave() {
    this.tooltip.hidden = true;
    this.light(null);
    this.factor(null);
  }
}
