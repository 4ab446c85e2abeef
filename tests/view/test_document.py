"""The document: what it says is what the run says, in every notation, and a program can rely on its shape."""

import json
import re

import numpy as np
import pytest

import whygrad as wg
from whygrad.errors import NotSupportedError, QuantityError, ShapeError
from whygrad.notation import NOTATIONS, Quantity, quantities
from whygrad.view.complete import complete
from whygrad.view.document import document
from whygrad.view.flows import Flows
from whygrad.view.keys import key, quantity
from whygrad.view.sheet import FIRST_MARK, Sheet, Symbol, mathml_tree, parts

NETWORKS = {
    "question": wg.Network.default(),
    "mixed": wg.Network([2, 3, 2], ["tanh", "softmax"], True, "cross_entropy", l2=0.1, seed=3),
    "relu": wg.Network(
        [3, 4, 1], ["relu", "sigmoid"], True, "binary_cross_entropy", seed=5, x=[0.2, -1, 0.5], y=[1]
    ),
}


def tex(text):
    """Returns a number or sign as LaTeX."""
    return re.sub(r"e([+-]\d+)", lambda m: rf" \cdot 10^{{{int(m.group(1))}}}", text)


def named(sheet, notation, symbol):
    """Returns the formula of a symbol's name: its own, or for a derivative by the rule of its kind."""
    name = sheet["names"][notation][symbol]
    if name is not None:
        return name
    _, of, by = sheet["symbols"][symbol]
    layer = re.fullmatch(r"[a-zA-Z]+?(\d+)\..*|.*", by).group(1) or ""
    kind = re.match(r"[a-zA-Z]+", of).group() + "|" + re.match(r"[a-zA-Z]+", by).group()
    skeleton, *own = sheet["derivatives"][notation][kind + layer]
    of, by = (sheet["symbols"].index(["q", each]) for each in (of, by))
    return [skeleton, *sheet["names"][notation][by][1:]] if own else [skeleton, of, by]


def spelled(sheet, notation, formula, style):
    """Fills a formula's skeleton, as the viewer does."""
    made = ""
    for part in sheet["skeletons"][formula[0]][style]:
        if isinstance(part, str):
            made += part
        else:
            filled = formula[part + 1]
            if isinstance(filled, int):
                made += spelled(sheet, notation, named(sheet, notation, filled), style)
            else:
                made += tex(filled) if style == "l" else filled
    return made


@pytest.mark.parametrize("name", NETWORKS)
def test_values_and_gradients_are_the_runs(name):
    run = NETWORKS[name].run()
    made = complete(run)
    scene = made["scenes"]["all"]
    for place, (name, _) in enumerate(made["picture"]["items"]):
        q = quantity(name)
        assert scene["values"][place] == pytest.approx(run.value(q), rel=1e-9)
        assert scene["colours"]["gradient"]["total"][place] == pytest.approx(
            run.sweep("gradient").value(q), rel=1e-8, abs=1e-12
        )
        for row, cost in enumerate(run.cost_quantities):
            found = scene["colours"]["gradient"][key(cost)][place]
            assert found == pytest.approx(run.sweep("gradient").value(q, row), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_quantity_is_explained_for_the_total_and_every_cost(name):
    run = NETWORKS[name].run()
    made = complete(run)
    assert made["covers"]["all"]
    explained = made["scenes"]["all"]["explanations"]
    for name, _ in made["picture"]["items"]:
        for of, _ in made["of"]:
            one = explained[f"{name}|{of}"]
            assert one["value"] == pytest.approx(run.explain(quantity(name), of=quantity(of)).value)
            assert one["agree"]
            listed = sum(row["c"] for row in one["paths"]["rows"]) + (one["paths"]["others_sum"] or 0)
            assert listed == pytest.approx(one["value"], abs=1e-8)


def test_a_cost_that_is_alone_is_what_is_differentiated():
    alone = wg.Network([2, 3, 1], "tanh", seed=1, names={"E": "C^0"}).run()
    made = document(alone)
    assert [of for of, _ in made["of"]] == [made["state"]["of"]] == ["C0"]
    assert alone.explain().of == "E"
    assert alone.explain().value == pytest.approx(alone.gradient("w^0_{0,1}"))
    with_two = wg.Network([2, 3, 1], "tanh", seed=1, l2=0.1).run()
    assert [of for of, _ in document(with_two)["of"]] == ["total", "C0", "R"]
    loss = wg.Network([2, 3, 1], "tanh", seed=1, names={"loss": "total"}).run()
    assert (document(loss)["state"]["of"], loss.explain().of) == ("total", "loss")
    assert alone.explain("C^0").steps == ()  # it had said that its derivative by itself is 0 = 1
    # Where a notation has a name of its own for the derivative of the total, it is that of the one cost too.
    layout = alone.network.layout
    own = NOTATIONS["pytorch"].derivative_text(quantity("C0"), quantity("w1.0.0"), layout)
    assert own == "net[0].weight.grad[0, 0]"
    regular = with_two.network.layout
    assert own != NOTATIONS["pytorch"].derivative_text(quantity("C0"), quantity("w1.0.0"), regular)


@pytest.mark.parametrize("notation", NOTATIONS)
def test_a_document_spells_formulas_as_a_derivation_of_that_notation_does(notation):
    for net in NETWORKS.values():
        run = net.run()
        made = document(run, notation=notation)
        shown = f"{made['state']['chosen']}|{made['state']['of']}"
        sheet, one = made["sheet"], made["scenes"]["all"]["explanations"][shown]
        derivation = wg.Run(net.renamed(notation), run.x, run.y).explain(quantity(made["state"]["chosen"]))
        formulas = [one["heading"]] + [line[0] for n in one["steps"] for line in sheet["steps"][n]["lines"]]
        expected = [derivation.heading] + [line.math for step in derivation.steps for line in step.lines]
        assert [spelled(sheet, notation, sheet["formulas"][n], "l") for n in formulas] == [
            m.latex for m in expected
        ]
        plain = [spelled(sheet, notation, sheet["formulas"][n], "t") for n in formulas]
        # Whether a space follows a d hangs on the length of the name that follows.
        assert [text.replace("d ", "d") for text in plain] == [m.ascii.replace("d ", "d") for m in expected]
        kind = next(kind for name, _, kind in made["notations"] if name == notation)
        numbers = [line if isinstance(line, int) else line[0] for line in one["layers"].get(kind, [])]
        found = [spelled(sheet, notation, sheet["formulas"][sheet["lines"][n]["f"]], "l") for n in numbers]
        assert found == [line.math.latex for line in derivation.layerwise]
        for n, line in zip(numbers, derivation.layerwise, strict=True):
            grid = sheet["lines"][n]["grid"]
            assert grid is None or np.allclose(grid, line.result.values, rtol=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_flows_through_a_place_is_the_sum_of_the_paths_through_it(name):
    run = NETWORKS[name].run()
    net = run.network.layered
    flows = Flows(run)
    for q in (Quantity("w", 1, 1, 1), Quantity("a", 0, 0), Quantity("z", 1, 2)):
        flow = flows.of(q)
        paths = [path for path in run.paths(q, k=10_000) if not path.quantities[-1].startswith("R")]
        for layer in range(1, net.depth + 1):
            for neuron in range(net.sizes[layer]):
                if (q.layer, q.kind) == (layer, "z") and q.to != neuron:
                    continue
                names = {run.network.name(Quantity(kind, layer, neuron)) for kind in "a"}
                through = sum(path.contribution for path in paths if names & set(path.quantities))
                assert flow.neurons[layer][:, neuron].sum() == pytest.approx(through, abs=1e-12)


def test_examples_have_scenes_and_the_picture_stays_the_same():
    net = wg.Network([2, 3, 2], "tanh", seed=1)
    run = net.run([[0.1, 0.2], [0.3, -0.4]], [[1, 0], [0, 1]])
    made = complete(run)
    assert set(made["scenes"]) == {"all", "0", "1"}
    assert made["scenes"]["all"]["play"] == []
    for n in range(2):
        scene = made["scenes"][str(n)]
        assert scene["play"]
        place = [name for name, _ in made["picture"]["items"]].index("w1.0.0")
        assert scene["colours"]["gradient"]["total"][place] == pytest.approx(
            run.example(n).gradient("w^0_{0,1}")
        )


def test_a_wide_network_shows_some_neurons_and_puts_the_others_together():
    run = wg.Network([40, 30, 3], "relu", seed=0).run()
    made = document(run)
    assert [len(neurons) for neurons in made["picture"]["layers"]] == [7, 7, 3]
    assert made["picture"]["hidden"] == [33, 23, 0]
    flow = made["scenes"]["all"]["explanations"][made["state"]["chosen"] + "|total"]["flow"]
    last = [sum(line[2:]) for line in flow["lines"] if line[1].startswith("C")]
    value = made["scenes"]["all"]["explanations"][made["state"]["chosen"] + "|total"]["value"]
    assert sum(last) == pytest.approx(value, rel=0.05)


def test_play_ends_where_the_backward_pass_ends_and_its_numbers_are_the_runs():
    run = wg.Network.default().run()
    play = document(run)["scenes"]["all"]["play"]
    assert [step["phase"] for step in play] == ["forward"] * 4 + ["costs"] * 2 + ["backward"] * 6
    assert play[0]["lit"] == ["a0.0", "a0.1"]
    assert set(play[-1]["lit"]) == {f"w1.{i}.{j}" for i in range(3) for j in range(2)}
    assert play[3]["lines"][0][1] == pytest.approx(run.value("a^0_3"))
    assert play[5]["lines"][0][1] == pytest.approx(run.total)


def test_documents_are_json_and_whatever_is_asked_for_wrongly_is_said():
    run = wg.Network.default().run()
    made = document(run, chosen="a^0_1", of=1, notation="nielsen", semiring="strongest")
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert made["state"] == {
        "chosen": "a1.0",
        "of": "C1",
        "notation": "nielsen",
        "semiring": "strongest",
        "example": None,
    }
    with pytest.raises(QuantityError, match="has no"):
        document(run, chosen="w9.0.0")
    with pytest.raises(QuantityError, match="expected a quantity to differentiate by, found the total"):
        document(run, chosen="total")
    with pytest.raises(NotSupportedError, match="to colour by, found 'spectrum'"):
        document(run, semiring="spectrum")
    batch = wg.Network([1, 1], seed=0).run([[1.0], [2.0]], [[0.0], [0.0]])
    with pytest.raises(ShapeError, match="from 0 to 1, found 5"):
        document(batch, example=5)


def test_keys_are_read_back():
    for q in quantities(NETWORKS["mixed"].layout):
        assert quantity(key(q)) == q
    for text in ("w1.0", "a1", "x", "<img>", "w1.0.0" * 30, "C-1", "y²"):
        with pytest.raises(QuantityError, match="key: expected one such as"):
            quantity(text)


def test_formulas_that_differ_in_names_and_numbers_have_one_skeleton():
    sheet = Sheet()
    one, two = (sheet.mark(Symbol("q", Quantity("a", 1, n))) for n in range(2))
    first = sheet.fill(rf"{one} = 0.5 \cdot 2", f"{one} = 0.5 * 2")
    second = sheet.fill(rf"{two} = 7 \cdot 1.25", f"{two} = 7 * 1.25")
    assert first[0] == second[0]
    assert second[1:] == [1, "7", "1.25"]
    assert sheet.skeletons[0]["t"] == [0, " = ", 1, " * ", 2]
    assert chr(FIRST_MARK) == one


def test_names_are_text_in_mathml_whatever_they_say():
    tree = mathml_tree(r"\text{<img src=x onerror=alert(1)>}")
    assert tree[0] in ("mtext", "mrow")
    assert "<img" in re.sub(r"\\u00a0|\xa0", " ", json.dumps(tree, ensure_ascii=False))
    assert parts("a\ue000b") == ["a", 0, "b"]


def test_the_other_outputs_of_a_wide_layer_lead_to_the_total():
    run = wg.Network([3, 4, 30], "tanh", seed=0).run()
    made = document(run, chosen="w1.0.0")
    flow = made["scenes"]["all"]["explanations"]["w1.0.0|total"]["flow"]
    rest = [line[2:] for line in flow["lines"] if line[:2] == ["o2", "total"]]
    shown = made["picture"]["layers"][-1]
    hidden = sum(run.gradient("w^0_{0,1}", cost=k) for k in range(30) if k not in shown)
    assert sum(rest[0]) == pytest.approx(hidden, rel=1e-6)
