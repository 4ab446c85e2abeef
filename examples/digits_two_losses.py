"""Two losses that conflict: a small convolutional network learns which digit it sees, and whether it is mirrored.

Half of the images are mirrored. The class is the same in the mirror, so its loss wants features that don't change
there; the other loss wants features that do, and both have to go through six numbers. The report says in which layers
they pull against each other, and by how much, in one batch; the cosines of the other batches are printed beside it.
Then training with the gradients added up is compared with training in which each gradient is rid of what works against
the other (PCGrad, Yu et al. 2020), and with a second loss that is multiplied so that both gradients are equally long.

    python examples/digits_two_losses.py [--steps 60]
"""

import argparse
from collections.abc import Iterator

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import whygrad as wg


class DigitNet(nn.Module):
    """Two convolutions that both losses share, and a head for each."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.shared = nn.Linear(8 * 4 * 4, 6)
        self.digit = nn.Linear(6, 10)
        self.mirrored = nn.Linear(6, 2)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the scores of the ten digits, and of seen plainly or in the mirror."""
        h = torch.relu(self.conv1(images))
        h = nn.functional.max_pool2d(torch.relu(self.conv2(h)), 2)
        h = torch.tanh(self.shared(h.flatten(1)))
        return self.digit(h), self.mirrored(h)


def costs(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns the two losses by name."""
    digit, mirrored = model(batch["images"])
    cross_entropy = nn.functional.cross_entropy
    return {
        "digit": cross_entropy(digit, batch["digit"]),
        "mirrored": cross_entropy(mirrored, batch["mirrored"]),
    }


def data() -> dict[str, Tensor]:
    """Returns scikit-learn's 1797 digits, every other one mirrored at random."""
    digits = load_digits()
    images = torch.tensor(digits.images / 16.0, dtype=torch.float32)[:, None]
    mirrored = torch.randint(0, 2, (len(images),), generator=torch.Generator().manual_seed(0))
    images = torch.where(mirrored[:, None, None, None] == 1, images.flip(-1), images)
    return {"images": images, "digit": torch.tensor(digits.target), "mirrored": mirrored}


def surgery(model: nn.Module, batch: dict[str, Tensor]) -> None:
    """Puts into ``.grad`` the sum of the two gradients, each without what works against the other."""
    gradients = wg.record(model, batch, costs).gradients()
    gramian = gradients.gramian()
    a, b = float(gramian[0, 0]), float(gramian[1, 1])
    crossed = min(float(gramian[0, 1]), 0.0)
    # g0 - <g0, g1>/|g1|^2 g1 and the other way round, added up
    weights = torch.tensor([1.0 - crossed / a, 1.0 - crossed / b])
    for name, parameter in model.named_parameters():
        parameter.grad = torch.tensordot(weights, gradients[name], 1)


def train(steps: int, mend: bool = False, factor: float = 1.0) -> tuple[nn.Module, dict[str, float]]:
    """Returns a trained model and the two losses' values on all data; in training ``factor`` multiplies the second."""
    torch.manual_seed(0)
    model, everything = DigitNet(), data()
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(steps):
        rows = torch.randint(0, len(everything["digit"]), (64,))
        batch = {name: values[rows] for name, values in everything.items()}
        optimiser.zero_grad()
        if mend:
            surgery(model, batch)
        else:
            losses = costs(model, batch)
            (losses["digit"] + factor * losses["mirrored"]).backward()
        optimiser.step()
    with torch.no_grad():
        return model, {name: float(loss) for name, loss in costs(model, everything).items()}


def batches(size: int = 256) -> Iterator[dict[str, Tensor]]:
    """Yields all data, in whole batches."""
    everything = data()
    for start in range(0, len(everything["digit"]) - size + 1, size):
        yield {name: values[start : start + size] for name, values in everything.items()}


def main() -> None:
    """Prints the report of a model in training, the cosines in other batches, and trains both ways."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60)
    steps = parser.parse_args().steps
    model, plain = train(steps)
    records = [wg.record(model, batch, costs) for batch in batches()]
    print(records[0].report())
    print(f"The cosine in {len(records)} batches:  mean, smallest, largest")
    for layer in ("conv1", "conv2", "shared"):
        found = torch.tensor([float(record.gradients().cosines(layer)[0, 1]) for record in records])
        print(f"  {layer:24s} {found.mean():+.2f}    {found.min():+.2f}    {found.max():+.2f}")
    digit, mirrored = torch.stack([record.gradients().gramian().diagonal() for record in records]).mean(0)
    factor = float((digit / mirrored).sqrt())
    ways = {
        "gradients added up": plain,
        "conflicts removed": train(steps, mend=True)[1],
        f"mirrored times {factor:.1f}": train(steps, factor=factor)[1],
    }
    print(f"After {steps} steps, on all {len(data()['digit'])} images:")
    for way, losses in ways.items():
        print(f"  {way:20s} " + "   ".join(f"{name} {loss:.3f}" for name, loss in losses.items()))


if __name__ == "__main__":
    main()
