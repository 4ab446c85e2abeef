"""The examples in docstrings are run."""

import doctest
import importlib
import pkgutil

import pytest

import whygrad

# Modules that need more than the library itself, or do something when they are imported.
APART = {"whygrad.__main__", "whygrad.torch_recorder"}
MODULES = sorted(
    {"whygrad"}
    | {found.name for found in pkgutil.walk_packages(whygrad.__path__, "whygrad.") if found.name not in APART}
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    engine = ["formula.tree", "formula.printing", "contraction.sums", "semirings.sums", "graph", "sweep"]
    for name in (*engine, "network", "run", "gradients"):
        module = importlib.import_module(f"whygrad.{name}")
        assert any(test.examples for test in finder.find(module)), name
