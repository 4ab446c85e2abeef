"""What an entry of the table of mistakes is: a code, the changes that make it, words and a mend."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.setting import Setting


class At(NamedTuple):
    """The place that a change is made at: a layer, and what has come down to it in the person's own backward pass.

    Attributes:
        setting: The network, the examples and the right values.
        layer: Its number.
        given: The person's gradients, in the network's layout and conventions.
        above: The person's delta of the layer above, (examples, neurons above); nothing at the last layer.
        above_back: What arrived at the activations of the layer above.
        back: What arrives at this layer's activations.
        delta: The layer's delta.
        deltas: The person's deltas of the layers above.
    """

    setting: Setting
    layer: int
    given: Mapping[str, Array]
    above: Array = None
    above_back: Array = None
    back: Array = None
    delta: Array = None
    deltas: Mapping[int, Array] = {}

    @property
    def last(self) -> bool:
        """Whether this is the output layer."""
        return self.layer == self.setting.depth

    @property
    def z(self) -> Array:
        """The layer's pre-activations."""
        return self.setting.z[self.layer]

    @property
    def a(self) -> Array:
        """The layer's activations."""
        return self.setting.a[self.layer]

    @property
    def inputs(self) -> Array:
        """The activations of the layer below."""
        return self.setting.a[self.layer - 1]

    @property
    def elementwise(self) -> bool:
        """Whether the layer's activation has one slope for each neuron."""
        return not self.setting.dense(self.layer)

    @property
    def slope(self) -> Array:
        """The layer's slopes."""
        return self.setting.slope[self.layer]

    @property
    def activation(self) -> Any:
        """The layer's activation."""
        return self.setting.activation[self.layer]

    @property
    def scales(self) -> tuple[float, ...]:
        """Factors by which a delta may differ where 1/m is applied late: it matters in what is not linear in it."""
        scale = self.setting.scale
        return (1.0,) if np.isclose(scale, 1) else (1.0, 1 / scale)


class Change(NamedTuple):
    """One way to make a mistake at one place: the array that stands where the right one should.

    Where ``directions`` are given, the array is ``value`` plus some multiple of each; the multiples are fitted to the
    person's gradients and ``accept`` says whether they are what the mistake makes (and adds to the note).
    """

    value: Array
    note: str = ""
    directions: tuple[Array, ...] = ()
    accept: Callable[[Array], str | None] | None = None
    surcharge: float = 0.0


Changes: TypeAlias = Callable[[At], Iterator[Change]]


class Multiple(NamedTuple):
    """A number of the network by which a gradient may be multiplied by mistake."""

    number: float
    note: str
    surcharge: float = 0.0


class Mistake(NamedTuple):
    """One entry of the table.

    Attributes:
        code: Its identifier.
        group: Which part of the backward pass it belongs to.
        says: The sentence; ``{l}``, ``{up}``, ``{down}`` are layers, ``{act}`` the activation, ``{note}`` the
            change's own words.
        fix: The mend, one line of code or mathematics.
        where: The layers and neurons that it can happen at.
        changes: By the step of the backward pass that is changed: ``error`` (dC/da of the outputs), ``back`` (what is
            sent back), ``slope`` (delta from it), ``weight`` and ``bias`` (the gradients from delta).
        multiples: The numbers that gradients are multiplied with by this mistake, at ``all`` parameters, at a
            ``delta`` (from a layer down), at one ``weight`` or ``bias``, or at the ``regularisation``.
        rank: What it costs to assume it: the cheapest explanation wins, and those that cost the same are all named.
    """

    code: str
    group: str
    says: str
    fix: str
    where: str
    changes: Mapping[str, Changes] = {}
    multiples: Callable[[Setting, int, str], Iterator[Multiple]] | None = None
    rank: float = 1.0


def sentence(mistake: Mistake, setting: Setting, layer: int, note: str, template: str | None = None) -> str:
    """Returns an entry's sentence (or its mend) with a layer's names filled in."""
    text = mistake.says if template is None else template
    names = {
        "l": layer,
        "up": layer + 1,
        "down": layer - 1,
        "last": setting.depth,
        "act": setting.activation[layer].name if layer in setting.activation else "",
        "m": setting.examples,
        "outputs": setting.sizes[-1],
        "note": note,
    }
    return text.format(**names)
