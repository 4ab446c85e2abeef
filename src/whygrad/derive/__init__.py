"""Derivations: the chain rule for one derivative, step by step, down to numbers."""

from whygrad.derive.derivation import Derivation
from whygrad.derive.explain import explain

__all__ = ["Derivation", "explain"]
