"""LaTeX: documents that compile, and nothing but ASCII in them."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import whygrad as wg
from whygrad.notation import NOTATIONS, Quantity
from whygrad.render.as_latex import aligned, escaped, summands

NAMES = {"w_5": "w^0_{0,2}", "out_{h1}": "a^0_1", "net_{o1}": "z^0_2", "E_{o1}": "C^0", "E_{total}": "total"}
NETWORKS: dict[str, dict[str, Any]] = {
    "identity": {"sizes": [2, 3, 3, 2]},
    "batch": {
        "sizes": [2, 3, 4, 2],
        "activation": ["sigmoid", "relu", "softmax"],
        "cost": "cross_entropy",
        "bias": True,
        "l2": 0.1,
        "reduction": "mean",
    },
    "names": {"sizes": [2, 2, 2], "activation": "elu", "names": NAMES},
    "many": {"sizes": [2, 30, 30, 3], "activation": "tanh"},
}


def documents(notation: str) -> list[str]:
    made = []
    for name, options in NETWORKS.items():
        net = wg.Network(**options, notation=notation, seed=1)
        examples = 3 if name == "batch" else 1
        x = np.random.default_rng(0).normal(size=(examples, 2))
        y = np.tile(np.eye(net.layered.outputs)[0], (examples, 1))
        made.append(net.run(x, y).explain(Quantity("w", 1, 0, 0)).to_document("latex"))
    return made


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize("notation", NOTATIONS)
def test_documents_compile_in_every_notation(notation: str, tmp_path: Path) -> None:
    made = documents(notation)
    for place, document in enumerate(made):
        assert document.isascii()
        (tmp_path / f"{place}.tex").write_text(document)
        found = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"{place}.tex"],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False, errors="replace",
        )  # fmt: skip
        assert found.returncode == 0, found.stdout[-2000:]
        too_wide = [float(each) for each in re.findall(r"Overfull \\hbox \(([\d.]+)pt", found.stdout)]
        # Names of code can't be broken; anything else stays within the page.
        assert max(too_wide, default=0.0) <= (160 if notation == "keras" else 20)


def test_long_sums_take_several_lines() -> None:
    derivation = wg.Network([2, 9, 9, 2], activation="tanh", seed=0).run().explain("a^0_1")
    line = max(
        (line.math for step in derivation.steps for line in step.lines), key=lambda math: len(math.latex)
    )
    assert aligned([line]).count("\\\\\n") >= 1


def test_sums_are_cut_at_their_own_signs_only() -> None:
    assert summands(r"a + \left(b - c\right) d - e") == ["a", r" + \left(b - c\right) d", " - e"]
    assert summands(r"\frac{a + b}{c} + d") == [r"\frac{a + b}{c}", " + d"]


def test_text_is_escaped() -> None:
    assert escaped("50 % of a_1 & {b}") == r"50 \% of a\_1 \& \{b\}"


def test_every_table_has_room_above_its_rows_for_upper_indices() -> None:
    for document in documents("neuron-over-layer"):
        tables = document.count(r"\begin{tabular}")
        assert tables >= 2
        assert (
            len(re.findall(r"\\setlength\{\\extrarowheight\}\{2.5pt\}\n\\begin\{tabular\}", document))
            == tables
        )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_a_body_compiles_in_a_document_of_ones_own(tmp_path: Path) -> None:
    body = wg.Network.default().run().explain("w^0_{0,1}").to_latex()
    head = "\\documentclass{article}\\usepackage{amsmath,amssymb,array}\\begin{document}\n"
    (tmp_path / "b.tex").write_text(f"{head}{body}\n\\end{{document}}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "b.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-1500:].decode(errors="replace")
