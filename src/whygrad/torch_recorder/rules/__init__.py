"""What each of PyTorch's basic operations is in our table of operations: one entry each, by family."""

from collections.abc import Mapping
from importlib import import_module

from whygrad.torch_recorder.rules.complex_numbers import AS_REAL
from whygrad.torch_recorder.rules.elementwise import by_their_names
from whygrad.torch_recorder.rules.entry import COMPLEX, ENTERED, SPARSE
from whygrad.torch_recorder.tracer import Rule

# Importing a family enters its rules.
for family in (
    "backward", "complex_numbers", "constants", "deposits", "losses", "matrices", "moves", "normalisations", "pooling",
    "products", "reductions", "rewritten", "sparse",
):  # fmt: skip
    import_module(f"whygrad.torch_recorder.rules.{family}")

RULES: Mapping[str, Rule] = by_their_names() | ENTERED

COMPLEX_RULES: Mapping[str, Rule] = {name: ENTERED[name] for name in AS_REAL} | COMPLEX

SPARSE_RULES: Mapping[str, Rule] = SPARSE

__all__ = ["COMPLEX_RULES", "RULES", "SPARSE_RULES"]
