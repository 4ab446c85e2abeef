"""The monitor: the numbers are the report's, files are continued, and training is what it would have been without."""

import csv
import io
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import whygrad as wg
from tests.torch_recorder.agreement import Doubled


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2))


def costs(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    a, b = model(x).square().mean(0)
    return {"a": a, "b": b}


def train(steps: int, watch: Any = None) -> tuple[nn.Module, Tensor]:
    trained = watch._model if watch is not None else model()
    torch.manual_seed(1)
    optimiser = torch.optim.Adam(trained.parameters(), lr=0.01)
    for _ in range(steps):
        x = torch.randn(6, 3)
        optimiser.zero_grad()
        if watch is not None:
            watch(x)
        sum(costs(trained, x).values()).backward()
        optimiser.step()
    return trained, torch.rand(3)


def test_training_is_the_same_to_the_last_bit(tmp_path: Path) -> None:
    with wg.monitor(model(), costs, every=2, to=tmp_path / "run.csv", says=None) as watch:
        watched, drawn = train(7, watch)
    plain, drawn_without = train(7)
    assert watch.measured == 4
    for (name, one), two in zip(watched.state_dict().items(), plain.state_dict().values(), strict=True):
        assert torch.equal(one, two), name
    assert torch.equal(drawn, drawn_without)


def test_the_numbers_are_autograds(tmp_path: Path) -> None:
    trained = model().eval()
    x = torch.randn(6, 3)
    made = wg.monitor(trained, costs, to=tmp_path / "run.csv", modules=("4",)).measure(x)
    rows = []
    for loss in costs(trained, x).values():
        gradients = torch.autograd.grad(loss, list(trained.parameters()), retain_graph=True)
        rows.append(torch.cat([g.flatten() for g in gradients]).numpy())
    np.testing.assert_allclose([made["norm a"], made["norm b"]], np.linalg.norm(rows, axis=1), rtol=1e-4)
    wanted = rows[0] @ rows[1] / np.linalg.norm(rows[0]) / np.linalg.norm(rows[1])
    np.testing.assert_allclose(made["cosine a with b"], wanted, atol=1e-5)
    assert 0 <= made["cancellation a"] <= 1
    assert made["norm a at 4"] < made["norm a"]


def test_a_file_is_continued_and_a_torn_row_goes(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    with wg.monitor(model(), costs, every=2, to=path, says=None) as watch:
        train(5, watch)
    before = path.read_text()
    path.write_text(before + "6,1.2,0.")
    with wg.monitor(model(), costs, every=2, to=path, says=None) as watch:
        assert watch.step == 6
        train(3, watch)
    after = path.read_text()
    assert after.startswith(before)
    rows = list(csv.DictReader(io.StringIO(after)))
    assert [int(row["step"]) for row in rows] == [0, 2, 4, 6, 8]


def test_other_columns_are_refused_and_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    with wg.monitor(model(), costs, to=path, says=None) as watch:
        watch(torch.randn(6, 3))
    kept = path.read_text()
    other = wg.monitor(model(), costs, to=path, cancellation=False, says=None)
    with pytest.raises(wg.ShapeError, match=r"the columns are others than before\nexpected: step, "):
        other(torch.randn(6, 3), step=100)
    assert path.read_text() == kept
    path.write_text("x,y\n1,2\n")
    with pytest.raises(wg.ShapeError, match="expected a file that monitor wrote"):
        wg.monitor(model(), costs, to=path)


def test_a_writer_gets_every_number_and_the_cost_is_printed() -> None:
    class Writer:
        def __init__(self) -> None:
            self.got: list[tuple[str, float, int]] = []

        def add_scalar(self, name: str, value: float, step: int) -> None:
            self.got.append((name, value, step))

    writer, said = Writer(), io.StringIO()
    with wg.monitor(model(), costs, every=3, to=writer, says=said) as watch:
        train(4, watch)
    assert {name for name, _, _ in writer.got} >= {
        "whygrad/norm a",
        "whygrad/cosine a with b",
        "whygrad/cost b",
    }
    assert {step for _, _, step in writer.got} == {0, 3}
    assert "monitor: 2 measurements, " in said.getvalue()
    assert " ms each (the first " in said.getvalue()
    assert "% of the loop" in said.getvalue()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"every": 0}, "every: expected"),
        ({"to": 3}, "to: expected"),
        ({"opaque": True}, "opaque: expected one of forbid, allow, found True"),
        ({"says": print}, "says: expected a file"),
    ],
)
def test_bad_options(option: dict[str, Any], message: str) -> None:
    with pytest.raises(wg.NotSupportedError, match=message):
        wg.monitor(model(), costs, **option)


def test_a_swapped_call_and_a_missing_folder_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(wg.NotSupportedError, match=r"monitor\(model, costs\), in this order"):
        wg.monitor(costs, model())  # type: ignore[arg-type]
    with pytest.raises(wg.WhygradError, match="can't be written: there is no folder"):
        wg.monitor(model(), costs, to=tmp_path / "none" / "run.csv")
    watch = wg.monitor(model(), costs, to=tmp_path / "run.csv")
    with pytest.raises(wg.NotSupportedError, match="step: expected a whole number, found 'ten'"):
        watch(torch.randn(6, 3), step="ten")  # type: ignore[arg-type]
    watch(torch.randn(6, 3), step=np.int64(100))  # type: ignore[arg-type]
    assert repr(watch).startswith("monitor(every 100 steps; 1 measurement, ")


def test_one_module_may_be_given_by_its_path_alone(tmp_path: Path) -> None:
    deep = nn.Sequential(*(nn.Linear(3, 3) for _ in range(10)), nn.Linear(3, 2))
    made = wg.monitor(deep, costs, to=tmp_path / "run.csv", modules="10").measure(torch.randn(6, 3))
    assert [name for name in made if name.startswith("norm a at")] == ["norm a at 10"]


def test_the_share_of_the_loop_is_that_of_the_loop(tmp_path: Path) -> None:
    with wg.monitor(model(), costs, to=tmp_path / "run.csv", says=None) as watch:
        watch(torch.randn(6, 3))
    share = watch.overhead
    time.sleep(0.02)
    assert watch.overhead == share


def test_a_cancellation_of_many_costs_is_left_out_unless_asked_for(tmp_path: Path) -> None:
    def many(model: nn.Module, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"a": model(batch).square().sum(1).repeat(3)}

    by_itself = wg.monitor(model(), many, to=tmp_path / "one.csv", says=None).measure(torch.randn(6, 3))
    asked = wg.monitor(model(), many, to=tmp_path / "two.csv", cancellation=True, says=None)
    assert "cancellation a[0]" not in by_itself
    assert 0 <= asked.measure(torch.randn(6, 3))["cancellation a[0]"] <= 1


def real_loop(watches: list[Any], trained: nn.Module, accumulate: int, amp: bool) -> list[Any]:
    """Returns everything that a training loop changes: states, gradients, and all random numbers drawn next."""
    torch.manual_seed(1)
    random.seed(2)
    np.random.seed(3)
    optimiser = torch.optim.SGD(trained.parameters(), lr=0.05, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 2, 0.5)
    for step in range(8):
        x = torch.randn(6, 3) + random.random() + np.random.rand()
        with torch.autocast("cpu", torch.bfloat16, enabled=amp):
            for watch in watches:
                watch(x)
            loss = sum(costs(trained, x).values()) / accumulate
        loss.backward()
        if step % accumulate == accumulate - 1:
            optimiser.step()
            schedule.step()
            optimiser.zero_grad(set_to_none=step < 4)
    moments = [state["momentum_buffer"] for state in optimiser.state.values()]
    gradients = [p.grad if p.grad is not None else torch.zeros(1) for p in trained.parameters()]
    drawn = [torch.rand(2), torch.tensor([random.random(), np.random.rand(), *schedule.get_last_lr()])]
    return [*trained.state_dict().values(), *moments, *gradients, *drawn]


@pytest.mark.parametrize(("accumulate", "amp"), [(1, True), (4, False), (3, True)])
def test_two_monitors_leave_accumulation_schedules_and_autocast_alone(
    tmp_path: Path, accumulate: int, amp: bool
) -> None:
    trained = model()
    watches = [
        wg.monitor(trained, costs, every=every, to=tmp_path / f"{every}.csv", says=None) for every in (2, 3)
    ]
    watched, plain = real_loop(watches, trained, accumulate, amp), real_loop([], model(), accumulate, amp)
    assert [watch.measured for watch in watches] == [4, 3]
    assert all(torch.equal(one, two) for one, two in zip(watched, plain, strict=True))


def test_a_row_without_its_end_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    with wg.monitor(model(), costs, every=2, to=path, says=None) as watch:
        train(5, watch)
    path.write_text(path.read_text()[:-3])
    with wg.monitor(model(), costs, every=2, to=path, says=None) as watch:
        assert watch.step == 4
        train(1, watch)
    assert [int(row["step"]) for row in csv.DictReader(io.StringIO(path.read_text()))] == [0, 2, 4]


def test_an_exception_in_the_loop_comes_through_and_the_cost_is_still_said(tmp_path: Path) -> None:
    said, path = io.StringIO(), tmp_path / "run.csv"

    def loop() -> None:
        with wg.monitor(model(), costs, to=path, says=said) as watch:
            watch(torch.randn(6, 3))
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        loop()
    assert said.getvalue().startswith("monitor: 1 measurement, ")
    assert len(path.read_text().splitlines()) == 2


def test_the_cost_that_is_said_is_the_time_that_passed(tmp_path: Path) -> None:
    def slow(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
        time.sleep(0.05)
        return costs(model, x)

    started = time.perf_counter()
    with wg.monitor(model(), slow, every=1, to=tmp_path / "run.csv", says=None) as watch:
        for _ in range(3):
            watch(torch.randn(6, 3))
        whole = time.perf_counter() - started
    assert 0.15 <= watch.seconds <= whole
    assert 0.5 < watch.overhead <= 1
    assert "monitor: 3 measurements, " in watch.summary
    assert " ms each (the first " in watch.summary
    rows = list(csv.DictReader(io.StringIO((tmp_path / "run.csv").read_text())))
    assert all(float(row["milliseconds"]) >= 50 for row in rows)


def test_what_has_no_declaration_is_said(tmp_path: Path) -> None:
    def own(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
        return {"a": Doubled.apply(model(x)).square().mean(), "b": model(x).square().mean()}

    watch = wg.monitor(model(), own, to=tmp_path / "run.csv", opaque="allow", says=None)
    made = watch(torch.randn(6, 3))
    assert made is not None
    assert np.isnan(made["cancellation a"])
    assert 0 <= made["cancellation b"] <= 1
    assert watch.summary.endswith("; no cancellation of what goes through `Doubled`, without a declaration")
