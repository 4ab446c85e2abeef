// Elements: made with createElement and textContent alone, so that no text is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";
export const MATHML = "http://www.w3.org/1998/Math/MathML";

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, handler] of Object.entries(value)) made.addEventListener(event, handler);
    else if (name === "style") for (const [property, set] of Object.entries(value)) made.style.setProperty(property, set);
    else if (name === "value" || name === "checked" || name === "disabled") made[name] = value;
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Returns a part that is folded, or open; `view` remembers what the reader did with it. */
export function fold(view, name, summary, inside, open = false) {
  const made = html("details", { class: "fold", open: view.folds.get(name) ?? open }, html("summary", {}, summary), inside);
  made.addEventListener("toggle", () => view.folds.set(name, made.open));
  return made;
}

/** Returns an HTML element; `on` maps events to handlers, children are nodes or texts. */
export function html(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Returns a sentence in which names between backquotes are set as code. */
export function sentence(text) {
  return text.split(/`([^`]*)`/).map((piece, place) => (place % 2 ? html("code", {}, piece) : piece));
}

/** Returns a sentence without those backquotes. */
export function spoken(text) {
  return text.replaceAll("`", "");
}

/** Returns an SVG element. */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Returns the elements of a tree: a text, or [tag, attributes, children]; inside `math` they are MathML's. */
export function built(tree, mathematical = false) {
  if (typeof tree === "string") return tree;
  const [tag, attributes, children] = tree;
  const inside = mathematical || tag === "math";
  const made = inside ? document.createElementNS(MATHML, tag) : document.createElement(tag);
  return fill(made, attributes, children.map((child) => built(child, inside)));
}

/** Returns a number to six digits, as formulas have it: −0.25, 1.5·10⁻⁷. */
export function number(value, digits = 6) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map((each) => number(each, digits)).join(" … ");
  if (value === 0) return "0";
  return figures(Math.abs(value) < 1e-4 ? value.toExponential(digits - 1) : value.toPrecision(digits));
}

/** Returns figures such as -1.50e-7 with a real minus sign, no empty places, and a power of ten. */
export function figures(text) {
  const [digits, exponent] = text.split("e");
  const short = (digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits).replace("-", "−");
  if (exponent === undefined) return short;
  const power = String(Number(exponent)).replace(/./g, (sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign]));
  return `${short}·10${power}`;
}

/** Returns a share of the whole with its sign, such as +12.3%. */
export function percent(share) {
  if (!share) return "0%";
  if (Math.abs(share) < 0.0005) return "<0.1%";
  return `${share > 0 ? "+" : "−"}${(100 * Math.abs(share)).toFixed(1)}%`;
}

/** Returns a key's parts: kind, layer, to, from (or the place of a y or C). */
export function parsed(key) {
  const match = /^([wbazdo])(\d+)(?:\.(\d+))?(?:\.(\d+))?$/.exec(key);
  if (match) return { kind: match[1], layer: +match[2], to: +(match[3] ?? 0), from: +(match[4] ?? 0) };
  const end = /^([yC])(\d+)$/.exec(key);
  return end ? { kind: end[1], to: +end[2] } : { kind: key };
}
