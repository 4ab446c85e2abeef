// The picture again, small, at the top of a narrow page, while one reads what stands below it.

import { html, number } from "./dom.js";
import { Picture } from "./picture.js";

export const NARROW = 1020; // from this width on, the picture itself stays in sight beside the text
const HIGH = 104;

/** A small picture that shows the same as the large one, as soon as that is scrolled away. */
export class Pinned {
  constructor(view) {
    this.view = view;
    this.folded = false;
    this.picture = new Picture(view.document, { small: HIGH });
    this.says = html("div", { class: "pinned-says" });
    this.fold = html("button", { type: "button", class: "quiet", on: { click: () => this.turn() } });
    this.drawn = html("div", { class: "pinned-picture", inert: true, "aria-hidden": "true" }, this.picture.element);
    this.strip = html("div", { class: "pinned-strip", hidden: true }, html("div", { class: "pinned-row" }, this.says, this.fold), this.drawn);
    this.element = html("div", { class: "pinned" }, this.strip);
    this.observer = new IntersectionObserver((seen) => this.see(seen.at(-1)), { threshold: [0, 0.3] });
    this.observer.observe(view.picture.element);
  }

  /** Comes and goes as the large picture leaves the window and comes back. */
  see({ intersectionRatio, boundingClientRect, rootBounds }) {
    const above = boundingClientRect.top < (rootBounds?.top ?? 0);
    this.gone = !(intersectionRatio < 0.3 && above);
    this.paint();
  }

  turn() {
    this.folded = !this.folded;
    this.paint();
    this.fold.focus({ preventScroll: true });
  }

  paint() {
    const { view } = this;
    this.strip.hidden = this.gone !== false || view.roomy || !view.shown || !this.element.clientWidth;
    view.page.classList.toggle("has-pinned", !this.strip.hidden && !this.folded);
    if (this.strip.hidden) return;
    const { explanation, formulas, state } = view;
    this.says.replaceChildren(...(explanation ? [formulas.math(explanation.heading), ` = ${number(explanation.value)}`] : [formulas.name(state.chosen, false)]));
    this.fold.textContent = this.folded ? "show picture" : "hide";
    this.fold.setAttribute("aria-label", this.folded ? "Show the small picture" : "Hide the small picture");
    this.fold.setAttribute("aria-expanded", String(!this.folded));
    this.drawn.hidden = this.folded;
    if (this.folded) return;
    this.picture.resize(this.drawn.clientWidth, formulas);
    this.picture.show(view.shown);
  }

  update(document) {
    this.picture.update(document);
  }

  destroy() {
    this.observer.disconnect();
  }
}
