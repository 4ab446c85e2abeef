"""Verdicts as LaTeX: wrong parts in red, and pdflatex compiles them."""

import shutil
import subprocess
from pathlib import Path

import pytest

import whygrad as wg
from tests.equation.unseen import CASES, UNREADABLE
from whygrad.equation import check

FIFTH = r"\frac{\partial C^1}{\partial a^0_2}=\frac{\partial a^1_3}{\partial a^0_2}\frac{\partial C^0}{\partial a^1_3}"


def test_the_wrong_part_is_red() -> None:
    made = check(wg.Network.default(), FIFTH).to_latex()
    assert r"\frac{\partial \textcolor{red}{C^0}}{\partial a^1_3}" in made
    assert "$C^0$ has the wrong cost's index: it should be $C^1$." in made


def test_a_copy_gets_its_backslashes_back() -> None:
    made = check(wg.Network.default(), FIFTH.replace("\\", "")).to_latex()
    assert r"\frac{\partial C^1}{\partial a^0_2}" in made


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_pdflatex_compiles_verdicts_of_every_kind(tmp_path: Path) -> None:
    wrong = [(network, equation) for network, equation, holds, _ in CASES if holds not in (True, UNREADABLE)]
    bodies = [check(network, equation).to_latex() for network, equation in wrong[::3]]
    head = "\\documentclass{article}\\usepackage{amsmath,amssymb,xcolor}\\begin{document}\n"
    (tmp_path / "v.tex").write_text(head + "\n\n".join(bodies) + "\n\\end{document}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "v.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-1500:].decode(errors="replace")
