// The explanation: the answer in words, the factors as cards, the steps with their formulas.

import { fold, html, number, parsed } from "./dom.js";
import { hue } from "./picture.js";

const MANY = 8; // of more steps or cards, those out of sight are laid out when there is time, or when they come near

/** Returns the paths with their stations and cards. */
export function pathsOf(sheet, explanation) {
  return explanation.paths.rows.map((row) => ({ stations: row.q, cards: row.k.map((card) => (typeof card === "number" ? sheet.cards[card] : card)), ...row }));
}

/** Returns a step by its number, or as it stands. */
function stepOf(sheet, step) {
  return typeof step === "number" ? sheet.steps[step] : step;
}

/** The heading: the derivative, its value, and each cost's part of it. */
export function heading(view, explanation) {
  const { formulas, state } = view;
  const parts = view.document.of
    .filter(([key]) => key !== "total" && key in explanation.costs)
    .map(([key]) =>
      html(
        "button",
        {
          class: `part ${hue(key)}`,
          type: "button",
          "aria-pressed": String(state.of === key),
          "aria-label": `${formulas.plainName(key)}: ${number(explanation.costs[key])}. Explain this cost alone.`,
          on: { click: () => view.go({ of: state.of === key ? "total" : key }) },
        },
        html("span", { class: "dot", "aria-hidden": "true" }),
        formulas.name(key, false),
        html("span", { class: "n" }, number(explanation.costs[key])),
      ),
    );
  const back = view.trail.length
    ? html("button", { class: "back", type: "button", on: { click: () => view.back() } }, "← back")
    : null;
  return html(
    "header",
    { class: "answer" },
    back,
    html("h1", { tabindex: "-1" }, formulas.math(explanation.heading, "block"), html("span", { class: "is" }, `= ${number(explanation.value)}`)),
    lead(view, explanation),
    parts.length > 1 && parts.length <= 12 ? html("div", { class: "parts" }, html("span", { class: "faint" }, state.of === "total" ? "of which" : "by cost"), parts) : null,
    ...explanation.words.map((words) => html("p", {}, formulas.words(words))),
    state.of === "total" ? reasons(view, explanation) : null,
  );
}

/** Why costs have no part in it, those with the same reason together. */
function reasons(view, explanation) {
  const { formulas } = view;
  const alike = new Map();
  for (const [key, words] of Object.entries(explanation.reasons)) {
    const text = formulas.plainWords(words.slice(1));
    alike.set(text, [...(alike.get(text) ?? []), [key, words]]);
  }
  if (!alike.size) return null;
  const item = (same) => {
    const shown = same.length > 4 ? [...same.slice(0, 3), null, same.at(-1)] : same;
    const names = shown.map((each, n) => [n ? ", " : "", each ? formulas.name(each[0]) : "…"]);
    return html("li", {}, names, same.length > 1 ? " are 0: " : " is 0: ", same.length > 1 && typeof same[0][1][0] !== "string" ? "no path leads to them" : formulas.words(same[0][1]), ".");
  };
  return html("ul", { class: "reasons" }, [...alike.values()].map(item));
}

/** The first step as one formula: with symbols, with numbers, and its value. */
function lead(view, explanation) {
  const { formulas, document } = view;
  const step = stepOf(document.sheet, explanation.steps[0]);
  if (!step) return null;
  // Lines that begin with a relation go on with the one above; the rule in general, before them, is left to the steps.
  const start = step.lines.findLastIndex(([formula]) => !formulas.goesOn(formula));
  return html("div", { class: "lead formula" }, step.lines.slice(start).map(([formula], n) => [n ? html("wbr") : null, formulas.broken(formula)]));
}

/** The factors of one path as cards. */
export function cards(view, path, place, many) {
  if (!path?.cards.length) return null;
  const { formulas } = view;
  const long = path.stations.some((key) => formulas.plainName(key).length > 12);
  const product = path.cards.map((card) => (card.v < 0 ? `(${number(card.v, 4)})` : number(card.v, 4)));
  const shown = path.cards.map((card, n) =>
    html(
      "li",
      { class: `card factor${n % 6}`, "data-factor": n, tabindex: "0", on: { focus: () => view.pointing.factor(n), blur: () => view.pointing.factor(null) } },
      html("div", { class: "symbol" }, card.f === null ? "1" : html("span", {}, formulas.broken(card.f)), html("span", { class: "n" }, `= ${number(card.v, 4)}`)),
      card.e !== undefined ? html("div", { class: "explicit" }, "= ", formulas.broken(card.e)) : null,
      html("p", {}, formulas.words(card.says)),
    ),
  );
  if (shown.length > MANY) view.sight.layLater(shown.slice(MANY));
  return html(
    "section",
    { class: path.cards.length > MANY ? "cards many" : "cards", "aria-labelledby": "cards-title" },
    html("h2", { id: "cards-title" }, `${many === 1 ? "The path" : place === 0 && path.c ? "The strongest path" : `Path ${place + 1}`}, factor by factor`),
    html("p", { class: "route" }, path.stations.map((key, n) => [n ? html("span", { class: "arrow" }, " → ") : null, formulas.name(key)])),
    html("ol", { class: long ? null : shown.length === 4 ? "even" : shown.length === 3 ? "odd" : null }, shown),
    html(
      "p",
      { class: "product" },
      path.cards.map((_, n) => [n ? " · " : "", html("span", { class: `factor${n % 6} tint`, "data-factor": n }, product[n])]),
      html("strong", { class: "n" }, ` = ${number(path.c)}`),
    ),
  );
}

/** One line of mathematics with a button that copies its LaTeX. */
export function line(view, place) {
  const { formulas } = view;
  const copy = html("button", { class: "copy", type: "button", "aria-label": "Copy LaTeX", title: "Copy LaTeX" }, "TeX");
  copy.addEventListener("click", () => view.copied(formulas.latex(place), copy));
  return html("div", { class: "line" }, html("div", { class: "formula", role: "group", "aria-label": "formula" }, formulas.broken(place)), copy);
}

/** Fills something folded when it is opened. */
function filledLater(view, folded, inside, place = folded) {
  const fill = view.later.keep(() => place.append(...inside()));
  folded.addEventListener("toggle", fill, { once: true });
}

/** The steps of the derivation. */
export function steps(view, explanation) {
  const { document, formulas } = view;
  const numbers = explanation.steps;
  if (!numbers.length) return null;
  const items = numbers.map((n, place) => {
    const step = stepOf(document.sheet, n);
    const inside = () => [html("p", {}, formulas.words(step.says)), html("div", { class: "lines" }, step.lines.map(([formula]) => line(view, formula)))];
    const title = html("h3", {}, html("span", { class: "count", "aria-hidden": "true" }, place + 1), step.title);
    if (numbers.length <= MANY) return html("li", {}, title, inside());
    const open = place < 3 || place === numbers.length - 1;
    const made = html("details", { open }, html("summary", {}, title), open ? inside() : null);
    if (!open) filledLater(view, made, inside);
    return html("li", {}, made);
  });
  return html("section", { class: numbers.length > MANY ? "steps many" : "steps" }, html("h2", {}, "Step by step"), html("ol", {}, items));
}

/** Returns a line of the layer-wise form: by its number, with the entry that is marked in it, or as it stands. */
function lineOf(sheet, place) {
  if (typeof place === "number") return sheet.lines[place];
  return Array.isArray(place) ? { ...sheet.lines[place[0]], mark: place[1] } : place;
}

/** The same in whole layers, and what the numbers stand on. */
export function further(view, explanation) {
  const { formulas, document, state } = view;
  const kind = document.notations.find(([name]) => name === state.notation)?.[2];
  const lines = explanation.layers[kind] ?? [];
  const written = (place) => {
    const { f, grid, mark } = lineOf(document.sheet, place);
    const rows = grid?.map((row, i) =>
      html("tr", {}, row.map((value, j) => html("td", { class: mark && mark[0] === i && mark[1] === j ? "marked" : null }, number(value, 4)))),
    );
    return html("div", { class: "layer" }, line(view, f), rows ? html("table", { class: "matrix", role: "presentation" }, html("tbody", {}, rows)) : null);
  };
  const notes = explanation.notes.map((words) => html("li", {}, formulas.words(words)));
  const says = document.notations.find(([name]) => name === state.notation)?.[1];
  const place = html("div", { class: "layers" });
  const layers = fold(view, "layers", "The same in whole layers", place);
  if (layers.open) place.append(...lines.map(written));
  else filledLater(view, layers, () => lines.map(written), place);
  return html(
    "section",
    { class: "further" },
    lines.length ? layers : null,
    fold(view, "notation", `What ${state.notation} means`, html("p", {}, says)),
    html("ul", { class: "notes" }, notes, html("li", {}, `Network: ${document.title}.`)),
  );
}

/** What can be said without a derivation: the value, the gradient, and where to get the rest. */
export function brief(view) {
  const { formulas, state, document } = view;
  const place = document.picture.items.findIndex(([key]) => key === state.chosen);
  const rows = document.of.map(([key]) =>
    html("tr", {}, html("th", { scope: "row" }, formulas.name(key, false)), html("td", { class: "n" }, number(view.scene.colours.gradient[key]?.[place]))),
  );
  const kind = parsed(state.chosen).kind;
  return html(
    "header",
    { class: "answer" },
    view.trail.length ? html("button", { class: "back", type: "button", on: { click: () => view.back() } }, "← back") : null,
    html("h1", { tabindex: "-1" }, formulas.name(state.chosen), html("span", { class: "is" }, `= ${number(view.scene.values[place])}`)),
    html("p", {}, `The derivatives of the costs by this ${{ w: "weight", b: "bias", y: "target" }[kind] ?? "quantity"}:`),
    html("table", { class: "plain" }, html("tbody", {}, rows)),
    html("p", {}, `These are its numbers. The derivation step by step isn’t saved in this page, which would get too large. To get it at once, type this in a terminal, with your network’s file in place of network.toml:`),
    html("p", {}, html("code", { class: "command" }, command(view))),
  );
}

/** Returns what one types to get a derivation live. */
function command(view) {
  const { formulas, state } = view;
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const of = state.of === "total" ? "" : ` --of ${quoted(formulas.plainName(state.of))}`;
  const example = state.example === null ? "" : ` --example ${state.example}`;
  return `whygrad view ${quoted(formulas.plainName(state.chosen))} -n network.toml --notation ${state.notation}${of}${example}`;
}
