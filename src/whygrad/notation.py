r"""Names of quantities in each notation: prints them, reads them, translates between them.

A quantity has one canonical form, `Quantity`, with layers and neurons counted from 0. What it is called is the business of
a `Notation`, which is made from one record of `notations.py`.

Example:
    >>> layout = Layout((2, 3, 3, 2))
    >>> weight = notation("neuron-over-layer").parse("w^0_{0,2}", layout)
    >>> weight
    Quantity(kind='w', layer=2, to=0, source=0)
    >>> for name in "nielsen", "3blue1brown", "ng", "ufldl", "cs231n", "pytorch":
    ...     print(notation(name).text(weight, layout))
    w^3_{11}
    w^{(L-1)}_{00}
    W^{[2]}_{11}
    W^{(2)}_{11}
    W2[0, 0]
    net[2].weight[0, 0]
"""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Literal, NamedTuple

from whygrad.errors import EquationError, NotSupportedError, QuantityError
from whygrad.notations import RECORDS, Record
from whygrad.spelling import Template, canonical, identifier, pieces, plain, short, typeset

KINDS = ("w", "b", "z", "a", "delta", "y", "C", "total", "R")
_SAYS = {
    "w": "weight",
    "b": "bias",
    "z": "pre-activation",
    "a": "activation",
    "delta": "delta",
    "y": "target",
    "C": "cost",
    "total": "total",
    "R": "l2 cost",
}


class Quantity(NamedTuple):
    """One scalar of a layered network, in canonical form: layers from 0 (the input) to L, neurons from 0."""

    kind: str
    """w, b, z, a, y, C, delta (the derivative of the total by z), total, or R (the l2 cost)."""
    layer: int | None = None
    """The layer of b, z, a, delta; for w the layer that it enters, 1 to L; the input is a in layer 0. None for the rest."""
    to: int | None = None
    """The neuron; for w the one that it goes to; for y and C the number of the output; None for total and R."""
    source: int | None = None
    """For w the neuron that it comes from."""


class Layout(NamedTuple):
    """What a notation must know of a network to name its quantities."""

    sizes: tuple[int, ...]
    activations: tuple[str, ...] = ()
    """One for each layer 1 to L; PyTorch's `Sequential` counts those that are not the identity. Unknown: all but the last."""
    bias: bool = True
    l2: bool = False

    @property
    def depth(self) -> int:
        """The number L of the output layer."""
        return len(self.sizes) - 1

    def module(self, layer: int) -> int:
        """Returns the place of a layer's `Linear` in a `Sequential` that holds the activation functions too."""
        if not self.activations:
            return 2 * (layer - 1)
        return layer - 1 + sum(name != "identity" for name in self.activations[: layer - 1])


class Reading(NamedTuple):
    """One way to read a name: its kind and the texts of its indices, which may be numbers, letters or sums (`l+1`)."""

    kind: str
    """As in `Quantity`; `dw`, `db`, `da` for a derivative of the total with a name of its own."""
    indices: dict[str, str]
    """From `layer` (or `module`), `to` and `from`; without neurons for a whole array."""


def quantities(layout: Layout) -> Iterator[Quantity]:
    """Yields every quantity that a network has, from the input to the total.

    Example:
        >>> [q.kind for q in quantities(Layout((1, 1)))]
        ['a', 'w', 'b', 'z', 'a', 'delta', 'y', 'C', 'total']
    """
    for neuron in range(layout.sizes[0]):
        yield Quantity("a", 0, neuron)
    for layer in range(1, layout.depth + 1):
        for to in range(layout.sizes[layer]):
            for source in range(layout.sizes[layer - 1]):
                yield Quantity("w", layer, to, source)
            for kind in ("b", "z", "a", "delta") if layout.bias else ("z", "a", "delta"):
                yield Quantity(kind, layer, to)
    for kind in "yC":
        for output in range(layout.sizes[-1]):
            yield Quantity(kind, None, output)
    yield Quantity("total")
    if layout.l2:
        yield Quantity("R")


class Notation:
    """How somebody writes the quantities of a network: prints and reads them by one record."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.name = record.name
        self.source = record.source
        self.names: dict[str, Quantity] = {}
        """A person's own names: name as written -> quantity."""
        self.aliases: dict[str, str] = {}
        """Own names for what is no plain quantity (`-\\delta^0_2`, `0.5`, `\\sigma'`, `w^i_{j,1}`): name -> text."""

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
            >>> notation("cs231n").latex(Quantity("w", 2, 0, 1), Layout((2, 3, 3, 2)))
            '\\mathtt{W2[1,0]}'
        """
        if q in self._own_names:
            return typeset(self._own_names[q])
        return self._template(q, layout).latex(self._values(q, layout))

    def text(self, q: Quantity, layout: Layout) -> str:
        """Returns what a person types.

        Example:
            >>> notation("neuron-over-layer").text(Quantity("delta", 2, 0), Layout((2, 3, 3, 2)))
            'delta^0_2'
        """
        if q in self._own_names:
            return plain(self._own_names[q])
        if q.kind in self.record.words:
            return self.record.words[q.kind]
        return self._template(q, layout).text(self._values(q, layout))

    def unicode(self, q: Quantity, layout: Layout) -> str:
        """Returns a short form for the terminal.

        Example:
            >>> notation("neuron-over-layer").unicode(Quantity("w", 3, 0, 0), Layout((2, 3, 3, 2)))
            'w⁰₀,₃'
        """
        if q in self._own_names:
            return short(self._own_names[q])
        return self._template(q, layout).unicode(self._values(q, layout))

    def code(self, q: Quantity, layout: Layout) -> str:
        """Returns a Python identifier; different quantities of a network get different ones.

        Where the network has indices of two digits, all indices are kept apart by underscores.

        Example:
            >>> weight = Quantity("w", 3, 0, 0)
            >>> notation("neuron-over-layer").code(weight, Layout((2, 3, 3, 2)))
            'w0_03'
            >>> notation("neuron-over-layer").code(weight, Layout((2, 3, 12, 2)))
            'w0_0_3'
        """
        if q in self._own_codes:
            return self._own_codes[q]
        if q.kind in self.record.words:
            return self.record.words[q.kind]
        values = self._values(q, layout)
        if self.record.from_end and q.layer is not None:
            values["layer"] = str(q.layer)
        wide = max(*layout.sizes, len(layout.sizes)) > 9
        return self._template(q, layout).identifier(values, wide)

    def derivative(self, of: Quantity, by: Quantity, layout: Layout) -> str:
        r"""Returns LaTeX for a derivative, by the name that the notation has for it, or else as a fraction.

        Example:
            >>> layout = Layout((2, 3, 3, 2))
            >>> notation("neuron-over-layer").derivative(Quantity("C", None, 0), Quantity("w", 1, 1, 0), layout)
            '\\frac{\\partial C^0}{\\partial w^0_{1,1}}'
            >>> notation("pytorch").derivative(Quantity("total"), Quantity("w", 1, 1, 0), layout)
            '\\mathtt{net[0].weight.grad[1,0]}'
        """
        own = self._derivative_template(of, by, layout)
        if own is not None:
            return own.latex(self._values(by, layout))
        return rf"\frac{{\partial {self.latex(of, layout)}}}{{\partial {self.latex(by, layout)}}}"

    def derivative_text(self, of: Quantity, by: Quantity, layout: Layout, unicode: bool = False) -> str:
        """Returns a derivative on one line: as one types it, or for the terminal.

        Example:
            >>> of, by, layout = Quantity("C", None, 0), Quantity("w", 1, 0, 0), Layout((2, 3, 3, 2))
            >>> notation("neuron-over-layer").derivative_text(of, by, layout)
            'dC^0/dw^0_{0,1}'
            >>> notation("neuron-over-layer").derivative_text(of, by, layout, unicode=True)
            '∂C⁰/∂w⁰₀,₁'
            >>> notation("cs231n").derivative_text(Quantity("total"), by, layout)
            'dW1[0, 0]'
        """
        own = self._derivative_template(of, by, layout)
        if own is not None:
            values = self._values(by, layout)
            return own.unicode(values) if unicode else own.text(values)
        if unicode:
            return f"∂{self.unicode(of, layout)}/∂{self.unicode(by, layout)}"
        return "/".join(_with_d(self.text(q, layout)) for q in (of, by))

    def matrix(self, kind: str, layer: int | None, layout: Layout) -> str:
        r"""Returns LaTeX for the whole array of a layer: kind w, b, z, a, delta or y (which has no layer).

        Example:
            >>> layout = Layout((2, 3, 3, 2))
            >>> [notation(n).matrix("w", 2, layout) for n in ("neuron-over-layer", "nielsen", "ng", "cs231n")]
            ['W_2', 'w^3', 'W^{[2]}', '\\mathtt{W2}']
        """
        if kind not in ("w", "b", "z", "a", "delta", "y"):
            raise QuantityError(f"there is no array of kind {kind!r}; there are w, b, z, a, delta and y")
        q = Quantity(kind, layer, 0, 0 if kind == "w" else None)
        return self._arrays[self._key(q, layout)][0].latex(self._values(q, layout))

    def describe(self) -> str:
        """Returns what this notation's signs mean, on the example of one weight of a network 2-3-3-2.

        Example:
            >>> print(notation("nielsen").describe())
            w^3_{21} is the weight from neuron 1 of layer 2 to neuron 2 of layer 3. Layers count from 1 (the input), neurons from 1. \
The matrix w^l has a row for each neuron that a weight goes to. The superscript is the layer. The book has no sign for the cost of \
one output; it is written C^k here.
        """
        layout, record = Layout((2, 3, 3, 2)), self.record
        weight = Quantity("w", 2, 1, 0)
        first, input_ = record.neurons_from, record.layers_from
        if record.from_end:
            layers, count = ("L-2", "L-1"), "Layers count from the end: L is the output"
        else:
            layers = (str(1 + input_), str(2 + input_))
            count = (
                f"Layers count from {input_} (the input)"
                if input_ >= 0
                else "Layers count from 0 (the first after the input)"
            )
        row = "goes to" if record.weight_orientation == "to-from" else "comes from"
        array = self._arrays["w"][0].text({"layer": "l", "module": "l"})
        sign = (
            ""
            if record.delta_sign == 1
            else " delta is minus the derivative of the total by the pre-activation."
        )
        return (
            f"{self.text(weight, layout)} is the weight from neuron {first} of layer {layers[0]} to neuron {first + 1} of layer "
            f"{layers[1]}. {count}, neurons from {first}. The matrix {array} has a row for each neuron that a weight {row}.{sign} "
            f"{record.remark}"
        )

    # Reading

    def parse(self, text: str, layout: Layout) -> Quantity:
        r"""Returns the quantity that a text names.

        Reads LaTeX, plain text and Unicode, with or without braces, spaces and backslashes, scripts in any order. `L`, `L-1`, …
        are layers counted from the output. A person's own names go first.

        Raises:
            EquationError: the text is no name in this notation, has letters for indices, or can be read in two ways.
            QuantityError: it names something that this network doesn't have.

        Example:
            >>> layout = Layout((2, 3, 3, 2))
            >>> for name in r"\delta^{1}_{2}", "delta_2^1", "δ¹₂", "delta^1_{L-1}":
            ...     print(notation("neuron-over-layer").parse(name, layout))
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
            >>> notation("cs231n").parse_derivative("dW2[2, 0]", Layout((2, 3, 2)))
            (Quantity(kind='total', layer=None, to=None, source=None), Quantity(kind='w', layer=2, to=0, source=2))
        """
        halves = _halves(text)
        if halves is not None:
            of, by = (self._parse(text[start:end], layout, text, start) for start, end in halves)
            return of, by
        found = [
            Reading(reading.kind[1:], reading.indices)
            for reading in self.readings(text)
            if reading.kind in ("dw", "db", "da")
        ]
        return (Quantity("total"), self._chosen(found, layout, text, text, 0)) if found else None

    def readings(self, text: str, arrays: bool = False) -> list[Reading]:
        """Returns the ways to read a name whose indices may be letters or sums; empty where there is none.

        For equations: nothing is checked against a network, and a person's own names are not looked at.

        Args:
            text: the name.
            arrays: read names of whole arrays (`W^{[2]}`) and not of single quantities.

        Example:
            >>> notation("nielsen").readings("w^{l+1}_{kj}")
            [Reading(kind='w', indices={'layer': 'l+1', 'to': 'k', 'from': 'j'})]
            >>> notation("ng").readings("dW^{[1]}", arrays=True)
            [Reading(kind='dw', indices={'layer': '1'})]
        """
        name = canonical(text)
        found: list[Reading] = []
        for key, templates in (self._arrays if arrays else self._spellings).items():
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

    def layer(self, kind: str, label: str, layout: Layout) -> int | None:
        """Returns the canonical layer that a label such as `2`, `L` or `L-1` means for a kind; None for another text.

        Example:
            >>> notation("ufldl").layer("w", "1", Layout((2, 3, 2))), notation("ufldl").layer("a", "1", Layout((2, 3, 2)))
            (1, 0)
        """
        match = re.fullmatch(r"(-?[0-9]+|L|n_\{l\}|n_\{L\})(?:([+-])([0-9]+))?", label)
        if match is None:
            return None
        start, sign, step = match.groups()
        found = int(start) - self.record.layers_from if start.lstrip("-").isdigit() else layout.depth
        found += int(f"{sign}{step}") if step else 0
        return found + self._leaves(kind)

    # How it is done

    @cached_property
    def _spellings(self) -> dict[str, tuple[Template, ...]]:
        code = self.record.code
        return {
            key: tuple(Template(source, code) for source in sources)
            for key, sources in self.record.names.items()
        }

    @cached_property
    def _arrays(self) -> dict[str, tuple[Template, ...]]:
        found = {}
        for key, sources in self.record.names.items():
            if "<to>" in sources[0]:
                own = (self.record.arrays[key],) if key in self.record.arrays else ()
                bare = [_without_neurons(source) for source in sources]
                found[key] = tuple(
                    Template(source, self.record.code) for source in dict.fromkeys((*own, *bare))
                )
        return found

    @cached_property
    def _own_names(self) -> dict[Quantity, str]:
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
            for templates in self._spellings.values()
            for wide in (False, True)
        } | set(self.record.words.values())
        codes: dict[Quantity, str] = {}
        taken: set[str] = set()
        for q, name in self._own_names.items():
            code = identifier(name)
            # The notation's own identifiers never end in an underscore, so one keeps the two apart.
            if re.sub(r"\d+", "0", code) in shapes or iskeyword(code):
                code += "_"
            while code in taken:
                code += "_"
            taken.add(code)
            codes[q] = code
        return codes

    def _leaves(self, kind: str) -> int:
        return int(self.record.weight_label == "leaves" and kind in ("w", "b", "dw", "db"))

    def _key(self, q: Quantity, layout: Layout, derivative: bool = False) -> str:
        """Returns the key of the record for a quantity: its kind, with the input and the output layer apart if they are."""
        kind = q.kind
        if derivative:
            kind = "delta" if kind == "z" else f"d{kind}"
        for place, key in ((0, kind + "0"), (layout.depth, kind + "L")):
            if q.layer == place and key in self.record.names:
                return key
        return kind

    def _template(self, q: Quantity, layout: Layout) -> Template:
        if q.kind not in KINDS:
            raise QuantityError(f"there is no kind {q.kind!r} of quantity; there are {', '.join(KINDS)}")
        return self._spellings[self._key(q, layout)][0]

    def _derivative_template(self, of: Quantity, by: Quantity, layout: Layout) -> Template | None:
        has_own = "dw" in self.record.names and of.kind == "total"
        if not has_own or of in self._own_names or by in self._own_names:
            return None
        templates = self._spellings.get(self._key(by, layout, derivative=True))
        return templates[0] if templates else None

    def _values(self, q: Quantity, layout: Layout) -> dict[str, str]:
        """Returns what stands in the slots for a quantity."""
        record = self.record
        values = {"zero": "0"}
        if q.layer is not None:
            if record.from_end:
                back = layout.depth - q.layer
                values["layer"] = f"L-{back}" if back else "L"
            else:
                values["layer"] = str(q.layer + record.layers_from - self._leaves(q.kind))
            if q.layer:
                values["module"] = str(layout.module(q.layer))
        if q.to is not None:
            values["to"] = str(q.to + record.neurons_from)
        if q.source is not None:
            values["from"] = str(q.source + record.neurons_from)
        return values

    def _parse(self, text: str, layout: Layout, whole: str, shift: int) -> Quantity:
        try:
            own = self._own_spellings.get(canonical(text))
            found = [] if own else self.readings(text)
        except EquationError as error:
            raise EquationError(str(error).split("\n")[0], whole, (error.position or 0) + shift) from None
        if own is not None:
            return own
        return self._chosen([r for r in found if r.kind in KINDS], layout, text, whole, shift)

    def _chosen(self, found: list[Reading], layout: Layout, text: str, whole: str, shift: int) -> Quantity:
        """Returns the one quantity of this network among the readings of a text."""
        if not found:
            raise self._unreadable(text, whole, shift)
        meant = list(dict.fromkeys(self._quantity(reading, layout) for reading in found))
        numbers = [q for q in meant if q is not None]
        if not numbers:
            raise EquationError(
                f"{text.strip()} has a letter where one quantity has a number; "
                f"write for example {self.text(self._example(found[0].kind, layout), layout)}",
                whole,
                shift,
            )
        valid = [q for q in numbers if _exists(q, layout)]
        if not valid:
            raise QuantityError(self._missing(numbers[0], layout, text.strip()))
        if len(valid) > 1:
            names = " or ".join(self.text(q, layout) for q in valid)
            raise EquationError(
                f"{text.strip()} can be read in {len(valid)} ways; write {names}", whole, shift
            )
        return valid[0]

    def _quantity(self, reading: Reading, layout: Layout) -> Quantity | None:
        """Returns the quantity of a reading, or None where an index is no number; it need not exist."""
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

    def _example(self, kind: str, layout: Layout) -> Quantity:
        layer = layout.depth if kind in ("w", "b", "z", "a", "delta") else None
        neuron = None if kind in ("total", "R") else 0
        return Quantity(kind, layer, neuron, 0 if kind == "w" else None)

    def _unreadable(self, text: str, whole: str, shift: int) -> EquationError:
        read = pieces(text)
        if not read:
            return EquationError("a name of a quantity was expected; there is nothing", whole, shift)
        head = read[0].text
        alike = [
            templates[0]
            for key, templates in self._spellings.items()
            if key in KINDS and any(template.head in (head, head[:1]) for template in templates)
        ]
        if alike:
            position = read[1].position if len(read) > 1 else len(text)
            forms = " or ".join(_pattern(template) for template in alike)
            return EquationError(
                f"the indices can't be read; {self.name} writes {forms}", whole, position + shift
            )
        forms = ", ".join(_pattern(self._spellings[kind][0]) for kind in KINDS)
        own = f", and {', '.join(self.names)}" if self.names else ""
        return EquationError(
            f"{self.name} has no quantity with this name; it has {forms}{own}",
            whole,
            read[0].position + shift,
        )

    def _missing(self, q: Quantity, layout: Layout, text: str) -> str:
        """Returns what to say about a quantity that this network doesn't have."""
        network = f"the network {'-'.join(map(str, layout.sizes))}"
        if q.kind == "b" and not layout.bias:
            return f"{text}: {network} has no biases"
        if q.kind == "R":
            return f"{text}: {network} has no l2 cost; set l2"
        first, last = self.record.neurons_from, self.record.neurons_from - 1
        pattern = _pattern(self._spellings[q.kind][0])
        if q.layer is None:
            says = (
                f"to from {first} to {layout.sizes[-1] + last}" if layout.sizes[-1] > 1 else f"only {first}"
            )
            return f"{text}: {network} has {pattern} with {says.replace('to from', 'a number from')}"
        lowest = 0 if q.kind == "a" else 1
        if not lowest <= q.layer <= layout.depth:
            slot = "module" if "<module>" in self._spellings[q.kind][0].source else "layer"
            labels = [
                self._values(Quantity(q.kind, layer), layout)[slot]
                for layer in range(lowest, layout.depth + 1)
            ]
            return f"{text}: {network} has {pattern} with {slot} {_listed(labels)}"
        ranges = f"to from {first} to {layout.sizes[q.layer] + last}"
        if q.kind == "w":
            ranges += f" and from from {first} to {layout.sizes[q.layer - 1] + last}"
        values = self._values(q, layout)
        slot = "module" if "<module>" in self._spellings[q.kind][0].source else "layer"
        return f"{text}: in {slot} {values[slot]}, {network} has {pattern} with {ranges}"


def _exists(q: Quantity, layout: Layout) -> bool:
    if q.kind == "total":
        return True
    if q.kind == "R":
        return layout.l2
    if q.kind in ("y", "C"):
        return q.to is not None and 0 <= q.to < layout.sizes[-1]
    if q.layer is None or q.to is None or not (q.kind != "a") <= q.layer <= layout.depth:
        return False
    if q.kind == "b" and not layout.bias:
        return False
    if q.kind == "w" and not (q.source is not None and 0 <= q.source < layout.sizes[q.layer - 1]):
        return False
    return 0 <= q.to < layout.sizes[q.layer]


def _listed(labels: list[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} or {labels[-1]}"


def _pattern(template: Template) -> str:
    """Returns a template as a person reads it: w^{from}_{to,layer}."""
    if template.code:
        return template.source
    source = template.source.replace("><", ">,<").replace("<zero>", "0")
    return plain(re.sub(r"<(\w+)>", r"\1", source))


def _without_neurons(source: str) -> str:
    """Returns the template of a whole array, from that of one of its entries."""
    bare = re.sub(r"<(to|from|zero)>", "", source)
    return re.sub(r"[\^_]\{\}|\[(0?, )?\]", "", bare.replace("_{,", "_{"))


def _with_d(name: str) -> str:
    word = re.match(r"[A-Za-z]*", name)
    return f"d {name}" if word and len(word.group()) > 1 else f"d{name}"


_D = r"(?:\\partial(?![A-Za-z])|partial|∂|𝜕|\\(?:mathrm|text)\{d\}|d)\s*"


def _halves(text: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Returns where the two quantities of one derivative stand in a text, or None."""
    body = re.fullmatch(r"(?:[\s$]|\\[(\[])*(.*?)(?:[\s$.]|\\[)\]])*", text, re.DOTALL)
    if body is None:
        return None
    start, end = body.span(1)
    fraction = re.compile(r"\\?[dt]?frac\s*").match(text, start, end)
    parts: list[tuple[int, int]] = []
    if fraction is not None:
        at = fraction.end()
        for _ in range(2):
            close = _closing(text, at, end)
            if close is None:
                return None
            parts.append((at + 1, close))
            at = close + 1
            while at < end and text[at].isspace():
                at += 1
        if at < end:
            return None
    elif text.count("/", start, end) == 1:
        slash = text.index("/", start, end)
        parts = [(start, slash), (slash + 1, end)]
    else:
        return None
    halves = []
    for left, right in parts:
        sign = re.compile(r"\s*" + _D).match(text, left, right)
        if sign is None:
            return None
        halves.append((sign.end(), right))
    return halves[0], halves[1]


def _closing(text: str, at: int, end: int) -> int | None:
    """Returns where the brace that opens at a place is closed."""
    depth = 0
    for place in range(at, end):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return place if place > at else None
    return None


NOTATIONS: dict[str, Notation] = {name: Notation(record) for name, record in RECORDS.items()}


def notation(name: str) -> Notation:
    """Returns the notation of a name.

    Raises:
        NotSupportedError: there is none; the message lists them all and names the nearest.

    Example:
        >>> notation("nielsen").text(Quantity("w", 2, 0, 1), Layout((2, 3, 3, 2)))
        'w^3_{12}'
    """
    found = NOTATIONS.get(name)
    if found is None:
        from difflib import get_close_matches

        near = get_close_matches(name.lower(), NOTATIONS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise NotSupportedError(
            f"there is no notation {name!r}{hint} There are {', '.join(NOTATIONS)}.".replace("?;", "?")
        )
    return found


def with_names(base: Notation, names: Mapping[str, str]) -> Notation:
    r"""Returns a notation with a person's own names on top of another; they print and are read first.

    Args:
        base: what names the rest.
        names: the name as written -> the quantity in `neuron-over-layer`. Right sides that are no plain quantity are
            kept in `.aliases`.

    Example:
        >>> own = with_names(notation("nielsen"), {"w_5": "w^0_{0,2}", "E_{total}": "total", r"\eta": "0.5"})
        >>> layout = Layout((2, 2, 2))
        >>> own.derivative_text(Quantity("total"), Quantity("w", 2, 0, 0), layout), own.aliases
        ('dE_{total}/dw_5', {'\\eta': '0.5'})
    """
    default = NOTATIONS["neuron-over-layer"]
    own = Notation(base.record)
    own.names.update(base.names)
    own.aliases.update(base.aliases)
    for name, text in names.items():
        own.names.pop(name, None)
        own.aliases.pop(name, None)
        try:
            found = default.readings(text)
        except EquationError:
            found = []
        # Layers counted from the end hang on the network, which isn't known here: such a name stays a text.
        numbers = all(index.isdigit() for reading in found for index in reading.indices.values())
        q = default._quantity(found[0], Layout(())) if len(found) == 1 and numbers else None
        if q is None:
            own.aliases[name] = text
        else:
            own.names[name] = q
    return own


def translate(
    text: str, to: str | Notation, layout: Layout, frm: str | Notation = "neuron-over-layer"
) -> str:
    r"""Returns a quantity, or a derivative of one by another, in another notation.

    LaTeX comes back as LaTeX, Unicode as Unicode, plain text as plain text. A delta gets a minus where the two
    notations give it opposite signs.

    Example:
        >>> layout = Layout((2, 3, 3, 2))
        >>> translate("w^0_{0,3}", "nielsen", layout), translate("W^{[2]}_{11}", "cs231n", layout, frm="ng")
        ('w^4_{11}', 'W2[0, 0]')
        >>> translate(r"\frac{\partial C}{\partial w^0_{0,2}}", "pytorch", layout)
        '\\mathtt{net[2].weight.grad[0,0]}'
        >>> translate("dC/dw^0_{0,2}", "ng", layout)
        'dW^{[2]}_{11}'
    """
    here = notation(frm) if isinstance(frm, str) else frm
    there = notation(to) if isinstance(to, str) else to
    raised = not text.isascii()
    pair = here.parse_derivative(text, layout)
    if pair is not None:
        turned = [q.kind == "delta" for q in pair].count(True) == 1
        says = (
            there.derivative(*pair, layout)
            if "\\" in text
            else there.derivative_text(*pair, layout, unicode=raised)
        )
    else:
        q = here.parse(text, layout)
        turned = q.kind == "delta"
        says = (
            there.latex(q, layout)
            if "\\" in text
            else there.unicode(q, layout)
            if raised
            else there.text(q, layout)
        )
    return f"-{says}" if turned and here.delta_sign != there.delta_sign else says
