"""The page of a recorded model as a widget in a real JupyterLab: by keyboard, and asking the kernel for paths."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

import whygrad as wg
from tests.view.jupyterlab import Lab
from tests.view.test_widget import executed
from whygrad.report.example import two_losses

CELLS = [
    "import whygrad as wg\nfrom whygrad.report.example import two_losses\n"
    "rec = wg.record(*two_losses())\nrec.view(chosen='trunk')",
    "1 + 1",
]


def test_a_record_in_jupyterlab(opened_apart: Callable[..., Any], lab: Lab) -> None:
    page = executed(opened_apart, lab.notebook("record.ipynb", CELLS), width=1400, height=2400)
    view = page.locator(".page.recorded")
    expect(view.locator(".chosen-name")).to_have_text("trunk")
    expect(page.locator("[id^=whygrad-]")).to_be_hidden()
    # The notebook has shortcuts of its own: letters, arrows and Enter are the widget's while it has the keyboard.
    field = view.get_by_label("module, parameter or one entry")
    field.click()
    page.keyboard.type("trunk.2.weight[11,6]")
    page.keyboard.press("Enter")
    expect(view.locator("#paths-here code")).to_have_text("trunk.2.weight[11, 6]")
    right = wg.record(*two_losses()).paths("trunk.2.weight[11, 6]", k=1)
    expect(view.locator(".strong-path").first).to_contain_text(
        f"{right[0].contribution:.3g}".replace("-", "−")
    )
    view.locator(".flow-row[tabindex='0']").focus()
    page.keyboard.press("Home")
    expect(view.locator(".chosen-name")).to_have_text("the model")
    labels = view.locator(".flow-label").all_inner_texts()
    for _ in range(labels.index("trunk")):
        page.keyboard.press("ArrowDown")
    expect(view.locator(".flow-row.chosen .flow-label")).to_have_text("trunk")
    if view.locator(".flow-row.chosen").get_attribute("aria-expanded") == "false":
        page.keyboard.press("ArrowRight")
    many = view.locator(".flow-row").count()
    page.keyboard.press("ArrowLeft")
    assert view.locator(".flow-row").count() < many
    expect(view.locator(".flow-row.chosen")).to_have_attribute("aria-expanded", "false")
    cells = page.evaluate("window.jupyterapp.shell.currentWidget.content.widgets.length")
    assert cells == len(CELLS)
    sources = page.evaluate(
        "window.jupyterapp.shell.currentWidget.content.widgets.map((cell) => cell.model.sharedModel.getSource())"
    )
    assert sources == CELLS
