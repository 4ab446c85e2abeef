"""Losses of torch.nn.functional, entry by entry: how they are joined is another operation."""

from whygrad.ops.declare import PAIR, elementwise, reals, shares

smooth_l1 = elementwise(
    "smooth_l1(a, t)",
    "where(abs(a - t) < beta, (a - t)^2/(2*beta), abs(a - t) - beta/2)",
    {
        "a": "where(abs(a - t) < beta, (a - t)/beta, sign(a - t))",
        "t": "where(abs(a - t) < beta, (t - a)/beta, sign(t - a))",
    },
    reals(-2, 2, *PAIR),
    torch="smooth_l1_loss",
    settings={"beta": 1.0},
)
huber = elementwise(
    "huber(a, t)",
    "where(abs(a - t) <= delta, (a - t)^2/2, delta*(abs(a - t) - delta/2))",
    {
        "a": "where(abs(a - t) <= delta, a - t, delta*sign(a - t))",
        "t": "where(abs(a - t) <= delta, t - a, delta*sign(t - a))",
    },
    reals(-2, 2, *PAIR),
    torch="huber_loss",
    settings={"delta": 1.0},
)
clamped_binary_cross_entropy = elementwise(
    "clamped_binary_cross_entropy(a, t)",
    "-t*max(log(a), -100) - (1 - t)*max(log1p(-a), -100)",
    {
        "a": "(a - t)/max(a*(1 - a), 1e-12)",
        "t": "max(log1p(-a), -100) - max(log(a), -100)",
    },
    shares(*PAIR),
    torch="binary_cross_entropy",
    source="logarithms from -100 up, as PyTorch has it",
)
binary_cross_entropy_with_logits = elementwise(
    "binary_cross_entropy_with_logits(x, t)",
    "(1 - t)*x + softplus(-x)",
    {"x": "sigmoid(x) - t", "t": "-x"},
    reals(0.05, 0.95, *PAIR),
    torch="binary_cross_entropy_with_logits",
)
weighted_binary_cross_entropy_with_logits = elementwise(
    "weighted_binary_cross_entropy_with_logits(x, t, w)",
    "(1 - t)*x + (1 + (w - 1)*t)*softplus(-x)",
    {
        "x": "1 - t - (1 + (w - 1)*t)*sigmoid(-x)",
        "t": "(w - 1)*softplus(-x) - x",
        "w": "t*softplus(-x)",
    },
    reals(0.05, 0.95, (3, 4), (3, 4), (4,)),
    source="binary_cross_entropy_with_logits with pos_weight",
)
kl_divergence = elementwise(
    "kl_divergence(x, t)",
    "t*(log(where(t > 0, t, 1)) - x)",
    {"x": "-t", "t": "log(where(t > 0, t, 1)) + 1 - x"},
    shares(*PAIR),
    torch="kl_div",
    source="0 log 0 = 0, as PyTorch has it",
)
kl_divergence_of_logs = elementwise(
    "kl_divergence_of_logs(x, t)",
    "exp(t)*(t - x)",
    {"x": "-exp(t)", "t": "exp(t)*(t - x + 1)"},
    reals(-2, 0, *PAIR),
    torch="kl_div(log_target=True)",
)
soft_margin = elementwise(
    "soft_margin(x, t)",
    "softplus(-t*x)",
    {"x": "-t*sigmoid(-t*x)", "t": "-x*sigmoid(-t*x)"},
    reals(-2, 2, *PAIR),
    torch="soft_margin_loss",
)
poisson_nll = elementwise(
    "poisson_nll(x, t)",
    "exp(x) - t*x",
    {"x": "exp(x) - t", "t": "-x"},
    reals(0.1, 2, *PAIR),
    torch="poisson_nll_loss",
)
