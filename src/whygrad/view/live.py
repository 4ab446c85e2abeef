"""Answers what a viewer asks about one run; it doesn't know how the questions come."""

import base64
import json
import logging
import tempfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from whygrad.errors import WhygradError
from whygrad.run import Run
from whygrad.view.deadline import OutOfTime, deadline
from whygrad.view.request import Fields, RequestError, at
from whygrad.view.state import KNOWN, State

Reply: TypeAlias = dict[str, Any]

MOST_EQUATION = 4_000
"""Characters of an equation."""
MOST_FILE = 16 * 2**20
"""Bytes of a file of gradients, as it is sent and when it is unpacked."""
SECONDS = 20.0
"""How long one answer may take."""

log = logging.getLogger("whygrad.view")


class Answers(ABC):
    """Answers requests: plain JSON objects in, plain JSON objects out; no request raises.

    A reply is ``{"ok": True, "result": ..., "stamp": ...}`` or ``{"ok": False, "error": {"message": ..., "where":
    ...}, "stamp": ...}``; the stamp is the request's, so that whoever asked can tell which question was answered.

    Args:
        about: What is asked about.
        seconds: How long one answer may take.
    """

    def __init__(self, about: Any, seconds: float = SECONDS) -> None:
        self.about = about
        self._seconds = seconds

    @abstractmethod
    def _result(self, request: Any) -> Any:
        """Returns the result for a request that may be anything."""

    def answer(self, request: Any) -> Reply:
        """Returns the reply to one request."""
        stamp = request.get("stamp") if isinstance(request, Mapping) else None
        try:
            with deadline(self._seconds):
                return {"ok": True, "result": self._result(request), "stamp": stamp}
        except RequestError as error:
            where, message, position = error.where, str(error), error.position
        except WhygradError as error:
            where, message, position = "request", str(error), None
        except OutOfTime:
            where, position = "request", None
            message = (
                f"this takes longer than {self._seconds:g} seconds; try a smaller network or less at once"
            )
        except (RecursionError, MemoryError) as error:
            where, position = "request", None
            what = "is nested too deeply" if isinstance(error, RecursionError) else "needs too much memory"
            message = f"this {what}; try less at once"
        except Exception as error:
            log.exception("a request could not be answered")
            where, position = "request", None
            message = f"whygrad failed here ({type(error).__name__}: {error}); please report it"
        made = {"message": message, "where": where}
        return {
            "ok": False,
            "error": made if position is None else {**made, "position": position},
            "stamp": stamp,
        }

    def answer_text(self, request: str | bytes) -> str:
        """Returns the reply to a request as JSON text, both ways."""
        try:
            asked = json.loads(request)
        except (ValueError, RecursionError) as error:
            reply = _refusal(f"request: expected JSON, found something else: {error}")
        else:
            reply = self.answer(asked)
        try:
            return json.dumps(reply, allow_nan=False, separators=(",", ":"))
        except ValueError:
            return json.dumps(
                _refusal("a number of the answer is not finite; try smaller values")
                | {"stamp": reply["stamp"]}
            )


class Session(Answers):
    """Answers requests about a run.

    A request is ``{"do": ..., "state": ..., "stamp": ...}`` and what the question needs. It says everything itself:
    ``state`` holds the changes from the session's own run, so requests can come in any order, and the same request
    has the same answer.

    Args:
        run: The run that the page starts with.
        seconds: How long one answer may take.

    Example:
        >>> import whygrad as wg
        >>> session = Session(wg.Network.default().run())
        >>> state = {"parameters": {"w1.0.0": 0.0}}
        >>> reply = session.answer({"do": "explain", "quantity": "w3.0.0", "state": state, "stamp": 7})
        >>> reply["ok"], reply["stamp"], round(reply["result"]["value"], 6)
        (True, 7, 0.646935)
        >>> session.answer({"do": "explain", "quantity": "w9.0.0"})["error"]["message"]
        'the network 2-3-3-2, identity, no bias, squared_error has no w9.0.0'
    """

    def __init__(self, run: Run, seconds: float = SECONDS) -> None:
        super().__init__(run, seconds)
        self.run = run

    def _result(self, request: Any) -> Any:
        named = request.get("do") if isinstance(request, Mapping) else None
        if not isinstance(named, str) or named not in REQUESTS:
            Fields(request, "request", tuple(request) if isinstance(request, Mapping) else ())
            raise RequestError(
                "request.do", f"request.do: expected one of {', '.join(REQUESTS)}, found {named!r:.60}"
            )
        answer, known = REQUESTS[named]
        fields = Fields(request, "request", ("do", "state", "stamp", *known))
        state = State(self.run, Fields(fields.raw("state") or {}, "state", KNOWN))
        return answer(state, fields)


def _refusal(message: str) -> Reply:
    return {"ok": False, "error": {"message": message, "where": "request"}, "stamp": None}


def _document(state: State, fields: Fields) -> Any:
    return state.document()


def _check(state: State, fields: Fields) -> Any:
    from whygrad.view.keys import key
    from whygrad.view.markup import tree
    from whygrad.view.missing import missing_paths

    equation = fields.needed("equation", MOST_EQUATION)
    run = state.run
    with at("request.equation"):
        verdict = run.check(equation)
        lacking = missing_paths(run, equation) if verdict.missing else []
    return verdict.to_json() | {
        "tree": tree(verdict.to_html()),
        "missing_paths": [
            {"keys": [key(q) for q in path], "names": [run.network.name(q) for q in path]} for path in lacking
        ],
        "spans": [list(e.span) for e in verdict.equalities if e.holds is False and e.span],
    }


def _explain(state: State, fields: Fields) -> Any:
    of, by = state.quantity(fields, "of"), state.quantity(fields, "by")
    chosen = state.quantity(fields, "quantity")
    with at("request"):
        found = state.run.explain(chosen, of=of, by=by)
    return found.to_json() | {"html": found.to_html()}


def _diagnose(state: State, fields: Fields) -> Any:
    name = fields.needed("name", 200)
    arrays = _arrays(name, fields.needed("data_base64", MOST_FILE * 4 // 3 + 4))
    conventions = {
        key: value
        for key, value in {
            "layout": fields.text("layout"),
            "reduction": fields.text("reduction"),
            "sign": fields.text("sign"),
            "learning_rate": fields.number("learning_rate"),
            "cost": fields.number("cost"),
        }.items()
        if value is not None
    }
    with at("request.data_base64"):
        found = state.run.diagnose(arrays, **conventions)
    return found.to_json() | {"html": found.to_html(), "name": name}


def _arrays(name: str, sent: str) -> dict[str, Any]:
    """Returns the arrays of a file that was sent; never from pickles, never more than what is allowed."""
    from whygrad.files import read_arrays

    suffix = Path(name).suffix
    if suffix not in (".npz", ".safetensors"):
        raise RequestError("request.name", f"{name}: expected a .npz or .safetensors file")
    try:
        data = base64.b64decode(sent, validate=True)
    except ValueError as error:
        raise RequestError("request.data_base64", f"request.data_base64: expected base64: {error}") from None
    with tempfile.TemporaryDirectory(prefix="whygrad-") as folder:
        path = Path(folder) / f"gradients{suffix}"
        path.write_bytes(data)
        if suffix == ".npz" and _unpacked(path) > MOST_FILE:
            raise RequestError(
                "request.name",
                f"{name}: expected at most {MOST_FILE:,} bytes, unpacks to {_unpacked(path):,}",
            )
        try:
            return read_arrays(path)
        except WhygradError as error:
            raise RequestError("request.name", str(error).replace(str(path), name)) from None


def _unpacked(path: Path) -> int:
    """Returns how large an archive's entries say they are; no more than that is ever read of them."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError):
        return 0  # whoever reads it says what it is


REQUESTS: dict[str, tuple[Callable[[State, Fields], Any], tuple[str, ...]]] = {
    "document": (_document, ()),
    "check": (_check, ("equation",)),
    "explain": (_explain, ("quantity", "of", "by")),
    "diagnose": (
        _diagnose,
        ("name", "data_base64", "layout", "reduction", "sign", "learning_rate", "cost"),
    ),
}
"""Every question: what answers it, and the fields that it takes besides state and stamp."""
