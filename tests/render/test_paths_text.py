"""Paths as text: names stay whole, widths are kept, and the sums over all paths are below."""

import pytest
from rich.cells import cell_len

import whygrad as wg
from whygrad.listing import Paths
from whygrad.render.paths_text import paths_text


@pytest.fixture(scope="module")
def run() -> wg.Run:
    return wg.Network.default().run()


def test_paths_print_with_their_sum(run: wg.Run) -> None:
    found = run.paths("w^0_{0,1}", k=5)
    lines = str(found).splitlines()
    assert len(lines) == 7
    for line, path, share in zip(lines, found, found.shares, strict=False):
        assert line.count("→") == len(path.quantities) - 1
        assert f"{path.contribution:.6g}" in line
        assert line.endswith(f"{share:+.1%}")
    rest = found.sum - found.contribution.sum()
    assert lines[5] == f"and 1 other {rest:.6g}"
    assert lines[6] == f"sum of all paths {found.sum:.6g}; without signs {found.total:.6g}"
    assert str(found[0]) == f"{' → '.join(found[0].quantities)}: {found[0].contribution:.6g}"


@pytest.mark.parametrize("width", [50, 80])
@pytest.mark.parametrize("unicode", [True, False])
def test_long_paths_break_between_names(width: int, unicode: bool) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = torch.nn.Sequential(*(torch.nn.Linear(3, 3) for _ in range(8)))
    record = wg.record(model, torch.randn(2, 3), lambda m, x: {"loss": m(x).square().sum()})
    found = record.paths("0.weight[1, 2]", k=3)
    text = paths_text(found, width, unicode)
    assert unicode or text.isascii()
    lines = text.splitlines()
    assert max(map(cell_len, lines)) <= width
    for name in found[0].quantities:
        assert any(name in line for line in lines)
    assert sum(line.startswith("  ") for line in lines) >= 3


def test_a_name_that_is_longer_than_a_line_breaks_between_words() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = {"a" * 20: torch.nn.MultiheadAttention(4, 2, batch_first=True)}
    record = wg.record(
        model, torch.randn(2, 3, 4), lambda m, x: {"c": m["a" * 20](x, x, x)[0].square().sum()}
    )
    text = paths_text(record.paths("batch[1, 2, 3]", k=1), 60)
    assert "token" in text
    assert max(map(cell_len, text.splitlines())) <= 60
    words = {word for name in record.paths("batch[1, 2, 3]", k=1)[0].quantities for word in name.split()}
    assert words <= set(text.split())


def test_what_is_long_is_told_in_short() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = torch.nn.Sequential(*(torch.nn.Linear(64, 64) for _ in range(30)))
    batch = torch.randn(2, 64)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape) / 2)

    def found(model: object, batch: object) -> Paths:
        record = wg.record(model, batch, lambda m, x: {"loss": m(x).sum()})
        return record.paths("0.weight[1, 2]", k=1)

    made = found(model, batch)
    names = made[0].quantities
    text = paths_text(made, 80)
    hidden = f"… {len(names) - 9} more …"
    assert hidden in " ".join(text.split())
    assert names[5] not in text
    assert all(name in text for name in (*names[:5], *names[-4:]))
    assert hidden.replace("…", "...") in " ".join(paths_text(made, 80, unicode=False).split())
    digits = str(made.count - 1)
    assert len(digits) > 50
    assert f"and about {digits[0]}.{digits[1]}e{len(digits) - 1} others" in text
    # single precision holds nothing beyond 3.4e38
    assert made.total > 1e39
    assert made.total == pytest.approx(found(model.double(), batch.double()).total, rel=1e-3)
