// The controls: what is differentiated, which example, what the lines show, which notation, light or dark.

import { html } from "./dom.js";
import { hue } from "./picture.js";

const SHOWN = {
  paths: "paths of what is chosen",
  gradient: "gradient",
  total: "sum without signs",
  strongest: "strongest path",
  extremes: "extremes",
  count: "number of paths",
  live: "live paths",
  reach: "whether there is a path",
  entropy: "entropy of the paths",
};

function selection(label, options, value, change, title) {
  const select = html("select", { on: { change: (event) => change(event.target.value) }, title }, options.map(([key, text, disabled]) => html("option", { value: key, disabled: Boolean(disabled) }, text)));
  select.value = value;
  return html("label", { class: "control" }, html("span", {}, label), select);
}

/** Returns the row of controls above the picture. */
export function controls(view) {
  const { document, formulas, state } = view;
  const many = document.of.length;
  const costs =
    many > 1 && many <= 6
      ? html(
          "div",
          { class: "control" },
          html("span", { id: "of-label" }, "derivative of"),
          html(
            "div",
            { class: "segments", role: "group", "aria-labelledby": "of-label" },
            document.of.map(([key]) =>
              html("button", { type: "button", class: hue(key), "aria-pressed": String(state.of === key), "data-of": key, "aria-label": key === "total" ? "the total" : formulas.plainName(key), on: { click: () => view.go({ of: key }) } }, key === "total" ? "total" : [html("span", { class: "dot", "aria-hidden": "true" }), formulas.name(key, false)]),
            ),
          ),
        )
      : many > 1
        ? selection("derivative of", document.of.map(([key]) => [key, key === "total" ? "the total" : formulas.plainName(key)]), state.of, (of) => view.go({ of }))
        : null;
  const examples = document.network.examples;
  const available = (n) => view.asking || (n === null ? "all" : String(n)) in document.scenes;
  const example =
    examples > 1
      ? selection(
          "example",
          [["all", `all ${examples} together`, !available(null)], ...Array.from({ length: Math.min(examples, 200) }, (_, n) => [String(n), String(n), !available(n)])],
          state.example === null ? "all" : String(state.example),
          (value) => view.go({ example: value === "all" ? null : Number(value), step: null }),
        )
      : null;
  const shown = selection("lines show", [["paths", SHOWN.paths], ...document.semirings.map(([name]) => [name, SHOWN[name] ?? name])], state.show, (show) => view.go({ show }));
  return html("div", { class: "controls" }, costs, example, shown);
}

/** Returns the notation's and the theme's control. */
export function page(view) {
  const { document, state } = view;
  const notation = selection("notation", document.notations.map(([name]) => [name, name]), state.notation, (value) => view.go({ notation: value }));
  const dark = state.theme === "dark" || (!state.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const theme = html("button", { type: "button", class: "round theme", "aria-label": dark ? "Light colours" : "Dark colours", title: dark ? "Light colours" : "Dark colours", on: { click: () => view.go({ theme: dark ? "light" : "dark" }, true) } }, dark ? "☀" : "☾");
  return html("div", { class: "page-controls" }, notation, theme);
}
