// The report's tables: the depth profile, the costs, activation functions, the gradient by number of blocks.

import { figures, html, number, sentence, svg } from "./dom.js";
import { costClass, markedCost, strandClass } from "./recorded_tree.js";

// A table has a column for each of so many costs; of more, a row for each.
const MOST_BESIDE = 4;
// Below the depth profile names are cut to so many letters.
const LONGEST = 36;

/** Returns the tables below the tree: depth, costs, activation functions, spectrum, notes. */
export function reportTables(given) {
  const several = given.costs.length > 1;
  const costs = html(
    "section",
    { class: "report-table" },
    html("h2", {}, "The costs"),
    html("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "The costs" }, html("table", { class: "facts" }, html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "cost"), html("th", { scope: "col", class: "n" }, "value"), html("th", { scope: "col", class: "n" }, "gradient's norm"), several ? html("th", { scope: "col", class: "n" }, "cosine with the sum") : null)), html("tbody", {}, given.costs.map((cost, k) => html("tr", {}, html("th", { scope: "row" }, markedCost(cost.name, k)), html("td", { class: cost.value === null ? "n bad" : "n" }, cost.value === null ? "not finite" : number(cost.value, 5)), html("td", { class: "n" }, number(cost.norm, 4)), several ? html("td", { class: `n${cost.along < 0 ? " bad" : ""}` }, cost.along === null ? "" : cost.along.toFixed(2).replace("-", "−")) : null))))),
  );
  const units = given.units.length ? html("section", { class: "report-table" }, html("h2", {}, "Activation functions"), html("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Activation functions" }, html("table", { class: "facts" }, html("tbody", {}, given.units.map(([name, text]) => html("tr", {}, html("th", { scope: "row" }, name), html("td", {}, text))))))) : null;
  const notes = html("ul", { class: "notes" }, given.notes.map((note) => html("li", {}, sentence(note))));
  return html("div", { class: "report-tables" }, depthProfile(given), costs, units, spectrumTable(given), notes);
}

function depthProfile({ depth, costs }) {
  if (!depth) return null;
  const [width, height, left, bottom] = [640, 210, 46, 30];
  const x = (u) => left + u * (width - left - 14);
  const y = (v) => 10 + (1 - v) * (height - bottom - 10);
  const drawn = depth.lines.map((points, k) => [
    svg("polyline", { class: `depth-line ${strandClass(k)}`, points: points.map(([u, v]) => `${x(u).toFixed(1)},${y(v).toFixed(1)}`).join(" ") }),
    ...(depth.layers.length <= 60 ? points.map(([u, v, value, layer]) => svg("circle", { class: `depth-point hue${k % 6}`, cx: x(u), cy: y(v), r: 3.4 }, svg("title", {}, `${costs[k].name}, ${depth.layers[layer]}: ${number(value, 3)}`))) : []),
  ]);
  const ticks = depth.ticks.map(([v, text]) => [svg("line", { class: "depth-axis", x1: left, x2: width - 8, y1: y(v), y2: y(v) }), svg("text", { x: left - 7, y: y(v) + 4, "text-anchor": "end" }, power(text))]);
  const told = costs.map(({ name }, k) => (depth.lines[k].length ? `${name}: ${number(depth.lines[k][0][2], 2)} at ${depth.layers[depth.lines[k][0][3]]}, ${number(depth.lines[k].at(-1)[2], 2)} at ${depth.layers[depth.lines[k].at(-1)[3]]}` : `${name}: none`)).join("; ");
  const legend = costs.length > 1 ? html("p", { class: "depth-legend", "aria-hidden": "true" }, costs.map(({ name }, k) => html("span", {}, svg("svg", { width: 30, height: 10 }, svg("line", { class: `depth-line ${strandClass(k)}`, x1: 0, x2: 30, y1: 5, y2: 5 })), name))) : null;
  return html("section", { class: "report-table depth" }, html("h2", {}, "Layer by layer: norm of each cost's derivative by the layers' outputs"), legend, html("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Depth profile" }, svg("svg", { class: "depth-picture", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Norm of the derivative by layer. ${told}` }, ...ticks.flat(), ...drawn.flat(), ...layerNames(depth, x, left, width - 8, height - 8))));
}

/** Returns a power of ten such as 1e-1 as 0.1, and the smaller and larger ones as 10⁻³. */
function power(text) {
  const value = Number(text);
  return value >= 0.01 && value <= 100 ? number(value) : figures(text).replace("1·", "");
}

/** Names the first and the last layer, and as many between them as there is room for. */
function layerNames({ lines, layers: whole }, x, left, right, y) {
  const layers = whole.map((name) => (name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name));
  const places = new Map(lines.flat().map(([u, , , layer]) => [layer, x(u)]));
  const wide = (name) => name.length * 6.7 + 18;
  const made = [svg("text", { x: left, y }, layers[0]), svg("text", { x: right, y, "text-anchor": "end" }, layers.at(-1))];
  let free = left + wide(layers[0]);
  for (const [layer, at] of [...places].sort(([a], [b]) => a - b)) {
    const half = wide(layers[layer]) / 2;
    if (at - half < free || at + half > right - wide(layers.at(-1))) continue;
    made.push(svg("text", { class: "between", x: at, y, "text-anchor": "middle" }, layers[layer]));
    free = at + half;
  }
  return made;
}

/** Returns the gradient by the number of blocks that its paths pass, with a column for each cost, or a row. */
function spectrumTable({ spectrum, costs }) {
  if (!spectrum) return null;
  const beside = costs.length <= MOST_BESIDE;
  return html(
    "section",
    { class: beside ? "report-table" : "report-table across" },
    html("h2", {}, "The gradient by the number of blocks that its paths pass"),
    html("p", { class: "faint" }, "A path takes the skip or the block at each residual add: those that pass no block go by the skips alone. The parts add up to the gradient; where they point against each other, it is shorter than they are together. ", beside ? null : "Each cost's bars are parts of its own longest one. ", spectrum.stops ? sentence(spectrum.stops) : null),
    html("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Spectrum" }, beside ? blocksBelow(spectrum, costs) : costsBelow(spectrum, costs)),
  );
}

const swatch = (k) => html("span", { class: `swatch ${costClass(k)}`, "aria-hidden": "true" });
const passed = (blocks) => `${blocks} block${blocks === 1 ? "" : "s"}`;
const track = (pieces) => html("span", { class: "track", "aria-hidden": "true" }, pieces.map(([k, part, most]) => html("span", { class: `piece ${costClass(k)}`, style: { width: `${(100 * part) / most}%` } })));

/** Returns a table with a row for each number of blocks, in which the costs' bars stand one after the other. */
function blocksBelow({ parts, whole }, costs) {
  const every = costs.map((_, k) => k);
  const most = Math.max(...parts[0].map((_, blocks) => every.reduce((sum, k) => sum + (parts[k][blocks] ?? 0), 0)), 1e-300);
  const row = (_, blocks) => html("tr", {}, html("th", { scope: "row" }, passed(blocks)), every.map((k) => html("td", { class: "n" }, number(parts[k][blocks], 3))), html("td", { class: "bar-cell" }, track(every.filter((k) => parts[k][blocks]).map((k) => [k, parts[k][blocks], most]))));
  const heads = costs.map(({ name }, k) => html("th", { scope: "col", class: "n" }, markedCost(name, k)));
  const sum = html("tr", { class: "sum" }, html("th", { scope: "row" }, "all together"), whole.map((norm) => html("td", { class: "n" }, number(norm, 3))), html("td", { class: "remark bar-cell" }, "norm of the sum"));
  return html("table", { class: "facts" }, html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "paths that pass"), heads, html("td", { class: "bar-cell" }))), html("tbody", {}, parts[0].map(row), sum));
}

/** Returns a table with a row for each cost, in which each number has its bar below. */
function costsBelow({ parts, whole }, costs) {
  const cells = (k) => {
    const most = Math.max(...parts[k].map((part) => part ?? 0), 1e-300);
    return parts[k].map((part) => html("td", { class: "n" }, number(part, 3), track(part ? [[k, part, most]] : [])));
  };
  const heads = [...parts[0].map((_, blocks) => passed(blocks)), "norm of the sum"].map((name) => html("th", { scope: "col", class: "n" }, name));
  return html("table", { class: "facts bars-below" }, html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "cost"), heads)), html("tbody", {}, costs.map(({ name }, k) => html("tr", {}, html("th", { scope: "row" }, markedCost(name, k)), cells(k), html("td", { class: "n" }, number(whole[k], 3))))));
}
