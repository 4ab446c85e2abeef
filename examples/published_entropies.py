"""Du et al. (ACL 2023), figure 6b, once more: a wider hidden layer spreads the gradient over more paths.

Their values are those printed in analysis/analyze_ffoom_entropy.ipynb of github.com/kdu4108/semiring-backprop-exps.
Model, start, optimiser and loss follow their library (github.com/kdu4108/brunoflow) as it was when the runs were made,
November 2022. The entropy (nats) of the gradient graph depends on where the graph is cut into operations: "one op." is
the same model with torch's cross entropy, whose inner paths are not counted.

    python examples/published_entropies.py [--sizes 4 8 16 32 64 128]
"""

import argparse
from math import sqrt

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import random_split

import whygrad as wg

SEEDS = (5, 4, 3)
PUBLISHED = {  # hidden size: entropy by the relevant input, mean of the other three inputs; one value for each seed
    4: ((2.552239, 2.169354, 2.201457), (2.511993, 2.111864, 2.245123)),
    8: ((2.793305, 2.666535, 3.018678), (2.997687, 2.586554, 2.965143)),
    16: ((3.592794, 3.816322, 3.826732), (3.432164, 3.599114, 3.799640)),
    32: ((4.560669, 4.443542, 4.405007), (4.328248, 4.341906, 4.274376)),
    64: ((5.098937, 5.115720, 5.085699), (4.991500, 4.871787, 4.979999)),
    128: ((5.759920, 5.784768, 5.834507), (5.556238, 5.626316, 5.632425)),
}


def points(many: int = 20000) -> tuple[Tensor, Tensor]:
    """Returns the training points, four numbers in [0, 1) each, and whether the first number is above a half."""
    drawn = np.random.RandomState(0).rand(many, 4)
    train = random_split(range(many), [0.8, 0.2], generator=torch.Generator().manual_seed(0))[0].indices
    x = torch.from_numpy(drawn[train])
    return x, (x[:, 0] > 0.5).long()


def start(hidden: int, seed: int) -> nn.Sequential:
    """Returns the model before training: weights of variance 2/(m + n), biases of variance 1/n."""
    draw = np.random.RandomState(seed)
    model = nn.Sequential(nn.Linear(4, hidden), nn.LeakyReLU(0.01), nn.Linear(hidden, 2)).double()
    for layer in (model[0], model[2]):
        m, n = layer.in_features, layer.out_features
        layer.weight.data = torch.from_numpy(draw.normal(scale=sqrt(2 / (m + n)), size=(m, n)).T.copy())
        layer.bias.data = torch.from_numpy(draw.normal(scale=sqrt(1 / n), size=n))
    return model


def composed(scores: Tensor, labels: Tensor) -> Tensor:
    """Returns the cross entropy in their operations: the maximum is taken off and added again."""
    most = scores.amax(1, keepdim=True)
    logs = scores - (torch.log(torch.exp(scores - most).sum(1, keepdim=True)) + most)
    return -logs[torch.arange(len(labels)), labels].mean()


def entropies(hidden: int, seed: int) -> dict[str, tuple[float, float]]:
    """Returns, for the last training step, the entropy by the relevant input and the mean of the other three."""
    model, (x, labels) = start(hidden, seed), points()
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()]
    batches = list(zip(x.split(32), labels.split(32), strict=True))
    for few, right in batches[:-1]:
        model.zero_grad()
        nn.functional.cross_entropy(model(few), right).backward()
        with torch.no_grad():  # their Adam corrects every step as if it were the first
            for p, (first, second) in zip(model.parameters(), moments, strict=True):
                first.mul_(0.9).add_(0.1 * p.grad)
                second.mul_(0.99).add_(0.01 * p.grad**2)
                p -= 0.001 * (first / 0.1) / ((second / 0.01).sqrt() + 1e-8)
    few, right = batches[-1]
    found = {}
    for name, loss in (("composed", composed), ("one operation", nn.functional.cross_entropy)):
        record = wg.record(model, few, lambda net, given, loss=loss: {"loss": loss(net(given), right)})
        by_input = np.asarray(record.sweep("entropy").array("batch")).reshape(-1, 4).mean(0)
        found[name] = (float(by_input[0]), float(by_input[1:].mean()))
    return found


def main() -> None:
    """Prints the published means of three runs beside the measured ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(PUBLISHED), choices=list(PUBLISHED))
    sizes = parser.parse_args().sizes
    torch.set_num_threads(1)
    print("Entropy of the gradient graph (nats), means of three runs")
    print("             relevant input                    other inputs")
    print("hidden   published  measured  one op.     published  measured  one op.")
    for hidden in sizes:
        runs = [entropies(hidden, seed) for seed in SEEDS]
        line = f"{hidden:6d}"
        for which in (0, 1):
            whole, one = (
                np.mean([run[name][which] for run in runs]) for name in ("composed", "one operation")
            )
            line += f"   {np.mean(PUBLISHED[hidden][which]):9.3f}  {whole:8.3f}  {one:7.3f}  "
        print(line.rstrip(), flush=True)


if __name__ == "__main__":
    main()
