"""The strongest of many lines at many places, without going through all pairs of a line and a place.

The largest absolute value of lines at a place t is convex in t: a few of the lines make it up, each on a stretch. Two
places at which the same line is strongest need no look at what is between them. Otherwise the place at which their two
lines meet is looked at, and splits what is between, or is where one stretch ends and the next begins (Eisner and
Severance 1976, *Mathematical techniques for efficient record segmentation in large shared databases*). With h stretches
n lines are gone through some 2h times.
"""

from typing import NamedTuple

import numpy as np

from whygrad.arrays import Array


class _Line(NamedTuple):
    """A line with the sign that makes it positive where it is strongest."""

    number: int
    start: float
    slope: float

    def at(self, place: float) -> float:
        return self.start + self.slope * place


class Envelope(NamedTuple):
    """The numbers of the strongest lines from left to right, and the places at which one gives way to the next."""

    lines: Array
    ends: Array

    @staticmethod
    def of(starts: Array, slopes: Array, low: float, high: float) -> "Envelope":
        """Returns which of the lines |start + slope t| is largest where, between two places.

        Example:
            >>> Envelope.of(np.array([1.0, 0.0]), np.array([0.0, 1.0]), -3.0, 3.0)
            Envelope(lines=array([1, 0, 1]), ends=array([-1.,  1.]))
        """

        def strongest(place: float) -> _Line:
            values = starts + slopes * place
            number = int(np.argmax(np.abs(values)))
            sign = -1.0 if values[number] < 0 else 1.0
            return _Line(number, sign * float(starts[number]), sign * float(slopes[number]))

        lines, ends = [strongest(low)], []
        waiting = [strongest(high)]
        while waiting:
            left, right = lines[-1], waiting[-1]
            meet, between = 0.0, None
            if right.slope > left.slope:
                meet = (left.start - right.start) / (right.slope - left.slope)
                between = strongest(meet)
                if between.at(meet) <= left.at(meet) * (1 + 1e-12):
                    between = None
            if between is not None and between not in (left, right):
                waiting.append(between)
                continue
            if right.slope > left.slope:
                lines.append(right)
                ends.append(meet)
            waiting.pop()
        return Envelope(np.array([line.number for line in lines]), np.array(ends))


def strongest_of_others(weights: Array, q: Array, t: Array) -> Array:
    """Returns for each j the weights[i] (1 + q[i] t[j]) of the largest absolute value over all i but j, (n,).

    NaN where not all numbers are finite.

    Example:
        >>> strongest_of_others(np.array([1.0, -2.0, 0.5]), np.zeros(3), np.zeros(3))
        array([-2.,  1., -2.])
    """
    slopes = weights * q
    if not all(np.isfinite(array).all() for array in (weights, slopes, t)):
        return np.full_like(weights, np.nan)
    envelope = Envelope.of(weights, slopes, float(t.min()), float(t.max()))
    found = envelope.lines[np.searchsorted(envelope.ends, t)]
    made = weights[found] + slopes[found] * t
    # Few entries are strongest at their own place.
    for j in np.flatnonzero(found == np.arange(len(t))):
        values = weights + slopes * t[j]
        values[j] = 0.0
        made[j] = values[np.argmax(np.abs(values))]
    return made
