// Formulas: MathML from the document's skeletons, with names that light up and derivatives that are links.

import { MATHML, html, parsed } from "./dom.js";

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
const SIGNS = { "+": "+", "-": "−", "=": "=", "~": "≈" };
const NUMBER = /^(\(?)(-?)([\d.]+)(?:e([+-]\d+))?\)?$/;

/** Returns what fills a hole, a number or a sign, as MathML. */
function mathml(text) {
  const leaf = (tag, inside, form) => {
    const made = document.createElementNS(MATHML, tag);
    if (form) made.setAttribute("form", form);
    if (/^[()]$/.test(inside)) made.setAttribute("stretchy", "false");
    made.textContent = inside;
    return made;
  };
  const [, bracket, minus, digits, power] = NUMBER.exec(text) ?? [];
  if (digits === undefined) return leaf("mo", SIGNS[text] ?? text);
  if (!minus && power === undefined) return leaf("mn", digits);
  const row = document.createElementNS(MATHML, "mrow");
  if (bracket) row.append(leaf("mo", "(", "prefix"));
  if (minus) row.append(leaf("mo", "−", "prefix"));
  row.append(leaf("mn", digits));
  if (power !== undefined) {
    const raised = document.createElementNS(MATHML, "msup");
    raised.append(leaf("mn", "10"), mathml(String(Number(power))));
    row.append(leaf("mo", "·"), raised);
  }
  if (bracket) row.append(leaf("mo", ")", "postfix"));
  return row;
}

/** Returns the same as LaTeX. */
function tex(text) {
  return text.replace(/e([+-]\d+)/, (_, power) => ` \\cdot 10^{${Number(power)}}`).replace("~", "\\approx");
}

/** Formulas of one document in one notation. */
export class Formulas {
  /** `follow` says what happens when a derivative is clicked: (key of what, key by what). */
  constructor(sheet, notation, follow) {
    this.sheet = sheet;
    this.names = sheet.names[notation] ?? Object.values(sheet.names)[0];
    this.follow = follow;
    this.here = "";
    this.rules = sheet.derivatives[notation] ?? {};
    this.symbolOf = new Map(); // "kind|key" -> place
    sheet.symbols.forEach(([kind, ...keys], place) => keys.length && this.symbolOf.set(`${kind}|${keys.join("|")}`, place));
  }

  /** Returns a symbol as [kind, keys]: from the table, or named by its parts. */
  known(symbol) {
    const [kind, ...keys] = typeof symbol === "number" ? this.sheet.symbols[symbol] : symbol;
    return [kind, keys];
  }

  /** Returns a symbol's name as a formula; a derivative's is made by the rule of its kind. */
  named(symbol) {
    const [kind, keys] = this.known(symbol);
    const place = typeof symbol === "number" ? symbol : this.symbolOf.get(`${kind}|${keys.join("|")}`);
    const name = this.names[place];
    if (name || kind !== "d") return name;
    const [of, by] = keys;
    const { kind: ofKind } = parsed(of);
    const { kind: byKind, layer = "" } = parsed(by);
    const [skeleton, own] = this.rules[`${ofKind}|${byKind}${layer}`];
    return own ? [skeleton, ...this.named(["q", by]).slice(1)] : [skeleton, ["q", of], ["q", by]];
  }

  /** Returns a formula by its number, or as it stands. */
  formula(place) {
    return typeof place === "number" ? this.sheet.formulas[place] : place;
  }

  /** Returns a formula as a math element. */
  math(place, display = "inline") {
    return this.element(this.formula(place), display);
  }

  /** Returns a formula in pieces that may stand on several lines. */
  broken(place) {
    return broken(this.math(place, "block"));
  }

  /** Returns whether a formula begins with a relation: it goes on with what stands before it. */
  goesOn(place) {
    const [skeleton, ...fillings] = this.formula(place);
    const [, first] = this.sheet.skeletons[skeleton].m;
    return Array.isArray(first) ? first[0] === "mo" && /^[=≈]$/.test(first.at(-1)) : /^[=~]$/.test(fillings[first]);
  }

  /** Returns a quantity's name as a math element. */
  name(key, linked = true) {
    const place = this.symbolOf.get(`q|${key}`);
    if (place === undefined) return html("span", {}, key);
    const made = document.createElementNS(MATHML, "math");
    made.append(this.symbol(place, linked));
    return made;
  }

  /** Returns a quantity's name in full: one that formulas shorten as text. */
  whole(key) {
    const name = this.name(key, false);
    return name.textContent.includes("…") ? html("span", {}, this.plainName(key)) : name;
  }

  /** Returns a quantity's name as plain text. */
  plainName(key) {
    const place = this.symbolOf.get(`q|${key}`);
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
    return typeof argument === "string" ? mathml(argument) : this.symbol(argument);
  }

  symbol(place, linked = true) {
    const [kind, keys] = this.known(place);
    const formula = this.named(place);
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
    return typeof argument === "string" ? argument : this.text(this.named(argument), "t");
  }

  /** Returns a formula as LaTeX ("l") or as plain text ("t"). */
  text(formula, style) {
    return this.sheet.skeletons[formula[0]][style]
      .map((part) => {
        if (typeof part === "string") return part;
        const argument = formula[part + 1];
        if (typeof argument !== "string") return this.text(this.named(argument), style);
        return style === "l" ? tex(argument) : argument;
      })
      .join("");
  }

  latex(place) {
    return this.text(this.formula(place), "l");
  }

  /** Returns words: texts, and formulas among them. */
  words(words) {
    return words.map((piece) => (typeof piece === "string" ? piece : this.math(piece)));
  }

  /** Returns words as plain text. */
  plainWords(words) {
    return words.map((piece) => (typeof piece === "string" ? piece : this.text(this.formula(piece), "t"))).join("");
  }
}

/**
 * Returns a math element in pieces that may stand on several lines: browsers don't break one. It breaks at relations
 * and sums first, and at products only where one is longer than a line.
 */
export function broken(math) {
  const row = math.childElementCount === 1 && math.firstElementChild.localName === "mrow" ? math.firstElementChild : math;
  const made = (children) => {
    const piece = math.cloneNode(false);
    if (piece.getAttribute("display") === "block") piece.setAttribute("displaystyle", "true");
    piece.removeAttribute("display");
    piece.append(...children);
    return piece;
  };
  const joined = (all) => all.map((each, n) => [n ? html("wbr") : null, each]);
  const term = (children) => {
    const factors = pieces(children, TIMES);
    return factors.length > 1 ? html("span", { class: "term" }, joined(factors.map(made))) : made(children);
  };
  return joined(pieces([...row.children], SUMS).map(term));
}

/** Splits a row's elements before some signs, outside of brackets. */
function pieces(row, signs) {
  const made = [[]];
  let depth = 0;
  for (const child of row) {
    const sign = child.localName === "mo" ? child.textContent : null;
    const before = made.at(-1).at(-1);
    if (depth === 0 && before && signs.has(sign) && child.getAttribute("form") !== "prefix") {
      // First in its piece a sign would be taken for a prefix, with no space around it.
      child.setAttribute("form", "infix");
      made.push([]);
    } else if (depth === 0 && signs === TIMES && before?.localName === "mspace" && (child.querySelector("a") || OPENS.has(child.firstElementChild?.textContent))) made.push([]);
    made.at(-1).push(child);
    if (OPENS.has(sign)) depth += 1;
    if (CLOSES.has(/^msu[bp]$/.test(child.localName) ? child.firstElementChild.textContent : sign)) depth -= 1;
  }
  return made;
}
