"""The table of causes: what people get wrong in an equation, and what finds and mends it.

A cause looks for a change that makes the equality hold. The first that finds one names the mistake.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from whygrad.equation.slips.arrays import transposed, wrong_product
from whygrad.equation.slips.dense import other_outputs
from whygrad.equation.slips.factors import wrong_factor, wrong_sign, wrong_terms
from whygrad.equation.slips.functions import (
    form_on_z,
    function_for_slope,
    without_function,
    wrong_argument,
    wrong_argument_and_more,
)
from whygrad.equation.slips.indices import (
    clashing_letter,
    missing_sum,
    swapped_letters,
    wrong_bounds,
    wrong_cost,
    wrong_index,
)
from whygrad.equation.slips.left import left_side
from whygrad.equation.slips.parts import missing_inside, missing_link, wrong_number
from whygrad.equation.slips.paths import for_some, missing_costs, missing_terms, old_or_new, through_a_weight
from whygrad.equation.slips.quantities import left_out, left_out_of_each, too_many, wrong_quantity
from whygrad.equation.trial import Fix, Trial


class Cause(NamedTuple):
    """One kind of mistake."""

    code: str
    name: str
    find: Callable[[Trial], Iterator[Fix]]


TABLE: tuple[Cause, ...] = (
    Cause("MC", "costs missing", missing_costs),
    Cause("MP", "the sum over paths missing", missing_sum),
    Cause("TI", "a chain through something independent", through_a_weight),
    Cause("WC", "a wrong cost's index", wrong_cost),
    Cause("SG", "a wrong sign", wrong_sign),
    Cause("UO", "weights after the step", old_or_new),
    Cause("OD", "softmax's other outputs forgotten", other_outputs),
    Cause("NC", "an index that means two things", clashing_letter),
    Cause("TR", "indices swapped", swapped_letters),
    Cause("WI", "a wrong neuron or layer", wrong_index),
    Cause("TR", "transposed", transposed),
    Cause("EW", "a matrix product for an elementwise one, or the reverse", wrong_product),
    Cause("SP", "wrong terms", wrong_terms),
    Cause("SC", "a constant factor", wrong_factor),
    Cause("SP", "a factor too many", too_many),
    Cause("MP", "a sum over some only", wrong_bounds),
    Cause("MP", "paths missing", missing_terms),
    Cause("MA", "the function where its slope belongs", function_for_slope),
    Cause("MA", "the activation function missing", without_function),
    Cause("AA", "a slope's form taken at the pre-activation", form_on_z),
    Cause("AA", "a wrong argument", wrong_argument),
    Cause("MA", "a slope or a weight missing", left_out),
    Cause("MW", "factors missing in several terms", left_out_of_each),
    Cause("XW", "a wrong quantity", wrong_quantity),
    Cause("AA", "a wrong argument, and a factor missing", wrong_argument_and_more),
    Cause("XW", "a term missing inside", missing_inside),
    Cause("MA", "a link of the chain missing", missing_link),
    Cause("NU", "another number", wrong_number),
    Cause("WI", "a slip on the left side", left_side),
    Cause("CL", "right for some indices only", for_some),
)
"""In the order in which they are tried."""
