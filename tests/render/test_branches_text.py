"""What is printed of branches and of a spectrum."""

import numpy as np

from whygrad.branches import Parts, Spectrum


def test_two_senders_with_their_cosine() -> None:
    gramian = np.array([[[4.0, -3.0], [-3.0, 9.0]], [[0.0, 0.0], [0.0, 1.0]]])
    assert str(Parts("h", ("class", "side"), ("skip", "block"), gramian)).splitlines() == [
        "h: norm of what is sent back  class  side",
        "  skip                            2     .",
        "  block                           3     1",
        "  together                     2.65     1",
        "  cosine of the two           -0.50     .",
    ]


def test_a_spectrum_with_the_norm_of_the_sum_beside_the_sum_of_the_norms() -> None:
    spectrum = Spectrum(("c",), ("b1",), {"w": np.array([[3.0, 4.0]])}, {"w": np.array([5.0])}, ("w",))
    lines = str(spectrum).splitlines()
    assert lines[1].split() == ["0", "█" * 18, "3"]
    assert lines[2].split() == ["1", "█" * 24, "4"]
    assert lines[3].split() == ["sum", "of", "the", "norms", "7"]
    assert lines[4].split() == ["norm", "of", "the", "sum", "5"]


def test_of_many_senders_those_that_send_most_are_shown() -> None:
    sent = np.zeros((1, 20, 20))
    sent[0, range(20), range(20)] = np.arange(20) ** 2
    parts = Parts("h", ("a",), tuple(f"step {n}" for n in range(20)), sent)
    lines = str(parts).splitlines()
    assert [line.split() for line in lines[1:13]] == [["step", str(n), str(n)] for n in range(8, 20)]
    assert lines[13].strip() == "and 8 others"
