"""``whygrad diagnose``: the gradients in a file, judged on a network file's own data."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def diagnose(
    gradients: Annotated[Path, typer.Argument(help="A .npz or .safetensors file with W1, b1, …")],
    network: Annotated[
        Path | None,
        typer.Option("--network", "-n", help="A network file (TOML). Without it: the 2-3-3-2 example."),
    ] = None,
    layout: Annotated[
        str,
        typer.Option(
            "--layout", help="to-from (rows are where a weight goes to) or from-to; +bias if augmented."
        ),
    ] = "to-from",
    reduction: Annotated[
        str | None,
        typer.Option("--reduction", help="sum or mean over the examples, if not as in the network file."),
    ] = None,
    sign: Annotated[
        str, typer.Option("--sign", help="gradient, or descent for minus the gradient.")
    ] = "gradient",
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", help="If gradients may be multiplied with it.")
    ] = None,
    cost: Annotated[
        float | None, typer.Option("--cost", help="The value of your own cost, to compare it first.")
    ] = None,
    format: Annotated[str, typer.Option("--format", help="text, html or json.")] = "text",
) -> None:
    """Say which gradients are right, and name the mistakes in the others. Exit status: 0 right, 1 not, 2 bad input."""
    from rich.console import Console

    from whygrad.diagnosis import diagnose as judge
    from whygrad.network import Network
    from whygrad.render.diagnosis_text import print_diagnosis

    if format not in ("text", "html", "json"):
        sys.stderr.write(f"whygrad: --format: expected text, html or json, found {format!r}\n")
        raise typer.Exit(2)
    net = Network.load(network) if network is not None else Network.default()
    found = judge(net.run(), gradients, layout, reduction, sign, learning_rate, cost)
    if format == "json":
        sys.stdout.write(json.dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n")
    elif format == "html":
        sys.stdout.write(found.to_html() + "\n")
    else:
        print_diagnosis(found, Console(highlight=False))
    raise typer.Exit(0 if found.right else 1)
