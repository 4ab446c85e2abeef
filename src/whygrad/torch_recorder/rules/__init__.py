"""What each of PyTorch's basic operations is in our table of operations: one entry each, by family."""

from collections.abc import Mapping

from whygrad.torch_recorder.rules import (
    backward,
    complex_numbers,
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
from whygrad.torch_recorder.rules.entry import COMPLEX, ENTERED
from whygrad.torch_recorder.tracer import Rule

FAMILIES = (
    backward,
    complex_numbers,
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

COMPLEX_RULES: Mapping[str, Rule] = {name: ENTERED[name] for name in complex_numbers.AS_REAL} | COMPLEX

__all__ = ["COMPLEX_RULES", "FAMILIES", "RULES"]
