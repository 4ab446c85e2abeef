"""The command ``whygrad report``: a PyTorch model with its losses, given by a function that makes them."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from whygrad.cli_shared import choose, console, fail, write_document, write_json

EXPECTED = "expected (model, batch, costs), or a dict with these keys"


def report(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="MODULE:FUNCTION",
            help="A function without arguments that returns (model, batch, costs). Default: a built-in example.",
        ),
    ] = None,
    format: Annotated[str, typer.Option("--format", help="text, html or json.")] = "text",
    out: Annotated[Path | None, typer.Option("--out", help="A file to write to.")] = None,
    semirings: Annotated[
        str | None,
        typer.Option("--semirings", help="Some of total,entropy,spectrum. Default: total."),
    ] = None,
    opaque: Annotated[
        str, typer.Option("--opaque", help="allow: let operations without a declaration through.")
    ] = "forbid",
    strict: Annotated[
        bool, typer.Option("--strict", help="End with status 1 where there is something to mend.")
    ] = False,
) -> None:
    """Say what each loss does to each parameter of a PyTorch model, where they conflict, and what to try."""
    from whygrad.render.progress import progress
    from whygrad.report import report as reported

    choose("format", format, ("text", "html", "json"))
    choose("opaque", opaque, ("forbid", "allow"))
    recorded = recorded_from(source, opaque)
    chosen = (
        None if semirings is None else tuple(part.strip() for part in semirings.split(",") if part.strip())
    )
    with progress() as tell:
        made = reported(recorded, chosen, tell)
    if out is not None:
        _write(out, made, format)
    elif format == "json":
        write_json(made.to_json())
    elif format == "html":
        write_document(made.to_html())
    else:
        from whygrad.render.report_text import print_report

        if source is None:
            sys.stdout.write("A built-in example. Yours: whygrad report MODULE:FUNCTION\n\n")
        print_report(made, console())
    if strict and any(finding.problem for finding in made.findings):
        raise typer.Exit(1)


def recorded_from(source: str | None, opaque: str = "forbid") -> Any:
    """Returns the recorded model of a function ``MODULE:FUNCTION``; of a built-in example where there is none."""
    from whygrad.recorders import record
    from whygrad.report.example import two_losses

    _needs_torch()
    model, batch, costs = two_losses() if source is None else _made(source)
    return record(model, batch, costs, opaque=opaque)


def _needs_torch() -> None:
    if importlib.util.find_spec("torch") is None:
        fail("report: PyTorch is not installed\ntry:      pip install 'whygrad[torch]'")


def _made(source: str) -> tuple[Any, Any, Any]:
    module_name, colon, name = source.partition(":")
    if not colon or not module_name or not name:
        fail(f"{source!r}: expected MODULE:FUNCTION, such as train:for_report (a function in train.py)")
    if module_name.endswith(".py"):
        module_name = module_name[: -len(".py")].replace("/", ".").lstrip(".")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and not module_name.startswith(error.name):
            fail(f"{module_name}: it imports {error.name}, which is not installed")
        fail(
            f"{module_name}: no such module, neither installed nor in {os.getcwd()}\n"
            "try:      run this command in the folder of the file; or put that folder into PYTHONPATH"
        )
    except Exception as error:  # whatever the person's code raises
        fail(f"{module_name}: can't be imported: {type(error).__name__}: {error}")
    function = getattr(module, name, None)
    if not callable(function):
        known = [
            n for n, v in vars(module).items() if callable(v) and getattr(v, "__module__", "") == module_name
        ]
        shown = ", ".join(sorted(known)[:8]) or "none"
        fail(f"{source}: expected a function, found {function!r}\nthe functions of {module_name}: {shown}")
    try:
        returned = function()
    except Exception as error:
        fail(f"{source}: the function raised {type(error).__name__}: {error}")
    return _three(source, returned)


def _three(source: str, returned: Any) -> tuple[Any, Any, Any]:
    if isinstance(returned, Mapping):
        missing = [key for key in ("model", "batch", "costs") if key not in returned]
        if missing:
            fail(
                f"{source}: {EXPECTED}; {', '.join(missing)} missing, found the keys {', '.join(map(str, returned))}"
            )
        returned = (returned["model"], returned["batch"], returned["costs"])
    if not isinstance(returned, tuple) or len(returned) != 3:
        found = f"a tuple of {len(returned)}" if isinstance(returned, tuple) else type(returned).__name__
        fail(f"{source}: {EXPECTED}, found {found}")
    model, batch, costs = returned
    if not callable(costs):
        fail(
            f"{source}: costs: expected a function (model, batch) that returns named losses, found {costs!r}"
        )
    return model, batch, costs


def _write(path: Path, made: Any, format: str) -> None:
    import json

    if format == "html":
        text = made.to_html()
    elif format == "json":
        text = json.dumps(made.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
    else:
        text = made.to_text()
    try:
        path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    except OSError as error:
        fail(f"{path}: can't be written: {error.strerror}")
    sys.stderr.write(f"written to {path}\n")
