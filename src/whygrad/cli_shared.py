"""What the commands share: their options, and how they read networks, print and fail."""

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from whygrad.errors import near

NetworkFile = Annotated[
    Path | None,
    typer.Option("--network", "-n", help="A network file (TOML). Without it: the 2-3-3-2 example."),
]
NotationName = Annotated[
    str | None, typer.Option("--notation", help="The notation to read and write names in.")
]
Example = Annotated[
    int | None, typer.Option("--example", help="One example of the data, counted from 0. Default: all.")
]


def network_of(path: Path | None, notation: str | None) -> Any:
    """Returns the network of a file, or the example where there is none."""
    from whygrad.network import Network

    if path is not None:
        return Network.load(path, notation=notation)
    net = Network.default()
    return net.renamed(notation) if notation else net


def cost_of(said: str | None) -> str | int | None:
    """Returns a cost's number where it is called by its number, or else its name."""
    return int(said) if said is not None and said.strip().isdecimal() else said


def choose(option: str, found: str, known: tuple[str, ...]) -> None:
    """Ends with an error where an option is none of those that there are."""
    if found not in known:
        fail(f"--{option}: expected one of {', '.join(known)}, found {found!r}{near(found, known)}")


def fail(message: str) -> NoReturn:
    """Prints an error and ends with the status for bad input."""
    sys.stderr.write(f"whygrad: {message}\n")
    raise typer.Exit(2)


def console() -> Any:
    """Returns the console on standard output: colour only on a terminal, and not where NO_COLOR is set."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


def write_document(text: str) -> None:
    """Writes a document, which is UTF-8 whatever the terminal can show."""
    sys.stdout.flush()
    sys.stdout.buffer.write(f"{text}\n".encode())


def write_json(value: Any) -> None:
    """Writes JSON, with signs beyond ASCII spelled out where the output can't hold them."""
    import json

    plain = not (sys.stdout.encoding or "").lower().startswith("utf")
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=plain, allow_nan=False) + "\n")
