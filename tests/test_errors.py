"""Errors: each is the built-in type that fits, and points at its place."""

import pickle

import pytest

import whygrad as wg
from whygrad import errors
from whygrad.errors import FormulaError, pointed

BUILT_IN = {
    "EquationError": ValueError,
    "NotSupportedError": TypeError,
    "NotYetError": NotImplementedError,
    "ShapeError": ValueError,
    "NetworkFileError": ValueError,
    "QuantityError": KeyError,
}


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_errors_are_whygrads_and_built_in(name: str) -> None:
    error = getattr(wg, name)
    assert issubclass(error, wg.WhygradError)
    assert issubclass(error, BUILT_IN[name])
    assert error.__doc__


def test_every_error_of_the_module_is_a_whygrad_error() -> None:
    found = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, Exception)]
    assert len(found) >= len(BUILT_IN) + 2
    assert all(issubclass(error, wg.WhygradError) for error in found)
    assert issubclass(FormulaError, ValueError)


def test_not_yet_and_never_are_different() -> None:
    assert issubclass(wg.NotYetError, wg.NotSupportedError)
    assert not issubclass(wg.NotSupportedError, NotImplementedError)


def test_line_breaks_of_a_missing_key_are_shown_as_such() -> None:
    assert str(wg.QuantityError("no such\nquantity")) == "no such\nquantity"


def test_the_caret_is_under_the_place() -> None:
    error = wg.EquationError("a letter was expected", "dC/dq = 3", 4)
    assert str(error) == "a letter was expected\n  dC/dq = 3\n      ^"
    assert (error.text, error.position) == ("dC/dq = 3", 4)
    assert str(wg.EquationError("nothing to point at")) == "nothing to point at"


@pytest.mark.parametrize("position", [0, 1, 35, 36, 100, 199])
def test_the_caret_stays_under_the_place_in_long_lines(position: int) -> None:
    text = "".join(chr(ord("a") + place % 26) for place in range(200))
    _, piece, caret = pointed(text, position).split("\n")
    assert piece[caret.index("^")] == text[position]
    assert len(piece) <= 74


def test_the_caret_counts_breaks_and_tabs_as_one() -> None:
    _, piece, caret = pointed("a\n\tb = c", 3).split("\n")
    assert piece[caret.index("^")] == "b"


def test_errors_travel_between_processes() -> None:
    for error in (wg.ShapeError("a"), wg.QuantityError("b"), wg.EquationError("c")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))
