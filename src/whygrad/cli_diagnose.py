"""The command ``whygrad diagnose``: the gradients in a file, judged on a network file's own data."""

from pathlib import Path
from typing import Annotated

import typer

from whygrad.cli_shared import NetworkFile, choose, console, network_of, write_document, write_json


def diagnose(
    gradients: Annotated[Path, typer.Argument(help="A .npz or .safetensors file with W1, b1, ….")],
    network: NetworkFile = None,
    layout: Annotated[
        str, typer.Option("--layout", help="to-from or from-to: the rows of W; to-from+bias if augmented.")
    ] = "to-from",
    reduction: Annotated[
        str | None, typer.Option("--reduction", help="sum or mean, if not as the network file's cost.")
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
    """Say which gradients are right and name the mistakes: status 0 all right, 1 not, 2 can't be read."""
    from whygrad.diagnosis import diagnose as judge
    from whygrad.render.diagnosis_text import print_diagnosis

    choose("format", format, ("text", "html", "json"))
    run = network_of(network, None).run()
    found = judge(run, gradients, layout, reduction, sign, learning_rate, cost)
    if format == "json":
        write_json(found.to_json())
    elif format == "html":
        write_document(found.to_html())
    else:
        print_diagnosis(found, console())
    raise typer.Exit(0 if found.right else 1)
