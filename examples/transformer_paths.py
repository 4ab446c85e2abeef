"""Along which paths does a transformer learn to copy? Its strongest paths, its heads, skip against block.

A one-layer transformer with two heads learns to repeat the token before last. Asked about the last place alone, the
strongest paths from the embeddings of the earlier tokens say through which head and from which token it is learned.

    python examples/transformer_paths.py [--steps 40]
"""

import argparse

import torch
from torch import Tensor, nn

import whygrad as wg

TOKENS, LENGTH, WIDTH = 6, 8, 16


class Transformer(nn.Module):
    """Embeddings, one layer of attention and a small network, each with a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Embedding(TOKENS, WIDTH)
        self.place = nn.Parameter(torch.randn(LENGTH, WIDTH))
        self.attn = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
        self.up = nn.Linear(WIDTH, 2 * WIDTH)
        self.down = nn.Linear(2 * WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, TOKENS)

    def forward(self, tokens: Tensor) -> Tensor:
        """Returns the scores of the next tokens."""
        x = self.token(tokens) + self.place
        mask = torch.full((LENGTH, LENGTH), float("-inf")).triu(1)
        x = x + self.attn(x, x, x, attn_mask=mask, need_weights=False)[0]
        x = x + self.down(torch.relu(self.up(x)))
        return self.out(x)


def last(model: nn.Module, tokens: Tensor) -> dict[str, Tensor]:
    """Returns the loss at the last place alone."""
    return {"copy": nn.functional.cross_entropy(model(tokens)[:, -1], tokens[:, -3])}


def cost(model: nn.Module, tokens: Tensor) -> dict[str, Tensor]:
    """Returns the loss of guessing, at each place from the third on, the token two places before."""
    scores = model(tokens)[:, 2:]
    return {"copy": nn.functional.cross_entropy(scores.flatten(0, 1), tokens[:, :-2].flatten())}


def show(title: str, model: nn.Module, tokens: Tensor) -> None:
    """Prints the strongest paths through attention, what the heads send back, and skip against block."""
    recorded = wg.record(model, tokens, last)
    print(f"\n{title} (loss at the last place {recorded.total:.3f})")
    paths = recorded.paths("add", k=400)  # token + place
    print(f"  the strongest of {paths.count:,} paths that begin at an earlier token:")
    earlier = [path for path in paths if not path.quantities[0].startswith(f"add[0, {LENGTH - 1},")]
    for path in earlier[:4]:
        print(f"  {path.contribution:+.2e}  {' > '.join(path.quantities)}")
    (through,) = recorded.heads("attn")
    for head, norms in zip(through.senders, through.norms, strict=True):
        print(f"  {head} of attn sends back a gradient of norm {norms[0]:.2e}")
    for fork in recorded.branches():
        sides = fork.skip_against_block
        if sides is not None:
            said = ", ".join(
                f"{side} {norms[0]:.2e}" for side, norms in zip(sides.senders, sides.norms, strict=True)
            )
            print(f"  to {fork.place}: {said}, cosine {sides.cosines[0, 0, 1]:+.2f}")


def main() -> None:
    """Prints everything before and after training, on one sequence."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=40)
    steps = parser.parse_args().steps
    torch.manual_seed(0)
    model, one = Transformer(), torch.randint(0, TOKENS, (1, LENGTH))
    print(f"tokens: {one[0].tolist()}")
    show("Before training", model, one)
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        cost(model, torch.randint(0, TOKENS, (64, LENGTH)))["copy"].backward()
        optimiser.step()
    show(f"After {steps} steps", model, one)


if __name__ == "__main__":
    main()
