"""Folded explanations: their numbers are those of whole derivations, and unfolded they read as those do."""

import pytest

import whygrad as wg
from whygrad.derive.links import TOTAL
from whygrad.view import complete as completing
from whygrad.view import page as saving
from whygrad.view.complete import complete
from whygrad.view.keys import key, quantity
from whygrad.view.ways import Ways

FIELDS = (
    "template",
    "value",
    "equals",
    "sum",
    "difference",
    "share",
    "total",
    "left",
    "others",
    "contributions",
)
NETWORKS = {
    "tanh": wg.Network([3, 4, 5, 3], ["tanh", "sigmoid", "tanh"], True, seed=1),
    "dead": wg.Network([3, 6, 5, 3], ["relu", "relu", "identity"], True, seed=2),
    "softmax": wg.Network(
        [3, 5, 4, 2], ["tanh", "softmax", "sigmoid"], False, "binary_cross_entropy", seed=3
    ),
    "kinks": wg.Network([2, 4, 4, 2], "relu", False, seed=3, x=[0.0, 0.0], y=[0.3, 0.0]),
    "named": wg.Network([3, 4, 3], "silu", True, seed=2, names={"speed": "w^0_{0,1}", "first cost": "C^0"}),
}
# What of a page is compared: words, cards, steps, layers and notes, paths and checks, groups, links.
PARTS = (".answer", ".cards", ".steps", ".further", ".paths tr", ".paths .groups")
SHOW = """(parts, addresses) => {
  const root = document.querySelector("#whygrad").shadowRoot;
  return addresses.map((address) => {
    history.replaceState(null, "", address);
    window.dispatchEvent(new PopStateEvent("popstate"));
    window.dispatchEvent(new Event("beforeprint")); // what is made later is made now
    const shown = parts.map((part) => [...root.querySelectorAll(part)].map((each) => each.textContent).join("\\n"));
    const links = [...root.querySelectorAll("a.why")].map((link) => link.getAttribute("href"));
    return [address, ...shown, links.join(" "), root.querySelectorAll(".strand").length];
  });
}"""


@pytest.fixture
def everything_folded(monkeypatch):
    monkeypatch.setattr(completing, "WRITTEN_OUT_UP_TO", 0)


def records(made, of):
    """Yields what the lines of a document say: key -> the fields of its line."""
    folded = made["scenes"]["all"]["folded"]
    groups = {}
    for name, _ in made["picture"]["items"]:
        groups.setdefault(name.split(".")[0], []).append(name)
    for group, members in groups.items():
        if f"{group}|{of}" in folded["records"]:
            lines = folded["records"][f"{group}|{of}"].split("\n")
            for name, line in zip(members, lines, strict=True):
                yield name, dict(zip(FIELDS, line.split("|"), strict=False))


def close(text, expected, scale):
    return abs(float(text or 0) - expected) <= 1e-5 * max(abs(expected), 1e-3 * scale) + 1e-15


@pytest.mark.parametrize("name", NETWORKS)
def test_every_line_has_the_numbers_of_the_whole_derivation(name, everything_folded):
    run = NETWORKS[name].run()
    made = complete(run)
    assert made["covers"]["all"]
    told = 0
    for of in (TOTAL, run.cost_quantities[-1]):
        for by, line in records(made, key(of)):
            d = run.explain(quantity(by), of=None if of == TOTAL else of)
            assert close(line["value"], d.value, d.paths.total)
            assert close(line["sum"], d.paths.sum, d.paths.total)
            assert close(line["difference"], d.finite_difference, d.paths.total)
            assert close(line["total"], d.paths.total, d.paths.total)
            rows = [row.contribution for row in d.paths.rows]
            contributions = [float(text) for text in line["contributions"].split()]
            assert contributions == pytest.approx(rows, rel=1e-5, abs=1e-15)
            assert line["left"] == (str(d.paths.others) if d.paths.others else "")
            template = made["scenes"]["all"]["folded"]["templates"][int(line["template"])]
            assert template["paths"]["count"] == str(d.paths.count)
            told += 1
    assert told == 2 * sum(name[0] in "wbza" for name, _ in made["picture"]["items"])


def test_of_a_deep_network_everything_is_folded_and_its_strongest_paths_are_the_searchs():
    run = wg.Network([6] * 9, "tanh", True, seed=0).run()
    made = complete(run)
    assert made["covers"]["all"]
    assert len(made["scenes"]["all"]["explanations"]) < 180
    behind = Ways(run).behind(TOTAL)
    for j in range(6):
        found = [way.contribution for way in behind.listed(0, j)]
        expected = [path.contribution for path in run.paths(run.quantity(f"a^{j}_0"), k=10)]
        assert found == pytest.approx(expected, rel=1e-10)
    assert behind.count(0, 0) == run.paths("a^0_0").count


@pytest.mark.parametrize("name", ["dead", "softmax", "named"])
def test_an_unfolded_explanation_reads_as_one_that_is_written_out(name, opened, tmp_path, monkeypatch):
    run = NETWORKS[name].run()
    monkeypatch.setattr(saving, "PLAIN_UP_TO", 10**9)  # in one part: nothing has to be waited for
    monkeypatch.setattr(completing, "WRITTEN_OUT_UP_TO", 10_000)
    run.save_html(tmp_path / "whole.html")
    monkeypatch.setattr(completing, "WRITTEN_OUT_UP_TO", 0)
    run.save_html(tmp_path / "folded.html")
    items = [name for name, _ in complete(run)["picture"]["items"] if name[0] in "wbza"]
    ends = ["total", *map(key, run.cost_quantities)]
    addresses = [f"#{by};of={ends[n % len(ends)]}" for n, by in enumerate(items) if n % 2 or by[0] != "w"]
    addresses += [
        f"#{by};notation={notation}" for by, notation in zip(items, ("ng", "cs231n", "keras"), strict=False)
    ]
    read = []
    for file in ("whole", "folded"):
        page = opened((tmp_path / f"{file}.html").as_uri())
        page.wait_for_selector(".answer h1")
        read.append(page.evaluate(f"(addresses) => ({SHOW})({list(PARTS)}, addresses)", addresses))
    for whole, folded in zip(*read, strict=True):
        dead = "Along it" not in folded[1] and "a factor is 0" in folded[1]
        for n, (expected, found) in enumerate(zip(whole, folded, strict=True)):
            # Of paths that come to 0, one is as strong as the other.
            if not (dead and n in (2, 5, 7)) and n < 8:
                assert found == expected
        assert abs(folded[8] - whole[8]) <= 2


def test_links_of_a_folded_explanation_lead_to_local_derivatives_too(opened, tmp_path, everything_folded):
    run = NETWORKS["tanh"].run()
    page = opened(run.save_html(tmp_path / "folded.html").as_uri() + "#w1.0.0")
    slope = page.locator(".lead a.why", has_text="tanh").first
    slope.click()
    derivative = run.explain("a^0_1", by="z^0_1")
    assert page.url.endswith("#z1.0;of=a1.0")
    assert page.locator("h1 .is").inner_text() == f"= {derivative.value:.6g}"
