// Live: numbers that can be changed, equations that are checked, gradients that are diagnosed; with somebody to ask.

import { built, html, parsed } from "./dom.js";
import { broken } from "./formula.js";

const MOST_NUMBERS = 80;
const LARGEST_FILE = 20e6;

/** The panels that need somebody to ask; they outlive the documents that they change. */
export class Live {
  constructor(view) {
    this.view = view;
    this.numbers = structuredClone(view.document.data);
    this.changed = {};
    this.version = 0; // of the numbers: what was said about earlier ones is forgotten
    this.inputs = new Map();
    this.handle = html("div", { class: "handle" });
    this.status = html("p", { class: "status", role: "status" });
    this.values = html("div", { class: "values" });
    this.verdict = html("div", { class: "verdict", role: "status" });
    this.diagnosis = html("div", { class: "diagnosis", role: "status" });
    this.element = html("section", { class: "live", "aria-label": "Try it" }, this.editor(), this.equation(), this.gradients());
  }

  /** Returns what was changed, as the state of a request. */
  get state() {
    return this.changed;
  }

  // Numbers

  editor() {
    const reset = html("button", { type: "button", class: "quiet", on: { click: () => this.reset() } }, "as it was");
    return html("div", { class: "panel" }, html("div", { class: "bar-above" }, html("h2", {}, "Change the numbers"), reset), this.values);
  }

  reset() {
    this.numbers = structuredClone(this.original ?? this.view.document.data);
    this.changed = {};
    this.fill();
    this.moved();
  }

  /** Begins anew with another document: what was changed in the one before is no part of it. */
  restart() {
    this.numbers = structuredClone(this.view.document.data);
    this.original = null;
    this.changed = {};
    this.forget();
    this.fill();
  }

  /** Asks for the page of other numbers. */
  moved() {
    this.forget();
    this.view.asking.refresh();
  }

  /** Takes back what was said about an equation and about gradients: it was about other numbers. */
  forget() {
    this.version += 1;
    for (const place of [this.verdict, this.diagnosis])
      if (place.hasChildNodes()) place.replaceChildren(html("p", { class: "faint" }, "Something has changed since. Ask again."));
    this.clear();
  }

  /** Takes missing paths and wrong gradients away from the picture. */
  clear() {
    if (!this.view.missing && !this.view.marks) return;
    this.view.missing = null;
    this.view.marks = null;
    this.view.paint();
  }

  fill() {
    this.inputs.clear();
    if (!this.numbers) {
      this.handle.replaceChildren();
      this.values.replaceChildren(html("p", { class: "faint" }, "This network has too many numbers to change them here."));
      return;
    }
    this.original ??= structuredClone(this.numbers);
    const { view, numbers } = this;
    const { formulas } = view;
    const row = view.state.example ?? 0;
    const field = (key, read, write, says = "") => {
      const input = html("input", { type: "number", step: "any", value: short(read()), "aria-label": says + formulas.plainName(key) });
      let before = read(); // what Escape goes back to
      input.addEventListener("focus", () => {
        before = read();
        if (Number(input.value) !== before) input.value = String(before);
      });
      input.addEventListener("keydown", (event) => {
        if (event.key !== "Escape" || read() === before) return;
        event.stopPropagation();
        input.value = String(before);
        input.dispatchEvent(new Event("input"));
      });
      input.addEventListener("blur", () => (input.value = short(read())));
      input.addEventListener("input", () => {
        const value = Number(input.value);
        if (input.value === "" || !Number.isFinite(value)) return;
        write(value);
        for (const other of this.inputs.get(key)) if (other !== input) other.value = short(value);
        this.moved();
      });
      const name = html("span", { class: "scrub", title: "drag to change" }, formulas.name(key, false));
      scrub(name, input);
      this.inputs.set(key, [...(this.inputs.get(key) ?? []), input]);
      return html("label", { class: "number", "data-q": key }, name, input);
    };
    const row0 = (title, fields) => html("div", { class: "fields", role: "group", "aria-label": title }, html("span", { class: "faint" }, title), html("div", {}, fields));
    const change = (name, value) => (this.changed[name] = value);
    const data = (kind, letter) => numbers[letter][row].map((_, n) => field(kind === "a" ? `a0.${n}` : `y${n}`, () => numbers[letter][row][n], (value) => {
      numbers[letter][row][n] = value;
      change(letter, numbers[letter]);
    }));
    const matrices = Object.entries(numbers.parameters).map(([name, array]) => {
      const layer = Number(name.slice(1));
      const set = () => change("parameters", { ...this.changed.parameters, [name]: array });
      const fields = name[0] === "W"
        ? html("div", { class: "rows" }, array.map((line, to) => html("div", { class: "row" }, line.map((_, from) => field(`w${layer}.${to}.${from}`, () => array[to][from], (value) => ((array[to][from] = value), set()))))))
        : array.map((_, to) => field(`b${layer}.${to}`, () => array[to], (value) => ((array[to] = value), set())));
      return row0(name, fields);
    });
    const many = Object.values(numbers.parameters).flat(2).length;
    const select = (label, named, value, options, taken) => {
      const made = html("select", { "aria-label": label, on: { change: (event) => {
        taken(event.target.value);
        this.moved();
      } } }, [...new Set([value, ...options])].map((each) => html("option", { value: each }, each)));
      made.value = value;
      return html("label", { class: "number" }, named ? html("span", {}, named) : "", made);
    };
    const activations = numbers.activation.map((name, n) => select(`activation of layer ${n + 1}`, `layer ${n + 1}`, name, numbers.activations, (value) => {
      numbers.activation[n] = value;
      change("activation", [...numbers.activation]);
    }));
    const cost = select("cost function", "", numbers.cost, numbers.costs, (value) => change("cost", (numbers.cost = value)));
    const ofExample = numbers.x.length > 1 ? ` of example ${row}` : "";
    this.handle.replaceChildren(...[this.one(field, ofExample)].flat());
    this.values.replaceChildren(
      row0(`inputs${ofExample}`, data("a", "x").slice(0, MOST_NUMBERS)),
      row0(`targets${ofExample}`, data("y", "y").slice(0, MOST_NUMBERS)),
      many <= MOST_NUMBERS ? html("details", { class: "fold", open: many <= 24 }, html("summary", {}, "weights"), matrices) : html("p", { class: "faint" }, "Weights: choose one in the picture; its field is below it."),
      row0("activation", activations),
      row0("cost", [cost]),
    );
  }

  /** Returns the field of the chosen weight, bias, input or target, to be changed where one looks. */
  one(field, ofExample) {
    const { numbers, view } = this;
    const { kind, layer, to, from } = parsed(view.state.chosen);
    const row = view.state.example ?? 0;
    const data = { y: ["y", to], a: layer === 0 ? ["x", to] : null }[kind];
    const letter = kind === "w" ? `W${layer}` : kind === "b" ? `b${layer}` : null;
    const array = letter ? numbers.parameters[letter] : data ? numbers[data[0]] : null;
    if (!array) return html("span", { class: "faint" }, "Choose a weight, an input or a target to change it here.");
    const [line, place] = kind === "w" ? [array[to], from] : data ? [array[row], data[1]] : [array, to];
    const write = (value) => {
      line[place] = value;
      if (data) this.changed[data[0]] = array;
      else this.changed.parameters = { ...this.changed.parameters, [letter]: array };
    };
    return [field(view.state.chosen, () => line[place], write, "the chosen "), html("span", { class: "faint" }, `${data && ofExample ? `(${ofExample.trim()}) ` : ""}type, or drag the name: everything follows`)];
  }

  say(text, kind = "") {
    this.status.textContent = text;
    this.status.className = `status ${kind}`;
  }

  // Equations

  equation() {
    const box = html("textarea", { rows: 3, spellcheck: "false", "aria-label": "An equation in LaTeX or as you would type it", placeholder: "\\frac{\\partial C^0}{\\partial a^0_1} = …" });
    const ask = html("button", { type: "button", class: "ask" }, "Check");
    const check = async () => {
      if (!box.value.trim()) return;
      this.verdict.replaceChildren(html("p", { class: "faint" }, "…"));
      const [equation, version] = [box.value, this.version];
      const reply = await this.view.asking.request({ do: "check", equation });
      if (reply === null || equation !== box.value || version !== this.version) return;
      this.verdict.replaceChildren(...(reply.ok ? this.judged(reply.result) : this.unread(reply.error)));
      this.view.missing = reply.ok ? reply.result.missing_paths.map((path) => path.keys) : null;
      this.view.paint();
    };
    ask.addEventListener("click", check);
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        check();
      }
    });
    box.addEventListener("input", () => {
      this.verdict.replaceChildren();
      if (this.view.missing) {
        this.view.missing = null;
        this.view.paint();
      }
    });
    return html("div", { class: "panel" }, html("h2", {}, "Is my equation right?"), html("div", { class: "asking" }, box, ask), this.verdict);
  }

  /** Returns why an equation can't be read: a sentence, and a caret under the place. */
  unread(error) {
    const [says, ...pointed] = error.message.split("\n");
    return [html("p", { class: "bad" }, says), pointed.length ? html("pre", { class: "caret", tabindex: "0" }, pointed.join("\n")) : ""];
  }

  judged(result) {
    const drawn = result.missing_paths?.length ? html("p", { class: "faint" }, "The missing paths are drawn in the picture, until Escape.") : "";
    const parts = result.tree[2].map((part) => built(part));
    for (const each of parts.flatMap((part) => [...(part.querySelectorAll?.("math") ?? [])])) each.replaceWith(html("div", { class: "formula" }, broken(each)));
    return [...parts, drawn];
  }

  // Gradients

  gradients() {
    const file = html("input", { type: "file", accept: ".npz,.safetensors", "aria-label": "A file with your gradients" });
    const zone = html("label", { class: "drop" }, html("span", {}, "Drop a file with your gradients (", html("code", {}, ".npz"), " or ", html("code", {}, ".safetensors"), " with W1, b1, …) or ", html("u", {}, "choose one")), file);
    file.addEventListener("change", () => file.files[0] && this.diagnose(file.files[0]));
    zone.addEventListener("dragover", (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
    zone.addEventListener("dragleave", () => zone.classList.remove("over"));
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      zone.classList.remove("over");
      const dropped = event.dataTransfer.files[0];
      if (dropped) this.diagnose(dropped);
    });
    return html("div", { class: "panel" }, html("h2", {}, "Are my gradients right?"), zone, this.diagnosis);
  }

  async diagnose(file) {
    if (file.size > LARGEST_FILE) {
      this.diagnosis.replaceChildren(html("p", { class: "bad" }, `${file.name}: expected at most 20 MB, found ${(file.size / 1e6).toFixed(0)} MB.`));
      return;
    }
    this.diagnosis.replaceChildren(html("p", { class: "faint" }, "…"));
    const version = this.version;
    const bytes = new Uint8Array(await file.arrayBuffer());
    let text = "";
    for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
    const reply = await this.view.asking.request({ do: "diagnose", name: file.name, data_base64: btoa(text) });
    if (reply === null || version !== this.version) return;
    if (!reply.ok) {
      this.diagnosis.replaceChildren(html("p", { class: "bad" }, reply.error.message));
      return;
    }
    const { findings, right } = reply.result;
    const head = html("p", { class: right ? "good" : "bad" }, html("strong", {}, right ? "All gradients are right." : `${findings.length === 1 ? "One mistake" : `${findings.length} mistakes`}, drawn in the picture.`));
    const list = findings.map((finding) => html("li", {}, html("strong", {}, finding.parameter ?? ""), " ", finding.says, finding.fix ? html("div", { class: "faint" }, finding.fix) : null));
    this.diagnosis.replaceChildren(head, html("ul", {}, list));
    this.view.marks = this.marked(reply.result.parameters);
    this.view.paint();
  }

  /** Returns which weights and biases are right and which are not, entry by entry. */
  marked(parameters) {
    const marks = new Map();
    for (const [key] of this.view.document.picture.items) {
      const { kind, layer, to, from } = parsed(key);
      const judged = kind === "w" || kind === "b" ? parameters[`${kind === "w" ? "W" : "b"}${layer}`] : null;
      if (!judged) continue;
      const { wrong } = judged; // null where the arrays can't be compared entry by entry
      marks.set(key, (wrong ? (kind === "w" ? wrong[to][from] : wrong[to]) : !judged.right) ? "wrong" : "right");
    }
    return marks;
  }
}

/** Returns a number as short as a field shows it. */
const short = (value) => String(Number(value.toPrecision(5)));

/** Lets a number be dragged: to the right it grows, to the left it falls. */
function scrub(handle, input) {
  handle.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    const [start, from] = [event.clientX, Number(input.value) || 0];
    handle.setPointerCapture(event.pointerId);
    const moved = (move) => {
      input.value = String(Number((from + (move.clientX - start) * 0.01).toFixed(4)));
      input.dispatchEvent(new Event("input"));
    };
    handle.addEventListener("pointermove", moved);
    const end = () => handle.removeEventListener("pointermove", moved);
    for (const event of ["pointerup", "pointercancel"]) handle.addEventListener(event, end, { once: true });
  });
}
