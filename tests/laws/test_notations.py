"""Laws of every notation in the table: it reads back what it prints, and names are different."""

import random
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whygrad.errors import EquationError, QuantityError
from whygrad.notation import (
    NOTATIONS,
    Layout,
    Notation,
    Quantity,
    notation,
    quantities,
    translate,
    with_names,
)

LAYOUTS = (
    Layout((2, 3, 3, 2), bias=False),
    Layout((2, 3, 3, 2), l2=True),
    Layout((1, 1)),
    Layout((9, 9, 9)),
    Layout((10, 2, 10)),
    Layout((2, 13, 12, 3), ("relu", "identity", "softmax"), l2=True),
    Layout((2,) * 12, ("leaky_relu(0.3)",) * 5 + ("identity",) * 6),
)
EVERY = pytest.mark.parametrize("name", NOTATIONS)
EVERY_LAYOUT = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: "-".join(map(str, layout.sizes)))
Printer = Callable[[Quantity, Layout], str]


def printers(there: Notation) -> tuple[Printer, ...]:
    return there.latex, there.text, there.unicode


@EVERY_LAYOUT
@EVERY
def test_reads_back_what_it_prints(name: str, layout: Layout) -> None:
    there = notation(name)
    for q in quantities(layout):
        for printed in printers(there):
            assert there.parse(printed(q, layout), layout) == q


@EVERY_LAYOUT
@EVERY
def test_different_quantities_have_different_names(name: str, layout: Layout) -> None:
    there = notation(name)
    every = list(quantities(layout))
    for printed in (*printers(there), there.code):
        assert len({printed(q, layout) for q in every}) == len(every)


@EVERY_LAYOUT
@EVERY
def test_code_is_an_identifier(name: str, layout: Layout) -> None:
    for q in quantities(layout):
        code = notation(name).code(q, layout)
        assert code.isidentifier()
        assert code.isascii()


@EVERY
def test_reads_the_usual_variations(name: str) -> None:
    layout, there = LAYOUTS[1], notation(name)
    for q in quantities(layout):
        latex = there.latex(q, layout)
        reversed_scripts = re.sub(r"(\^(?:\{[^{}]*\}|\w))(_(?:\{[^{}]*\}|\w))", r"\2\1", latex)
        spaced = re.sub(r"(?<=[{},\[\]()])(?=[^\s])", " ", latex) if "\\" not in latex else latex
        for varied in (
            f"${latex}$",
            rf"\({latex}\)",
            f" {latex} ",
            f"{{{latex}}}",
            latex.replace("\\", ""),
            reversed_scripts,
            spaced,
            latex.replace("(", r"\left(").replace(")", r"\right)"),
            re.sub(r"([\^_])(\w)", r"\1{\2}", latex) if not there.record.code else latex,
            re.sub(r"([\^_])\{([^{}]*)\}", r"\1{\\text{\2}}", latex),
            latex.replace(",", r",\,").replace("] ", "]"),
            there.text(q, layout).replace(", ", "]["),
        ):
            assert there.parse(varied, layout) == q, varied


@EVERY
def test_reads_back_every_derivative(name: str) -> None:
    layout, there = LAYOUTS[1], notation(name)
    for of in (Quantity("total"), Quantity("C", None, 1), Quantity("z", 3, 0)):
        for by in quantities(layout):
            own_delta = of.kind == "total" and by.kind == "z" and "dw" in there.record.names
            for text in (
                there.derivative(of, by, layout),
                there.derivative(of, by, layout).replace("\\", ""),
                there.derivative_text(of, by, layout),
                there.derivative_text(of, by, layout, unicode=True),
            ):
                if own_delta:  # dz is delta's own name
                    assert there.parse(text, layout) == Quantity("delta", by.layer, by.to)
                else:
                    assert there.parse_derivative(text, layout) == (of, by), text


@EVERY
def test_every_array_has_a_name_that_is_read_as_its_kind_and_layer(name: str) -> None:
    layout, there = LAYOUTS[1], notation(name)
    for q in quantities(layout):
        if q.kind in ("total", "C", "R") or q.to != 0 or q.source not in (None, 0):
            continue
        found = there.readings(there.matrix(q.kind, q.layer, layout), arrays=True)
        meant = {there.quantity(reading, layout) for reading in found}
        assert q._replace(to=None, source=None) in meant


@EVERY
def test_letters_stand_where_numbers_do(name: str) -> None:
    """A weight with letters for its indices is read with each letter in the slot of its number."""
    there, layout = notation(name), LAYOUTS[0]
    for template in there.templates["w"]:
        slots = dict.fromkeys(("layer", "module"), "l") | {"to": "j", "from": "k"}
        found = [reading for reading in there.readings(template.text(slots)) if reading.kind == "w"]
        expected = {key: value for key, value in slots.items() if f"<{key}>" in template.source}
        assert [reading.indices for reading in found] == [expected]
        with pytest.raises(EquationError, match="has a letter for an index; one quantity has numbers"):
            there.parse(template.text(slots), layout)


@EVERY
def test_translation_there_and_back(name: str) -> None:
    layout = LAYOUTS[1]
    for q in quantities(layout):
        for printed in printers(notation("neuron-over-layer")):
            here = printed(q, layout)
            there = translate(here, name, layout)
            assert there.startswith("-") == (q.kind == "delta" and notation(name).delta_sign == -1)
            assert notation(name).parse(there.removeprefix("-"), layout) == q


@EVERY
def test_own_names_go_first_and_the_rest_stays(name: str) -> None:
    layout, base = LAYOUTS[1], notation(name)
    named = {
        Quantity("w", 2, 0, 0): "w_5",
        Quantity("total"): "E_{total}",
        Quantity("a", 3, 1): r"\hat{y}_2",
        Quantity("a", 1, 0): "out_{h1}",
    }
    default = notation("neuron-over-layer")
    own = with_names(base, {written: default.text(q, layout) for q, written in named.items()})
    every = list(quantities(layout))
    for q in every:
        for printed in printers(own):
            assert own.parse(printed(q, layout), layout) == q
        assert q in named or own.text(q, layout) == base.text(q, layout)
        assert own.text(q, layout) == named.get(q, base.text(q, layout)).replace("\\", "")
    assert len({own.code(q, layout) for q in every}) == len(every)


@EVERY
def test_nothing_but_located_errors(name: str) -> None:
    """Names with a sign dropped, doubled or swapped are read or refused, never crash."""
    layout, there = LAYOUTS[1], notation(name)
    chance = random.Random(0)
    texts = [printed(q, layout) for q in quantities(layout) for printed in printers(there)]
    for _ in range(2000):
        text = list(chance.choice(texts))
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(text) + 1)
            text[at : at + chance.randint(0, 2)] = chance.choice(
                ["", "{", "}", "^", "_", ",", "1", "[", "\\", "²", "ŷ"]
            )
        refused_or_read(there, "".join(text), layout)


@given(st.text(), st.sampled_from(sorted(NOTATIONS)))
def test_any_text_is_read_or_refused(text: str, name: str) -> None:
    refused_or_read(notation(name), text, LAYOUTS[1])


@pytest.mark.parametrize(
    "text", ["{" * 399, "^{" * 150, "w^{0}_{" + "1" * 300 + "}", "(" * 1_000_000, "_" * 400]
)
@EVERY
def test_monsters_are_refused(text: str, name: str) -> None:
    with pytest.raises((EquationError, QuantityError)):
        notation(name).parse(text, LAYOUTS[1])


def refused_or_read(there: Notation, text: str, layout: Layout) -> None:
    refusal: EquationError | QuantityError | None = None
    for read in (there.parse, there.parse_derivative):
        try:
            read(text, layout)
        except (EquationError, QuantityError) as error:
            refusal = error
        if isinstance(refusal, EquationError):
            assert refusal.position is not None
            assert 0 <= refusal.position <= len(refusal.text)
        elif refusal is not None:
            assert "the network" in str(refusal)
