// What is known of the chosen place of a recorded model: numbers, branches, strongest paths.

import { figures, html, number, percent, sentence } from "./dom.js";
import { costClass, markedCost } from "./recorded_tree.js";

// Paths with more stops are folded.
const MOST_STOPS = 14;
const NONE = "There is no path with a contribution. ";

function signedCosine(value) {
  return value === null || value === undefined ? "" : value.toFixed(2).replace(/^-0\.00$/, "0.00").replace("-", "−");
}

function costName(view, k) {
  return markedCost(view.given.costs[k].name, k);
}

function plainBar(value, most, k) {
  return html("span", { class: "track", "aria-hidden": "true" }, html("span", { class: `piece ${k === null ? "hueAll" : costClass(k)}`, style: { width: `${most ? (100 * value) / most : 0}%` } }));
}

/** Returns everything about the chosen place. */
export function chosenPlace(view) {
  const { given, state } = view;
  const place = given.places[state.chosen];
  const kind = { join: "operation between modules", input: "input of the model", cost: "cost" }[place.kind];
  const meta = kind ?? [place.shape ? `${place.shape.join(" × ") || "scalar"} parameter` : `${place.parameters} parameter${place.parameters === 1 ? "" : "s"}`, `${place.entries.toLocaleString("en").replaceAll(",", "\u202f")} weights`].join(" · ");
  const says = place.says ?? (place.about || null) ?? (place.kind === "cost" ? `${place.name} is ${number(given.costs[place.row].value, 5)}.` : null);
  return html(
    "section",
    { class: "chosen-place", "aria-labelledby": "chosen-name" },
    html("p", { class: "faint meta" }, meta),
    html("h2", { id: "chosen-name", class: "chosen-name" }, place.name || "the model"),
    says ? html("p", { class: "says" }, sentence(says)) : null,
    place.says ? costsTable(view, place) : null,
    place.cosines && given.costs.length > 2 ? cosinesTable(view, place) : null,
    backTable(view),
    branchTables(view),
    strongestTable(view),
  );
}

/** Returns a stop of a path; what comes after the module's name stands back. */
function stop(name, place) {
  const at = name.endsWith("]") ? name.lastIndexOf("[") : -1;
  return html("code", { class: place ? "stop-name" : "stop-name start" }, at > 0 ? [name.slice(0, at), html("span", { class: "index" }, name.slice(at))] : name);
}

/** Shows what is folded in the place of the button that was pressed, and brings the keyboard there. */
function unfold(folded, pressed) {
  folded.hidden = false;
  folded.tabIndex = -1;
  folded.focus({ preventScroll: true });
  pressed.remove();
}

/** Returns a path's stops; of a long path those in the middle are folded. */
function stopsOf(names) {
  const made = names.map((name, place) => [place ? html("span", { class: "arrow" }, " → ") : null, stop(name, place)]);
  if (names.length <= MOST_STOPS) return html("div", { class: "stops" }, made);
  const middle = html("span", { hidden: true }, made.slice(5, -4));
  const more = html("button", { type: "button", class: "goto", on: { click: () => unfold(middle, more.parentElement) } }, `${names.length - 9} more`);
  return html("div", { class: "stops" }, made.slice(0, 5), html("span", {}, html("span", { class: "arrow" }, " → … "), more, " …"), middle, made.slice(-4));
}

/** Returns which part of what the paths carry cancels; all but rounding is not all. */
function cancelled(share) {
  if (share === null) return "";
  return share >= 0.9995 ? ">99.9%" : percent(share).replace("+", "");
}

function costsTable(view, place) {
  const { given, state } = view;
  const norms = given.measures[0].values[state.chosen];
  const most = Math.max(...norms.slice(0, -1).map((norm) => norm ?? 0));
  const several = given.costs.length > 1;
  const cancels = place.cancels.some((value) => value !== null);
  const shares = given.measures[1].values[state.chosen];
  return html(
    "div",
    { class: "wide", tabindex: "0", role: "region", "aria-label": "The costs' gradients here" },
    html(
      "table",
      { class: "facts" },
      html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "cost"), html("th", { scope: "col", class: "n" }, "gradient's norm"), html("td", { class: "bar-cell" }), several ? html("th", { scope: "col", class: "n" }, "share") : null, several ? html("th", { scope: "col", class: "n" }, "cosine with sum") : null, cancels ? html("th", { scope: "col", class: "n" }, "cancels") : null)),
      html(
        "tbody",
        {},
        given.costs.map((_, k) =>
          html(
            "tr",
            { class: k === state.of ? "shown" : null },
            html("th", { scope: "row" }, costName(view, k)),
            html("td", { class: "n" }, place.reached[k] ? number(norms[k], 3) : "no path"),
            html("td", { class: "bar-cell" }, plainBar(norms[k] ?? 0, most, k)),
            several ? html("td", { class: "n" }, shares[k] === null ? "" : percent(shares[k]).replace("+", "")) : null,
            several ? html("td", { class: `n${place.along[k] < 0 ? " bad" : ""}` }, signedCosine(place.along[k])) : null,
            cancels ? html("td", { class: "n" }, cancelled(place.cancels[k])) : null,
          ),
        ),
        several ? html("tr", { class: "sum" }, html("th", { scope: "row" }, "all together"), html("td", { class: "n" }, number(norms.at(-1), 3)), html("td", { colspan: 4, class: "remark" }, "norm of the sum")) : null,
      ),
    ),
  );
}

function cosinesTable(view, place) {
  const { given } = view;
  const cell = (value, i, j) => html("td", { class: `n cosine${value !== null && value < -0.1 ? " bad" : ""}`, style: { "--shade": value === null || i === j ? 0 : Math.abs(value) } }, i === j ? "" : [signedCosine(value), value !== null && value < -0.1 ? " ⇄" : ""]);
  return html(
    "div",
    { class: "wide", tabindex: "0", role: "region", "aria-label": "Cosines between the costs' gradients" },
    html("table", { class: "facts matrix-of-costs" }, html("caption", {}, "cosines between the costs' gradients (⇄ they pull against each other)"), html("thead", {}, html("tr", {}, html("td", {}), given.costs.map((_, k) => html("th", { scope: "col", class: "n" }, costName(view, k))))), html("tbody", {}, place.cosines.map((row, i) => html("tr", {}, html("th", { scope: "row" }, costName(view, i)), row.map((value, j) => cell(value, i, j)))))),
  );
}

// A table has a column for each of so many costs; of more, a row for each.
const MOST_COLUMNS = 4;
// Senders beyond these are folded.
const MOST_SENDERS = 10;

/** Bands of the picture that end here, as a table. */
function backTable(view) {
  const { given, state, tree } = view;
  const seen = new Set(tree.stations());
  const bands = given.bands.filter(([a, b]) => a === state.chosen && seen.has(b)).toSorted((one, two) => two[3] - one[3]);
  if (!bands.length || given.branches.some(({ at }) => at === state.chosen)) return null;
  return norms(view, "What comes back to its output", bands.map(([, b, each]) => ({ name: given.places[b].name || given.places[b].label, to: b, each })), []);
}

/** Returns who sends back how much, for the costs that are shown; `after` are lines below the sum's rule. */
function norms(view, caption, every, after) {
  const { given, state } = view;
  const shown = state.of === null ? given.costs.map((_, k) => k) : [state.of];
  const senders = every.filter(({ each }) => shown.some((k) => each[k]));
  if (!senders.length) return null;
  const beside = shown.length <= MOST_COLUMNS;
  const size = ({ each }) => (beside ? shown.reduce((sum, k) => sum + (each[k] ?? 0), 0) : Math.max(...shown.map((k) => each[k] ?? 0)));
  const most = Math.max(...senders.map(size), 1e-300);
  const named = ({ name, side, to }) => [side ? html("span", { class: `side ${side}` }, side) : null, to === undefined ? name : html("button", { type: "button", class: "goto", on: { click: () => view.choose(to) } }, name)];
  const text = ({ each, write }, k) => (each[k] === null || each[k] === undefined ? "" : (write ?? ((value) => number(value, 3)))(each[k]));
  const bar = (line, costs) => html("td", { class: "bar-cell" }, line.write || line.sum ? null : html("span", { class: "track", "aria-hidden": "true" }, costs.filter((k) => line.each[k]).map((k) => html("span", { class: `piece ${costClass(k)}`, style: { width: `${(100 * line.each[k]) / most}%` } }))));
  const look = (line, n) => (line.sum && !n ? "sum" : null);
  const rows = (line) =>
    beside
      ? html("tr", { class: look(line, 0) }, html("th", { scope: "row" }, named(line)), shown.map((k) => html("td", { class: "n" }, text(line, k))), bar(line, shown))
      : shown.filter((k) => line.each[k]).map((k, n) => html("tr", { class: look(line, n) }, html("th", { scope: "row" }, n ? html("span", { class: "sr" }, line.name) : named(line)), html("td", {}, costName(view, k)), html("td", { class: "n" }, text(line, k)), bar(line, [k])));
  const columns = beside ? shown.map((k) => html("th", { scope: "col", class: "n" }, costName(view, k))) : [html("th", { scope: "col" }, "cost"), html("th", { scope: "col", class: "n" }, "norm")];
  const unfolded = senders.length > MOST_SENDERS + 2 ? MOST_SENDERS : senders.length;
  const folded = html("tbody", { hidden: true }, senders.slice(unfolded).map(rows));
  const more = html("button", { type: "button", class: "goto", on: { click: () => unfold(folded, more.closest("tbody")) } }, `and ${senders.length - unfolded} more`);
  return html(
    "div",
    { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
    html(
      "table",
      { class: "facts" },
      html("caption", {}, caption),
      html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "from"), columns, html("td", { class: "bar-cell" }))),
      html("tbody", {}, senders.slice(0, unfolded).map(rows)),
      unfolded < senders.length ? [html("tbody", {}, html("tr", {}, html("td", { colspan: columns.length + 2 }, more))), folded] : null,
      after.length ? html("tbody", {}, after.map(rows)) : null,
    ),
  );
}

function branchTables(view) {
  const { given, state } = view;
  const inside = (n) => n !== null && (n === state.chosen || inside(given.places[n].around));
  const size = ({ whole }) => whole.reduce((sum, each) => sum + (each ?? 0), 0);
  const found = state.chosen === 0 ? [] : given.branches.filter(({ at }) => inside(at)).toSorted((one, two) => size(two) - size(one));
  const made = found.map((branch) => {
    const senders = branch.senders.map((name, s) => ({ name: name.replace(/^skip: /, ""), side: branch.sides[s] ?? "", each: branch.norms[s] }));
    return norms(view, `Branches: what each user of ${branch.place} sends back`, senders, [{ name: "all together", each: branch.whole, sum: true }, ...cosinesOf(branch)]);
  });
  const there = made.filter(Boolean);
  if (there.length <= 2) return there;
  return [there[0], html("details", { class: "fold" }, html("summary", {}, `${there.length - 1} more branches in it`), there.slice(1))];
}

/** Returns the cosine between what two users send back, as a line of their table. */
function cosinesOf(branch) {
  if (branch.against) return [{ name: "skip against block: cosine", each: branch.against, write: signedCosine }];
  const each = branch.cosines?.map((pair) => (pair.length === 2 ? pair[0][1] : null)) ?? [];
  return each.some((value) => value !== null) ? [{ name: "cosine of the two", each, write: signedCosine }] : [];
}

function strongestTable(view) {
  const { given, state } = view;
  const place = given.places[state.chosen];
  if (!place.says || !(given.paths || given.left_out)) return null;
  const section = (...inside) => html("section", { class: "paths-here", "aria-labelledby": "paths-here" }, html("h3", { id: "paths-here" }, state.entry ? ["Strongest paths of ", html("code", {}, state.entry)] : "Strongest paths"), inside);
  if (!given.paths) return section(html("p", { class: "faint" }, given.left_out));
  view.entry.show(state);
  const field = view.entry.element;
  if (state.entry) {
    const { way, found, names, says, wrong, part } = view.entry.paths(state);
    if (says) return section(field, html("p", { class: wrong ? "wrong" : "faint", role: wrong ? "alert" : null }, says));
    if (!way.top.length) return section(field, html("p", { class: "faint" }, NONE, stopped(way)));
    const told = part ? `Those of the strongest paths of ${place.name} that begin at this entry.` : summed(view, way, `Its ${counted(way)}`);
    return section(field, html("p", { class: "faint" }, told, stopped(way)), pathList(way, found, names));
  }
  const ways = given.paths.at[state.chosen];
  if (!ways) return section(field, html("p", { class: "faint" }, "Not in this page: it holds the paths of the parameters with the longest gradients. In Python: ", html("code", {}, "rec.paths(…)"), "."));
  const way = state.of === null ? ways.at(-1) : ways.slice(0, -1)[state.of];
  if (!way || !way.top.length) return section(field, html("p", { class: "faint" }, way ? [NONE, stopped(way)] : "Paths of this cost are not in this page."));
  return section(field, html("p", { class: "faint" }, summed(view, way, `The ${counted(way)} from its weights`), stopped(way)), pathList(way, given.paths.found, given.paths.names));
}

function counted(way) {
  return way.top.length === 1 && way.count === "1" ? "only path" : `${way.top.length} strongest of ${way.count.replace(/[\d.]+e\+?\d+/, figures)} paths`;
}

/** Returns what is said of operations at which paths end. */
function stopped(way) {
  return way.stops ? sentence(way.stops) : null;
}

function summed(view, way, beginning) {
  const { given, state } = view;
  const shares = way.total === null ? "" : `, without their signs to ${number(way.total, 4)}; a share is of the latter`;
  return `${beginning} to ${state.of === null ? "the costs" : given.costs[state.of].name}${way.partly ? ", of the parameters that were searched" : ""}. ${way.stops ? "The gradient adds up to" : "Together all paths add up to"} ${number(way.sum, 4)}${shares}. `;
}

function pathList(way, found, names) {
  const most = Math.max(...way.top.map((n) => Math.abs(found[n][0])));
  const items = way.top.map((n, at) => {
    const [contribution, k, stops] = found[n];
    const share = way.shares[at];
    return html(
      "li",
      { class: "strong-path" },
      html("div", { class: "path-number" }, html("span", { class: `swatch ${costClass(k)}`, "aria-hidden": "true" }), html("span", { class: "n" }, number(contribution, 3)), html("span", { class: "signed-bar", "aria-hidden": "true" }, html("span", { class: `fill hue${k % 6} ${contribution < 0 ? "negative" : "positive"}`, style: { width: `${(50 * Math.abs(contribution)) / most}%` } })), share === null ? null : html("span", { class: "n faint" }, percent(share))),
      stopsOf(stops.map((name) => names[name])),
    );
  });
  return html("ol", { class: "strong-paths" }, items);
}
