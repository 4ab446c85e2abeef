"""What is raised and lowered after a name, and what of it is done to the name."""

import pytest

from whygrad.equation.scripts import closing, raised_kind, scripts_after, variants


@pytest.mark.parametrize(
    ("text", "contents"),
    [
        ("^l_{jk}", [("^", "l"), ("_", "jk")]),
        ("_{jk}^{l+1}", [("_", "jk"), ("^", "l+1")]),
        ("⁰₀,₃", [("^", "0"), ("_", "0,3")]),
        ("'_j", [("'", "'"), ("_", "j")]),
        ("^{(L)}", [("^", "(L)")]),
        ("", []),
    ],
)
def test_scripts(text: str, contents: list[tuple[str, str]]) -> None:
    longest = scripts_after(text, 0, len(text))[0]
    assert [(script.mark, script.content) for script in longest] == contents


def test_a_letter_before_the_same_mark_is_a_name_of_its_own() -> None:
    longest = scripts_after("_kw_{kj}", 0, 8)[0]
    assert [(script.content, script.end) for script in longest] == [("k", 2)]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("T", "TRANSPOSE"),
        (r"\top", "TRANSPOSE"),
        ("+", "UPDATED"),
        ("new", "UPDATED"),
        ("old", "PLAIN"),
        ("2", "power"),
    ],
)
def test_what_is_raised(content: str, kind: str) -> None:
    assert raised_kind(content) == kind


def test_a_name_is_read_with_all_scripts_first_and_then_without_what_is_done_to_it() -> None:
    found = variants("W", scripts_after("^{[2]T}", 0, 7)[0])
    assert found[0].text == "W^{[2]T}"
    assert ("W^{[2]}", "TRANSPOSE") in [(v.text, v.decorations[0].kind) for v in found if v.decorations]


@pytest.mark.parametrize(("text", "place"), [("{a{b}c}", 6), ("(a(b)", None), (r"{\{}", 3)])
def test_closing(text: str, place: int | None) -> None:
    assert closing(text, 0, len(text)) == place
