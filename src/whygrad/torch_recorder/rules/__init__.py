"""What each of PyTorch's basic operations is in our table of operations: one entry each, by family."""

from collections.abc import Mapping

from whygrad.torch_recorder.rules import (
    backward,
    constants,
    deposits,
    losses,
    matrices,
    moves,
    normalisations,
    pooling,
    products,
    reductions,
    rewritten,
)
from whygrad.torch_recorder.rules.elementwise import by_their_names
from whygrad.torch_recorder.rules.entry import ENTERED
from whygrad.torch_recorder.tracer import Rule

FAMILIES = (
    backward,
    constants,
    deposits,
    losses,
    matrices,
    moves,
    normalisations,
    pooling,
    products,
    reductions,
    rewritten,
)

RULES: Mapping[str, Rule] = by_their_names() | ENTERED

__all__ = ["FAMILIES", "RULES"]
