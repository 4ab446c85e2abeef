"""Which way a gradient arrives: by user of a value, by attention head, by number of residual blocks passed."""

from whygrad.branches.heads import heads
from whygrad.branches.parts import Parts
from whygrad.branches.residuals import Residual, residuals
from whygrad.branches.spectrum import Spectrum, spectrum
from whygrad.branches.users import branches

__all__ = ["Parts", "Residual", "Spectrum", "branches", "heads", "residuals", "spectrum"]
