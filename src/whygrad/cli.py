"""The command line: reads arguments, calls the library, prints, sets the exit status."""

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from whygrad.errors import WhygradError

app = typer.Typer(
    name="whygrad",
    help="Why is this gradient what it is? Computes, explains and checks backpropagation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

NetworkFile = Annotated[
    Path | None,
    typer.Option("--network", "-n", help="A network file (TOML). Without it: the 2-3-3-2 example."),
]
NotationName = Annotated[
    str | None, typer.Option("--notation", help="The notation to read and write names in.")
]
Cost = Annotated[
    str | None,
    typer.Option("--of", help="A cost, by name or number (or any activation). Default: the total."),
]
Example = Annotated[
    int | None, typer.Option("--example", help="One example of the data, counted from 0. Default: all.")
]
Format = Annotated[str, typer.Option("--format", help="text, latex, html or json.")]


def _network(path: Path | None, notation: str | None) -> Any:
    from whygrad.network import Network

    if path is not None:
        return Network.load(path, notation=notation)
    net = Network.default()
    return net.renamed(notation) if notation else net


def _choose(what: str, found: str, known: tuple[str, ...]) -> None:
    if found not in known:
        fail(f"--{what}: expected one of {', '.join(known)}, found {found!r}")


def fail(message: str) -> NoReturn:
    """Prints an error and ends with the status for bad input."""
    sys.stderr.write(f"whygrad: {message}\n")
    raise typer.Exit(2)


def console() -> Any:
    """Returns the console on standard output: colour only on a terminal, and not where NO_COLOR is set."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


@app.command()
def explain(
    quantity: Annotated[
        str | None,
        typer.Argument(help="What to differentiate by, such as 'w^0_{0,1}'. Default: the first weight."),
    ] = None,
    network: NetworkFile = None,
    of: Cost = None,
    notation: NotationName = None,
    example: Example = None,
    format: Format = "text",
    k: Annotated[int, typer.Option("-k", help="How many paths to list where there are many.")] = 10,
) -> None:
    """Explain a derivative: in words, step by step, path by path, down to numbers."""
    import json

    _choose("format", format, ("text", "latex", "html", "json"))
    derivation = _network(network, notation).run().explain(quantity, of=of, example=example, k=k)
    if format == "text":
        from whygrad.render.as_text import print_derivation

        print_derivation(derivation, console())
    elif format == "json":
        sys.stdout.write(json.dumps(derivation.to_json(), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(
            (derivation.to_document("latex") if format == "latex" else derivation.to_document("html")) + "\n"
        )


@app.command()
def paths(
    quantity: Annotated[
        str | None,
        typer.Argument(
            help="Where paths begin: a quantity, x, W1, …; every parameter where there is nothing."
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many to list.")] = 10,
    of: Annotated[int | None, typer.Option("--of", help="The number of a cost. Default: all.")] = None,
    network: NetworkFile = None,
    notation: NotationName = None,
    example: Example = None,
    format: Format = "text",
) -> None:
    """List the strongest paths from a quantity to the costs."""
    import json

    _choose("format", format, ("text", "json"))
    run = _network(network, notation).run()
    if example is not None:
        run = run.example(example)
    found = run.paths(quantity, cost=of, k=k)
    if format == "json":
        from whygrad.render.as_json import paths_json

        sys.stdout.write(json.dumps(paths_json(found), indent=2, ensure_ascii=False) + "\n")
    else:
        from whygrad.render.as_text import print_paths

        print_paths(found, console())


@app.command()
def translate(
    text: Annotated[str, typer.Argument(help="A quantity or a derivative, such as 'w^0_{0,3}'.")],
    to: Annotated[str, typer.Option("--to", help="The notation to write it in.")],
    network: NetworkFile = None,
    notation: NotationName = None,
) -> None:
    """Write a quantity in another notation."""
    from whygrad.translate import translate as translated

    sys.stdout.write(translated(text, to, network=_network(network, notation)) + "\n")


@app.command()
def code(
    network: NetworkFile = None,
    style: Annotated[str, typer.Option("--style", help="numpy, scalar or pytorch.")] = "numpy",
    notation: NotationName = None,
) -> None:
    """Print the network's forward and backward pass as a program that runs by itself."""
    sys.stdout.write(_network(network, notation).run().code(style))


import whygrad.cli_check  # noqa: E402, F401 - adds `whygrad check`, and needs the app


def main() -> None:
    """Runs the command line; every expected error is one message on standard error and status 2."""
    try:
        app()
    except WhygradError as error:
        sys.stderr.write(f"whygrad: {error}\n")
        sys.exit(2)
    except BrokenPipeError:
        # The reader (head, less) has gone: nothing more to say, and nothing to flush at exit.
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
