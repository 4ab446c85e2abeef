"""The report as a page, in a real browser: all its columns are in sight at every width."""

import pytest
from axe_playwright_python.sync_playwright import Axe

import whygrad as wg
from whygrad.report import Report

torch = pytest.importorskip("torch")


def made(costs: int) -> Report:
    """Returns the report of a model in which costs pull against each other in a layer, but not in the module."""
    torch.manual_seed(0)
    block = {"large": torch.nn.Linear(3, 1), "small": torch.nn.Linear(3, 1, bias=False)}
    model = torch.nn.ModuleDict({"block": torch.nn.ModuleDict(block), "head": torch.nn.Linear(3, costs)})

    def named(m: torch.nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
        large, small, heads = m["block"]["large"](x).sum(), m["block"]["small"](x).sum(), m["head"](x).mean(0)
        return {
            f"loss {'abcde'[k]}": 1e-4 * ((9 + k) * large + (-1) ** k * small + heads[k])
            for k in range(costs)
        }

    return wg.record(model, torch.rand(6, 3), named).report(semirings=("entropy",))


def test_axe_finds_nothing_in_a_report_but_that_its_heading_may_stand_within_others(opened, tmp_path):
    block = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU())

    def costs(m, x):
        h = m[0](x)
        h = h + m[1](h)
        return {f"loss {k}": (m[2](h) - k).square().mean() for k in range(5)}

    torch.manual_seed(0)
    model = torch.nn.ModuleList([torch.nn.Linear(3, 4), block, torch.nn.Linear(4, 2)])
    report = wg.record(model, torch.rand(6, 3), costs).report(semirings=("entropy", "spectrum"))
    path = tmp_path / "report.html"
    path.write_text(report.to_html(), encoding="utf-8")
    page = opened(path.as_uri())
    for width in (360, 1200):
        page.set_viewport_size({"width": width, "height": 900})
        found = Axe().run(page, None, {"resultTypes": ["violations"]}).response["violations"]
        assert [
            (each["id"], each["nodes"][0]["html"]) for each in found if each["id"] != "page-has-heading-one"
        ] == []


@pytest.mark.parametrize("costs", [2, 4, 5])
def test_no_row_is_wider_than_the_page_and_no_number_is_cut(opened, tmp_path, costs):
    path = tmp_path / "report.html"
    path.write_text(made(costs).to_html(), encoding="utf-8")
    page = opened(path.as_uri())
    page.locator("details").first.evaluate("fold => fold.open = false")
    assert page.locator(".inside").first.is_visible()
    for width in (360, 620, 700, 820, 900, 1000, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        cut = "all => all.filter(one => one.scrollWidth > one.clientWidth).length"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for what in (".row", ".row:not(.head) > .n"):
            assert page.locator(what).evaluate_all(cut) == 0, (what, width)
