"""What a layered network may be given, checked once: what is returned can be used, what can't is named."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from whygrad.arrays import Array
from whygrad.codegen.layered import Activation
from whygrad.errors import EquationError, NotSupportedError, ShapeError, need_known
from whygrad.notation.canonical import canonical
from whygrad.ops import ACTIVATIONS

MOST_NEURONS = 10_000_000
MOST_WEIGHTS = 1_000_000_000


def numbers(name: str, given: Any, dtype: Any) -> Array:
    """Returns a copy of what was given as an array of finite numbers.

    Raises:
        ShapeError: It isn't a rectangle of numbers, or one of them is nan or infinite; the message says where.
    """
    try:
        found = np.asarray(given)
        if found.dtype.kind not in "fiub":
            raise ShapeError(f"{name}: expected real numbers, found an array of type {found.dtype}")
        with np.errstate(over="ignore"):  # too large for float32: inf, which is found below
            array = np.array(found, dtype=dtype)
    except ShapeError:
        raise
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        # RuntimeError: a PyTorch tensor that requires a gradient doesn't become an array by itself.
        raise ShapeError(f"{name}: expected a rectangle of numbers; {error}") from None
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ShapeError(f"{name}: expected finite numbers, found {array[place]} at {list(place)}")
    return array


def whole_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """Returns the numbers of neurons of at least two layers.

    Raises:
        ShapeError: They aren't whole numbers from 1, are too few, or make a network beyond all memory.
    """
    try:
        made = tuple(sizes)
    except TypeError:
        raise ShapeError(f"sizes: expected a list such as [2, 3, 3, 2], found {sizes!r}") from None
    if len(made) < 2:
        raise ShapeError(
            f"sizes: expected the inputs and at least one layer, such as [2, 3, 2], found {list(made)}"
        )
    for place, size in enumerate(made):
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
            raise ShapeError(f"sizes: expected whole numbers from 1, found {size!r} at place {place}")
        if size > MOST_NEURONS:
            raise ShapeError(
                f"sizes: expected at most {MOST_NEURONS:,} neurons in a layer, found more at place {place}"
            )
    checked = tuple(int(size) for size in made)
    weights = sum(a * b for a, b in pairwise(checked))
    if weights > MOST_WEIGHTS:
        raise ShapeError(f"sizes: expected at most {MOST_WEIGHTS:,} weights, found {weights:,}")
    return checked


def need_brackets_in_pairs(name: str) -> None:
    """Raises where a name's brackets aren't in pairs: no formula could be read or set with it."""
    try:
        canonical(name)
    except EquationError as error:
        says = str(error).split("\n")[0]
        raise EquationError(
            f"names: expected a name whose brackets are in pairs, found {name!r}: {says}",
            name,
            error.position,
        ) from None


def mapping(what: str, given: Any) -> Mapping[str, Any] | None:
    """Returns a mapping from names, or nothing where nothing is given; anything else is a ShapeError."""
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise ShapeError(f"{what}: expected a mapping from names, found {type(given).__name__}")
    for name in given:
        if not isinstance(name, str):
            raise ShapeError(f"{what}: expected names as text, found {name!r}")
    return given


def penalty(l2: Any) -> float:
    """Returns the factor of the L2 term: a finite number from 0; anything else is a ShapeError."""
    if isinstance(l2, (int, float, np.integer, np.floating)) and not isinstance(l2, bool):
        try:
            made = float(l2)
        except OverflowError:
            made = np.inf
        if 0 <= made < np.inf:
            return made
    raise ShapeError(f"l2: expected a finite number that is 0 or more, found {str(l2)[:40]}")


def parsed_activations(given: str | Sequence[str], depth: int) -> tuple[Activation, ...]:
    """Returns each layer's activation function from one name for all or a list, with settings as in ``elu(0.5)``.

    Raises:
        NotSupportedError: There is no such function or setting.
        ShapeError: The list has another length than there are layers.
    """
    if not isinstance(given, (str, Sequence)):
        raise NotSupportedError(
            f"activation: expected a name such as 'relu', or one for each layer, found {given!r}"
        )
    texts = [given] * depth if isinstance(given, str) else list(given)
    if len(texts) != depth:
        raise ShapeError(
            f"activation: expected one for all layers or one for each of the {depth} layers after the input, "
            f"found {len(texts)}: {texts}"
        )
    return tuple(_activation(text) for text in texts)


def _activation(text: str) -> Activation:
    if not isinstance(text, str):
        raise NotSupportedError(f"activation: expected a name such as 'relu', found {text!r}")
    name, opening, rest = text.strip().partition("(")
    need_known("activation", name, ACTIVATIONS)
    settings = {key: value for key, value in ACTIVATIONS[name].settings.items() if key != "axis"}
    values = [part for part in rest.removesuffix(")").split(",") if part.strip()] if opening else []
    if opening and (not rest.endswith(")") or len(values) > len(settings)):
        shown = f"{name}({', '.join(settings)})" if settings else name
        raise NotSupportedError(f"activation: expected {shown}, found {text!r}")
    for key, value in zip(settings, values, strict=False):
        said, equals, number = value.partition("=")
        if equals and said.strip() != key:
            raise NotSupportedError(f"activation: expected {key} in {text!r}, found {said.strip()!r}")
        try:
            settings[key] = float(number if equals else value)
        except ValueError:
            raise NotSupportedError(
                f"activation: expected a number for {key} in {text!r}, found {value!r}"
            ) from None
        if not np.isfinite(settings[key]):
            raise NotSupportedError(f"activation: expected a finite {key} in {text!r}")
    return Activation(name, tuple(settings.items()))
