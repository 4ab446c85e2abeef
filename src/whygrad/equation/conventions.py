"""The table of conventions: under which other one an equation would hold."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from whygrad.codegen.layered import Activation
from whygrad.equation.arithmetic import Unfit
from whygrad.equation.chains import pairs
from whygrad.equation.judge import holds_so
from whygrad.equation.numbers import numeric
from whygrad.equation.points import Points
from whygrad.equation.setting import Setting
from whygrad.equation.tree import Chain, Ref, Symbol, walk
from whygrad.errors import EquationError

Changed = tuple[Setting, frozenset[str]]


class Convention(NamedTuple):
    """One change of convention: when it can be meant, what it changes, and what is said."""

    name: str
    change: Callable[[Setting], Changed | None]
    says: Callable[[Setting], str]


def _cost(name: str) -> Callable[[Setting], Changed | None]:
    def change(under: Setting) -> Changed | None:
        net = under.layered
        if net.cost == name:
            return None
        if name in ("binary_cross_entropy", "cross_entropy") and net.activations[-1].name not in (
            "sigmoid",
            "softmax",
        ):
            return None
        return under.under(cost=name), frozenset()

    return change


def _says_cost(name: str) -> Callable[[Setting], str]:
    def says(under: Setting) -> str:
        now = under.layered.cost
        if name == "squared_error" and now == "half_squared_error":
            more = (
                " (the squares summed, not averaged over the two outputs)"
                if under.layered.outputs == 2
                else ""
            )
            return f"the cost were squared_error, without the half{more}"
        if name == "half_squared_error" and now == "squared_error":
            return "the cost were halved (half_squared_error)"
        return f"the cost were {name}"

    return says


def _elementwise(under: Setting) -> Changed | None:
    if not under.layered.activations[-1].dense:
        return None
    activations = (*under.layered.activations[:-1], Activation("sigmoid"))
    return under.under(activations=activations), frozenset()


def _reduction(under: Setting) -> Changed | None:
    if under.own.examples == 1:
        return None
    other = "sum" if under.layered.reduction == "mean" else "mean"
    return under.under(reduction=other), frozenset()


def _one_example(under: Setting) -> Changed | None:
    if under.own.examples == 1:
        return None
    own = under.own
    one = Points(own.net, own.weights, own.biases, own.x[:, :1], own.y[:, :1], own.rate[:, 0])
    return under._replace(own=one), frozenset()


def _targets(under: Setting) -> Changed | None:
    own = under.own
    if under.layered.cost != "cross_entropy" or np.allclose(own.y.sum(axis=-1), 1):
        return None
    y = own.y / own.y.sum(axis=-1, keepdims=True)
    return under._replace(own=Points(own.net, own.weights, own.biases, own.x, y, own.rate[:, 0])), frozenset()


def _activation(name: str) -> Callable[[Setting], Changed | None]:
    def change(under: Setting) -> Changed | None:
        now = under.layered.activations
        if any(activation.dense for activation in now) or all(activation.name == name for activation in now):
            return None
        return under.under(activations=tuple(Activation(name) for _ in now)), frozenset()

    return change


def _output_identity(under: Setting) -> Changed | None:
    now = under.layered.activations
    if now[-1].trivial or now[-1].dense:
        return None
    return under.under(activations=(*now[:-1], Activation("identity"))), frozenset()


def _says_delta(under: Setting) -> str:
    return f"delta meant {'-' if under.vocabulary.notation.delta_sign == 1 else '+'}dE/dnet"


def _says_reduction(under: Setting) -> str:
    summed = under.layered.reduction == "mean"
    return "the costs were summed over the examples" if summed else "the mean over the examples were meant"


def _says_weights(under: Setting) -> str:
    notation = under.vocabulary.notation
    aliased = [name for name in notation.aliases if name.startswith("w")]
    name = aliased[0] if aliased else "W"
    if notation.record.code or notation.weight_orientation == "from-to":
        return (
            "W[to, from] were meant: rows are where a weight goes to"
            if notation.weight_orientation == "from-to"
            else "W[from, to] were meant: rows are where a weight comes from"
        )
    return (
        f"{name} meant to i, from j: its indices the other way round"
        if aliased
        else "the weights were indexed the other way round (from first, then to)"
    )


TABLE: tuple[Convention, ...] = (
    Convention("elementwise", _elementwise, lambda _: "the output activation were elementwise (no softmax)"),
    Convention("squared_error", _cost("squared_error"), _says_cost("squared_error")),
    Convention("half", _cost("half_squared_error"), _says_cost("half_squared_error")),
    Convention("delta", lambda under: (under, frozenset({"delta"})), _says_delta),
    Convention("weights", lambda under: (under, frozenset({"weights"})), _says_weights),
    Convention("targets", _targets, lambda _: "the targets summed to 1"),
    Convention("binary_cross_entropy", _cost("binary_cross_entropy"), _says_cost("binary_cross_entropy")),
    Convention("cross_entropy", _cost("cross_entropy"), _says_cost("cross_entropy")),
    Convention("reduction", _reduction, _says_reduction),
    Convention("one", _one_example, lambda _: "the cost of one example were meant"),
    Convention("output identity", _output_identity, lambda _: "the outputs had no activation function"),
    Convention("identity", _activation("identity"), lambda _: "there were no activation functions"),
    Convention("sigmoid", _activation("sigmoid"), lambda _: "the activation functions were sigmoid"),
    Convention("tanh", _activation("tanh"), lambda _: "the activation functions were tanh"),
)  # fmt: skip


_OF_COSTS = frozenset(
    {"squared_error", "half", "targets", "binary_cross_entropy", "cross_entropy", "reduction", "one"}
)
"""Conventions that change costs only."""


def _indexed_weights(chains: list[Chain], under: Setting) -> bool:
    """Returns whether weights stand there by their indices, and not by names such as `w_5`."""
    for part in _symbols(chains):
        meaning = part.meanings[0]
        if isinstance(meaning, Ref) and meaning.kind == "w":
            lettered = meaning.to is not None and meaning.to.letter is not None
            if meaning.array or lettered or not under.vocabulary.own(part.text):
                return True
    return False


def _symbols(chains: list[Chain]) -> Iterator[Symbol]:
    for chain in chains:
        for side in chain.sides:
            yield from (part for part in walk(side) if isinstance(part, Symbol))


def would_hold(text: str, chains: list[Chain], under: Setting) -> list[tuple[str, str]]:
    """Returns the conventions under which an equation would hold: (name, sentence) of each."""
    found: list[tuple[str, str]] = []
    kinds = {
        (meaning.kind, meaning.derived)
        for part in _symbols(chains)
        for meaning in part.meanings
        if isinstance(meaning, Ref)
    }
    if not kinds:
        return found
    costs = any(kind in ("C", "total", "R", "delta") or derived for kind, derived in kinds)
    for convention in TABLE:
        if convention.name in _OF_COSTS and not costs:
            continue
        if convention.name == "delta" and not any(kind == "delta" for kind, _ in kinds):
            continue
        if convention.name == "weights" and not _indexed_weights(chains, under):
            continue
        if convention.name == "identity" and any(name == "output identity" for name, _ in found):
            continue
        try:
            changed = convention.change(under)
            if changed is None:
                continue
            setting, flipped = changed
            # Numbers belong to the declared activation functions and costs only as far as data does.
            every = [pair for chain in chains for pair in pairs(text, chain, setting, flipped)]
            if convention.name not in (
                "weights",
                "squared_error",
                "half",
                "reduction",
                "elementwise",
            ) and any(map(numeric, every)):
                continue
            if all(holds_so(pair, {})[0] for pair in every):
                found.append((convention.name, convention.says(under)))
        except (EquationError, Unfit):
            continue
    return found
