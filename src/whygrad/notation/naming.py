"""A notation: how somebody writes the quantities of a network."""

import re
from functools import cached_property
from typing import Literal, NamedTuple

from whygrad.errors import EquationError, QuantityError
from whygrad.notation import refusal
from whygrad.notation.canonical import canonical
from whygrad.notation.fraction import halves
from whygrad.notation.quantity import KINDS, Layout, Quantity, exists
from whygrad.notation.spellings import Spellings
from whygrad.notation.table import RECORDS, Record
from whygrad.notation.template import Template, identifier, plain, short, typeset


class Reading(NamedTuple):
    """One way to read a name: its kind and the texts of its indices: numbers, letters or sums (`l+1`)."""

    kind: str
    """As in `Quantity`; `dw`, `db`, `da` for a derivative of the total with a name of its own."""
    indices: dict[str, str]
    """From `layer` (or `module`), `to` and `from`; without neurons for a whole array."""


class Notation(Spellings):
    """How somebody writes the quantities of a network: prints and reads them by one record."""

    def __init__(self, record: Record) -> None:
        super().__init__(record)
        self.name = record.name
        self.source = record.source
        self.names: dict[str, Quantity] = {}
        """A person's own names: name as written -> quantity."""
        self.aliases: dict[str, str] = {}
        """Own names for what is no plain quantity (`0.5`, `\\sigma'`, `w^i_{j,1}`): name -> text."""

    def __repr__(self) -> str:
        own = f", {len(self.names) + len(self.aliases)} own names" if self.names or self.aliases else ""
        return f"<notation {self.name}{own}>"

    @property
    def weight_orientation(self) -> Literal["to-from", "from-to"]:
        """What the rows and the columns of the matrix W stand for."""
        return self.record.weight_orientation

    @property
    def delta_sign(self) -> Literal[1, -1]:
        """delta in this notation is this times the derivative of the total by z."""
        return self.record.delta_sign

    # Printing

    def latex(self, q: Quantity, layout: Layout) -> str:
        r"""Returns LaTeX that LaTeX, KaTeX and MathJax accept.

        Example:
            >>> NOTATIONS["cs231n"].latex(Quantity("w", 2, 0, 1), Layout((2, 3, 3, 2)))
            '\\texttt{W2[1, 0]}'
        """
        if q in self.own_names:
            return typeset(self.own_names[q])
        return self.template(q, layout).latex(self.slots(q, layout))

    def text(self, q: Quantity, layout: Layout) -> str:
        """Returns what a person types.

        Example:
            >>> NOTATIONS["neuron-over-layer"].text(Quantity("delta", 2, 0), Layout((2, 3, 3, 2)))
            'delta^0_2'
        """
        if q in self.own_names:
            return plain(self.own_names[q])
        if q.kind in self.record.words:
            return self.record.words[q.kind]
        return self.template(q, layout).text(self.slots(q, layout))

    def unicode(self, q: Quantity, layout: Layout) -> str:
        """Returns a short form for the terminal.

        Example:
            >>> NOTATIONS["neuron-over-layer"].unicode(Quantity("w", 3, 0, 0), Layout((2, 3, 3, 2)))
            'w⁰₀,₃'
        """
        if q in self.own_names:
            return short(self.own_names[q])
        return self.template(q, layout).unicode(self.slots(q, layout))

    def with_letter(self, q: Quantity, layout: Layout, letter: str, style: str) -> str:
        r"""Returns a name with a letter for the neuron (a weight's target), in latex, unicode or ascii.

        Example:
            >>> q, layout = Quantity("a", 2, 0), Layout((2, 3, 3, 2))
            >>> NOTATIONS["neuron-over-layer"].with_letter(q, layout, "j", "latex")
            'a^j_2'
        """
        template, slots = self.template(q, layout), self.slots(q, layout) | {"to": letter}
        if style == "latex":
            return template.latex(slots)
        return template.unicode(slots) if style == "unicode" else template.text(slots)

    def neuron(self, number: int) -> str:
        """Returns how a neuron's number is written: some count from 0, some from 1."""
        return str(number + self.record.neurons_from)

    def code(self, q: Quantity, layout: Layout) -> str:
        """Returns a Python identifier; different quantities of a network get different ones.

        Where the network has indices of two digits, all indices are kept apart by underscores.

        Example:
            >>> weight = Quantity("w", 3, 0, 0)
            >>> NOTATIONS["neuron-over-layer"].code(weight, Layout((2, 3, 3, 2)))
            'w0_03'
            >>> NOTATIONS["neuron-over-layer"].code(weight, Layout((2, 3, 12, 2)))
            'w0_0_3'
        """
        if q in self._own_codes:
            return self._own_codes[q]
        if q.kind in self.record.words:
            return self.record.words[q.kind]
        values = self.slots(q, layout)
        if self.record.from_end and q.layer is not None:
            values["layer"] = str(q.layer)
        wide = max(*layout.sizes, len(layout.sizes)) > 9
        return self.template(q, layout).identifier(values, wide)

    def derivative(self, of: Quantity, by: Quantity, layout: Layout) -> str:
        r"""Returns LaTeX for a derivative, by the name that the notation has for it, or else as a fraction.

        Example:
            >>> layout, weight = Layout((2, 3, 3, 2)), Quantity("w", 1, 1, 0)
            >>> NOTATIONS["neuron-over-layer"].derivative(Quantity("C", None, 0), weight, layout)
            '\\frac{\\partial C^0}{\\partial w^0_{1,1}}'
            >>> NOTATIONS["pytorch"].derivative(Quantity("total"), weight, layout)
            '\\texttt{net[0].weight.grad[1, 0]}'
        """
        own = self._derivative_template(of, by, layout)
        if own is not None:
            return own.latex(self.slots(by, layout))
        sign = r"\partial\," if self.record.code else r"\partial "
        return rf"\frac{{{sign}{self.latex(of, layout)}}}{{{sign}{self.latex(by, layout)}}}"

    def derivative_text(self, of: Quantity, by: Quantity, layout: Layout, unicode: bool = False) -> str:
        """Returns a derivative on one line: as one types it, or for the terminal.

        Example:
            >>> of, by, layout = Quantity("C", None, 0), Quantity("w", 1, 0, 0), Layout((2, 3, 3, 2))
            >>> NOTATIONS["neuron-over-layer"].derivative_text(of, by, layout)
            'dC^0/dw^0_{0,1}'
            >>> NOTATIONS["neuron-over-layer"].derivative_text(of, by, layout, unicode=True)
            '∂C⁰/∂w⁰₀,₁'
            >>> NOTATIONS["cs231n"].derivative_text(Quantity("total"), by, layout)
            'dW1[0, 0]'
        """
        own = self._derivative_template(of, by, layout)
        if own is not None:
            values = self.slots(by, layout)
            return own.unicode(values) if unicode else own.text(values)
        if unicode:
            return f"∂{self.unicode(of, layout)}/∂{self.unicode(by, layout)}"
        return "/".join(_with_d(self.text(q, layout)) for q in (of, by))

    def matrix(self, kind: str, layer: int | None, layout: Layout) -> str:
        r"""Returns LaTeX for the whole array of a layer: kind w, b, z, a, delta or y (which has no layer).

        Example:
            >>> layout = Layout((2, 3, 3, 2))
            >>> [NOTATIONS[name].matrix("w", 2, layout) for name in ("neuron-over-layer", "ng", "cs231n")]
            ['W_2', 'W^{[2]}', '\\texttt{W2}']
        """
        if kind not in ("w", "b", "z", "a", "delta", "y"):
            raise QuantityError(f"there is no array of kind {kind!r}; there are w, b, z, a, delta and y")
        q = Quantity(kind, layer, 0, 0 if kind == "w" else None)
        return self.arrays[self.key(q, layout)][0].latex(self.slots(q, layout))

    def describe(self) -> str:
        """Returns what this notation's signs mean, on the example of one weight of a network 2-3-3-2.

        Example:
            >>> print(NOTATIONS["classic"].describe())  # doctest: +NORMALIZE_WHITESPACE
            w^{(2)}_{21} is the weight from neuron 1 of layer 1 to neuron 2 of layer 2. Layers count from 0
            (the input), neurons from 1. The matrix w^{(l)} has a row for each neuron that a weight goes to.
            delta is minus the derivative of the total by the pre-activation. So delta = (t - o) f'(net),
            and a step adds it. The paper has no numbers for layers.
        """
        layout, record = Layout((2, 3, 3, 2)), self.record
        first, start = record.neurons_from, record.layers_from
        before, after = (self.slots(Quantity("a", layer), layout)["layer"] for layer in (1, 2))
        count = f"from {start} (the input)" if start >= 0 else f"from {start + 1} (the first after the input)"
        if record.from_end:
            count = "from the end (L is the output)"
        row = "goes to" if record.weight_orientation == "to-from" else "comes from"
        array = self.arrays["w"][0].text({"layer": "l", "module": "m"})
        weight = self.text(Quantity("w", 2, 1, 0), layout)
        sentences = [
            f"{weight} is the weight from neuron {first} of layer {before}",
            f"to neuron {first + 1} of layer {after}. Layers count {count}, neurons from {first}.",
            f"The matrix {array} has a row for each neuron that a weight {row}.",
            record.remark,
        ]
        if record.delta_sign == -1:
            sentences.insert(3, "delta is minus the derivative of the total by the pre-activation.")
        return " ".join(sentences)

    # Reading

    def parse(self, text: str, layout: Layout) -> Quantity:
        r"""Returns the quantity that a text names.

        Reads LaTeX, plain text and Unicode, with or without braces, spaces and backslashes, scripts in any
        order. `L`, `L-1`, … are layers counted from the output. A person's own names go first.

        Raises:
            EquationError: the text is no name here, has letters for indices, or can be read in two ways.
            QuantityError: it names something that this network doesn't have.

        Example:
            >>> layout = Layout((2, 3, 3, 2))
            >>> for name in r"\delta^{1}_{2}", "delta_2^1", "δ¹₂", "delta^1_{L-1}":
            ...     print(NOTATIONS["neuron-over-layer"].parse(name, layout))
            Quantity(kind='delta', layer=2, to=1, source=None)
            Quantity(kind='delta', layer=2, to=1, source=None)
            Quantity(kind='delta', layer=2, to=1, source=None)
            Quantity(kind='delta', layer=2, to=1, source=None)
        """
        return self._parse(text, layout, text, 0)

    def parse_derivative(self, text: str, layout: Layout) -> tuple[Quantity, Quantity] | None:
        r"""Returns what is derived and by what, or None where the text is not one derivative.

        Reads `\frac{\partial C}{\partial w}`, `dC/dw`, `∂C/∂w`, and the notation's own names (`dW2[0, 0]`).

        Example:
            >>> of, by = NOTATIONS["cs231n"].parse_derivative("dW2[2, 0]", Layout((2, 3, 2)))
            >>> of.kind, by
            ('total', Quantity(kind='w', layer=2, to=0, source=2))
        """
        places = halves(text)
        if places is not None:
            of, by = (self._parse(text[start:end], layout, text, start) for start, end in places)
            return of, by
        own = [
            Reading(kind[1:], indices) for kind, indices in self.readings(text) if kind in ("dw", "db", "da")
        ]
        return (Quantity("total"), self._chosen(own, layout, text, text, 0)) if own else None

    def readings(self, text: str, arrays: bool = False) -> list[Reading]:
        """Returns the ways to read a name whose indices may be letters or sums; empty where there is none.

        For equations: nothing is checked against a network, and a person's own names are not looked at.

        Args:
            text: the name.
            arrays: read names of whole arrays (`W^{[2]}`) and not of single quantities.

        Example:
            >>> NOTATIONS["nielsen"].readings("w^{l+1}_{kj}")
            [Reading(kind='w', indices={'layer': 'l+1', 'to': 'k', 'from': 'j'})]
            >>> NOTATIONS["ng"].readings("dW^{[1]}", arrays=True)
            [Reading(kind='dw', indices={'layer': '1'})]
        """
        name = canonical(text)
        found: list[Reading] = []
        for key, templates in (self.arrays if arrays else self.templates).items():
            kind = key.rstrip("0L")
            for template in templates:
                for indices in template.readings(name):
                    if indices.pop("zero", "0") != "0":
                        continue
                    if key != kind and "layer" not in indices:
                        indices["layer"] = "L" if key.endswith("L") else str(self.record.layers_from)
                    reading = Reading(kind, indices)
                    if reading not in found:
                        found.append(reading)
        return found

    # How it is done

    @cached_property
    def own_names(self) -> dict[Quantity, str]:
        """A person's own names, by the quantity: the first of several."""
        return {q: name for name, q in reversed(self.names.items())}

    @cached_property
    def _own_spellings(self) -> dict[str, Quantity]:
        return {canonical(name): q for name, q in self.names.items()}

    @cached_property
    def _own_codes(self) -> dict[Quantity, str]:
        from keyword import iskeyword

        zeros = dict.fromkeys(("layer", "to", "from", "module", "zero"), "0")
        shapes = {
            re.sub(r"\d+", "0", templates[0].identifier(zeros, wide))
            for templates in self.templates.values()
            for wide in (False, True)
        } | set(self.record.words.values())
        codes: dict[Quantity, str] = {}
        for q, name in self.own_names.items():
            code = identifier(name)
            # The notation's own identifiers never end in an underscore, so one keeps the two apart.
            if re.sub(r"\d+", "0", code) in shapes or iskeyword(code):
                code += "_"
            while code in codes.values():
                code += "_"
            codes[q] = code
        return codes

    @cached_property
    def _own_texts(self) -> dict[str, str]:
        return {canonical(name): text for name, text in self.aliases.items()}

    def template(self, q: Quantity, layout: Layout) -> Template:
        """Returns how a quantity's name is made of its indices."""
        if q.kind not in KINDS:
            raise QuantityError(f"there is no kind {q.kind!r} of quantity; there are {', '.join(KINDS)}")
        return self.templates[self.key(q, layout)][0]

    def _derivative_template(self, of: Quantity, by: Quantity, layout: Layout) -> Template | None:
        alone = layout.sizes[-1:] == (1,) and not layout.l2  # the one cost is the total
        has_own = "dw" in self.record.names and (of.kind == "total" or (alone and of.kind == "C"))
        if not has_own or of in self.own_names or by in self.own_names:
            return None
        templates = self.templates.get(self.key(by, layout, derivative=True))
        return templates[0] if templates else None

    def _parse(self, text: str, layout: Layout, whole: str, shift: int) -> Quantity:
        """Returns the quantity that a part of a whole text names; errors point into the whole."""
        try:
            name = canonical(text)
            if name in self._own_spellings:
                q = self._own_spellings[name]
                if not exists(q, layout):
                    raise refusal.missing(NEURON_OVER_LAYER, q, layout, text)
                return q
            if name in self._own_texts:
                says = f"{text.strip()} stands for {self._own_texts[name]}, which is not one quantity"
                raise EquationError(says, text, 0)
            found = self.readings(text)
        except EquationError as error:
            raise EquationError(str(error).split("\n")[0], whole, (error.position or 0) + shift) from None
        plain_kinds = [reading for reading in found if reading.kind in KINDS]
        if found and not plain_kinds:
            raise refusal.derivative(text, whole, shift)
        return self._chosen(plain_kinds, layout, text, whole, shift)

    def _chosen(self, found: list[Reading], layout: Layout, text: str, whole: str, shift: int) -> Quantity:
        """Returns the one quantity of this network among the readings of a text."""
        if not found:
            raise refusal.unreadable(self, text, whole, shift)
        meant = [q for q in dict.fromkeys(self.quantity(reading, layout) for reading in found) if q]
        if not meant:
            raise refusal.letters(self, found[0].kind, layout, text, whole, shift)
        valid = [q for q in meant if exists(q, layout)]
        if not valid:
            raise refusal.missing(self, meant[0], layout, text)
        if len(valid) > 1:
            raise refusal.ambiguous(self, valid, layout, text, whole, shift)
        return valid[0]

    def quantity(self, reading: Reading, layout: Layout) -> Quantity | None:
        """Returns the quantity of a reading, which need not exist; None where an index is no number."""
        kind, indices = reading
        layer: int | None = None
        if "module" in indices:
            if not indices["module"].isdigit():
                return None
            modules = {layout.module(number): number for number in range(1, layout.depth + 1)}
            layer = modules.get(int(indices["module"]), -1)
        elif "layer" in indices:
            layer = self.layer(kind, indices["layer"], layout)
            if layer is None:
                return None
        neurons = [indices[slot] for slot in ("to", "from") if slot in indices]
        if not all(neuron.isdigit() for neuron in neurons):
            return None
        return Quantity(kind, layer, *(int(neuron) - self.record.neurons_from for neuron in neurons))


def _with_d(name: str) -> str:
    word = re.match(r"[A-Za-z]*", name)
    return f"d {name}" if word and len(word.group()) > 1 else f"d{name}"


NOTATIONS: dict[str, Notation] = {name: Notation(record) for name, record in RECORDS.items()}
NEURON_OVER_LAYER = NOTATIONS["neuron-over-layer"]
