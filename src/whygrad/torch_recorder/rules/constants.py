"""What has no derivative, or is drawn: constants."""

from typing import Any

from whygrad.torch_recorder.rules.entry import rule
from whygrad.torch_recorder.tracer import Call


@rule(
    *"""zeros_like ones_like full_like empty_like rand_like randn_like randint_like new_zeros new_ones new_full
    new_empty new_empty_strided empty_strided bernoulli normal poisson binomial multinomial signbit floor_divide
    heaviside argmax argmin""".split()  # noqa: SIM905
)
def _nothing(call: Call) -> Any:
    return None
