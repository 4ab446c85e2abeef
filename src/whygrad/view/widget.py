"""The page of a run in a notebook: an anywidget, and a still picture where there is no kernel."""

import secrets
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from whygrad.errors import NotSupportedError
from whygrad.run import Run
from whygrad.view.assets import HOME, script
from whygrad.view.document import document
from whygrad.view.live import Answers, Session
from whygrad.view.static import static

if TYPE_CHECKING:
    from anywidget import AnyWidget


def widget(run: Run, **options: Any) -> "AnyWidget":
    """Returns the interactive page of a run for Jupyter, JupyterLab, VS Code and marimo.

    Before it in the notebook's output stands a still page, for readers without a kernel (GitHub, nbconvert, print).

    Args:
        run: The run.
        options: What is shown first: see :func:`whygrad.view.document.document`.

    Raises:
        NotSupportedError: anywidget isn't installed.
    """
    made = document(run, **options)
    still = {name: options[name] for name in ("chosen", "of", "example") if name in options}
    shown: AnyWidget = kind_of_widget()(Session(run), made, lambda: static(run, **still))
    return shown


@lru_cache(maxsize=1)
def kind_of_widget() -> Any:
    """Returns the class of the widget; made when it is needed, since anywidget may not be there."""
    try:
        from anywidget import AnyWidget
        from traitlets import Dict, Unicode
    except ImportError:
        raise NotSupportedError(
            "view: a notebook needs anywidget: pip install 'whygrad[notebook]'; without it, "
            "run.save_html('page.html') writes the page to a file, and whygrad view serves it"
        ) from None

    class View(AnyWidget):
        """A run in a notebook. ``document`` is what is shown first."""

        _esm = script() + (HOME / "widget.js").read_text(encoding="utf-8")
        document = Dict().tag(sync=True)
        _still = Unicode().tag(sync=True)

        def __init__(self, session: Answers, document: dict[str, Any], still: Any) -> None:
            super().__init__(document=document, _still=f"whygrad-{secrets.token_hex(8)}")
            self._session = session
            self._made_still = still
            self.on_msg(self._answer)

        def _answer(self, _: Any, message: Any, __: Any) -> None:
            if isinstance(message, dict) and "request" in message:
                self.send({"id": message.get("id"), "reply": self._session.answer(message["request"])})

        def _ipython_display_(self, **_: Any) -> None:
            """Shows the still page, which the widget hides when it has come, and then the widget."""
            from IPython.display import display

            show: Any = display
            html = f'<div id="{self._still}">{self._made_still()}</div>'
            show({"text/html": html, "text/plain": str(self._session.about)}, raw=True)
            bundle = self._repr_mimebundle_()
            if bundle is not None:
                show(bundle[0], metadata=bundle[1], raw=True)

    return View
