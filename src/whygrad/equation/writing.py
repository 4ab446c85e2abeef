"""Writes quantities and derivatives as the writer of an equation does: in LaTeX, in Unicode or as plain text."""

import re
from functools import cached_property

from whygrad.equation.tree import Call, Index, Ref, Stands, Symbol
from whygrad.equation.vocabulary import EXAMPLES, Vocabulary, constant_ref, quantity_of
from whygrad.notation import Quantity
from whygrad.notation.template import plain, short, typeset

_SLOPES = {
    "ng": "g",
    "ufldl": "f",
    "bishop": "h",
    "goodfellow": "f",
    "mit": "f",
    "classic": "f",
    "d2l": "\\phi",
}


_PRIMED = re.compile(
    r"(\\?(?:sigma|phi|varphi)|[σφfgh])\s*(?:\^\{\[?\(?\w+\)?\]?\})?\s*(?:'|\\prime|′|\^\{?[^{}]*(?:\\prime|'))"
)


class Writer:
    """Writes parts of an equation.

    Args:
        text: The equation, for its looks.
        vocabulary: The notation, and a person's own names.
    """

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self.text = text
        self.vocabulary = vocabulary
        self.notation = vocabulary.notation
        self.layout = vocabulary.layout
        self.upwards = False
        """Whether the writer's chains start with what is derived by."""
        if "\\" in text or re.search(r"\bfrac\s*\{|partial", text):
            self.style = "latex"
        else:
            self.style = "text" if text.isascii() else "unicode"

    def quantity(self, q: Quantity) -> str:
        """Returns a quantity's name."""
        return self.ref(constant_ref(q))

    @cached_property
    def _aliases(self) -> dict[object, str]:
        found: dict[object, str] = {}
        for written in reversed(list(self.notation.aliases)):
            for meaning in self.vocabulary.own(written):
                if isinstance(meaning, Ref):
                    found[meaning] = written
                elif isinstance(meaning, Stands) and isinstance(meaning.tree, Call):
                    argument = meaning.tree.arguments[0]
                    if meaning.tree.function.primes and isinstance(argument, Symbol):
                        found["slope", argument.meanings[0]] = written
        return found

    def ref(self, ref: Ref) -> str:
        """Returns the name of a quantity whose indices may be letters."""
        if ref in self._aliases:
            return self._own(self._aliases[ref])
        if ref.array:
            layer = None if ref.layer is None else (ref.layer.offset if ref.layer.letter is None else 1)
            name = self.notation.matrix(ref.kind, layer, self.layout)
            if ref.layer is not None and (ref.layer.letter or self._layer(ref) == "L"):
                key = self.notation.key(Quantity(ref.kind, 1, 0, 0 if ref.kind == "w" else None), self.layout)
                name = self.notation.arrays[key][0].latex(
                    {"layer": self._layer(ref), "module": self._layer(ref)}
                )
            return self._looks(name)
        if not ref.lettered:
            q = quantity_of(ref, {})
            if q in self.notation.own_names:
                return self._own(self.notation.own_names[q])
            if self.style == "latex":
                return self.notation.latex(q, self.layout)
            return (self.notation.text if self.style == "text" else self.notation.unicode)(q, self.layout)
        first = self.notation.record.neurons_from
        sample = Quantity(
            ref.kind, None if ref.layer is None else 1, 0, 0 if ref.source is not None else None
        )
        values = self.notation.slots(sample, self.layout)
        values["layer"] = self._layer(ref)
        for slot, index in (("to", ref.to), ("from", ref.source)):
            if index is not None:
                values[slot] = _label(index, index.offset + (first if index.letter is None else 0))
        made = self.notation.template(sample, self.layout).latex(values)
        if ref.layer is not None and ref.layer.letter == "@":
            made = re.sub(r"\^\{?[(\[]?@[^}]*\}?", "", made)
        return self._looks(made)

    def _own(self, name: str) -> str:
        """Returns a person's own name, as it was declared."""
        if self.style == "latex" and "\\" not in name and not name.isascii():
            return typeset(name)
        return name if self.style == "latex" or "\\" not in name else self._looks(name)

    def _layer(self, ref: Ref) -> str:
        if ref.layer is None:
            return ""
        # The output layer is called as the writer calls it.
        if (
            ref.layer == Index(None, self.layout.depth)
            and re.search(r"\^\{?[(\[]?L[)\]]?\}?", self.text)
            and ref.kind != "w"
        ):
            return "L"
        leaves = int(self.notation.record.weight_label == "leaves" and ref.kind in ("w", "b"))
        if ref.layer.letter is None:
            return self.notation.slots(Quantity(ref.kind, ref.layer.offset, 0, 0), self.layout)["layer"]
        return _label(ref.layer, ref.layer.offset - leaves)

    def _looks(self, latex: str) -> str:
        return latex if self.style == "latex" else plain(latex) if self.style == "text" else short(latex)

    def derivative(self, of: str, by: str) -> str:
        """Returns a derivative of two things that are written already."""
        if self.style == "latex":
            sign = "\\partial\\," if of.startswith("\\text") else "\\partial "
            return f"\\frac{{{sign}{of}}}{{{sign.replace(' ', '') if by.startswith(chr(92)) else sign}{by}}}"
        mark = "d" if self.style == "text" else "∂"

        def half(name: str) -> str:
            word = re.match(r"[A-Za-z]*", name)
            return f"{mark} {name}" if mark == "d" and word and len(word.group()) > 1 else mark + name

        return f"{half(of)}/{half(by)}"

    def slope(self, z: Ref) -> str:
        """Returns the slope of the activation function at a pre-activation."""
        if ("slope", z) in self._aliases:
            return self._own(self._aliases["slope", z])
        explicit = not self._primes and not z.array and re.search(r"\(\s*1\s*[-−]", self.text) is not None
        kind = self._activation(z)
        if explicit and kind in ("sigmoid", "tanh"):
            a = self.ref(z._replace(kind="a"))
            return f"{a}(1 - {a})" if kind == "sigmoid" else f"(1 - {a} {a})"
        return f"{self.primed(self.function(z))}({self.ref(z)})"

    def function(self, z: Ref) -> str:
        """Returns what the activation function of a pre-activation's layer is called."""
        own = self._primes.group(1) if self._primes else _SLOPES.get(self.notation.name, "\\sigma")
        if self.notation.name == "ng" and z.layer is not None:
            own += f"^{{[{self._layer(z)}]}}"
        return self._looks(own) if own.startswith("\\") else own

    @cached_property
    def _primes(self) -> "re.Match[str] | None":
        """Where the writer has a slope: what stands before the prime."""
        return _PRIMED.search(self.text)

    def _activation(self, z: Ref) -> str:
        names = self.layout.activations
        layer = z.layer.offset if z.layer is not None and z.layer.letter is None else None
        return names[layer - 1] if layer and names else (names[0] if len(set(names)) == 1 else "")

    def primed(self, function: str) -> str:
        """Returns a function's name with a prime; inside of a raised number, since nothing is raised twice."""
        if "^{" in function and function.endswith("}"):
            return function[:-1] + ("\\prime" if self.style == "latex" else "'") + "}"
        return f"{function}'"

    def product(self, factors: list[str]) -> str:
        """Returns factors side by side, from the cost down or, where the writer does so, from below up."""
        factors = factors[::-1] if self.upwards else factors
        between = (
            "" if self.style == "latex" and all(factor.startswith("\\frac") for factor in factors) else " "
        )
        return between.join(factors) if self.style == "latex" else " * ".join(factors)

    def transposed(self, text: str) -> str:
        r"""Returns a transposed array: `W.T` in code, else `W^{[2]T}` or `(w^l)^T`."""
        if self.vocabulary.code or self.style != "latex":
            return f"{text}.T" if self.vocabulary.code else f"{text}^T" if "^" not in text else f"({text})^T"
        bracketed = re.fullmatch(r"(\\?[A-Za-z]+\^\{\[[^{}]*)(\}.*)", text)
        if bracketed is not None:
            return f"{bracketed.group(1)}T{bracketed.group(2)}"
        return f"{text}^T" if "^" not in text or text.startswith("(") else f"({text})^T"

    def elementwise(self) -> str:
        """Returns the sign of an elementwise product."""
        if self.vocabulary.code or self.notation.name == "ng":
            return " * "
        return {"latex": " \\odot ", "unicode": " ⊙ "}.get(self.style, " .* ")

    def fraction(self, above: str, below: str) -> str:
        """Returns a fraction."""
        return f"\\frac{{{above}}}{{{below}}}" if self.style == "latex" else f"({above}/{below})"

    def examples(self) -> str | None:
        """Returns what the number of examples is called, where it has a name."""
        return next(iter(EXAMPLES.get(self.notation.name, ())), None)

    def times(self) -> str:
        """Returns the sign of a product with what is put beside something."""
        return " " if self.style == "latex" else " * "


def _label(index: Index, offset: int) -> str:
    if index.letter is None:
        return str(offset)
    return index.letter + (f"{offset:+d}" if offset else "")
