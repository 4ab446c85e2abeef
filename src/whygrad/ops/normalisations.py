"""Normalisations: one operation each, so that no result hangs on how a framework splits them."""

from whygrad.ops.declare import dense, reals

normalise = dense(
    "normalise(x)",
    "(x - axis_sum(x)/n)/sqrt(axis_sum((x - axis_sum(x)/n)^2)/n + eps)",
    {"x": "(delta - 1/n - y_i*y_j/n)*inv_std"},
    reals(-3, 3),
    quantities={"inv_std": "1/sqrt(axis_sum((x - axis_sum(x)/n)^2)/n + eps)"},
    settings={"axis": -1, "eps": 1e-5},
    source="layer, batch, instance and group normalisation before their weight and bias; biased variance",
)
rms_normalise = dense(
    "rms_normalise(x)",
    "x/sqrt(axis_sum(x^2)/n + eps)",
    {"x": "(delta - y_i*y_j/n)*inv_rms"},
    reals(-3, 3),
    quantities={"inv_rms": "1/sqrt(axis_sum(x^2)/n + eps)"},
    settings={"axis": -1, "eps": 1e-5},
    source="Zhang and Sennrich 2019",
)
