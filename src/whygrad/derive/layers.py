"""The layer-wise form of a derivation: whole layers at a time, with the entry that was asked for marked."""

import numpy as np

from whygrad.derive.derivation import Grid, Layerwise
from whygrad.derive.links import TOTAL
from whygrad.derive.spelling import Math, Speller, Spelling
from whygrad.notation import Notation, Quantity
from whygrad.run import Run

# Matrices up to this size are shown with their numbers.
SHOWN_UP_TO = 6


class _Arrays:
    """Names of whole arrays in a notation."""

    def __init__(self, run: Run) -> None:
        self._notation: Notation = run.network.notation
        self._layout = run.network.layout

    def __call__(self, kind: str, layer: int | None) -> Math:
        latex = self._notation.matrix(kind, layer, self._layout)
        plain = {"w": "W", "delta": "delta", "z": "z", "a": "a", "b": "b", "y": "y"}[kind]
        greek = "δ" if kind == "delta" else plain
        label = "" if layer is None else str(layer)
        return Math(latex, f"{greek}{_lowered(label)}", f"{plain}{label}")


def _lowered(digits: str) -> str:
    return digits.translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def layerwise(run: Run, of: Quantity, by: Quantity, example: int, spell: Spelling) -> tuple[Layerwise, ...]:
    """Returns delta of the last layer, of each layer down to the quantity's, and the gradient of its weight matrix.

    delta_l = W_{l+1}ᵀ delta_{l+1} ⊙ f'(z_l) is the same sum over paths, for all neurons of a layer at once
    (Nielsen 2015, equations BP1 to BP4).
    """
    if (
        of.kind not in ("total", "C")
        or by.kind not in ("w", "b", "z", "a")
        or (by.kind == "a" and not by.layer)
    ):
        return ()
    net = run.network.layered
    sweep = run.seeded(of, example)
    nodes = run.recorded.nodes
    name = _Arrays(run)
    rows_are_sources = run.network.notation.weight_orientation == "from-to"
    stop = int(by.layer or 0)
    made = []
    for layer in range(net.depth, stop - 1, -1):
        delta = np.asarray(sweep.joined(nodes["z", layer]))[example]
        marked = (int(by.to or 0), 0) if by.layer == layer and by.kind in ("b", "z") else None
        line = spell(_delta_line(run, name, of, layer, rows_are_sources))
        made.append(Layerwise(line, name("delta", layer), _column(delta, marked)))
    if by.kind == "w":
        gradient = np.asarray(sweep.joined(nodes["w", stop])) - (
            net.l2 * run.network.parameters[f"W{stop}"] if net.l2 and of == TOTAL else 0
        )
        if run.examples > 1:
            delta = np.asarray(sweep.joined(nodes["z", stop]))[example]
            gradient = np.outer(delta, run.recorded.graph.nodes[nodes["a", stop - 1]].value[example])
        place = (int(by.to or 0), int(by.source or 0))
        if rows_are_sources:
            gradient, place = gradient.T, (place[1], place[0])
        made.append(_gradient_line(run, name, of, stop, gradient, place, rows_are_sources, spell))
    return tuple(made)


def _delta_line(run: Run, name: _Arrays, of: Quantity, layer: int, rows_are_sources: bool):  # type: ignore[no-untyped-def]
    net = run.network.layered
    activation = net.activations[layer - 1]

    def build(s: Speller) -> str:
        def array(kind: str, at: int | None) -> str:
            made = name(kind, at)
            return s.choose(made.latex, made.unicode, made.ascii)

        transposed = s.choose(r"^{\top}", "ᵀ", "^T")
        if layer == net.depth:
            below = s.ratio(s.q(of), array("a", layer))
        elif rows_are_sources:
            below = s.choose(
                rf"{array('delta', layer + 1)} \, {_raised(array('w', layer + 1))}{transposed}",
                f"{array('delta', layer + 1)} {array('w', layer + 1)}{transposed}",
                f"{array('delta', layer + 1)} @ {array('w', layer + 1)}.T",
            )
        else:
            below = s.choose(
                rf"{_raised(array('w', layer + 1))}{transposed} {array('delta', layer + 1)}",
                f"{array('w', layer + 1)}{transposed} {array('delta', layer + 1)}",
                f"{array('w', layer + 1)}.T @ {array('delta', layer + 1)}",
            )
        line = f"{array('delta', layer)} = "
        if activation.trivial:
            return line + below
        symbol = activation.op.symbol if s.style == "latex" else activation.name
        z = array("z", layer)
        if activation.dense:
            jacobian = s.choose(rf"{symbol}'({z})^{{\top}}", f"{symbol}'({z})ᵀ", f"{symbol}'({z}).T")
            return line + s.choose(
                rf"{jacobian} \, {below}", f"{jacobian} · {below}", f"{jacobian} @ {below}"
            )
        if layer < net.depth:
            below = s.choose(rf"\left({below}\right)", f"({below})", f"({below})")
        return line + s.choose(
            rf"{below} \odot {symbol}'({z})", f"{below} ⊙ {symbol}'({z})", f"{below} * {symbol}'({z})"
        )

    return build


def _raised(latex: str) -> str:
    """Returns an array's name in braces or parentheses where it has an upper index already, so that ᵀ can follow."""
    return rf"\left({latex}\right)" if "^" in latex and latex.startswith(("w", "W", "\\m")) else latex


def _gradient_line(
    run: Run,
    name: _Arrays,
    of: Quantity,
    layer: int,
    gradient: np.ndarray,
    place: tuple[int, int],
    rows_are_sources: bool,
    spell: Spelling,
) -> Layerwise:
    weight = name("w", layer)

    def build(s: Speller) -> str:
        def array(kind: str, at: int) -> str:
            made = name(kind, at)
            return s.choose(made.latex, made.unicode, made.ascii)

        left = s.ratio(s.q(of), array("w", layer))
        delta, below = array("delta", layer), array("a", layer - 1)
        if rows_are_sources:
            raised = _raised_any(below)
            return f"{left} = " + s.choose(
                rf"{raised}^{{\top}} \, {delta}", f"{below}ᵀ {delta}", f"{below}.T @ {delta}"
            )
        raised = _raised_any(below)
        return f"{left} = " + s.choose(
            rf"{delta} \, {raised}^{{\top}}", f"{delta} {below}ᵀ", f"{delta} @ {below}.T"
        )

    symbol = Math(
        rf"\frac{{\partial {run.network.notation.latex(of, run.network.layout)}}}{{\partial {weight.latex}}}",
        f"∂{run.network.notation.unicode(of, run.network.layout)}/∂{weight.unicode}",
        f"d{run.network.notation.text(of, run.network.layout)}/d{weight.ascii}",
    )
    return Layerwise(spell(build), symbol, _grid(gradient, place))


def _raised_any(latex: str) -> str:
    return rf"\left({latex}\right)" if "^" in latex else latex


def _column(values: np.ndarray, marked: tuple[int, int] | None) -> Grid | None:
    return _grid(values.reshape(-1, 1), marked)


def _grid(values: np.ndarray, marked: tuple[int, int] | None) -> Grid | None:
    if max(values.shape) > SHOWN_UP_TO:
        return None
    return Grid(tuple(tuple(float(value) for value in row) for row in values), marked)
