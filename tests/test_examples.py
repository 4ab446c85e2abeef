"""The examples run, on small settings, and print what they promise."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = {
    "digits_two_losses": (["--steps", "4"], ("Which cost pulls where", "conflicts removed")),
    "physics_informed": (
        ["--steps", "24"],
        ("`equation` dominates every shared layer", "equally long gradients"),
    ),
    "published_entropies": (["--sizes", "4"], ("published  measured", "     4       2.308     2.384")),
    "residual_spectrum": (["--blocks", "4", "--steps", "3"], ("Before training", "most paths pass 2")),
    "transformer_paths": (["--steps", "3"], ("head 1 of attn sends back", "skip ")),
}


def test_every_example_is_run() -> None:
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str) -> None:
    arguments, promised = EXAMPLES[name]
    if name == "digits_two_losses":
        pytest.importorskip("sklearn")
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / f"{name}.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "", "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    for words in promised:
        assert words in done.stdout
