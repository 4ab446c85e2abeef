"""What is printed of branches and of a spectrum."""

import numpy as np
import pytest

from whygrad.branches import Parts, Spectrum
from whygrad.report.phrases import norm


def test_two_senders_with_their_cosine() -> None:
    gramian = np.array([[[4.0, -3.0], [-3.0, 9.0]], [[0.0, 0.0], [0.0, 1.0]]])
    assert str(Parts("h", ("class", "side"), ("skip", "block"), gramian)).splitlines() == [
        "Norm of what each use sends back to `h`",
        "                     class  side",
        "  skip                   2     .",
        "  block                  3     1",
        "  norm of the sum     2.65     1",
        "  cosine of the two  −0.50     .",
    ]


def test_a_spectrum_with_the_norm_of_the_sum_beside_the_sum_of_the_norms() -> None:
    spectrum = Spectrum(("c",), ("b1",), {"w": np.array([[3.0, 4.0]])}, {"w": np.array([5.0])}, ("w",))
    title, *lines = str(spectrum).splitlines()
    assert title == "The gradient by the number of blocks that its paths pass"
    assert lines[1].split() == ["0", "█" * 18, "3"]
    assert lines[2].split() == ["1", "█" * 24, "4"]
    assert lines[3].split() == ["sum", "of", "the", "norms", "7"]
    assert lines[4].split() == ["norm", "of", "the", "sum", "5"]


def test_of_many_senders_those_that_send_most_are_shown() -> None:
    sent = np.zeros((1, 20, 20))
    sent[0, range(20), range(20)] = np.arange(20) ** 2
    parts = Parts("h", ("a",), tuple(f"step {n}" for n in range(20)), sent)
    lines = str(parts).splitlines()
    assert [line.split() for line in lines[2:14]] == [["step", str(n), str(n)] for n in range(8, 20)]
    assert lines[14].strip() == "and 8 others"


@pytest.mark.parametrize("many", [1, 2, 3, 4, 10])
def test_many_costs_stand_below_each_other_and_none_is_lost(many: int) -> None:
    costs = tuple(f"loss_of_head_{k}" for k in range(many))
    sizes = np.arange(1, 1 + 3 * many).reshape(many, 3) * 1.11e-4
    sent = np.einsum("ks,st->kst", sizes**2, np.eye(3))
    senders = ("a", "b" * 60, "c")
    text = str(Parts("trunk", costs, senders, sent))
    split = Spectrum(costs, ("b1",), {"w": sizes}, {"w": np.linalg.norm(sizes, axis=1)}, ("w",))
    for printed in (text, str(split)):
        assert max(map(len, printed.splitlines())) <= 80
        assert [name for name in printed.split() if name in costs] == list(costs)
        assert all(f" {norm(size)}" in printed for size in sizes.flat)


def test_many_small_parts_at_the_end_share_a_line() -> None:
    parts = np.array([[1.0, 2.0, *(0.002 / 2**n for n in range(20))], [300.0, 1.0, 7.0, *[0.0] * 19]])
    split = Spectrum(("c", "d"), ("b",), {"w": parts}, {"w": parts.sum(axis=1)}, ("w",))
    lines = [line.split() for line in str(split).splitlines()[1:]]
    assert [line[0] for line in lines[1:4]] == ["0", "1", "2"]
    assert lines[4] == ["3", "to", "21", "≤", "0.001", "≤", "."]
    assert lines[5][:4] == ["sum", "of", "the", "norms"]
    # each cost's bars are parts of its own longest one
    assert lines[2][1] == lines[1][3] == "█" * len(lines[2][1])


def test_of_several_senders_the_two_at_the_widest_angle_are_named() -> None:
    gramian = np.array([[[4.0, 0.0, -1.0], [0.0, 1.0, 0.5], [-1.0, 0.5, 1.0]], np.diag([1.0, 0.0, 0.0])])
    lines = str(Parts("h", ("class", "side"), ("head 0", "head 1", "head 2"), gramian)).splitlines()
    assert lines[-2].split() == ["smallest", "cosine", "−0.50", "."]
    assert lines[-1].strip() == "`head 0` and `head 2`, of `class`"


def test_parts_that_are_not_finite_are_printed_as_they_are() -> None:
    parts = np.array([[np.nan, np.nan, np.nan], [1.0, np.inf, 0.5]])
    split = Spectrum(("c", "d"), ("b",), {"w": parts}, {"w": parts.sum(axis=1)}, ("w",))
    lines = [line.split() for line in str(split).splitlines()[2:5]]
    assert lines == [["0", "NaN", "1"], ["1", "NaN", "inf"], ["2", "NaN", "0.5"]]


def test_senders_that_each_send_back_for_few_costs_have_a_line_for_each() -> None:
    sent = np.zeros((6, 5, 5))
    sent[range(5), range(5), range(5)] = np.arange(1, 6) ** 2
    sent[5, 4, 4], sent[5, 0, 0] = 36, 4
    sent[5, 0, 4] = sent[5, 4, 0] = -3
    parts = Parts("h", ("a", "b", "c", "longer", "e", "f"), ("one", "two", "three", "four", "five"), sent)
    assert str(parts).splitlines() == [
        "Norm of what each use sends back to `h`",
        "  one              a           1",
        "                   f           2",
        "  two              b           2",
        "  three            c           3",
        "  four             longer      4",
        "  five             e           5",
        "                   f           6",
        "  norm of the sum  f        5.83",
        "  smallest cosine  f       −0.25",
        "    `one` and `five`, of `f`",
        "    Where a cost comes from one sender alone, its norm is that of the sum.",
    ]
    alone = parts._replace(costs=parts.costs[:5], gramian=sent[:5])
    assert str(alone).splitlines()[-2:] == [
        "  five   e       5",
        "    Where a cost comes from one sender alone, its norm is that of the sum.",
    ]


def test_more_costs_than_fit_beside_each_other_stand_below_each_other_beside_their_senders() -> None:
    costs = tuple(f"cost of head {k}" for k in range(9))
    vectors = np.arange(2 * 9 * 3).reshape(9, 2, 3) % 5 + 1.0
    parts = Parts("h", costs, ("skip", "block"), np.einsum("ksi,kti->kst", vectors, vectors))
    heading, *rows = (line.split("  ") for line in str(parts).splitlines()[1:])
    assert [cell.strip() for cell in heading if cell] == ["skip", "block", "norm of sum", "cosine"]
    for k, row in enumerate(rows):
        name, *cells = (cell.strip() for cell in row if cell)
        one, two = vectors[k]
        right = (*map(norm, map(np.linalg.norm, (one, two, one + two))),)
        assert (name, *cells[:3]) == (costs[k], *right)
        assert float(cells[3]) == pytest.approx(one @ two / np.sqrt(one @ one * (two @ two)), abs=0.005)


def test_a_spectrum_of_many_costs_has_a_line_for_each_with_small_bars() -> None:
    costs = tuple(f"cost of head {k}" for k in range(7))
    parts = np.array([[4.0, 2.0, 0.0]] * 6 + [[1.0, 0.0, 8.0]])
    split = Spectrum(costs, ("b", "c"), {"w": parts}, {"w": parts[:, 0]}, ("w",))
    lines = [line.split("  ") for line in str(split).splitlines()[1:]]
    told = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert told[0] == ["blocks passed", "0", "1", "2", "sum of norms", "norm of sum"]
    assert told[1] == [costs[0], "█▅▁", "4", "2", ".", "6", "4"]
    assert told[7] == [costs[6], "▂▁█", "1", ".", "8", "9", "1"]
