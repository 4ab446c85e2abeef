// Play: the forward pass, the costs and the backward pass, one step after the other.

import { html } from "./dom.js";
import { line } from "./explanation.js";

const PAUSE = 2200;

/** The player: previous, next, play; `go` is told the step, or null at the end. */
export class Player {
  constructor(view) {
    this.view = view;
    this.timer = 0;
    const button = (label, text, handler, kind = "") => html("button", { type: "button", class: `round ${kind}`, "aria-label": label, title: label, on: { click: handler } }, text);
    this.previous = button("Previous step", "‹", () => this.step(-1));
    this.toggle = button("Play the passes", "▶", () => this.play(), "main");
    this.next = button("Next step", "›", () => this.step(1));
    this.close = button("Stop playing", "×", () => this.stop());
    this.title = html("span", { class: "step-title" });
    this.dots = html("div", { class: "dots", "aria-hidden": "true" });
    this.caption = html("div", { class: "caption", "aria-live": "polite" });
    this.element = html("div", { class: "player", role: "group", "aria-label": "Forward and backward pass" }, html("div", { class: "buttons" }, this.previous, this.toggle, this.next, this.title, this.close), this.dots, this.caption);
    this.listen();
  }

  /** Keeps how high it is: to ask for it while the page is being changed would lay it out once more. */
  listen() {
    this.observer = new ResizeObserver(([{ borderBoxSize }]) => (this.high = borderBoxSize[0].blockSize));
    this.observer.observe(this.element);
  }

  get steps() {
    return this.view.scene.play;
  }

  step(by) {
    this.halt();
    const at = this.view.state.step;
    const next = at === null ? (by > 0 ? 0 : this.steps.length - 1) : at + by;
    if (next < 0 || next >= this.steps.length) return;
    this.view.go({ step: next }, true);
  }

  play() {
    if (this.timer) {
      this.halt();
      this.show();
      return;
    }
    const at = this.view.state.step;
    const from = at === null || at >= this.steps.length - 1 ? 0 : at;
    this.timer = setInterval(() => this.advance(), PAUSE);
    this.view.go({ step: from }, true);
  }

  advance() {
    const at = this.view.state.step ?? -1;
    if (at + 1 >= this.steps.length) {
      this.halt();
      this.show();
    } else this.view.go({ step: at + 1 }, true);
  }

  halt() {
    clearInterval(this.timer);
    this.timer = 0;
  }

  stop() {
    this.halt();
    this.view.go({ step: null }, true);
    this.toggle.focus();
  }

  show() {
    const { state, formulas } = this.view;
    const at = state.step;
    this.element.hidden = false;
    const none = !this.steps.length;
    for (const each of [this.previous, this.toggle, this.next]) each.disabled = none;
    const step = at === null ? null : this.steps[at];
    this.close.hidden = step === null;
    this.previous.disabled = none || at === 0;
    this.next.disabled = none || at === this.steps.length - 1;
    this.toggle.textContent = this.timer ? "❚❚" : "▶";
    this.toggle.setAttribute("aria-label", this.timer ? "Pause" : "Play the passes");
    this.toggle.title = this.timer ? "Pause" : "Play the passes";
    if (none) {
      this.title.textContent = "With all examples together no neuron has one value: choose one under “example” above, then play";
      this.dots.replaceChildren();
      this.caption.replaceChildren();
      return;
    }
    // As high as the highest step so far: what stands below doesn't jump while it plays.
    this.element.style.minHeight = step ? `${this.high}px` : "";
    this.title.textContent = step ? `${at + 1} of ${this.steps.length}: ${step.title}` : "Play the passes: forward, the costs, backward";
    this.dots.replaceChildren(...(step && this.steps.length <= 60 ? this.steps.map((each, n) => html("i", { class: `${each.phase}${n === at ? " now" : n < at ? " done" : ""}` })) : []));
    this.caption.replaceChildren(...(step ? [html("p", {}, formulas.words(step.says)), ...step.lines.map(([formula]) => line(this.view, formula))] : []));
  }

  /** Returns everything that is known up to the step, and what has just become known. */
  known() {
    const at = this.view.state.step;
    if (at === null || !this.steps[at]) return null;
    return new Set(this.steps[at].lit);
  }

  destroy() {
    this.observer.disconnect();
    this.halt();
  }
}
