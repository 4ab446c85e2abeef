"""The document of a recorded model: its numbers are the record's, and autograd's."""

import json

import numpy as np
import pytest
import torch

import whygrad as wg
from tests.view.recorded_models import EVIL, TwoHeads, deep, linear, named_badly, two_heads
from whygrad.errors import NotSupportedError, QuantityError
from whygrad.view.recorded import recorded_document
from whygrad.view.recorded_page import recorded_still
from whygrad.view.strongest import paths_of


@pytest.fixture(scope="module")
def record():
    return two_heads()


@pytest.fixture(scope="module")
def made(record):
    return recorded_document(record)


def place(made, name, kind=None):
    return next(n for n, p in enumerate(made["places"]) if p["name"] == name and kind in (None, p["kind"]))


def measure(made, name):
    return next(each["values"] for each in made["measures"] if each["name"] == name)


def bands(made):
    return {(a, b): norms for a, b, norms, _ in made["bands"]}


def test_it_is_json_of_its_kind(made):
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert (made["version"], made["kind"]) == (1, "recorded")


def test_norms_of_parameters_and_modules_are_the_gradients(record, made):
    norms = measure(made, "norm")
    gradients = record.gradients()
    for name in record.parameters:
        right = np.linalg.norm(np.asarray(gradients[name]).reshape(2, -1), axis=1)
        assert norms[place(made, name)][:2] == pytest.approx(right, rel=1e-5)
        assert norms[place(made, name)][2] == pytest.approx(
            np.linalg.norm(np.asarray(gradients[name]).sum(0)), rel=1e-5
        )
    squares = sum(
        np.square(np.asarray(gradients[name]).reshape(2, -1)).sum(1)
        for name in gradients
        if name.startswith("blocks.1.")
    )
    assert norms[place(made, "blocks.1", "module")][:2] == pytest.approx(np.sqrt(squares), rel=1e-5)


def test_bands_are_autograds_cotangents(made):
    """What comes back to the first layer's output, by hand: h = first(x) + shift, kept and differentiated."""
    torch.manual_seed(0)
    model = TwoHeads().double()
    x, kind, to = (
        torch.randn(5, 3).double(),
        torch.randint(0, 4, (5,)),
        torch.rand(5, 1).double(),
    )
    first = (model.first(x) + model.shift).detach().requires_grad_()
    normed = model.blocks[0].norm(first)
    h = first + model.blocks[0].down(torch.relu(model.blocks[0].up(normed)))
    end = model.blocks[2](model.blocks[1](h))
    losses = (
        torch.nn.functional.cross_entropy(model.kind(end), kind),
        torch.nn.functional.mse_loss(model.place(end), to),
    )
    found = bands(made)
    start = place(made, "blocks.0.norm", "module")
    add = next(b for a, b in found if a == place(made, "first", "module") and b != start)
    add_after = next(
        b
        for a, b in found
        if a == place(made, "blocks.0.down", "module") and made["places"][b]["kind"] == "join"
    )
    for k, loss in enumerate(losses):
        (whole,) = torch.autograd.grad(loss, first, retain_graph=True)
        (by_h,) = torch.autograd.grad(loss, h, retain_graph=True)
        assert found[place(made, "first", "module"), add][k] == pytest.approx(float(whole.norm()), rel=1e-5)
        assert found[add, add_after][k] == pytest.approx(float(by_h.norm()), rel=1e-5)  # the skip
        assert found[add, start][k] == pytest.approx(float((whole - by_h).norm()), rel=1e-5)  # the block


def test_a_closed_module_gets_what_its_places_get_together(made):
    found = bands(made)
    whole = place(made, "blocks.0", "module")
    add = next(a for a, b in found if b == whole and made["places"][a]["kind"] == "join")
    inside = [b for (a, b) in found if a == add and made["places"][b]["around"] == whole]
    assert len(inside) == 2
    assert all(found[add, whole][k] <= sum(found[add, b][k] for b in inside) * (1 + 1e-9) for k in (0, 1))


def test_branches_are_the_records(record, made):
    right = {parts.place: parts for parts in record.branches()}
    assert {branch["place"] for branch in made["branches"]} == set(right)
    for branch in made["branches"]:
        parts = right[branch["place"]]
        assert np.allclose(branch["norms"], parts.norms, rtol=1e-5)
        assert np.allclose(branch["whole"], parts.whole, rtol=1e-5)
    skips = [branch for branch in made["branches"] if "skip" in branch["sides"]]
    assert len(skips) == 3
    assert all(-1 <= cosine <= 1 for branch in skips for cosine in branch["against"])


def test_where_a_residual_block_begins_is_told_in_words(made):
    told = [p for p in made["places"] if p.get("about")]
    assert len(told) == 3
    branch = next(branch for branch in made["branches"] if branch["at"] == made["places"].index(told[0]))
    skip = branch["norms"][branch["sides"].index("skip")][0]
    assert f"norms of {skip:.3g} and " in told[0]["about"]


def test_paths_are_the_records(record, made):
    names, found = made["paths"]["names"], made["paths"]["found"]
    for name in ("first.weight", "blocks.1.up.bias", "shift"):
        ways = made["paths"]["at"][str(place(made, name))]
        for cost in (0, 1, None):
            way = ways[2 if cost is None else cost]
            right = record.paths(name, cost, k=6)
            assert [found[n][0] for n in way["top"]] == pytest.approx(right.contribution.tolist(), rel=1e-5)
            assert way["sum"] == pytest.approx(right.sum, rel=1e-5, abs=1e-12)
            assert way["total"] == pytest.approx(right.total, rel=1e-5)
            assert way["count"].replace(" ", "") == str(right.count)
            assert way["shares"] == pytest.approx(right.shares.tolist(), rel=1e-4)
            first = [names[n] for n in found[way["top"][0]][2]]
            assert first[0].startswith(f"{name}[")
            assert first[-1] in record.cost_names


def test_a_modules_paths_are_the_strongest_in_it(made):
    found = made["paths"]["found"]
    way = made["paths"]["at"][str(place(made, "blocks.0", "module"))][0]
    inside = [
        n
        for n, p in enumerate(made["places"])
        if p["name"].startswith("blocks.0.") and p["kind"] == "parameter"
    ]
    each = [abs(found[top][0]) for n in inside for top in made["paths"]["at"][str(n)][0]["top"]]
    assert [abs(found[n][0]) for n in way["top"]] == pytest.approx(sorted(each, reverse=True)[:6])


def test_other_semirings_are_the_records(record, made):
    strongest = np.abs(np.asarray(record.sweep("strongest").array("first.weight"))).reshape(2, -1).max(1)
    assert measure(made, "strongest")[place(made, "first.weight")][:2] == pytest.approx(strongest, rel=1e-5)
    total = np.asarray(record.sweep("total").array("first.weight")).reshape(2, -1).sum(1)
    assert measure(made, "total")[place(made, "first.weight")][:2] == pytest.approx(total, rel=1e-5)


def test_rows_are_in_the_order_of_the_forward_pass(made):
    names = [p["name"] for p in made["places"] if p["around"] == 0]
    assert names[0].startswith("batch")
    assert names.index("first") < names.index("blocks") < names.index("kind")
    assert names[-2:] == ["kind", "place"]
    assert all(p["around"] < n for n, p in enumerate(made["places"]) if p["around"] is not None)


def test_what_no_cost_reaches_is_said(made):
    assert (
        made["places"][place(made, "unused", "module")]["says"]
        == "No cost has a path to `unused`: its gradient is 0."
    )


def test_the_findings_come_first_with_their_places(record, made):
    report = record.report()
    assert [finding["says"] for finding in made["findings"]] == [finding.says for finding in report.findings]
    about = {made["places"][n]["name"] for finding in made["findings"] for n in finding["places"]}
    assert "unused.weight" in about


def test_small_and_large_models_are_folded_to_what_fits():
    small, large = recorded_document(linear()), recorded_document(deep(), paths=0, semirings=())
    assert len(small["places"]) == 5
    assert len(large["places"]) > 400
    rows = [p for p in large["places"] if p["around"] in large["state"]["open"]]
    assert 10 < len(rows) <= 40
    assert all(p["kind"] != "parameter" for p in rows)


def test_names_are_data():
    made = recorded_document(named_badly())
    assert EVIL in {p["label"] for p in made["places"]}


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        (
            {"chosen": "nothing"},
            QuantityError,
            "view: expected a module or a parameter .such as .*, found 'nothing'",
        ),
        ({"of": "none"}, QuantityError, "cost: expected one of kind, place, found 'none'"),
        ({"semirings": ["entropic"]}, NotSupportedError, "view: expected some of total, strongest, count"),
        ({"paths": -1}, QuantityError, "view: paths must be a whole number from 0, found -1"),
    ],
)
def test_what_is_not_there_is_said(record, options, error, says):
    with pytest.raises(error, match=says):
        recorded_document(record, **options)


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_make_a_page_that_says_so(bad):
    batch = torch.ones(4, 3)
    batch[0, 0] = bad
    record = wg.record(torch.nn.Linear(3, 2), batch, lambda model, x: {"loss": model(x).square().mean()})
    made = recorded_document(record)
    assert made["findings"][0]["kind"] == "not finite"
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert "not finite" in recorded_still(record)
    assert made["places"][0]["says"] == "The gradient by the model is not finite; nothing else can be said."


def test_a_model_without_parameters_shows_what_it_is():
    model = torch.nn.Linear(2, 2).requires_grad_(False)
    record = wg.record(model, torch.ones(2, 2), lambda model, x: {"loss": model(x).square().mean()})
    assert record._repr_html_() == "<pre>Record(7 nodes, 0 parameters with 0 entries, costs loss)</pre>"


def test_paths_that_would_take_minutes_are_left_out_and_asked_for(monkeypatch):
    record = deep()
    monkeypatch.setattr("whygrad.view.recorded.MOST_PAIRS", 10)
    told = []
    made = recorded_document(record, progress=lambda what, share: told.append((what, share)))
    assert "paths" not in made
    assert [each["name"] for each in made["measures"]] == ["norm", "share", "total", "count"]
    # 75 normalisations of 3 rows of 4 entries, each with 4 x 4 partials, for 2 costs
    assert made["left_out"] == (
        f"The strongest paths are left out, since normalisations have {75 * 3 * 16 * 2:.0e} partials here, one for "
        "each pair of entries: take a smaller batch, or ask for them: paths=6."
    )
    assert made["left_out"] in recorded_still(record)
    assert "strongest" not in record._sweeps
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    asked = recorded_document(record, paths=1, semirings=("strongest",))
    assert "left_out" not in asked
    assert asked["paths"]["found"]


def test_progress_says_whose_paths_are_searched_for(record):
    told = []
    recorded_document(record, progress=lambda what, share: told.append((what, share)))
    assert "paths of blocks.1.up.weight" in [what for what, _ in told]
    assert all(0 <= share <= 1 for _, share in told)
    assert [share for _, share in told] == sorted(share for _, share in told)


def test_the_gradient_by_number_of_blocks_comes_by_itself_where_it_is_quick(record, made, monkeypatch):
    split = record.spectrum()
    assert np.allclose(made["spectrum"]["parts"], split.all_parts, rtol=1e-5)
    assert np.allclose(made["spectrum"]["whole"], split.all_whole, rtol=1e-5)
    gradients = record.gradients()
    whole = np.sqrt(sum(np.square(np.asarray(gradients[name]).reshape(2, -1)).sum(1) for name in gradients))
    assert made["spectrum"]["whole"] == pytest.approx(whole, rel=1e-5)
    assert recorded_document(linear(), paths=0)["spectrum"] is None
    monkeypatch.setattr("whygrad.view.recorded.MOST_IN_SPECTRUM", 10)
    assert recorded_document(record, paths=0)["spectrum"] is None


def test_sums_over_paths_say_at_which_operations_paths_end():
    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, *grads):
            return 2 * grads[0]

    def costs(model, x):
        h = model["first"](x)
        return {"plain": (h + h.tanh()).sum(), "own": model["last"](Scaled.apply(h)).square().sum()}

    model = torch.nn.ModuleDict({"first": torch.nn.Linear(3, 3), "last": torch.nn.Linear(3, 1)})
    record = wg.record(model, torch.ones(2, 3), costs, opaque="allow")
    made = recorded_document(record)
    at = {place["name"]: made["paths"]["at"].get(str(n)) for n, place in enumerate(made["places"])}
    says = "What goes through `Scaled`, without a declaration, is in no path."
    assert [way["stops"] for way in at["first.weight"]] == ["", says, says]
    assert [way["stops"] for way in at["last.weight"]] == ["", "", ""]
    assert paths_of(record, "first.weight[0, 0]", 1, 3)["stops"] == says
    assert paths_of(record, "first.weight[0, 0]", 0, 3)["stops"] == ""


class WithLosses(torch.nn.Module):
    """A model that computes its own losses, by modules and by itself, of which one is made of another."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = torch.nn.Linear(3, 4)
        self.a, self.b = torch.nn.Linear(4, 2), torch.nn.Linear(4, 1)
        self.loss = torch.nn.MSELoss()
        self.adaptive = torch.nn.AdaptiveLogSoftmaxWithLoss(4, 6, [3])

    def forward(self, x):
        h = torch.tanh(self.trunk(x))
        a, b = self.a(h), self.b(h)
        one, two = self.loss(a, torch.ones(len(x), 2)), b.square().sum()
        words = self.adaptive(h, torch.arange(len(x)))[1]
        return {"one": one, "two": two, "both": 2 * one + two, "words": words}, a, b


@pytest.mark.parametrize("nested", [False, True])
def test_every_cost_is_where_bands_begin_wherever_it_is_made(nested):
    torch.manual_seed(0)
    model, x = WithLosses().double(), torch.randn(5, 3, dtype=torch.float64)
    record = wg.record({"net": model} if nested else model, x, lambda _, b: model(b)[0])
    made, prefix = recorded_document(record), "net." * nested
    found = bands(made)
    losses, a, b = model(x)
    for row, name in enumerate(record.cost_names):
        end = place(made, name, "cost")
        assert any(to == end and norms[row] for (_, to), norms in found.items()), name
    for of, value, name in (("one", a, "a"), ("two", b, "b")):
        (sent,) = torch.autograd.grad(losses[of], value, retain_graph=True)
        norms = found[place(made, prefix + name, "module"), place(made, of, "cost")]
        assert norms[record.cost_names.index(of)] == pytest.approx(float(sent.norm()), rel=1e-5)
        factor = {"one": 2, "two": 1}[of]
        assert norms[record.cost_names.index("both")] == pytest.approx(factor * float(sent.norm()), rel=1e-5)
        through = found[place(made, of, "cost"), place(made, "both", "cost")]
        assert through[record.cost_names.index("both")] == pytest.approx(factor)


def test_costs_of_each_example_have_bands_of_their_own():
    torch.manual_seed(0)
    model, x = torch.nn.ModuleDict({"a": torch.nn.Linear(3, 2)}), torch.randn(3, 3)

    def costs(model, x):
        each = model["a"](x).square().sum(1)
        return {"each": each, "weighed": (each * torch.arange(3.0)).sum()}

    made = recorded_document(wg.record(model, x, costs))
    found = bands(made)
    for row in range(3):
        own = {
            norms.index(max(norms)) for (_, to), norms in found.items() if to == place(made, f"each[{row}]")
        }
        assert own == {row}
    weighed = [norms for (_, to), norms in found.items() if to == place(made, "weighed")]
    assert weighed
    assert all(norms[:3] == [0, 0, 0] and norms[3] for norms in weighed)


def test_costs_that_train_no_parameter_together_have_no_cosine():
    heads = torch.nn.ModuleDict({name: torch.nn.Linear(2, 1) for name in ("left", "right")})
    model = torch.nn.ModuleDict({"heads": heads})

    def costs(m, x):
        return {"a": m["heads"]["left"](x).mean(), "b": m["heads"]["right"](x).mean()}

    made = recorded_document(wg.record(model, torch.randn(8, 2), costs))
    whole = made["places"][0]
    assert whole["cosines"][0][1] is None is whole["cosine"]
    assert whole["says"].endswith(". No two costs train one same parameter here.")
