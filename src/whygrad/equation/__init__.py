"""Reads an equation that a person wrote and says whether it holds.

The way of an equation: `scanner` cuts the text into tokens (asking `vocabulary` what names there are), the grammar in
`equation.lark` and `reader` make a syntax tree (`tree`), `chains` pairs its sides, `judge` evaluates them
(`evaluate`, at `points`), `terms` proves them as polynomials where it can, `diagnose` names what is wrong by the
table in `causes` and writes the correction, `conventions` tries other conventions, and `verdict` holds what came out.
"""

from whygrad.equation.check import check
from whygrad.equation.verdict import Equality, Verdict

__all__ = ["Equality", "Verdict", "check"]
