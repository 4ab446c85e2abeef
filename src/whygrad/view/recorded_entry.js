// One entry of a recorded model, typed by name: what its strongest paths are, asked of Python or found in the page.

import { html } from "./dom.js";

const INDEXED = /^(.+?)\s*\[([\d\s,]*)\]$/s;

/** The field in which an entry is typed, and what is known of those that were. */
export class EntryField {
  constructor(view, ask) {
    this.view = view;
    this.ask = ask;
    this.known = new Map();
    this.input = html("input", { type: "text", list: "entry-names", autocomplete: "off", spellcheck: "false", autocapitalize: "off", "aria-describedby": "entry-says", on: { keydown: (event) => this.pressed(event) } });
    this.says = html("p", { class: "entry-says", id: "entry-says", role: "status" });
    const names = html("datalist", { id: "entry-names" }, view.given.places.filter(({ says, name }) => says && name).map(({ name }) => html("option", { value: name })));
    this.element = html(
      "form",
      { class: "entry", on: { submit: (event) => this.submitted(event) } },
      html("label", {}, html("span", {}, "module, parameter or one entry"), this.input),
      html("button", { type: "submit" }, "show"),
      names,
      this.says,
    );
  }

  /** Fits the field to the state. */
  show({ chosen, entry }) {
    const { places } = this.view.given;
    const { name, shape } = places[chosen];
    const example = shape ? places[chosen] : places.find((place) => place.shape);
    this.input.placeholder = example ? entryName(example.name, example.shape.map(() => 0)) : name;
    if (this.last !== `${chosen} ${entry}`) {
      this.input.value = entry ?? (shape ? name : "");
      this.tell("");
    }
    this.last = `${chosen} ${entry}`;
  }

  tell(text) {
    this.says.textContent = text;
    this.input.setAttribute("aria-invalid", String(Boolean(text)));
  }

  /** Enter submits by itself: while the list of names is open, browsers only close that. */
  pressed(event) {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    this.submitted(event);
  }

  submitted(event) {
    event.preventDefault();
    const found = this.read(this.input.value);
    this.tell(found.wrong ?? "");
    if (!found.wrong) this.view.go(found);
  }

  /** Returns the place and the entry that a name stands for, or what is wrong with it. */
  read(text) {
    const { places } = this.view.given;
    const typed = text.trim();
    const whole = places.findIndex(({ name, says }) => says && name === typed);
    if (whole >= 0) return { chosen: whole, entry: null };
    const match = INDEXED.exec(typed);
    const base = match ? match[1] : typed;
    const chosen = places.findIndex(({ name, says }) => says && name === base);
    const some = places.filter(({ shape }) => shape).slice(0, 3).map(({ name }) => name).join(", ");
    const wrong = `Expected a module, a parameter or one of its entries (such as ${some}), found “${typed}”.`;
    if (!match || (chosen < 0 && !this.ask)) return { wrong };
    const index = match[2].split(",").filter((part) => part.trim()).map(Number);
    const shape = places[chosen]?.shape;
    if (shape && (index.length !== shape.length || index.some((each, axis) => each >= shape[axis]))) {
      const limits = shape.length === 1 ? `one number below ${shape[0]}` : `${shape.length} numbers below ${shape.join(", ")}`;
      return { wrong: `Expected ${shape.length ? limits : "no numbers"} after ${base}, found “[${match[2]}]”.` };
    }
    if (!shape && !this.ask) return { wrong: `This page holds paths of parameters; of an entry of ${base} say in Python: rec.paths("${typed}").` };
    return { chosen: Math.max(chosen, 0), entry: entryName(base, index) };
  }

  /** Returns the paths of an entry: `{way, found, names}`, or `{says}` while they aren't there. */
  paths({ chosen, entry, of }) {
    if (!this.ask) return this.stored(chosen, entry, of);
    const key = `${of} ${entry}`;
    if (!this.known.has(key)) {
      this.known.set(key, { says: "Asking …" });
      this.request(key, entry, of);
    }
    return this.known.get(key);
  }

  async request(key, entry, of) {
    let reply;
    try {
      reply = await this.ask({ do: "paths", quantity: entry, of });
    } catch (error) {
      reply = { ok: false, error: { message: `No answer: ${error.message}` } };
    }
    this.known.set(key, reply.ok ? { way: reply.result, found: reply.result.found, names: reply.result.names } : { says: reply.error.message, wrong: true });
    const { state } = this.view;
    if (key === `${state.of} ${state.entry}`) this.view.render();
    // An answer that failed may come right the next time.
    if (!reply.ok) this.known.delete(key);
  }

  /** Returns those of the page's paths that begin at an entry. */
  stored(chosen, entry, of) {
    const { paths, places } = this.view.given;
    const ways = paths?.at[chosen];
    const way = ways && (of === null ? ways.at(-1) : ways.slice(0, -1)[of]);
    const lone = places[chosen].entries === 1;
    const begins = (n) => paths.names[paths.found[n][2][0]] === (lone ? places[chosen].name : entry);
    const each = (ways ?? []).slice(0, -1).filter((_, k) => of === null || k === of).flatMap(({ top }) => top);
    const top = [...new Set(each)].filter(begins);
    if (top.length) return { part: true, way: { ...way, top, shares: top.map(() => null) }, found: paths.found, names: paths.names };
    return { says: `None of the strongest paths of ${places[chosen].name} begins at ${entry}, and a saved page holds no others. In Python: rec.paths("${entry}"); with whygrad view or rec.view() this field finds them.` };
  }
}

function entryName(base, index) {
  return `${base}[${index.join(", ")}]`;
}
