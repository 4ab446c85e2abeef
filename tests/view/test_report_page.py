"""The report as a page, in a real browser: all its columns are in sight at every width."""

import pytest

import whygrad as wg
from whygrad.report import Report

torch = pytest.importorskip("torch")


def made(costs: int) -> Report:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, costs))
    names = [f"loss {'abcde'[k]}" for k in range(costs)]
    x = torch.randn(6, 3)
    return wg.record(
        model, x, lambda m, x: dict(zip(names, 0.001 * m(x).square().mean(0), strict=True))
    ).report(semirings=("entropy",))


@pytest.mark.parametrize("costs", [2, 4, 5])
def test_no_row_is_wider_than_the_page_and_no_number_is_cut(opened, tmp_path, costs):
    path = tmp_path / "report.html"
    path.write_text(made(costs).to_html(), encoding="utf-8")
    page = opened(path.as_uri())
    for width in (360, 620, 700, 820, 900, 1000, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        cut = "all => all.filter(one => one.scrollWidth > one.clientWidth).length"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for what in (".row", ".row:not(.head) > .n"):
            assert page.locator(what).evaluate_all(cut) == 0, (what, width)
