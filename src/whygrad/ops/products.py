"""Products with constant or learned windows: convolutions, pooling."""

from whygrad.ops.declare import declare, reals
from whygrad.structures import Convolution, PerAxis, average_windows

convolution = declare(
    "convolution(x, W)",
    Convolution,
    reals(-2, 2, (2, 2, 5, 4), (3, 2, 3, 2)),
    torch="convolution",
    settings={
        "stride": (1,),
        "padding": (0,),
        "dilation": (1,),
        "transposed": False,
        "output_padding": (0,),
        "groups": 1,
    },
    symbol="x * W",
)

along_axes = declare(
    "along_axes(x)",
    lambda arguments: PerAxis(arguments[0]),
    reals(-3, 3, (2, 3, 5)),
    settings={"matrices": {1: average_windows(3, 2, 1, 1), 2: average_windows(5, 2, 2)}},
    symbol="P x",
    source="average and adaptive pooling, interpolation and running sums, by their matrices",
)
