"""Names as the books print them, what is read beside them, and what is said when a name can't be read."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from whygrad.errors import EquationError, NotSupportedError, QuantityError, WhygradError
from whygrad.notation import NOTATIONS, Layout, Quantity, Reading, notation, translate, with_names

LAYOUT = Layout((2, 3, 3, 2), ("sigmoid",) * 3)
PAGE = Path(__file__).parents[1] / "docs" / "notations.md"
CASES = Path(__file__).parents[2] / "shared" / "cases" / "equations.json"

TOTAL = Quantity("total")
WEIGHT = Quantity("w", 2, 1, 0)  # from the first neuron of the first hidden layer to the second of the second
PRINTED = {
    # weight; bias, pre-activation, activation; input, target, total; derivative of the total by the weight
    "neuron-over-layer": [
        "w^0_{1,2}",
        "b^1_2", "z^1_2", "a^1_2",
        "a^1_0", "y^1", r"\sum C",
        r"\frac{\partial \sum C}{\partial w^0_{1,2}}",
    ],
    "nielsen": [
        "w^3_{21}",
        "b^3_2", "z^3_2", "a^3_2",
        "a^1_2", "y_2", "C",
        r"\frac{\partial C}{\partial w^3_{21}}",
    ],
    "3blue1brown": [
        "w^{(L-1)}_{10}",
        "b^{(L-1)}_1", "z^{(L-1)}_1", "a^{(L-1)}_1",
        "a^{(L-3)}_1", "y_1", "C",
        r"\frac{\partial C}{\partial w^{(L-1)}_{10}}",
    ],
    "ng": [
        "W^{[2]}_{21}",
        "b^{[2]}_2", "z^{[2]}_2", "a^{[2]}_2",
        "a^{[0]}_2", "y_2", "J",
        "dW^{[2]}_{21}",
    ],
    "ufldl": [
        "W^{(2)}_{21}",
        "b^{(2)}_2", "z^{(3)}_2", "a^{(3)}_2",
        "a^{(1)}_2", "y_2", "J",
        r"\frac{\partial J}{\partial W^{(2)}_{21}}",
    ],
    "bishop": [
        "w^{(2)}_{21}",
        "w^{(2)}_{20}", "a^{(2)}_2", "z^{(2)}_2",
        "x_2", "t_2", "E",
        r"\frac{\partial E}{\partial w^{(2)}_{21}}",
    ],
    "goodfellow": [
        "W^{(2)}_{21}",
        "b^{(2)}_2", "a^{(2)}_2", "h^{(2)}_2",
        "x_2", "y_2", "J",
        r"\frac{\partial J}{\partial W^{(2)}_{21}}",
    ],
    "mit": [
        "W^2_{12}",
        "W^2_{02}", "z^2_2", "a^2_2",
        "x_2", "y_2", r"\mathcal{L}",
        r"\frac{\partial \mathcal{L}}{\partial W^2_{12}}",
    ],
    "d2l": [
        "W^{(2)}_{21}",
        "b^{(2)}_2", "z^{(2)}_2", "h^{(2)}_2",
        "x_2", "y_2", "J",
        r"\frac{\partial J}{\partial W^{(2)}_{21}}",
    ],
    "classic": [
        "w^{(2)}_{21}",
        r"\theta^{(2)}_2", r"\mathrm{net}^{(2)}_2", "o^{(2)}_2",
        "o^{(0)}_2", "t_2", "E",
        r"\frac{\partial E}{\partial w^{(2)}_{21}}",
    ],
    "compphysics": [
        "w^{(2)}_{01}",
        "b^{(2)}_1", "z^{(2)}_1", "a^{(2)}_1",
        "a^{(0)}_1", "t_1", "C",
        r"\frac{\partial C}{\partial w^{(2)}_{01}}",
    ],
    "cs231n": [
        "W2[0, 1]",
        "b2[1]", "z2[1]", "h2[1]",
        "X[1]", "y[1]", "loss",
        "dW2[0, 1]",
    ],
    "pytorch": [
        "net[2].weight[1, 0]",
        "net[2].bias[1]", "z2[1]", "a2[1]",
        "x[1]", "y[1]", "loss",
        "net[2].weight.grad[1, 0]",
    ],
    "keras": [
        "layers[1].kernel[0, 1]",
        "layers[1].bias[1]", "z1[1]", "layers[1].output[1]",
        "x[1]", "y_true[1]", "loss",
        "tape.gradient(loss, layers[1].kernel)[0, 1]",
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", NOTATIONS)
def test_prints_what_the_source_prints(name: str) -> None:
    there = notation(name)
    printed = there.text if there.record.code else there.latex
    names = [printed(Quantity(kind, 2, 1), LAYOUT) for kind in ("b", "z", "a")]
    names += [printed(q, LAYOUT) for q in (Quantity("a", 0, 1), Quantity("y", None, 1), TOTAL)]
    derivative = there.derivative_text if there.record.code else there.derivative
    got = [printed(WEIGHT, LAYOUT), *names, derivative(TOTAL, WEIGHT, LAYOUT)]
    assert got == PRINTED[name]


def test_the_question_in_its_own_notation() -> None:
    """The names of the question that whygrad grew from."""
    default = notation("neuron-over-layer")
    assert default.parse("w^0_{0,3}", LAYOUT) == Quantity("w", 3, 0, 0)
    assert default.parse("w^2_{1,3}", LAYOUT) == Quantity("w", 3, 1, 2)
    assert default.parse("a^2_1", LAYOUT) == Quantity("a", 1, 2)
    assert default.parse("C^1", LAYOUT) == Quantity("C", None, 1)
    assert {default.parse(text, LAYOUT) for text in ("x^1", "x_1", "a^1_0")} == {Quantity("a", 0, 1)}
    totals = ("C", r"\sum C", "sum C", "total", "ΣC", r"E_{\text{total}}", r"C_{total}")
    assert {default.parse(text, LAYOUT) for text in totals} == {TOTAL}
    copied = default.parse_derivative("frac{partialsum C}{partial w^0_{0,3}}", LAYOUT)
    assert copied == (TOTAL, Quantity("w", 3, 0, 0))


@pytest.mark.parametrize(
    ("name", "text", "meant"),
    [
        ("nielsen", "w_{jk}^l".replace("j", "2").replace("k", "1").replace("l", "3"), WEIGHT),
        ("nielsen", "w^3_{2,1}", WEIGHT),
        ("nielsen", r"\mathbf{w}^{L-1}_{2\,1}", WEIGHT),
        ("nielsen", r"\delta^L_1", Quantity("delta", 3, 0)),
        ("nielsen", "C_x", TOTAL),
        ("3blue1brown", r"w_{10}^{\left(L-1\right)}", WEIGHT),
        ("3blue1brown", "w^{(2)}_{10}", WEIGHT),
        ("3blue1brown", "C_0", TOTAL),
        ("ng", "w^[2]_21", WEIGHT),
        ("ng", r"\hat{y}_2", Quantity("a", 3, 1)),
        ("ng", "ŷ_2", Quantity("a", 3, 1)),
        ("ng", "dZ^{[2]}_1", Quantity("delta", 2, 0)),
        ("ufldl", r"\Theta^{(2)}_{21}", WEIGHT),
        ("ufldl", r"\Theta^{(2)}_{20}", Quantity("b", 2, 1)),
        ("ufldl", r"\delta^{(n_l)}_1", Quantity("delta", 3, 0)),
        ("bishop", "E_n", TOTAL),
        ("bishop", "y_1", Quantity("a", 3, 0)),
        ("cs231n", "W2[0][1]", WEIGHT),
        ("cs231n", "scores[0]", Quantity("z", 3, 0)),
        ("cs231n", "dscores[0]", Quantity("delta", 3, 0)),
        ("pytorch", "2.weight[1, 0]", WEIGHT),
        ("pytorch", "model[2].weight[1][0]", WEIGHT),
        ("pytorch", "fc2.weight[1, 0]", WEIGHT),
        ("keras", "model.layers[1].kernel[0, 1]", WEIGHT),
    ],
)
def test_reads_what_people_write(name: str, text: str, meant: Quantity) -> None:
    assert notation(name).parse(text, LAYOUT) == meant


def test_an_index_of_two_digits_gets_a_comma() -> None:
    there, wide = notation("nielsen"), Layout((2, 12, 12, 2))
    assert there.latex(Quantity("w", 2, 0, 10), wide) == "w^3_{1,11}"
    assert there.latex(Quantity("w", 2, 0, 0), wide) == "w^3_{11}"
    assert there.parse("w^3_{1 11}", wide) == Quantity("w", 2, 0, 10)
    assert there.parse("w^3_{212}", Layout((2, 12, 2, 2))) == Quantity("w", 2, 1, 11)
    with pytest.raises(EquationError, match=r"can be read in 2 ways; write w\^3_\{1,11\} or w\^3_\{11,1\}"):
        there.parse("w^3_{111}", wide)


def test_pytorch_counts_the_activation_functions() -> None:
    weight = Quantity("w", 3, 0, 0)
    there = notation("pytorch")
    assert there.text(weight, Layout((2, 3, 3, 2))) == "net[4].weight[0, 0]"
    assert there.text(weight, Layout((2, 3, 3, 2), ("identity",) * 3)) == "net[2].weight[0, 0]"
    assert there.text(weight, Layout((2, 3, 3, 2), ("relu", "identity", "softmax"))) == "net[3].weight[0, 0]"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (
            "neuron-over-layer",
            "w^0_{0,9}",
            "w^0_{0,9}: the network 2-3-3-2 has w^{from}_{to,layer} with layer 1, 2 or 3",
        ),
        (
            "neuron-over-layer",
            "w^7_{0,3}",
            "w^7_{0,3}: the network 2-3-3-2 has w^{from}_{to,layer} "
            'with "to" from 0 to 1 and "from" from 0 to 2 where layer is 3',
        ),
        ("nielsen", "w^1_{11}", "w^1_{11}: the network 2-3-3-2 has w^{layer}_{to,from} with layer 2, 3 or 4"),
        ("nielsen", "C^3", "C^3: the network 2-3-3-2 has C^{neuron} with a number from 1 to 2"),
        (
            "pytorch",
            "net[1].weight[0, 0]",
            "the network 2-3-3-2 has net[<module>].weight[<to>, <from>] with module 0, 2 or 4",
        ),
        (
            "3blue1brown",
            "a^{(L-7)}_0",
            "the network 2-3-3-2 has a^{(layer)}_{neuron} with layer L-3, L-2, L-1 or L",
        ),
        (
            "ng",
            "a^{[1]}_4",
            "the network 2-3-3-2 has a^{[layer]}_{neuron} with neuron from 1 to 3 where layer is 1",
        ),
        ("nielsen", "R", "R: the network 2-3-3-2 has no l2 cost; declare one with l2"),
    ],
)
def test_says_what_the_network_has(name: str, text: str, says: str) -> None:
    with pytest.raises(QuantityError) as caught:
        notation(name).parse(text, LAYOUT)
    assert says in str(caught.value)


def test_a_network_without_biases_has_none() -> None:
    with pytest.raises(QuantityError, match="b\\^0_1: the network 2-2 has no biases"):
        notation("neuron-over-layer").parse("b^0_1", Layout((2, 2), bias=False))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (
            "neuron-over-layer",
            "w_3",
            "the indices can't be read; neuron-over-layer writes w^{from}_{to,layer}\n  w_3\n   ^",
        ),
        (
            "neuron-over-layer",
            " q_3",
            "neuron-over-layer has no quantity with this name; it has w^{from}_{to,layer}, ",
        ),
        ("neuron-over-layer", " q_3", "\n   q_3\n   ^"),
        (
            "neuron-over-layer",
            "w^i_{j,3}",
            "w^i_{j,3} has a letter for an index; one quantity has numbers, for example w^0_",
        ),
        ("neuron-over-layer", "w^{0", "this bracket is never closed\n  w^{0\n    ^"),
        ("neuron-over-layer", "w^0}", "this brace closes nothing\n  w^0}\n     ^"),
        ("neuron-over-layer", "w^", "nothing follows the ^\n  w^\n   ^"),
        ("neuron-over-layer", "", "the name of a quantity was expected; there is nothing"),
        (
            "cs231n",
            "dW2[0, 0]",
            "dW2[0, 0] is a derivative; the name of a quantity was expected\n  dW2[0, 0]\n  ^",
        ),
    ],
)
def test_points_at_what_it_cant_read(name: str, text: str, says: str) -> None:
    with pytest.raises(EquationError) as caught:
        notation(name).parse(text, LAYOUT)
    assert says in str(caught.value)


def test_points_into_the_derivative() -> None:
    with pytest.raises(EquationError) as caught:
        notation("neuron-over-layer").parse_derivative(r"\frac{\partial C}{\partial q^0_{0,9}}", LAYOUT)
    assert str(caught.value).endswith("\\frac{\\partial C}{\\partial q^0_{0,9}}\n" + " " * 29 + "^")
    with pytest.raises(EquationError) as caught:
        notation("neuron-over-layer").parse_derivative("dC/dw^{0", LAYOUT)
    assert str(caught.value) == "this bracket is never closed\n  dC/dw^{0\n        ^"


@pytest.mark.parametrize(
    "text",
    [
        r"\frac{\partial C}{\partial w^0_{1,2}}",
        r"$$\dfrac{\partial \sum C}{\partial\, w_{1,2}^0}$$",
        r"\frac {d C} {d w^0_{1,2}}",
        r"\partial C / \partial w^0_{1,2}",
        "dC/dw^0_{1,2}",
        "d total/dw^0_{1,2}",
        "∂C/∂w⁰₁,₂",
        "partial C/partial w^0_{1,2}",
    ],
)
def test_reads_a_derivative(text: str) -> None:
    assert notation("neuron-over-layer").parse_derivative(text, LAYOUT) == (TOTAL, WEIGHT)


@pytest.mark.parametrize(
    "text", ["w^0_{1,2}", "a/b", r"\frac{1}{2}", "", r"\frac{\partial C}{\partial w^0_{1,2}} a"]
)
def test_what_is_no_derivative_is_none(text: str) -> None:
    assert notation("neuron-over-layer").parse_derivative(text, LAYOUT) is None


def test_readings_keep_letters_for_equations() -> None:
    assert notation("ufldl").readings("W_{ji}^{(l)}") == [
        Reading("w", {"layer": "l", "to": "j", "from": "i"})
    ]
    assert notation("3blue1brown").readings("a_k^{(L-1)}") == [Reading("a", {"layer": "L-1", "to": "k"})]
    assert notation("nielsen").readings(r"\delta^{l+1}", arrays=True) == [Reading("delta", {"layer": "l+1"})]
    assert notation("neuron-over-layer").readings("w^i_{j,1}") == [
        Reading("w", {"layer": "1", "to": "j", "from": "i"})
    ]
    assert notation("neuron-over-layer").readings(r"\sigma") == []


def test_own_names() -> None:
    names = {
        "w_5": "w^0_{0,2}",
        "out_{h1}": "a^0_1",
        "E_{total}": "total",
        r"\delta_{o1}": r"\delta^0_2",
        "ŷ": "a^0_3",
    }
    own = with_names(notation("neuron-over-layer"), names)
    assert own.latex(Quantity("a", 1, 0), LAYOUT) == r"\mathrm{out}_{h1}"
    assert (
        own.derivative(TOTAL, Quantity("w", 2, 0, 0), LAYOUT)
        == r"\frac{\partial E_{\mathrm{total}}}{\partial w_5}"
    )
    assert own.derivative_text(TOTAL, Quantity("w", 2, 0, 0), LAYOUT, unicode=True) == "∂E_total/∂w₅"
    assert own.latex(Quantity("delta", 2, 0), LAYOUT) == r"\delta_{o1}"
    assert own.latex(Quantity("a", 3, 0), LAYOUT) == r"\hat{y}"
    assert own.code(Quantity("a", 1, 0), LAYOUT) == "out_h1"
    assert own.parse(r"\mathrm{out}_{h1}", LAYOUT) == Quantity("a", 1, 0)
    assert own.parse("delta_o1", LAYOUT) == Quantity("delta", 2, 0)
    assert own.parse("w^1_{1,2}", LAYOUT) == Quantity("w", 2, 1, 1)
    with pytest.raises(EquationError, match=r"and the declared names w_5, out_\{h1\}"):
        own.parse("v_5", LAYOUT)


def test_own_names_for_what_is_no_quantity_stay_texts() -> None:
    names = {
        "\\eta": "0.5",
        "s": "\\sigma",
        "d": "\\sigma'",
        "\\delta_1": "-\\delta^0_2",
        "w_{ij}": "w^i_{j,1}",
        "v": "%(",
    }
    own = with_names(notation("neuron-over-layer"), names | {"w_5": "w^0_{0,2}"})
    assert own.aliases == names
    assert list(own.names) == ["w_5"]
    with pytest.raises(EquationError, match=r"delta_1 stands for -\\delta\^0_2, which is not one quantity"):
        own.parse("delta_1", LAYOUT)


def test_an_own_name_outside_the_network_is_refused() -> None:
    own = with_names(notation("nielsen"), {"w_5": "w^0_{0,9}"})
    with pytest.raises(
        QuantityError, match=r"w_5: the network 2-3-3-2 has w\^\{from\}_\{to,layer\} with layer 1, 2 or 3"
    ):
        own.parse("w_5", LAYOUT)


def test_own_names_never_share_an_identifier() -> None:
    names = {"w_1": "w^0_{0,1}", "w1": "w^0_{1,1}", "w^1": "w^0_{2,1}", "a1_1": "b^0_1", "lambda": "z^0_1"}
    own = with_names(notation("neuron-over-layer"), names)
    codes = [own.code(q, LAYOUT) for q in own.names.values()]
    assert codes[0] == "w_1"
    assert len(set(codes)) == len(codes)
    assert "lambda" not in codes
    assert own.code(Quantity("a", 1, 1), LAYOUT) not in codes


def test_names_of_the_cases_are_quantities_or_texts() -> None:
    if not CASES.exists():
        pytest.skip("the cases are not here")
    for case in json.loads(CASES.read_text()):
        layout = Layout(tuple(case["network"]["sizes"]), bias=case["network"]["bias"])
        own = with_names(notation(case["notation"]), case.get("names") or {})
        for written, right in (case.get("names") or {}).items():
            if written in own.names:
                assert own.parse(written, layout) == own.names[written]
            else:
                assert re.search(r"sigma|-|0\.5|[\^_]\{?[ijko]", right), (written, right)


def test_translates_a_quantity_and_a_derivative() -> None:
    assert translate("w^0_{0,3}", "nielsen", LAYOUT) == "w^4_{11}"
    assert translate(r"\delta^0_2", "ng", LAYOUT) == "dz^{[2]}_1" == translate("delta^0_2", "ng", LAYOUT)
    assert translate("δ⁰₂", "nielsen", LAYOUT) == "δ³₁"
    assert translate(r"\delta^0_2", "classic", LAYOUT) == r"-\delta^{(2)}_1"
    assert translate("dW2[0, 1]", "neuron-over-layer", LAYOUT, frm="cs231n") == "d total/dw^0_{1,2}"
    assert translate("net[2].weight.grad[1, 0]", "cs231n", LAYOUT, frm="pytorch") == "dW2[0, 1]"
    assert translate(r"\frac{\partial C^0}{\partial w^0_{1,2}}", "ng", LAYOUT) == (
        r"\frac{\partial \mathcal{L}^1}{\partial W^{[2]}_{21}}"
    )


def test_an_unknown_notation_lists_them_all() -> None:
    with pytest.raises(
        NotSupportedError,
        match=r"no notation 'neilsen'; did you mean 'nielsen'\? There are neuron-over-layer",
    ):
        notation("neilsen")
    with pytest.raises(WhygradError, match=r"no notation 'qqq'\. There are"):
        notation("qqq")


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'lark', 'rich', 'dataclasses', 'inspect', 'difflib', 'torch'}"
    # As a package of its own, since whygrad itself may load NumPy.
    program = (
        "import sys, types; package = types.ModuleType('whygrad'); package.__path__ = [sys.argv[1]];"
        "sys.modules['whygrad'] = package; import whygrad.notation;"
        f"print(*sorted({heavy} & set(sys.modules)))"
    )
    source = Path(sys.modules["whygrad.notation"].__file__ or "").parents[1]
    done = subprocess.run([sys.executable, "-c", program, source], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_page_is_as_the_table_says() -> None:
    """Regenerates the tables of docs/notations.md; WRITE_DOCS=1 writes them."""
    page = PAGE.read_text(encoding="utf-8")
    fresh = page
    for title, table in tables().items():
        start, rest = fresh.split(f"<!-- table: {title} -->\n", 1)
        fresh = f"{start}<!-- table: {title} -->\n{table}<!-- end -->" + rest.split("<!-- end -->", 1)[1]
    if os.environ.get("WRITE_DOCS"):
        PAGE.write_text(fresh, encoding="utf-8")
        page = fresh
    assert page == fresh, "docs/notations.md is out of date: run this test with WRITE_DOCS=1"


def tables() -> dict[str, str]:
    weight = Quantity("w", 2, 0, 0)
    derivative = ["| notation | printed | as one types it | source |", "|---|---|---|---|"]
    meaning = ["| notation | what a weight's name says |", "|---|---|"]
    conventions = [
        "| notation | pre-activation, activation | delta | target | one cost, total | W | rows of W |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, there in NOTATIONS.items():
        typed = there.derivative_text(TOTAL, weight, LAYOUT)
        derivative.append(
            f"| {name} | ${there.derivative(TOTAL, weight, LAYOUT)}$ | `{typed}` | {there.source} |"
        )
        says = re.sub("([_*])", r"\\\1", there.describe())
        meaning.append(f"| {name} | {says} |")
        sign = "" if there.delta_sign == 1 else " (minus the derivative by z)"
        z, a, delta = (f"${there.latex(Quantity(kind, 2, 0), LAYOUT)}$" for kind in ("z", "a", "delta"))
        y, c = (f"${there.latex(Quantity(kind, None, 0), LAYOUT)}$" for kind in "yC")
        array = f"${there.matrix('w', 2, LAYOUT)}$"
        rows = "where a weight goes to" if there.weight_orientation == "to-from" else "where it comes from"
        total = f"${there.latex(TOTAL, LAYOUT)}$"
        conventions.append(f"| {name} | {z}, {a} | {delta}{sign} | {y} | {c}, {total} | {array} | {rows} |")
    lines = {"derivative": derivative, "meaning": meaning, "conventions": conventions}
    return {title: "\n".join(rows) + "\n" for title, rows in lines.items()}
