// Every weight as a table: another way to choose, for small screens and screen readers.

import { html, number, parsed } from "./dom.js";

/** Returns a table for each layer: a button for each weight, with its gradient (or what the lines show). */
export function weightTables(view) {
  const { document, formulas, state, scene } = view;
  const { layers, items } = document.picture;
  const shown = state.show === "paths" ? "gradient" : state.show;
  const of = view.isCost(state.of) ? state.of : "total"; // of a neuron no weight's derivative is in the document
  const values = scene.colours[shown]?.[of] ?? scene.colours.gradient[of];
  const place = new Map(items.map(([key], n) => [key, n]));
  const current = place.has(state.chosen) && /^[wb]/.test(state.chosen) ? state.chosen : `w1.${layers[1][0]}.${layers[0][0]}`;
  const button = (key) =>
    html(
      "button",
      { type: "button", tabindex: key === current ? "0" : "-1", class: key === state.chosen ? "chosen" : null, "data-q": key, "aria-pressed": String(key === state.chosen), "aria-label": `${formulas.plainName(key)}: ${number(values[place.get(key)])}`, on: { click: () => view.go({ chosen: key }) } },
      number(values[place.get(key)], 3),
    );
  // Screen readers don't take a header that is mathematics alone for one with text.
  const said = (key) => [html("span", { class: "sr" }, formulas.plainName(key)), html("span", { "aria-hidden": "true" }, formulas.name(key, false))];
  const tables = layers.slice(1).map((neurons, before) => {
    const layer = before + 1;
    const head = html("tr", {}, html("td", {}, `into layer ${layer}`), layers[before].map((j) => html("th", { scope: "col" }, said(`a${before}.${j}`))), document.network.bias ? html("th", { scope: "col" }, "bias") : null);
    const rows = neurons.map((i) =>
      html("tr", {}, html("th", { scope: "row" }, said(`a${layer}.${i}`)), layers[before].map((j) => html("td", {}, button(`w${layer}.${i}.${j}`))), document.network.bias ? html("td", {}, button(`b${layer}.${i}`)) : null),
    );
    return html("div", { class: "wide" }, html("table", { class: "weights" }, html("thead", {}, head), html("tbody", {}, rows)));
  });
  const end = of === "total" ? "the total" : formulas.name(of, false);
  const says = shown === "gradient" ? ["The derivative of ", end, " by"] : ["To ", end, ", ", document.semirings.find(([name]) => name === shown)?.[1] ?? shown, ", for"];
  return [html("p", { class: "faint" }, says, " the weight from the neuron above to the neuron on the left."), ...tables];
}

/** Moves the focus in the tables by arrow keys: one stop for the Tab key, as in the picture. */
export function stepInTables(event) {
  const [right, down] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key] ?? [0, 0];
  const cell = event.target.closest?.(".weights td");
  if (!cell || !(right || down)) return;
  const rows = [...event.currentTarget.querySelectorAll(".weights tbody tr")];
  const row = rows[rows.indexOf(cell.parentElement) + down];
  const next = row?.children[Math.min(cell.cellIndex + right, row.children.length - 1)]?.querySelector("button");
  if (!next) return;
  event.preventDefault();
  next.focus();
}

/** Returns in sentences what the picture shows: the network, and the paths that are lit. */
export function alternative(view) {
  const { document, formulas, state, explanation, path } = view;
  const sizes = document.network.sizes.join(", ");
  const costs = document.of.filter(([key]) => key !== "total").length;
  const says = [`A network with layers of ${sizes} neurons and ${costs === 1 ? "one cost" : `${costs} costs`}. Chosen: ${formulas.plainName(state.chosen)}.`];
  if (explanation) says.push(`${formulas.plainWords([explanation.heading])} = ${number(explanation.value)}.`);
  const parts = Object.entries(explanation?.costs ?? {}).filter(([, part]) => part);
  if (state.of === "total" && parts.length > 1 && parts.length <= 12) says.push(`Of which ${parts.map(([key, part]) => `${formulas.plainName(key)} ${number(part)}`).join(", ")}.`);
  if (path?.stations.length > 1) says.push(`Lit is ${state.path ? "the path" : "the strongest path,"} ${path.stations.map((key) => formulas.plainName(key)).join(" to ")}, which carries ${number(path.c)}.`);
  return [...says, "Arrow keys move to other weights and neurons."].join(" ");
}

/** Returns what a screen reader says of an item. */
export function described(view, key, place) {
  const { document, formulas, scene, state } = view;
  const { kind, layer, to, from } = parsed(key);
  const name = formulas.plainName(key);
  const what = { w: "weight", b: "bias", a: layer === 0 ? "input" : "activation", z: "pre-activation", y: "target", C: "cost", R: "cost" }[kind] ?? "total";
  const ends = kind === "w" ? `, from ${formulas.plainName(`a${layer - 1}.${from}`)} to ${formulas.plainName(`a${layer}.${to}`)}` : "";
  if (place < 0) return `the total, value ${number(scene.total)}`;
  const value = scene.values[place];
  const slope = scene.colours.gradient[state.of]?.[place] ?? scene.colours.gradient.total[place];
  return `${what} ${name}${ends}, ${value === null ? "one value for each example" : `value ${number(value, 4)}`}, derivative of ${formulas.plainName(state.of)}: ${number(slope, 4)}`;
}
