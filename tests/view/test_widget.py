"""The widget in a real JupyterLab: live recalculation, several widgets, and what is left without a kernel."""

import builtins
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from playwright.sync_api import expect

import whygrad as wg
from tests.view.jupyterlab import Lab

RUN = wg.Network.default().run()
CELLS = [
    "import whygrad as wg\nrun = wg.Network.default().run()\nrun.view()",
    "run.view(chosen='w3.0.0', of='C0')",
]


def executed(opened_apart: Callable[..., Any], address: str, **options: Any) -> Any:
    page = opened_apart(address, **options)
    page.wait_for_function(
        "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.connectionStatus === 'connected'",
        timeout=60_000,
    )
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.locator(".page").first.wait_for(timeout=60_000)
    return page


def shows(view: Any, right: float) -> None:
    """Waits until a widget's heading shows a value, to the digits that are shown."""
    until = time.monotonic() + 15
    while True:
        found = float(view.locator("h1").inner_text().rpartition("=")[2].replace("−", "-"))
        if found == pytest.approx(right, rel=1e-5):
            return
        assert time.monotonic() < until, f"{found} is shown, {right} is right"
        time.sleep(0.05)


def test_widgets_in_jupyterlab_are_live_and_apart(opened_apart: Callable[..., Any], lab: Lab) -> None:
    page = executed(opened_apart, lab.notebook("two.ipynb", CELLS), width=1400, height=2400)
    expect(page.locator(".page")).to_have_count(2)
    one, other = page.locator(".page").nth(0), page.locator(".page").nth(1)
    shows(one, RUN.gradient("w^0_{0,1}"))
    shows(other, RUN.gradient("w^0_{0,3}", cost=0))
    # The still page gives way to the widget.
    still = page.locator("[id^=whygrad-]")
    expect(still).to_have_count(2)
    expect(still.nth(0)).to_be_hidden()
    expect(still.nth(1)).to_be_hidden()
    one.get_by_label("w^0_{0,3}", exact=True).fill("2.5")
    changed = RUN.network.with_parameters(W3=[[2.5, 0.9, -0.4], [-0.6, 0.8, 1.0]]).run()
    shows(one, changed.gradient("w^0_{0,1}"))
    shows(other, RUN.gradient("w^0_{0,3}", cost=0))
    # Another weight, which the document did not explain, is asked for with the changed numbers.
    one.locator('svg [data-q="w2.1.0"]').first.click()
    shows(one, changed.gradient("w^0_{1,2}"))
    box = one.get_by_label("An equation in LaTeX or as you would type it")
    box.fill("da^0_3/da^0_2 = 2.5")
    box.press("Enter")
    expect(one.locator(".verdict")).to_contain_text("It holds")
    one.get_by_label("w^0_{0,3}", exact=True).fill("0.5")
    expect(one.locator(".verdict")).not_to_contain_text("It holds")
    shows(one, RUN.gradient("w^0_{1,2}"))


def test_a_busy_kernel_leaves_nothing_old_as_current(opened_apart: Callable[..., Any], lab: Lab) -> None:
    address = lab.notebook("busy.ipynb", [CELLS[0], "import time\ntime.sleep(3)"])
    page = executed(opened_apart, address, width=1400, height=1600)
    view = page.locator(".page")
    shows(view, RUN.gradient("w^0_{0,1}"))
    view.get_by_label("a^0_0", exact=True).fill("2")
    expect(view).to_have_class("page stale")
    shows(view, RUN.network.run([2, -1], [1, 0]).gradient("w^0_{0,1}"))
    expect(view).not_to_have_class("page stale")


# Without a browser: what the widget says, and what stands in a file


def answered(view: Any, content: Any) -> list[Any]:
    sent: list[Any] = []
    view.send = sent.append
    view._handle_custom_msg(content, [])
    return sent


def test_messages_are_answered() -> None:
    view = RUN.view(notation="nielsen")
    assert view.document["state"]["notation"] == "nielsen"
    (reply,) = answered(view, {"id": "v.1", "request": {"do": "explain", "quantity": "w1.0.0", "stamp": 4}})
    assert reply["id"] == "v.1"
    assert reply["reply"]["stamp"] == 4
    assert reply["reply"]["result"]["value"] == pytest.approx(0.33349)
    (refused,) = answered(view, {"id": 2, "request": "nonsense"})
    assert refused["reply"]["error"]["message"] == "request: expected an object, found 'nonsense'"
    assert answered(view, "hello") == []


def test_without_anywidget_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from whygrad.view import widget

    real = builtins.__import__

    def no_anywidget(name: str, *arguments: Any, **more: Any) -> Any:
        if name == "anywidget":
            raise ImportError(name)
        return real(name, *arguments, **more)

    widget.kind_of_widget.cache_clear()
    monkeypatch.setattr(builtins, "__import__", no_anywidget)
    with pytest.raises(wg.NotSupportedError, match=re.escape("pip install 'whygrad[notebook]'")):
        RUN.view()


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A notebook with a widget and a run, executed as nbconvert does it."""
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in (*CELLS, "run", "run.explain('w^0_{0,3}')")]
    )
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    source = str(Path(__file__).parents[2] / "src")
    made.cells[0].source = f"import sys; sys.path.insert(0, {source!r})\n{made.cells[0].source}"
    NotebookClient(made, timeout=120).execute()
    return made


def test_a_saved_notebook_shows_the_answer_without_a_kernel(
    notebook: Any, opened: Callable[..., Any], tmp_path: Path
) -> None:
    html, _ = HTMLExporter().from_notebook_node(notebook)
    # Everything that would be loaded from elsewhere is taken away: what is left has to be enough.
    file = tmp_path / "notebook.html"
    file.write_text(
        re.sub(r"<script\b.*?</script>|<link\b[^>]*>", "", html, flags=re.DOTALL), encoding="utf-8"
    )
    page = opened(file.as_uri())
    for place, value in ((0, "0.33349"), (1, f"{RUN.gradient('w^0_{0,3}', cost=0):.6g}"), (2, "0.33349")):
        section = page.locator("section.whygrad").nth(place)
        expect(section).to_be_visible()
        expect(section).to_contain_text(value)
        expect(section.locator("svg")).to_be_visible()
    assert page.locator("section.whygrad").count() == 4


def test_every_output_has_text_and_html(notebook: Any) -> None:
    for cell in notebook.cells:
        kinds = [set(output.data) for output in cell.outputs]
        assert kinds
        assert any({"text/html", "text/plain"} <= each for each in kinds)
        assert not any(output.output_type == "error" for output in cell.outputs)
