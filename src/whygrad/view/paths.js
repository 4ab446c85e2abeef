// The table of paths: what each contributes, and that together they are the derivative.

import { figures, fold, html, number, percent } from "./dom.js";
import { hue } from "./picture.js";

const FEW_NEURONS = 16;
const AT_FIRST = 4; // of long paths, so many are laid out at once
const MOST_LETTERS = 20; // of a path on one line, beside its factors
export const SORTS = {
  size: (a, b) => Math.abs(b.c) - Math.abs(a.c),
  signed: (a, b) => b.c - a.c,
  cost: (a, b) => a.cost.localeCompare(b.cost) || Math.abs(b.c) - Math.abs(a.c),
};

/** Returns the table; `rows` are all that are listed, `shown` is the number of the one whose factors are shown. */
export function pathsTable(view, explanation, rows, shown) {
  const { formulas, state } = view;
  const { paths } = explanation;
  const neurons = [...new Set(rows.flatMap((row) => row.stations.slice(1, -1)))];
  const through = neurons.includes(state.through) ? state.through : "";
  const kept = rows.map((row, place) => ({ ...row, place })).filter((row) => !through || row.stations.includes(through));
  kept.sort(SORTS[state.sort]);
  const largest = Math.max(...rows.map((row) => Math.abs(row.h)), 1e-300);
  const examples = rows.some((row) => row.example !== null && row.example !== undefined);
  const wordy = rows.some((row) => row.stations.some((key) => formulas.plainName(key).length > 16));
  const long = wordy || rows.some((row) => row.stations.length > 7);
  const letters = (row) => row.stations.reduce((sum, key) => sum + formulas.plainName(key).replace(/[_^{}(),]/g, "").length, 0);
  const wraps = long || rows.some((row) => letters(row) > MOST_LETTERS);
  const factors = !long && rows.some((row) => row.cards.length);

  const header = (label, sort, kind) =>
    html(
      "th",
      { scope: "col", class: kind, "aria-sort": state.sort === sort ? "descending" : null },
      html("button", { type: "button", class: "sort", on: { click: () => view.go({ sort }, true) } }, label, html("span", { "aria-hidden": "true" }, state.sort === sort ? " ↓" : "")),
    );
  const body = kept.map((row) => {
    const negative = row.c < 0;
    const width = `${(50 * Math.abs(row.h)) / largest}%`;
    const label = `Path ${row.stations.map((key) => formulas.plainName(key)).join(" to ")}: ${number(row.c)}, ${percent(row.h)}. Show its factors.`;
    return html(
      "tr",
      { class: row.place === shown ? "shown" : null, "data-path": row.place, on: { click: () => view.showPath(row.place) } },
      html(
        "td",
        { class: "path" },
        html(
          "button",
          { type: "button", class: "pick", "aria-pressed": String(row.place === shown), "aria-label": label },
          html("span", { class: `dot ${hue(row.cost)}`, "aria-hidden": "true" }),
          row.stations.map((key, n) => [n ? html("span", { class: "arrow" }, "→") : null, html("span", { class: "stop" }, formulas.name(key))]),
          row.example !== null && row.example !== undefined ? html("span", { class: "faint" }, ` example ${row.example}`) : null,
        ),
      ),
      factors ? html("td", { class: "factors" }, row.cards.map((card, n) => [n ? "·\u200b" : "", html("span", { class: row.place === shown ? `tint factor${n % 6}` : null, "data-factor": row.place === shown ? n : null }, card.v < 0 ? `(${number(card.v, 4)})` : number(card.v, 4))])) : null,
      html("td", { class: "n contribution" }, number(row.c)),
      html("td", { class: "n share" }, percent(row.h)),
      html("td", { class: "bar", "aria-hidden": "true" }, html("span", { class: `fill ${hue(row.cost)} ${!row.c ? "none" : negative ? "negative" : "positive"}`, style: { width } })),
    );
  });
  if (long) view.sight.layLater(body.slice(AT_FIRST).map((row) => row.querySelector(".pick")));
  const span = factors ? 2 : 1;
  const last = (label, value, remark, kind) =>
    html("tr", { class: kind }, html("th", { scope: "row", colspan: span }, label, remark ? html("span", { class: "remark" }, ` ${remark}`) : null), html("td", { class: "n" }, value), html("td", { colspan: 2 }));
  const more = paths.others && !through ? last(`and ${paths.others} ${paths.others === "1" ? "other" : "others"} together`, number(paths.others_sum), "", "others") : null;
  const hiding = rows.length - kept.length;
  const checks = explanation.checks.rows.map(([name, value, remark], n) => last(name, figures(value), remark.replace(/[\d.]+e[+-]\d+/g, figures), n === 0 ? "sum" : "check"));
  const options = neurons.map((key) => html("option", { value: key }, formulas.plainName(key)));
  const select = html("select", { "aria-label": "Show only paths through", on: { change: (event) => view.go({ through: event.target.value }, true) } }, html("option", { value: "" }, "any neuron"), options);
  select.value = through;
  return html(
    "section",
    { class: `paths${wraps ? " wraps" : ""}${wordy ? " wordy" : ""}`, "aria-labelledby": "paths-title" },
    html(
      "div",
      { class: "bar-above" },
      html("h2", { id: "paths-title" }, `${paths.title}${rows.length > 1 ? ", and their sum" : ""}`),
      neurons.length > 1 && rows.length > 1 ? html("label", {}, html("span", {}, "through "), select) : null,
    ),
    rows.length
      ? html(
          "div",
          { class: "wide", tabindex: "0", role: "region", "aria-label": "Table of paths" },
          html(
            "table",
            {},
            html(
              "thead",
              {},
              html("tr", {}, header("path, by cost", "cost", ""), factors ? html("th", { scope: "col" }, "product of factors") : null, header("contribution", "signed", "n"), header("share", "size", "n"), html("td", {})),
            ),
            html("tbody", {}, body, hiding ? last(`${hiding} not through ${formulas.plainName(through)} hidden`, "", "", "others") : null, more),
            html("tfoot", {}, checks),
          ),
        )
      : html("div", { class: "wide" }, html("p", { class: "faint" }, state.chosen === state.of ? "" : "There is no path: the sum is empty, so it is 0."), html("table", {}, html("tbody", {}, checks))),
    groups(view, explanation),
  );
}

function groups(view, explanation) {
  const { formulas } = view;
  if (!explanation.groups.length) return null;
  const lists = explanation.groups.map((rows) =>
    html("dl", {}, rows.map(([name, many, value]) => html("div", {}, html("dt", {}, "through ", formulas.math(name)), html("dd", {}, html("span", { class: "faint" }, many), " ", html("span", { class: "n" }, number(value)))))),
  );
  const few = explanation.groups.flat().length <= FEW_NEURONS && view.roomy;
  return fold(view, "groups", "The paths by the neuron that they pass", html("div", { class: "groups" }, lists), few);
}
