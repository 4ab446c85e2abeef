"""The command ``whygrad report``: a PyTorch model with its losses, given by a function that makes them."""

import difflib
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from whygrad.cli_shared import choose, console, fail, write_document, write_json
from whygrad.errors import WhygradError

_ELSEWHERE = (
    "try:      install it, or run whygrad with the Python that trains the model: python -m whygrad report …"
)
EXPECTED = "expected (model, batch, costs), or a dict with these keys"
FORMATS = ("text", "html", "json")
# What the frames of a person's own code don't lie in.
LIBRARIES = ("site-packages", str(Path(__file__).parent), "importlib")


def report(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="MODULE:FUNCTION",
            help="train:for_report is the function for_report in train.py. It takes nothing and returns "
            "(model, batch, costs), where costs(model, batch) returns the losses by name. "
            "Default: a built-in example.",
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", help="text, html or json. Default: what the file's name says, or text."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="A file to write to, such as report.html.")
    ] = None,
    semirings: Annotated[
        str | None,
        typer.Option(
            "--semirings",
            help="Some of total (cancellation), entropy (effective number of paths) and spectrum (by residual blocks), "
            "with commas. Default: entropy, which brings total along.",
        ),
    ] = None,
    opaque: Annotated[
        str, typer.Option("--opaque", help="allow: let operations without a declaration through.")
    ] = "forbid",
    strict: Annotated[
        bool, typer.Option("--strict", help="End with status 1 where there is something to mend.")
    ] = False,
) -> None:
    """Say what each loss does to each parameter of a PyTorch model, where they conflict, and what to try.

    The status is 2 for what can't be used, and with --strict 1 where there is something to mend.
    """
    ending = "" if out is None else out.suffix.lower().removeprefix(".")
    format = format or (ending if ending in FORMATS else "text")
    choose("format", format, FORMATS)
    choose("opaque", opaque, ("forbid", "allow"))
    # Not after minutes of work.
    if out is not None and not out.parent.is_dir():
        fail(f"{out}: can't be written: there is no folder {out.parent}")
    if out is not None and out.is_dir():
        fail(f"{out}: can't be written: it is a folder")
    chosen = (
        None if semirings is None else tuple(part.strip() for part in semirings.split(",") if part.strip())
    )
    from whygrad.report.build import SEMIRINGS

    for name in chosen or ():
        choose("semirings", name, SEMIRINGS)
    made = recorded_from(source, opaque).report(chosen)
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
    try:
        return record(model, batch, costs, opaque=opaque)
    except WhygradError as error:
        fail(f"{source}: {error}" if source else str(error))
    except Exception as error:
        try:
            costs(model, batch)
        except Exception as plain:  # without the recording as well: it is the person's code
            fail(f"{source}: costs(model, batch) raised {_told(plain)}")
        raise error from None


def _needs_torch() -> None:
    if importlib.util.find_spec("torch") is None:
        fail("report: PyTorch is not installed\ntry:      pip install 'whygrad[torch]'")


def _told(error: BaseException) -> str:
    """Returns an error in words, and the last line of the person's own code that led to it."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError):  # it names its place itself
        return text
    return f"{text}{_line(error)}"


def _line(error: BaseException) -> str:
    """Returns the last line of a person's own code that led to an error, where there is one."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not any(part in frame.filename for part in LIBRARIES)
    ]
    if not frames:
        return ""
    last = frames[-1]
    return f"\nin {os.path.relpath(last.filename)}, line {last.lineno}: {last.line}"


def _made(source: str) -> tuple[Any, Any, Any]:
    module_name, colon, name = source.rpartition(":")
    if not colon or not module_name or not name:
        fail(f"{source!r}: expected MODULE:FUNCTION, such as train:for_report (a function in train.py)")
    folder = Path.cwd()
    if module_name.endswith(".py"):
        file = Path(module_name)
        if not file.is_file():
            where = "" if file.is_absolute() else f" in {folder}"
            fail(f"{module_name}: no such file{where}\ntry:      the path of the file, as seen from here")
        folder, module_name = file.resolve().parent, file.stem
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and not module_name.startswith(error.name):
            fail(
                f"{module_name}: it imports {error.name}, which is not installed{_line(error)}\n{_ELSEWHERE}"
            )
        fail(
            f"{module_name}: no such module, neither installed nor in {folder}\n"
            "try:      run this command in the folder of the file; or give its path: folder/train.py:for_report"
        )
    except (Exception, SystemExit) as error:  # whatever the person's code raises
        fail(f"{module_name}: can't be imported: {_told(error)}")
    function = getattr(module, name, None)
    if not callable(function):
        fail(f"{source}: {_no_function(module, name)}")
    _takes_nothing(source, name, function)
    try:
        returned = function()
    except (Exception, SystemExit) as error:
        fail(f"{source}: the function raised {_told(error)}")
    return _three(source, returned)


def _takes_nothing(source: str, name: str, function: Any) -> None:
    """Ends with an error where a function can't be called without arguments."""
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        fail(
            f"{source}: expected a function that takes nothing, found {name}{inspect.signature(function)}: {error}\n"
            f"try:      a function that calls it and returns what it returns: def for_report(): return {name}(…)"
        )
    except ValueError:  # Python can't say what it takes
        return


def _no_function(module: Any, name: str) -> str:
    known = [n for n, v in vars(module).items() if inspect.isfunction(v) and v.__module__ == module.__name__]
    found = repr(getattr(module, name)) if hasattr(module, name) else "nothing of that name"
    # What is imported there can be meant too, but would make the list long.
    meant = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
    near = difflib.get_close_matches(name, meant, 1, 0.75)
    hint = f"did you mean {near[0]}?" if near else f"the functions there: {', '.join(known[:8]) or 'none'}"
    return f"expected a function in {module.__name__}, found {found}\n{hint}"


def _three(source: str, returned: Any) -> tuple[Any, Any, Any]:
    if isinstance(returned, Mapping):
        missing = [key for key in ("model", "batch", "costs") if key not in returned]
        if missing:
            fail(
                f"{source}: {EXPECTED}; {', '.join(missing)} missing, found the keys {', '.join(map(str, returned))}"
            )
        returned = (returned["model"], returned["batch"], returned["costs"])
    if not isinstance(returned, (tuple, list)) or len(returned) != 3:
        kind = type(returned).__name__
        found = f"a {kind} of {len(returned)}" if isinstance(returned, (tuple, list)) else kind
        fail(
            f"{source}: {EXPECTED}, found {found}\n"
            "costs:    a function (model, batch) that returns the losses by name, such as\n"
            '          lambda model, batch: {"class": cross_entropy(model(batch[0]), batch[1])}'
        )
    model, batch, costs = returned
    if not (isinstance(model, Mapping) or hasattr(model, "named_parameters")):
        fail(
            f"{source}: model: expected a torch.nn.Module, or a dict of names and modules, found "
            f"{type(model).__name__}: the order is (model, batch, costs)"
        )
    if not callable(costs):
        fail(
            f"{source}: costs: expected a function (model, batch) that returns named losses, found "
            f"{type(costs).__name__}: the order is (model, batch, costs)"
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
