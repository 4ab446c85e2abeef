"""The page of a recorded model: saved as a file, shown in a notebook, and as a still page where no script runs."""

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from whygrad.model_record import Record
from whygrad.render.progress import progress
from whygrad.render.report_html import report_html
from whygrad.report.record import Report
from whygrad.view.live import Answers
from whygrad.view.page import file, write
from whygrad.view.recorded import PATHS, left_out, recorded_document
from whygrad.view.request import Fields, RequestError, at
from whygrad.view.strongest import paths_of

# How many of the strongest paths of the whole model a still page lists.
STILL_PATHS = 6
# Characters of a quantity's name in a question.
MOST_NAME = 1_000


def recorded_page(record: Record, **options: Any) -> str:
    """Returns the whole page of a recorded model as one HTML file that needs nothing from anywhere.

    Args:
        record: What was computed.
        options: What is shown first: see :func:`whygrad.view.recorded.recorded_document`.
    """
    made, report = documented(record, **options)
    return file(made, recorded_still(record, report))


def documented(record: Record, **options: Any) -> tuple[dict[str, Any], Report]:
    """Returns the document of a recorded model and its report; a terminal shows a bar where it takes long."""
    report = options.pop("report", None)
    with progress() as tell:
        if report is None:
            report = record.report(progress=lambda what, share: tell(what, share / 2))
        return recorded_document(record, report=report, progress=tell, **options), report


def save_recorded(record: Record, path: Any, **options: Any) -> Path:
    """Writes the page of a recorded model and returns where it is.

    Raises:
        WhygradError: The file can't be written.
    """
    return write(recorded_page(record, **options), path)


def recorded_still(record: Record, report: Report | None = None) -> str:
    """Returns what is known of a recorded model as a piece of HTML without a script: report and strongest paths."""
    if not record.parameters:
        return f"<pre>{escape(repr(record))}</pre>"
    body = report_html(report or record.report())
    omitted = left_out(record)
    if omitted:
        return _before_notes(body, f"<p>{escape(omitted)}</p>")
    paths = record.paths(k=STILL_PATHS)
    rows = "".join(
        f"<tr><td class='n'>{path.contribution:+.3g}</td>"
        f"<td>{' → '.join(escape(name) for name in path.quantities)}</td></tr>"
        for path in paths
    ).replace("<td class='n'>-", "<td class='n'>−")
    if not rows:
        return body
    table = (
        "<h3>The strongest paths from a parameter to a cost</h3><div class='wide'><table><thead><tr>"
        "<th class='n'>contribution</th><th>path</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )
    return _before_notes(body, table)


def _before_notes(body: str, more: str) -> str:
    notes = body.rindex("<div class='notes'>")
    return f"{body[:notes]}{more}{body[notes:]}"


class RecordedSession(Answers):
    """Answers what a viewer asks about a recorded model: for its document, and for the paths of any entry.

    Example:
        >>> from whygrad.report.example import two_losses
        >>> import whygrad as wg
        >>> session = RecordedSession(wg.record(*two_losses()), {"kind": "recorded"})
        >>> session.answer({"do": "paths", "quantity": "nothing[0]", "stamp": 1})["error"]["where"]
        'request.quantity'
    """

    def __init__(self, record: Record, document: dict[str, Any]) -> None:
        super().__init__(record)
        self._record, self._document = record, document

    def _result(self, request: Any) -> Any:
        asked = Fields(request, "request", ("do", "quantity", "of", "state", "stamp"))
        if asked.raw("do") == "document":
            return self._document
        if asked.raw("do") != "paths":
            raise asked.wrong("do", "document or paths")
        omitted = left_out(self._record)
        if omitted:
            raise RequestError("request.quantity", omitted)
        with at("request.of"):
            cost = asked.name("of")
            row = None if cost is None else self._record.cost_row(cost)
        with at("request.quantity"):
            return paths_of(self._record, asked.needed("quantity", MOST_NAME), row, PATHS)


def recorded_widget(record: Record, **options: Any) -> Any:
    """Returns the interactive page of a recorded model for a notebook.

    Raises:
        NotSupportedError: anywidget isn't installed.
    """
    from whygrad.view.widget import kind_of_widget

    kind = kind_of_widget()
    made, report = documented(record, **options)
    return kind(RecordedSession(record, made), made, lambda: recorded_still(record, report))


def serve_recorded(
    record: Record, host: str, port: int, *, browser: bool, say: Callable[[str], None], **options: Any
) -> None:
    """Serves the page of a recorded model until Ctrl-C, as :func:`whygrad.view.server.serve` does a run's.

    Raises:
        WhygradError: It can't listen there.
    """
    from whygrad.view.server import Server, serving

    made, report = documented(record, **options)
    with Server.of(RecordedSession(record, made), made, recorded_still(record, report), host, port) as server:
        serving(server, browser=browser, say=say)
