"""The command ``whygrad view``: the interactive page of a network, served to a browser or written to a file."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from whygrad.cli_shared import Example, NetworkFile, NotationName, network_of


def view(
    quantity: Annotated[
        str | None, typer.Argument(help="What the page explains first. Default: the first weight.")
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
    """Show a network in the browser: any weight, its paths, its formula; change it and everything follows."""
    run = network_of(network, notation).run()
    chosen = {
        "chosen": quantity,
        "of": int(of) if of is not None and of.strip().isdecimal() else of,
        "example": example,
    }
    if html is not None:
        run.save_html(html, **chosen)
        return
    from whygrad.view.server import serve

    serve(run, host, port, browser=browser, say=_say, **chosen)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
