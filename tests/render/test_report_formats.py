"""Reports in every format: widths, plain ASCII, many parameters, many costs, and figures."""

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import whygrad as wg
from whygrad.render.hues import DARK, LIGHT
from whygrad.render.report_look import Look, bar
from whygrad.render.report_text import joined
from whygrad.report import Report
from whygrad.report.phrases import norm

ROOT = Path(__file__).parents[2]


def made(depth: int = 2, many: int = 2, semirings: tuple[str, ...] = ("entropy",)) -> Report:
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(3, 6)
            self.layers = nn.ModuleList(nn.Linear(6, 6) for _ in range(depth))
            self.heads = nn.ModuleList(nn.Linear(6, 1) for _ in range(many))

        def forward(self, x: Tensor) -> list[Tensor]:
            x = self.first(x)
            for layer in self.layers:
                x = x + torch.relu(layer(x))
            return [head(x) for head in self.heads]

    def costs(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
        return {f"loss<{k}>": (out - k).square().mean() * (-1) ** k for k, out in enumerate(model(x))}

    return wg.record(Net(), torch.randn(8, 3), costs).report(semirings=semirings)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(("depth", "many"), [(1, 1), (2, 2), (150, 3), (4, 10)])
def test_text_keeps_to_its_width_and_length(width: int, depth: int, many: int) -> None:
    report = made(depth, many)
    text = report.to_text(width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) < 160
    assert not any(line.endswith(" ") for line in lines)
    if depth == 150:
        assert "others" in text
    report.to_text(width, unicode=False).encode("ascii")


def test_a_conflict_is_marked_by_a_sign_as_well_as_by_colour() -> None:
    report = made()
    assert "⇄" in report.to_text()
    assert "⇄ conflict" in report.to_html()
    assert "\x1b" not in report.to_text()
    assert "\x1b" in report.to_text(color=True)


def test_a_folded_module_shows_that_a_layer_of_it_has_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    def block() -> nn.Module:
        return nn.ModuleDict({"a": nn.Linear(2, 1, bias=False), "b": nn.Linear(2, 1, bias=False)})

    def costs(m: nn.Module, x: Tensor) -> dict[str, Tensor]:
        same = (
            sum(9 * each(x).sum() for one in m.values() for each in one.values()) - 9 * m["one"]["b"](x).sum()
        )
        other = m["one"]["b"](x).sum()
        return {"p": same + other, "q": same - other}

    report = wg.record(nn.ModuleDict({"one": block(), "two": block()}), torch.ones(3, 2), costs).report()
    assert "(⇄)" not in report.to_text()
    page = report.to_html()
    summaries = dict(re.findall(r"<summary .*?title='(\w+)'.*?(\(⇄\)|</summary>)", page))
    assert {name: end == "(⇄)" for name, end in summaries.items() if name in ("one", "two")} == {
        "one": True,
        "two": False,
    }
    monkeypatch.setattr("whygrad.render.report_tree.LINES", 1)
    text = report.to_text()
    marks = {
        row[0]: "(⇄)" in row for row in map(str.split, text.splitlines()) if row[:1] in (["one"], ["two"])
    }
    assert marks == {"one": True, "two": False}
    assert "two costs pull against each other in a layer of a folded module" in text


def test_html_is_one_page_with_names_escaped() -> None:
    page = made().to_html()
    assert page.startswith("<!doctype html>")
    assert "loss&lt;0&gt;" in page
    assert "loss<0>" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "prefers-color-scheme: dark" in page
    assert made()._repr_html_().startswith("<section")


def test_json_has_every_parameter() -> None:
    report = made(semirings=("total", "spectrum"))
    read = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert set(read) >= {"costs", "findings", "model", "depth", "activations", "spectrum"}
    assert [part["name"] for part in read["model"]["parts"]] == ["first", "layers", "heads"]
    assert len(read["spectrum"]["parts"]["first.weight"][0]) == 3
    assert "blocks" in report.to_text()
    assert "number of blocks" in report.to_html()


def test_the_spectrum_of_many_costs_has_a_row_for_each_in_html() -> None:
    report = made(4, 10, semirings=("total", "spectrum"))
    split = report.spectrum
    assert split is not None
    (table,) = re.findall(r"<table class='by-cost'>.*?</table>", report.to_html(), re.S)
    heads, *rows = table.split("<tr>")[1:]
    assert len(rows) == 10
    assert heads.count("scope='col'") == 1 + split.all_parts.shape[1] + 2
    for row, parts, whole in zip(rows, split.all_parts, split.all_whole, strict=True):
        cells = re.findall(r"<td class='n'>(?:<[^>]*>)?([^<]+)<", row)
        assert [cell.replace("−", "-") for cell in cells] == [
            norm(float(v)) for v in (*parts, parts.sum(), whole)
        ]
        assert row.count("width:100.0%") == 1
    assert "class='by-cost'" not in made(4, 2, semirings=("total", "spectrum")).to_html()


def test_figures_have_what_they_promise() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    report = made(semirings=("total", "spectrum"))
    depth = report.plot_depth()
    assert [line.get_label() for line in depth.get_lines()] == ["loss<0>", "loss<1>"]
    assert depth.get_yscale() == "log"
    cosines = report.plot_cosines()
    assert len(cosines.patches) == 3
    assert report.plot_cosines(axes=cosines) is cosines
    assert len(made(2, 3).plot_cosines().images) == 1
    spectrum = report.plot_spectrum()
    assert [len(line.get_xdata()) for line in spectrum.get_lines()] == [
        3,
        3,
        2,
    ]  # two costs, and the line at 1
    with pytest.raises(wg.NotSupportedError, match="one cost"):
        made(2, 1).plot_cosines()
    alone = wg.record(
        nn.Linear(2, 2), torch.ones(1, 2), lambda m, x: {"decay": m.weight.square().sum()}
    ).report()
    with pytest.raises(wg.NotSupportedError, match="no layer has an output"):
        alone.plot_depth()
    pyplot.close("all")


def test_the_hues_are_the_viewer_s() -> None:
    sheet = (ROOT / "src" / "whygrad" / "view" / "viewer.css").read_text()
    assert tuple(re.findall(r"--hue\d: light-dark\((#\w+), (#\w+)\)", sheet)) == tuple(
        zip(LIGHT, DARK, strict=True)
    )


@pytest.mark.parametrize("width", [60, 80, 120])
def test_long_names_leave_room_for_the_numbers_and_can_be_told_apart(width: int) -> None:
    name = "the_loss_of_the_second_decoder_over_all_of_the_masked_patches_of_every_image_in"
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))

    def costs(model: torch.nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
        one, other = model(x).square().mean(0)
        return {f"{name}_one": one, f"{name}_two": other}

    report = wg.record(model, torch.ones(3, 4), costs).report()
    text = report.to_text(width)
    assert max(map(len, text.splitlines())) <= width
    table = text.split("In short")[0].splitlines()[3:5]
    for line, value, end in zip(table, report.costs.values(), ("_one", "_two"), strict=True):
        assert f"{norm(value)} " in line
        assert f"{end} " in line
    assert f"{name}_one" in "".join(text.split())


def test_names_that_look_like_markup_are_printed_as_they_are() -> None:
    model = torch.nn.ModuleDict(
        {"a[b]": torch.nn.Linear(4, 4), "[/c]": torch.nn.ReLU(), "last": torch.nn.Linear(4, 1)}
    )

    def costs(model: torch.nn.ModuleDict, x: torch.Tensor) -> dict[str, torch.Tensor]:
        h = model["a[b]"](x)
        out = model["last"](model["[/c]"](h - h.detach() - 1.0))
        return {"[red]loss[/red]": out.square().mean(), "loss[x]": out.sum()}

    text = wg.record(model, torch.ones(3, 4), costs).report().to_text()
    profile, units = text.split("Layer by layer")[1].split("Activation functions")
    assert [line.split()[0] for line in profile.splitlines()[1:3]] == ["[red]loss[/red]", "loss[x]"]
    assert units.splitlines()[1].split()[0] == "[/c]"


def test_all_lines_of_a_module_s_name_lie_under_each_other() -> None:
    name = "post_attention_normalisation_of_the_second_kind"
    parts = {name: torch.nn.Linear(4, 3), "last": torch.nn.Linear(3, 1)}
    model = torch.nn.Sequential(torch.nn.ModuleDict(parts))

    def costs(model: torch.nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": parts["last"](parts[name](x)).square().mean()}

    lines = wg.record(model, torch.ones(3, 4), costs).report().to_text(60).splitlines()
    first = next(number for number, line in enumerate(lines) if line.lstrip().startswith("post_"))
    taken = [line.split("  ")[0] for line in (lines[first].strip(), lines[first + 1].strip())]
    assert name.startswith("".join(taken))
    assert [len(line) - len(line.lstrip()) for line in lines[first : first + 2]] == [4, 4]


@pytest.mark.parametrize("width", [8, 12, 24])
def test_no_share_of_a_bar_is_too_small_to_be_seen(width: int) -> None:
    look = Look(80, True)
    rng = np.random.default_rng(0)
    for _ in range(200):
        shares = rng.exponential(size=4) ** rng.integers(1, 8)
        shares[rng.integers(0, 4)] = 0.0
        shares /= shares.sum()
        text = bar(shares, width, look).plain
        signs = [text.count(look.cost(k)) for k in range(4)]
        assert sum(signs) == len(text) == width
        assert [sign > 0 for sign in signs] == [share > 0 for share in shares]
        # nobody gives away more than the signs that the small ones are lent
        assert all(abs(sign - share * width) <= 3 for sign, share in zip(signs, shares, strict=True))
        assert [signs[k] for k in np.argsort(shares)] == sorted(signs)


def test_a_narrow_report_says_what_a_wider_one_shows() -> None:
    report = made(2, 4)
    narrow, wide = report.to_text(60), report.to_text(160)
    assert "In a wider terminal there are also" in " ".join(narrow.split())
    assert "each cost's share, the two costs of each cosine, how much cancels" in " ".join(narrow.split())
    assert "wider terminal" not in wide
    heads = next(line for line in wide.splitlines() if "cancels" in line).split()
    assert heads[4:] == ["share", "cosine", "of", "cancels", "paths"]


def test_signs_are_explained_where_they_are() -> None:
    def costs(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
        h = model[0](x)
        return {"loss": model[1](torch.relu(h)).square().mean(), "none": (0 * h).sum()}

    report = wg.record(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1)), torch.ones(2, 3), costs).report()
    assert report.layers[0].norms[1] == 0
    assert "a gap: no path; _: 0" in " ".join(report.to_text().split())
    assert "_: 0" not in made().to_text()
    kinks = [units.kinks for units in made().units]
    assert not any(kinks)
    assert "a kink is" not in made().to_text()


def test_the_page_names_the_layers_below_the_profile() -> None:
    for depth, few in ((20, True), (150, False)):
        report = made(depth)
        drawing = report.to_html().split("<svg")[1].split("</svg>")[0]
        named = re.findall(r"rotate.*?>([^<]+)</text>", drawing)
        layers = [layer.name for layer in report.layers]
        assert named == layers[:: len(layers) // len(named) + (len(layers) % len(named) > 0)]
        assert (len(named) == len(layers)) == few
        corners = [float(n) for n in re.findall(r"<text x='([-\d.]+)'", drawing)]
        assert min(corners) > 0


def test_each_of_ten_costs_has_a_look_of_its_own_in_figures() -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    axes = made(many=10).plot_depth()
    looks = [(line.get_color(), line.get_linestyle(), line.get_marker()) for line in axes.lines]
    assert len(set(looks)) == 10
    pyplot.close(axes.figure)


def test_figures_of_many_layers_and_costs_can_be_read() -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.intermediate_projection = nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.tanh(self.intermediate_projection(x))

    model = nn.Sequential(*(Block() for _ in range(60)))

    def costs(m: nn.Module, x: torch.Tensor, many: int = 2) -> dict[str, torch.Tensor]:
        return {f"distillation {k}": (m(x) - k).square().mean() for k in range(many)}

    x = torch.randn(4, 3)
    for many in (2, 4, 8):
        report = wg.record(model, x, lambda m, x, many=many: costs(m, x, many)).report(("spectrum",))
        for axes in (report.plot_depth(), report.plot_cosines(), report.plot_spectrum()):
            axes.figure.canvas.draw()
            boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
            if axes.get_xticklabels()[0].get_rotation() == 0:
                assert all(a.x1 <= b.x0 for a, b in pairwise(boxes)), many
            else:  # slanted names are a line apart
                least = (
                    axes.get_xticklabels()[0].get_fontsize() / 72 * axes.figure.dpi / np.sin(np.deg2rad(50))
                )
                starts = axes.transData.transform([(place, 0) for place in axes.get_xticks()])[:, 0]
                assert np.diff(starts).min() >= least, many
            assert axes.get_title(loc="left")
        # names of layers that differ by a number in their middle are told apart
        names = [label.get_text() for label in report.plot_depth().get_xticklabels()]
        assert len(set(names)) == len(names) > 10
        # every cost's part is there, and what is too small to be seen isn't
        spectrum = report.plot_spectrum()
        drawn = {line.get_label(): line.get_ydata() for line in spectrum.get_lines()}
        assert report.spectrum is not None
        for k, name in enumerate(report.costs):
            parts = report.spectrum.all_parts[k] / report.spectrum.all_whole[k]
            np.testing.assert_allclose(drawn[name], parts[: len(drawn[name])])
            assert parts[len(drawn[name]) :].max(initial=0) < 0.01 * parts.max()
        pyplot.close("all")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_long_names_go_on_in_the_next_line_behind_a_dot_or_an_underscore(width: int) -> None:
    inner = {f"intermediate_projection_of_the_{which}_kind": nn.Linear(3, 3) for which in ("first", "other")}
    outer = nn.ModuleDict(
        {"feature_extraction_backbone": nn.ModuleDict({"residual_blocks": nn.ModuleDict(inner)})}
    )

    def costs(m: nn.Module, x: Tensor) -> dict[str, Tensor]:
        for layer in inner.values():
            x = torch.tanh(layer(x))
        return {"far_too_long_a_name_for_a_loss": x.mean(), "against": -10 * x.mean() + x[0, 0]}

    text = wg.record(outer, torch.randn(4, 3), costs).report().to_text(width)
    assert max(map(len, text.splitlines())) <= width
    whole = "feature_extraction_backbone.residual_blocks.intermediate_projection_of_the_"
    assert whole in "".join(text.split())
    parts = re.findall(r"[a-z]+", whole)
    for line in text.splitlines():  # what is left of a word is a whole one
        end = re.findall(r"[a-z]*$", line)[0]
        assert not any(part.startswith(end) and part != end for part in parts if len(end) > 3), line


@pytest.mark.parametrize(("depth", "width"), [(3, 80), (3, 120), (60, 80), (60, 160)])
def test_each_cost_has_one_line_in_the_profile_and_all_end_alike(depth: int, width: int) -> None:
    report = made(depth, 10)
    profile = report.to_text(width).split("Layer by layer")[1].split("\n\n")[0].splitlines()[1:]
    assert [line.split()[0] for line in profile] == list(report.costs)
    assert len({"→" in line for line in profile}) == 1
    for k, line in enumerate(profile):
        norms = [layer.norms[k] for layer in report.layers if np.isfinite(layer.norms[k])]
        assert f" {norm(norms[0])} to {norm(norms[-1])}" in line


def test_neighbours_that_share_a_sign_are_all_in_it() -> None:
    norms = np.array([1.0, 100.0, np.nan, 4.0, 0.0, 0.0, np.nan, np.nan])
    np.testing.assert_array_equal(joined(norms, 8), norms)
    np.testing.assert_allclose(joined(norms, 4), [10.0, 4.0, 0.0, -np.inf])


def test_of_two_long_names_both_are_seen() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk = nn.Linear(3, 6)

    def costs(m: Heads, x: Tensor) -> dict[str, Tensor]:
        return {f"auxiliary_consistency_term_{k}": loss for k, loss in enumerate(m.trunk(x).square().mean(0))}

    report = wg.record(Heads(), torch.randn(8, 3), costs).report()
    cells = re.findall(r"<span class='pair' title='([^']+)'>([^<]+)</span>", report.to_html())
    assert cells
    for whole, shown in cells:
        assert [name[-2:] for name in shown.split(", ")] == [name[-2:] for name in whole.split(", ")]
        assert len(shown) <= 19
    line = next(line for line in report.to_text(110).splitlines() if line.strip().startswith("trunk"))
    assert re.search(r"_\d, \S+_\d ", line)


def test_two_costs_that_train_no_parameter_together_have_no_cosine() -> None:
    parts = nn.ModuleDict({name: nn.Linear(2, 1) for name in ("left", "right")})

    def costs(m: nn.Module, x: Tensor) -> dict[str, Tensor]:
        left, right = parts["left"](x), parts["right"](x)
        return {"a": left.mean(), "b": left.square().mean() + right.square().mean(), "c": right.mean()}

    report = wg.record(parts, torch.randn(8, 2), costs).report()
    rows = [line.split()[2:] for line in report.to_text().split("shared weights")[2].splitlines()[2:5]]
    assert [len(row) for row in rows] == [0, 1, 1]  # none of a with c
    assert "none between two that train no parameter together" in " ".join(report.to_text().split())
    cells = re.findall(r"title='c, (\w)'>([^<]*)<", report.to_html())
    assert [(name, bool(cosine)) for name, cosine in cells] == [("a", False), ("b", True)]
    assert "no parameter together" not in made(2, 3).to_text()
