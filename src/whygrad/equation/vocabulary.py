"""What the names in an equation may mean, under a notation and a person's own names."""

import re
from functools import cached_property

from whygrad.equation.functions import ACTIVATION_LETTERS, MATRIX_FUNCTIONS, SPELLINGS
from whygrad.equation.tree import (
    Constant,
    Function,
    Index,
    Kronecker,
    Meaning,
    Node,
    Ref,
    Size,
    Special,
    Stands,
    Symbol,
)
from whygrad.errors import EquationError
from whygrad.notation import Layout, Notation, Quantity, Reading, notation
from whygrad.notation.canonical import canonical
from whygrad.notation.template import Template

# Notations whose texts leave out the layer: the letters i, j, k name the layer before, this and the next.
LETTER_LAYERS = {"bishop": {"i": -1, "j": 0, "k": 1}, "classic": {"i": -1, "j": 0, "k": 1}}
# Where delta and the derivatives by activations are those of one example's cost, without the mean's 1/m.
PER_EXAMPLE = frozenset({"ng", "ufldl", "nielsen", "3blue1brown", "bishop", "mit", "d2l"})
RATES = frozenset({"eta", "alpha", "lr", "learningrate", "learning_{rate}", "rate", "epsilon"})
EXAMPLES = {
    "ng": ("m",),
    "ufldl": ("m",),
    "nielsen": ("n",),
    "3blue1brown": ("n",),
    "cs231n": ("N", "num_{examples}", "num_{train}"),
}
_LABEL = re.compile(r"([A-Za-z]|ell)('*)(?:([+-])([0-9]+))?")
_SIZE = re.compile(r"(?:n|s|d|N|K|D)(?:_\{(.+)\}|\^\{[\[(]?(.+?)[\])]?\})")


class Vocabulary:
    """Says what a name may mean.

    Args:
        own: The notation, with a person's own names on top.
        layout: The network's sizes.
    """

    def __init__(self, own: Notation, layout: Layout) -> None:
        self.notation = own
        self.layout = layout
        self._known: dict[str, tuple[Meaning, ...]] = {}
        self._first = own.record.neurons_from
        self._start = own.record.layers_from
        self.letter_layers = LETTER_LAYERS.get(own.name, {})

    @property
    def code(self) -> bool:
        """Whether names are program code."""
        return self.notation.record.code

    @cached_property
    def plain(self) -> "Vocabulary":
        """The vocabulary that the right sides of a person's own names are written in."""
        return Vocabulary(notation("neuron-over-layer"), self.layout)

    @cached_property
    def own_names(self) -> dict[str, str]:
        """A person's own names: canonical spelling -> as written."""
        return {canonical(name): name for name in (*self.notation.names, *self.notation.aliases)}

    @cached_property
    def heads(self) -> frozenset[str]:
        """The letters that names start with."""
        found = {re.split(r"[\^_'\[\d.]", name)[0] for name in self.own_names}
        for templates in (*self.notation.templates.values(), *self.notation.arrays.values()):
            found.update(re.split(r"[\^_'\[\d.{]", template.head)[0] for template in templates)
        found |= (
            ACTIVATION_LETTERS | set(SPELLINGS) | MATRIX_FUNCTIONS | {"e", "X", "Y", "softmax", "np", "torch"}
        )
        found |= {"eta", "alpha", "lr", "learning", "Delta", "m", "n", "N", "dot"}
        if self.letter_layers:
            found.add("h")
        return frozenset(found - {"", "sum"})

    def own(self, text: str) -> tuple[Meaning, ...]:
        """Returns what a person declared for a name."""
        name = spelling(text)
        if name not in self.own_names:
            return ()
        written = self.own_names[name]
        if written in self.notation.names:
            return (constant_ref(self.notation.names[written]),)
        return self._alias(self.notation.aliases[written])

    def declared_rate(self) -> float | None:
        """Returns the learning rate, where a name for it was declared as a number."""
        for name, written in self.own_names.items():
            text = self.notation.aliases.get(written)
            if name in RATES and text is not None:
                try:
                    return float(text)
                except ValueError:
                    return None
        return None

    def _alias(self, text: str) -> tuple[Meaning, ...]:
        from whygrad.equation.reader import read_side

        bare = canonical(text)
        function = self.plain.function(bare)
        if function is not None:
            return (function,)
        tree = read_side(text, self.plain)
        if isinstance(tree, Symbol):
            return tree.meanings
        return (Stands(tree),)

    def function(self, name: str) -> Function | None:
        """Returns the function that a canonical name stands for, with its primes and its layer."""
        match = re.fullmatch(r"([A-Za-z]+)('*)(?:[\^_]\{(.*?)('*)(prime)?\})?('*)", name)
        if match is None:
            return None
        base, script = match.group(1), match.group(3) or ""
        primes = sum(len(match.group(place) or "") for place in (2, 4, 6)) + bool(match.group(5))
        layer = None
        if script:
            label = script.strip("()[]")
            layer = self._layer("z", label)
            if layer is None:
                return None
        if base in ACTIVATION_LETTERS or (base == "h" and self.notation.name == "bishop"):
            return Function("", primes, layer)
        if base in SPELLINGS and layer is None:
            return Function(SPELLINGS[base], primes)
        if base in MATRIX_FUNCTIONS and not script and not primes:
            return Function(base)
        return None

    def read(self, text: str) -> tuple[Meaning, ...]:
        """Returns what a name means in the notation, in every way that it can be read; nothing where it can't."""
        if text not in self._known:
            self._known[text] = self._read(text)
        return self._known[text]

    def _read(self, text: str) -> tuple[Meaning, ...]:
        try:
            text, example = self._example(text)
            name = canonical(text)
        except EquationError:
            return ()
        found: list[Meaning] = []
        for arrays in (False, True):
            if found:
                break
            for reading in self.notation.readings(name, arrays=arrays):
                meaning = self._ref(reading, arrays)
                if meaning is not None and meaning not in found:
                    found.append(meaning)
        if any(isinstance(meaning, Ref) and meaning.array and meaning.kind == "w" for meaning in found):
            # Where biases are weights from a unit 0, their array has a name of its own.
            found = [meaning for meaning in found if isinstance(meaning, Ref) and meaning.kind == "w"]
        if example is not None:
            found = [ref._replace(example=example) for ref in found if isinstance(ref, Ref)]
        return tuple(found) or self._other(name)

    def _example(self, text: str) -> tuple[str, Index | None]:
        """Returns a name without the number of its example (`a^{[1](i)}_j` in Ng's notation)."""
        if self.notation.name != "ng":
            return text, None
        match = re.search(r"(?<=[\]{^])\(([a-z]|[0-9]+)\)", text)
        if match is None:
            return text, None
        inside = match.group(1)
        index = Index(None, int(inside) - 1) if inside.isdigit() else Index("(" + inside + ")", 0)
        return (text[: match.start()] + text[match.end() :]).replace("^{}", "").rstrip("^"), index

    def _ref(self, reading: Reading, array: bool) -> Ref | None:
        kind, indices = reading
        derived = kind in ("dw", "db", "da")
        kind = kind[1:] if derived else kind
        layer = None
        if "module" in indices:
            q = self.notation.quantity(
                Reading(kind, {"module": indices["module"], "to": "9", "from": "9"}), self.layout
            )
            if q is None or q.layer is None:
                return None
            layer = Index(None, q.layer)
        elif "layer" in indices:
            layer = self._layer(kind, indices["layer"])
            if layer is None:
                return None
        to, source = (self.neuron(indices.get(slot)) for slot in ("to", "from"))
        if ("to" in indices and to is None) or ("from" in indices and source is None):
            return None
        sign = self.notation.delta_sign if kind == "delta" else 1
        if array and max(self.layout.sizes) == 1:
            # One neuron in each layer: an array is its one entry.
            return Ref(
                kind,
                layer,
                Index(None, 0),
                Index(None, 0) if kind == "w" else None,
                False,
                derived,
                sign=sign,
            )
        return Ref(kind, layer, to, source, array, derived, sign=sign)

    def _layer(self, kind: str, label: str) -> Index | None:
        number = self.notation.layer(kind, label, self.layout)
        if number is not None:
            return Index(None, number)
        match = _LABEL.fullmatch(label)
        if match is None or match.group(1) in ("T", "N"):
            return None
        letter, primes, sign, step = match.groups()
        leaves = self.notation.record.weight_label == "leaves" and kind in ("w", "b")
        return Index(letter + primes, (int(f"{sign}{step}") if step else 0) + leaves)

    def neuron(self, label: str | None) -> Index | None:
        """Returns the index that a neuron's label (`2`, `j`, `j+1`) is, counted from 0; None for other texts."""
        if label is None:
            return None
        if label.isdigit():
            return Index(None, int(label[:9]) - self._first)
        match = _LABEL.fullmatch(label)
        if match is None or match.group(1) in ("T", "L"):
            return None
        letter, primes, sign, step = match.groups()
        return Index(letter + primes, int(f"{sign}{step}") if step else 0)

    def _other(self, name: str) -> tuple[Meaning, ...]:
        """Returns the meaning of a name that is no quantity of the notation."""
        if name in ("X", "x"):
            return (Ref("a", Index(None, 0), array=True),)
        if name in ("Y", "y"):
            return (Ref("y", array=True),)
        if name in ("hat{Y}", "hatY", "hat{y}"):
            return (Ref("a", Index(None, self.layout.depth), array=True),)
        if re.fullmatch(r"h_\{[A-Za-z,]+\}|h_\{theta\}", name):
            return (Ref("a", Index(None, self.layout.depth), array=True),)
        if self.notation.name == "3blue1brown" and re.fullmatch(r"C_\{[a-z]\}", name):
            return (Ref("total"),)
        if name in EXAMPLES.get(self.notation.name, ()):
            return (Special("examples"),)
        if name in RATES or name == "learning_rate":
            return (Special("rate"),)
        pair = re.fullmatch(r"(?:delta|1|mathbb1|I|mathbb\{1\})_\{([a-z]|[0-9]+)[,=]?([a-z]|[0-9]+)\}", name)
        if pair is not None:
            first, second = (self.neuron(label) for label in pair.groups())
            if first is not None and second is not None:
                return (Kronecker(first, second),)
        if name == "lambda" and self.layout.l2:
            return (Special("l2"),)
        if name == "e":
            return (Constant(2.718281828459045),)
        if name == "pi":
            return (Constant(3.141592653589793),)
        return self._by_letters(name)

    def size(self, text: str) -> Size | None:
        """Returns the number of neurons that a name such as `n_L` or `s_{l+1}` means."""
        match = _SIZE.fullmatch(spelling(text))
        label = match and (match.group(1) or match.group(2))
        layer = self._layer("a", label) if label else None
        return Size(layer) if layer is not None else None

    @cached_property
    def _without_layers(self) -> list[tuple[str, Template]]:
        found = []
        for key, sources in self.notation.record.names.items():
            for source in sources:
                bare = re.sub(r"\^\{[(\[]?<layer>[)\]]?\}", "", source)
                if key in ("w", "b", "z", "a", "delta") and bare != source:
                    found.append((key, Template(bare)))
        return found

    def _by_letters(self, name: str) -> tuple[Meaning, ...]:
        if not self.letter_layers:
            return ()
        found: list[Meaning] = []
        for kind, template in self._without_layers:
            for indices in template.readings(name):
                if indices.pop("zero", "0") != "0":
                    continue
                step = self.letter_layers.get(indices.get("to", ""))
                source = indices.get("from")
                if step is None:
                    continue
                below = self.letter_layers.get(source or "", step - 1)
                if abs(below - step) != 1:
                    continue
                # Where the indices stand the wrong way round, the matrix is the one between the two layers.
                step = max(step, below) if source else step
                to = Index(indices["to"], 0)
                sign = self.notation.delta_sign if kind == "delta" else 1
                found.append(Ref(kind, Index("@", step), to, Index(source, 0) if source else None, sign=sign))
        return tuple(found)

    def tied(self, ref: Ref) -> tuple[Index, int] | None:
        """Returns the layer that a letter's layer has to be, where the quantity's kind says so (`t_k`: the last)."""
        step = self.letter_layers.get(ref.to.letter or "") if ref.to else None
        if step is None or ref.kind not in ("y", "C", "a") or (ref.layer and ref.layer.letter):
            return None
        place = self.layout.depth if ref.layer is None else ref.layer.offset
        return Index("@", step), place

    def neurons_start(self) -> int:
        """Returns the number of the first neuron in the notation."""
        return self._first

    def layers_start(self) -> int:
        """Returns the number of the input layer in the notation."""
        return self._start


def constant_ref(q: Quantity) -> Ref:
    """Returns the meaning that is one quantity."""

    def index(number: int | None) -> Index | None:
        return None if number is None else Index(None, number)

    return Ref(q.kind, index(q.layer), index(q.to), index(q.source))


def stands_for(node: Node) -> Node:
    """Returns what a name was declared for, or the node itself."""
    while isinstance(node, Symbol) and len(node.meanings) == 1 and isinstance(node.meanings[0], Stands):
        node = node.meanings[0].tree
    return node


def quantity_of(ref: Ref, values: dict[str, int]) -> Quantity:
    """Returns the quantity that a meaning is for some values of its letters; it need not exist."""

    def number(index: Index | None) -> int | None:
        return None if index is None else index.at(values)

    return Quantity(ref.kind, number(ref.layer), number(ref.to), number(ref.source))


def spelling(text: str) -> str:
    """Returns the canonical spelling of a name; nothing where it has none."""
    try:
        return canonical(text)
    except EquationError:
        return ""
