"""Notes: which equations are found, where, under what network, and the exit status."""

from pathlib import Path

import pytest

import whygrad as wg
from whygrad.equation.notes import check_notes, has_displays, overall
from whygrad.errors import NetworkFileError

TEX = r"""\documentclass{article}
% whygrad: sizes = [2, 3, 2]
% whygrad: activation = "sigmoid"
% whygrad: notation = "nielsen"
Right: \[ \delta^L_j = \frac{\partial C}{\partial a^L_j}\sigma'(z^L_j) \]
\begin{equation}
  \delta^l_j = \sum_k w^{l+1}_{kj} \delta^{l+1}_k
\end{equation}
$$ x = 3 $$
% whygrad: skip
$$ \frac{\partial C}{\partial nonsense} = 1 $$
$$ \frac{\partial C}{\partial q} = 1 $$
"""


def test_each_equation_has_its_line_and_status() -> None:
    found = check_notes(TEX, wg.Network.default())
    assert [(row.line, row.status) for row in found] == [(5, 0), (7, 1), (12, 2)]
    assert overall(found) == 1
    assert overall(found[:1]) == 0
    assert overall(found[2:]) == 2


def test_markdown_with_a_comment() -> None:
    text = '<!-- whygrad:\nsizes = [1, 1]\n[names]\n"E" = "total"\n-->\n'
    text += "\n```math\n\\frac{\\partial E}{\\partial a^0_1} = 2(a^0_1 - y^0)\n```\n"
    (row,) = check_notes(text, wg.Network.default())
    assert row.verdict is not None
    assert row.verdict.holds is True


def test_a_network_file_beside_the_notes(tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text('sizes = [2, 2]\nnotation = "nielsen"\n', encoding="utf-8")
    text = '% whygrad: network = "net.toml"\n$$\\frac{\\partial C}{\\partial w^2_{jk}} = \\delta^2_j x_k$$\n'
    (row,) = check_notes(text, wg.Network.default(), tmp_path)
    assert row.status == 0


@pytest.mark.parametrize("said", ["nonsense", "colour = 3", "sizes = 3"])
def test_a_comment_that_cannot_be_used_is_named_with_its_line(said: str) -> None:
    with pytest.raises(NetworkFileError, match="line 2"):
        check_notes(f"\n% whygrad: {said}\n", wg.Network.default())


def test_one_equation_is_no_notes() -> None:
    assert not has_displays("$$a = b$$")
    assert has_displays("text $$a = b$$")
