"""The command line: reads arguments, calls the library, prints, sets the exit status."""

import os
import sys
from typing import Annotated, Any

import typer

from whygrad.cli_check import check
from whygrad.cli_diagnose import diagnose
from whygrad.cli_report import report
from whygrad.cli_shared import (
    Example,
    NetworkFile,
    NotationName,
    choose,
    console,
    cost_of,
    fail,
    network_of,
    write_document,
    write_json,
)
from whygrad.cli_view import view
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

Cost = Annotated[
    str | None,
    typer.Option("--of", help="A cost, by name or number (or any activation). Default: the total."),
]


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
    format: Annotated[str, typer.Option("--format", help="text, latex, html or json.")] = "text",
    k: Annotated[int, typer.Option("-k", help="How many paths to list where there are many.")] = 10,
) -> None:
    """Explain a derivative: in words, step by step, path by path, down to numbers."""
    choose("format", format, ("text", "latex", "html", "json"))
    derivation = network_of(network, notation).run().explain(quantity, of=of, example=example, k=k)
    if format == "text":
        from whygrad.render.as_text import print_derivation

        print_derivation(derivation, console())
    elif format == "json":
        write_json(derivation.to_json())
    else:
        write_document(derivation.to_document(format))


@app.command()
def paths(
    quantity: Annotated[
        str | None,
        typer.Argument(
            help="Where paths begin: a quantity, x, W1, ...; every parameter where there is nothing."
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many to list.")] = 10,
    of: Annotated[str | None, typer.Option("--of", help="A cost, by name or number. Default: all.")] = None,
    network: NetworkFile = None,
    notation: NotationName = None,
    example: Example = None,
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """List the strongest paths from a quantity to the costs."""
    choose("format", format, ("text", "json"))
    run = network_of(network, notation).run()
    if example is not None:
        run = run.example(example)
    found = run.paths(quantity, cost=_row(run, of), k=k)
    if format == "json":
        from whygrad.render.as_json import paths_json

        write_json(paths_json(found))
    else:
        from whygrad.render.paths_text import print_paths

        print_paths(found, console())


def _row(run: Any, of: str | None) -> int | None:
    """Returns the number of a cost that is given by number or by name."""
    cost = cost_of(of)
    if not isinstance(cost, str):
        return cost
    quantity = run.quantity(cost)
    if quantity not in run.cost_quantities:
        fail(f"--of: expected a cost ({', '.join(run.cost_names)}), found {of!r}")
    row: int = run.cost_quantities.index(quantity)
    return row


@app.command()
def translate(
    text: Annotated[str, typer.Argument(help="A quantity or a derivative, such as 'w^0_{0,3}'.")],
    to: Annotated[str, typer.Option("--to", help="The notation to write it in.")],
    network: NetworkFile = None,
    notation: NotationName = None,
) -> None:
    """Write a quantity in another notation."""
    from whygrad.translations import translate as translated

    sys.stdout.write(translated(text, to, network=network_of(network, notation)) + "\n")


@app.command()
def code(
    network: NetworkFile = None,
    style: Annotated[str, typer.Option("--style", help="numpy, scalar or pytorch.")] = "numpy",
    notation: NotationName = None,
) -> None:
    """Print the network's forward and backward pass as a program that runs by itself."""
    sys.stdout.write(network_of(network, notation).run().code(style))


app.command()(check)
app.command()(diagnose)
app.command()(report)
app.command()(view)


def main() -> None:
    """Runs the command line; every expected error is one message on standard error and status 2."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a name in Greek must not end in a traceback
    try:
        app(prog_name="whygrad")
        sys.stdout.flush()
    except WhygradError as error:
        sys.stderr.write(f"whygrad: {error}\n")
        sys.exit(2)
    except BrokenPipeError:
        # The reader (head, less) has gone: nothing more to say, and nothing to flush at exit.
        _silence()
        sys.exit(0)
    except OSError as error:
        _silence()
        sys.stderr.write(f"whygrad: can't write: {error.strerror}\n")
        sys.exit(2)


def _silence() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":  # python -m whygrad.cli
    main()
