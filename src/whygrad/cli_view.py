"""The command ``whygrad view``: the interactive page of a network, served to a browser or written to a file."""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from whygrad.cli_shared import Example, NetworkFile, NotationName, cost_of, network_of

# train:for_report, package.train:for_report, train.py:for_report; no quantity has a colon.
_FUNCTION = re.compile(r"[\w./\\-]+:\w+")


def view(
    quantity: Annotated[
        str | None,
        typer.Argument(
            metavar="[QUANTITY | MODULE:FUNCTION]",
            help="What the page explains first (default: the first weight); or a function that returns a PyTorch "
            "model, a batch and its losses, as for whygrad report.",
        ),
    ] = None,
    network: NetworkFile = None,
    of: Annotated[
        str | None, typer.Option("--of", help="A cost, by name or number. Default: the total.")
    ] = None,
    notation: NotationName = None,
    example: Example = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write the page to this file instead; it works without whygrad."),
    ] = None,
    port: Annotated[int, typer.Option("--port", help="The port to serve on; 0 for any that is free.")] = 0,
    host: Annotated[
        str,
        typer.Option("--host", help="The address to listen on. Default: this machine alone can reach it."),
    ] = "127.0.0.1",
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
) -> None:
    """Show a network or a model in the browser: any weight, its paths and numbers; networks can be changed there."""
    if quantity is not None and _FUNCTION.fullmatch(quantity) and network is None:
        _view_model(quantity, of, html, host, port, browser)
        return
    run = network_of(network, notation).run()
    chosen = {
        "chosen": quantity,
        "of": cost_of(of),
        "example": example,
    }
    if html is not None:
        run.save_html(html, **chosen)
        return
    from whygrad.view.server import serve

    serve(run, host, port, browser=browser, say=_say, **chosen)


def _view_model(source: str, of: str | None, html: Path | None, host: str, port: int, browser: bool) -> None:
    """Shows the page of a PyTorch model."""
    from whygrad.cli_report import recorded_from

    record = recorded_from(source)
    if html is not None:
        record.save_html(html, of=cost_of(of))
        return
    from whygrad.view.recorded_page import serve_recorded

    serve_recorded(record, host, port, browser=browser, say=_say, of=cost_of(of))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
