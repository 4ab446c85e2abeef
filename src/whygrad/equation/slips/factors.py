"""Slips in signs, constant factors and terms."""

from collections.abc import Iterator
from fractions import Fraction as Ratio

import numpy as np

from whygrad.equation.slips.common import as_written, holds_with, ratio_text, swapped_in
from whygrad.equation.tree import (
    Fraction,
    Negative,
    Node,
    Number,
    Product,
    Special,
    Sum,
    Symbol,
    replaced,
    walk,
)
from whygrad.equation.trial import Change, Fix, Trial, as_ratio, outside_sums


def wrong_sign(trial: Trial) -> Iterator[Fix]:
    """A sign that should be the other one."""
    right = trial.pair.right
    whole = [right, *(node for node in walk(right) if isinstance(node, Sum)), *outside_sums(right)]
    terms_of = [right, *(term for node in whole if isinstance(node, Sum) for term in node.terms)]
    for term in dict.fromkeys(terms_of):
        if isinstance(term, Negative):
            new: Node = term.of
            start, end = term.span[0], term.of.span[0]
            joined = trial.pair.text[start:end]
            after = "+" if term is not right and _follows(trial, term) else ""
            change = Change(start, end, joined.replace("-", after, 1).replace("−", after, 1))
        else:
            new = Negative(term.span, term)
            first = isinstance(term, Sum)
            at = _plus_before(trial, term)
            text = as_written(trial, term)
            if at is not None:
                change = Change(at, at + 1, "-")
            elif first:
                change = Change(term.span[0], term.span[1], f"-({text})")
            else:
                change = Change(term.span[0], term.span[0], "-")
        says = "the sign is wrong" if term is right else f"the sign of {as_written(trial, term)} is wrong"
        fix = Fix(trial.pair.left, replaced(right, term, new), (change,), says, "SG", term.span)
        if holds_with(trial, fix):
            yield fix


def _follows(trial: Trial, term: Node) -> bool:
    before = trial.pair.text[: term.span[0]].rstrip()
    return bool(before) and before[-1] not in "=({[&"


def _plus_before(trial: Trial, term: Node) -> int | None:
    before = trial.pair.text[: term.span[0]].rstrip(" {")
    return len(before) - 1 if before.endswith("+") else None


def wrong_terms(trial: Trial) -> Iterator[Fix]:
    """Terms that are too many, have the wrong sign or a wrong factor, several at once."""
    for node in outside_sums(trial.pair.right):
        if not isinstance(node, Sum) or not 2 <= len(node.terms) <= 10 or not trial.values:
            continue
        wanted = trial.needed(trial.pair.right, trial.pair.left, node)
        values = [trial.value(term, trial.values[0]) for term in node.terms]
        if wanted is None or any(value is None or value.ndim != 2 for value in values):
            continue
        shape = (trial.points.many, trial.points.examples)
        matrix = np.stack(
            [np.broadcast_to(value, shape).ravel() for value in values if value is not None], axis=1
        )
        target = np.broadcast_to(wanted, shape).ravel()
        if len(target) < len(values) + 2 or not (np.isfinite(matrix).all() and np.isfinite(target).all()):
            continue
        often = np.linalg.lstsq(matrix, target, rcond=1e-11)[0]
        if np.abs(matrix @ often - target).max() > 1e-8 * (np.abs(target).max() + np.abs(matrix).max()):
            continue
        ratios = [as_ratio(float(number)) for number in often]
        if any(ratio is None for ratio in ratios) or len(set(ratios)) == 1:
            continue
        yield from _with_ratios(trial, node, matrix, [ratio for ratio in ratios if ratio is not None])


def _with_ratios(trial: Trial, node: Sum, matrix: np.ndarray, ratios: list[Ratio]) -> Iterator[Fix]:
    kept: list[Node] = []
    pieces: list[str] = []
    gone: list[str] = []
    code = ""
    for place, (term, ratio) in enumerate(zip(node.terms, ratios, strict=True)):
        text = as_written(trial, term.of if isinstance(term, Negative) else term)
        minus = isinstance(term, Negative)
        if ratio == 0:
            twice = any(
                at != place and np.allclose(matrix[:, at], matrix[:, place]) for at in range(len(ratios))
            )
            code = code or ("DC" if twice else "SP")
            gone.append(as_written(trial, term))
            continue
        kept.append(
            term if ratio == 1 else Product(term.span, (Number(term.span, repr(float(ratio))), term), ("·",))
        )
        code = code or ("" if ratio == 1 else "SG" if ratio == -1 else "SC")
        minus = minus != (ratio < 0)
        factor = "" if abs(ratio) == 1 else ratio_text(trial, abs(ratio)) + trial.writer.times()
        pieces.append(("- " if minus else "+ " if pieces else "") + factor + text)
    if not kept or not code:
        return
    new: Node = kept[0] if len(kept) == 1 else Sum(node.span, tuple(kept))
    text = " ".join(pieces)
    opened = trial.pair.text[node.span[0] : node.span[1]].strip()
    if opened[:1] in "([" and opened[-1:] in ")]":
        text = f"({text})"
    elif opened.startswith("\\left"):
        text = f"\\left({text}\\right)"
    says = {
        "DC": "a term is counted twice",
        "SP": "terms stand there that don't belong there",
        "SG": "the sign of a term is wrong",
        "SC": "the factor of a term is wrong",
    }[code]
    says = f"{says}: {', '.join(gone)}" if gone else says
    fix = swapped_in(trial, node, new, text, says, code)._replace(surplus=tuple(gone))
    if holds_with(trial, fix):
        yield fix


def wrong_factor(trial: Trial) -> Iterator[Fix]:
    """A constant factor: a forgotten or a superfluous 2, 1/2, 1/m."""
    ratio = trial.ratio(trial.pair.left, trial.pair.right)
    if ratio is not None and ratio not in (0, 1):
        yield from _scaled(trial, ratio)


def _scaled(trial: Trial, ratio: Ratio) -> Iterator[Fix]:
    right = trial.pair.right
    # A number that stands there may be the one that is wrong.
    for node in walk(right):
        if isinstance(node, Number) and (ratio * Ratio(node.text)).denominator == 1:
            whole = ratio * Ratio(node.text)
            number = str(whole.numerator)
            shown = "" if number == "1" and node is not right and _is_first_factor(right, node) else number
            says = f"the factor {node.text} is wrong: it should be {number}"
            fix = swapped_in(trial, node, Number(node.span, number), shown, says)
            if whole > 0 and holds_with(trial, fix):
                yield fix
    new = Product(right.span, (Number(right.span, repr(float(ratio))), right), ("·",))
    shown = ("-" if ratio < 0 else "") + ratio_text(trial, abs(ratio))
    many = trial.writer.examples()
    share = trial.points.examples > 1 and abs(ratio) == Ratio(1, trial.points.examples) and many is not None
    text = as_written(trial, right)
    inner = f"({text})" if isinstance(right, Sum | Negative) and not text.startswith("(") else text
    says = f"the right side is {_times_too(1 / ratio)} what it should be"
    # The number takes the place of the whole side; it is exact only as a fraction.
    exact = Fraction(
        right.span, Number(right.span, str(abs(ratio.numerator))), Number(right.span, str(ratio.denominator))
    )
    if share and many is not None:
        # As many examples as there are, and not as many as these data have.
        count = Symbol(right.span, many, (Special("examples"),))
        exact = Fraction(right.span, Number(right.span, "1"), count)
        shown = ("-" if ratio < 0 else "") + trial.writer.fraction("1", many)
        says = f"the mean over the examples is missing: a factor 1/{many}"
    new = Product(right.span, (exact, right), ("·",))
    made: Node = Negative(right.span, new) if ratio < 0 else new
    fix = swapped_in(trial, right, made, f"{shown}{trial.writer.times()}{inner}", says)
    if holds_with(trial, fix):
        yield fix


def _is_first_factor(right: Node, number: Node) -> bool:
    return any(
        isinstance(node, Product) and node.factors[0] is number and node.signs[0] in ("", "·")
        for node in walk(right)
    )


def _times_too(ratio: Ratio) -> str:
    if ratio == 2:
        return "twice"
    if ratio == Ratio(1, 2):
        return "half of"
    return f"{ratio} times"
