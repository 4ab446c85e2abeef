// What lines and marks in the picture mean.

import { html } from "./dom.js";

const MARKS = [["z", "○", "pre-activation"], ["b", "▢", "bias"], ["y", "◇", "target"]];
const SIGNED = new Set(["paths", "gradient", "strongest", "extremes"]);

/** Returns the legend's parts. */
export function legend({ document, state }) {
  const says = state.show === "paths" ? "width: how much of it goes through" : `width: ${document.semirings.find(([name]) => name === state.show)?.[1] ?? ""}`;
  const kinds = new Set(document.picture.items.map(([key]) => key[0]));
  return [
    ...(SIGNED.has(state.show) ? [html("span", {}, html("span", { class: "sample" }), "adds"), html("span", {}, html("span", { class: "sample negative" }), "takes away")] : []),
    html("span", { class: "says" }, says),
    ...MARKS.filter(([kind]) => kinds.has(kind)).map(([, mark, name]) => html("span", {}, html("span", { class: "mark" }, mark), name)),
    html("span", { class: "hint" }, "choose any line or neuron"),
  ];
}
