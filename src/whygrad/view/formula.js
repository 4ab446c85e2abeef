// Formulas: MathML from the document's skeletons, with names that light up and derivatives that are links.

import { MATHML, html } from "./dom.js";

const TAGS = new Set(
  ("mrow mi mn mo mtext mspace mfrac msup msub msubsup munder mover munderover msqrt mroot mtable mtr mtd mstyle " +
    "mpadded").split(" "),
);
const ALLOWED = new Set(
  ("mathvariant stretchy fence form separator movablelimits displaystyle linethickness width lspace rspace minsize " +
    "maxsize columnalign").split(" "),
);
const LEAVES = new Set(["mi", "mn", "mo", "mtext"]);
const SUMS = new Set(["=", "≈", "+", "−"]);
const TIMES = new Set(["·"]);
const OPENS = new Set(["(", "[", "{"]);
const CLOSES = new Set([")", "]", "}"]);

/** Formulas of one document in one notation. */
export class Formulas {
  /** `follow` says what happens when a derivative is clicked: (key of what, key by what). */
  constructor(sheet, notation, follow) {
    this.sheet = sheet;
    this.names = sheet.names[notation] ?? Object.values(sheet.names)[0];
    this.follow = follow;
    this.here = "";
    this.symbolOf = new Map();
    sheet.symbols.forEach(([kind, key], place) => {
      if (kind === "q") this.symbolOf.set(key, place);
    });
  }

  /** Returns a formula as a math element. */
  math(place, display = "inline") {
    return this.element(this.sheet.formulas[place], display);
  }

  /**
   * Returns a formula as elements that may stand on several lines: browsers don't break one math element. It breaks
   * at sums first, and at products only where one is longer than a line.
   */
  broken(place) {
    const formula = this.sheet.formulas[place];
    const tree = this.sheet.skeletons[formula[0]].m;
    if (tree[0] !== "mrow") return [this.element(formula, "block")];
    const math = (row) => {
      const made = document.createElementNS(MATHML, "math");
      made.setAttribute("displaystyle", "true");
      made.append(this.built(["mrow", ...row], formula));
      return made;
    };
    const joined = (all) => all.map((each, n) => [n ? html("wbr") : null, each]);
    const term = (row) => {
      const factors = pieces(row, TIMES);
      return factors.length > 1 ? html("span", { class: "term" }, joined(factors.map(math))) : math(row);
    };
    return joined(pieces(tree.slice(1), SUMS).map(term));
  }

  /** Returns a quantity's name as a math element. */
  name(key, linked = true) {
    const place = this.symbolOf.get(key);
    if (place === undefined) return html("span", {}, key);
    const made = document.createElementNS(MATHML, "math");
    made.append(this.symbol(place, linked));
    return made;
  }

  /** Returns a quantity's name as plain text. */
  plainName(key) {
    const place = this.symbolOf.get(key);
    return place === undefined ? key : this.text(this.names[place], "t");
  }

  element(formula, display) {
    const made = document.createElementNS(MATHML, "math");
    if (display === "block") made.setAttribute("displaystyle", "true");
    made.append(this.built(this.sheet.skeletons[formula[0]].m, formula));
    return made;
  }

  built(tree, formula) {
    if (typeof tree === "number") return this.filled(formula[tree + 1]);
    const tag = TAGS.has(tree[0]) ? tree[0] : "mrow";
    const made = document.createElementNS(MATHML, tag);
    let rest = tree.slice(1);
    if (rest.length && typeof rest[0] === "object" && !Array.isArray(rest[0])) {
      for (const [name, value] of Object.entries(rest[0])) if (ALLOWED.has(name)) made.setAttribute(name, String(value));
      rest = rest.slice(1);
    }
    for (const child of rest) {
      if (LEAVES.has(tag)) made.append(typeof child === "number" ? this.plain(formula[child + 1]) : child);
      else made.append(typeof child === "string" ? child : this.built(child, formula));
    }
    return made;
  }

  filled(argument) {
    if (typeof argument === "number") return this.symbol(argument);
    const made = document.createElementNS(MATHML, "mn");
    made.textContent = argument;
    return made;
  }

  symbol(place, linked = true) {
    const [kind, ...keys] = this.sheet.symbols[place];
    const formula = this.names[place];
    const inside = this.built(this.sheet.skeletons[formula[0]].m, formula);
    const pair = kind === "d" ? keys : kind === "s" ? [keys[0].replace("z", "a"), keys[0]] : null;
    if (pair && linked && this.follow && `${pair[1]}|${pair[0]}` !== this.here) return this.link(pair, inside, formula);
    if (kind !== "q" || !linked) return inside;
    const row = document.createElementNS(MATHML, "mrow");
    row.setAttribute("class", "name");
    row.setAttribute("data-q", keys[0]);
    row.append(inside);
    return row;
  }

  /** A derivative is a link to its own explanation: an anchor stands in a number's place, since mtext counts as space. */
  link([of, by], inside, formula) {
    const math = document.createElementNS(MATHML, "math");
    math.setAttribute("displaystyle", "true");
    math.append(inside);
    const label = `Explain ${this.text(formula, "t")}`;
    const anchor = html("a", { class: "why", href: `#${by};of=${of}`, "data-by": by, "aria-label": label }, math);
    anchor.addEventListener("click", (event) => {
      event.preventDefault();
      this.follow(by, of);
    });
    const made = document.createElementNS(MATHML, "mn");
    made.append(anchor);
    return made;
  }

  plain(argument) {
    return typeof argument === "number" ? this.text(this.names[argument], "t") : argument;
  }

  /** Returns a formula as LaTeX ("l") or as plain text ("t"). */
  text(formula, style) {
    return this.sheet.skeletons[formula[0]][style]
      .map((part) => {
        if (typeof part === "string") return part;
        const argument = formula[part + 1];
        return typeof argument === "number" ? this.text(this.names[argument], style) : argument;
      })
      .join("");
  }

  latex(place) {
    return this.text(this.sheet.formulas[place], "l");
  }

  /** Returns words: texts, and formulas among them. */
  words(words) {
    return words.map((piece) => (typeof piece === "number" ? this.math(piece) : piece));
  }

  /** Returns words as plain text. */
  plainWords(words) {
    return words.map((piece) => (typeof piece === "number" ? this.text(this.sheet.formulas[piece], "t") : piece)).join("");
  }
}

/** Splits a row before some signs, outside of brackets. */
function pieces(row, signs) {
  const made = [[]];
  let depth = 0;
  for (const child of row) {
    const [tag, ...rest] = Array.isArray(child) ? child : [null];
    const sign = tag === "mo" ? rest.at(-1) : null;
    const prefix = rest[0]?.form === "prefix";
    // First in its piece a sign would be taken for a prefix, with no space around it.
    const breaks = depth === 0 && !prefix && signs.has(sign) && made.at(-1).length > 0;
    if (breaks) made.push([["mo", { form: "infix" }, sign]]);
    else made.at(-1).push(child);
    if (OPENS.has(sign)) depth += 1;
    const closed = tag === "msup" || tag === "msub" ? rest[0]?.at?.(-1) : sign;
    if (CLOSES.has(closed)) depth -= 1;
  }
  return made;
}
