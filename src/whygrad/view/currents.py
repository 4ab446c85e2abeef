"""How much goes through each line of a picture, for many stations at once."""

import numpy as np

from whygrad.arrays import Array
from whygrad.notation import Quantity
from whygrad.run import Run
from whygrad.view.picture import FAINTEST, MOST_LIT, Picture
from whygrad.view.ways import Ways


class Currents:
    """How much goes through each line of a picture, for many stations at once.

    ``edges`` are the lines of the picture, as pairs of places.

    Args:
        run: The run, of one example.
        ways: Its ways.
        picture: What is drawn of it.
    """

    def __init__(self, run: Run, ways: Ways, picture: Picture) -> None:
        self._run, self._ways, self._picture = run, ways, picture
        self._sweep = run.sweep("gradient").sweep
        self._outputs = run.network.layered.outputs
        self.edges: list[tuple[str, str]] = []
        self._first: dict[int, int] = {}
        for layer in range(1, run.network.layered.depth + 1):
            self._first[layer] = len(self.edges)
            starts, ends = picture.ends(layer - 1)[0], picture.ends(layer)[0]
            self.edges += [(start, end) for end in ends for start in starts]
        last = run.network.layered.depth
        self._first[last + 1] = len(self.edges)
        starts, outputs = picture.ends(last)
        ends = [f"C{k}" for k in outputs] + (["total"] if len(starts) > len(outputs) else [])
        self.edges += zip(starts, ends, strict=True)

    def back(self, kind: str, layer: int, pick: Array) -> Array:
        """Returns each strand's derivatives by a layer: (strands, neurons)."""
        values = np.asarray(self._sweep.values(self._run.recorded.nodes[kind, layer]))[: self._outputs, 0]
        return pick @ values

    def drawn(self, level: int, stations: list[int], of: Quantity) -> list[tuple[str, str, int]]:
        """Returns what is drawn for each station, in thousandths of the widest line behind it.

        The lines behind it are line, width, line, width, … with one width for each strand; then come the widths of a
        line into it, of any weight, and what is widest where that line is drawn.

        Args:
            level: The stations' level.
            stations: Their numbers.
            of: What is differentiated.
        """
        pick = self._picture.strands(of)[1]
        levels = self._ways.levels
        reached = np.zeros((len(stations), levels[level].size))
        reached[np.arange(len(stations)), stations] = 1.0
        parts = []
        for place in range(level, len(levels) - 1):
            factor, above = self._ways.factors[place], levels[place + 1]
            if above.layer > levels[place].layer:
                back = self.back(above.kind, above.layer, pick)
                parts.append(self._layer(above.layer, reached, factor, back))
            reached = reached @ factor.T
        starts, shown = self._picture.ends(levels[-1].layer)
        last = reached[:, None, :] * self.back("a", levels[-1].layer, pick)
        parts.append(last[:, :, shown])
        if len(starts) > len(shown):
            parts.append(last.sum(axis=2, keepdims=True) - parts[-1].sum(axis=2, keepdims=True))
        start = self._first[levels[level].layer + 1]
        own = self.back(levels[level].kind, levels[level].layer, pick)[:, stations].T
        every = np.concatenate(parts, axis=2)
        return [_drawn(lines, into, start) for lines, into in zip(every, own, strict=True)]

    def _layer(self, layer: int, reached: Array, factor: Array, back: Array) -> Array:
        """Returns what goes through the lines into a layer, those that aren't drawn put together."""
        (starts, columns), (ends, rows) = self._picture.ends(layer - 1), self._picture.ends(layer)
        made = reached[:, None, None, columns] * factor[rows][:, columns] * back[None, :, rows, None]
        if len(starts) > len(columns) or len(ends) > len(rows):
            into = (reached @ factor.T)[:, None, :] * back
            out = reached[:, None, :] * (back @ factor)
            beside = into[:, :, rows] - made.sum(axis=3)
            below = out[:, :, columns] - made.sum(axis=2)
            rest = into.sum(axis=2) - made.sum(axis=(2, 3)) - beside.sum(axis=2) - below.sum(axis=2)
            if len(ends) > len(rows):
                made = np.concatenate([made, below[:, :, None, :]], axis=2)
                beside = np.concatenate([beside, rest[:, :, None]], axis=2)
            if len(starts) > len(columns):
                made = np.concatenate([made, beside[:, :, :, None]], axis=3)
        return made.reshape(*made.shape[:2], -1)


def _drawn(lines: Array, own: Array, start: int) -> tuple[str, str, int]:
    """Returns the lines that can be seen, the widest first; the line into the station; and what is widest."""
    sizes = np.abs(lines).sum(axis=0)
    widest = sizes.max(initial=0.0)
    if not widest:
        return "", "", 1000
    order = np.argsort(-sizes, kind="stable")[:MOST_LIT]
    order = order[sizes[order] > FAINTEST * widest]
    widths, into = _thousandths(lines[:, order], widest), _thousandths(own, widest)
    return (
        " ".join(map(str, np.vstack([order + start, widths]).T.ravel().tolist())),
        " ".join(map(str, into.tolist())),
        max(1000, int(np.abs(into).sum())),
    )


def _thousandths(parts: Array, widest: float) -> Array:
    """Returns parts of the widest line as whole numbers; what is anything at all is at least one."""
    return np.where(
        parts, np.copysign(np.maximum(np.rint(np.abs(parts) * (1000 / widest)), 1.0), parts), 0.0
    ).astype(int)
