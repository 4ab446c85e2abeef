"""A process that measures: one group interleaved, or the added memory of one contestant. Prints JSON."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import warnings
from datetime import UTC, datetime
from typing import Any

from benchmarks import machine
from benchmarks.agreement import TOLERANCE, deviation
from benchmarks.groups import GROUPS, case_named
from benchmarks.measure import Call, Rounds, added_mebibytes, measure, wait_for_quiet
from benchmarks.peers import PEERS, Contestant, contestants
from benchmarks.records import GoalResult, GroupResult, Row, Table
from benchmarks.workloads import Case, Goal


def main() -> None:
    """Reads what to measure, measures it, and prints one JSON document as the last line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--group")
    parser.add_argument("--memory", nargs=2, metavar=("CASE", "CONTESTANT"))
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--patience", type=float, default=60.0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # peers warn of what they will change; it is not ours to mend
    machine.pin(arguments.threads)
    if arguments.memory:
        document: Any = memory_here(*arguments.memory)
    else:
        document = measure_group(
            arguments.group, arguments.threads, arguments.rounds, arguments.patience
        ).to_json()
    print(json.dumps(document))


def measure_group(name: str, threads: int, rounds: int, patience: float) -> GroupResult:
    """All cases of a group, one after the other, each with its contestants interleaved."""
    group = GROUPS[name]
    result = GroupResult(
        group=name,
        title=group.title,
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        threads=threads,
        machine=machine.describe(),
        versions=machine.versions(sorted({peer.distribution for peer in PEERS} | {"jaxlib"})),
    )
    wait_for_quiet(patience)
    for case in group.cases:
        table, missing = measure_case(case, threads, rounds, patience)
        result.tables.append(table)
        result.missing |= missing
    return result


def measure_case(case: Case, threads: int, rounds: int, patience: float) -> tuple[Table, dict[str, str]]:
    """The table of one case, and the peers that could not be imported."""
    found, missing = contestants(case)
    calls, table = prepare(case, found)
    print(f"{case.name}: {', '.join(calls)}", file=sys.stderr, flush=True)
    if calls:
        timed = measure(calls, rounds, patience)
        _fill(table, timed)
        if case.memory:
            for row in table.rows:
                if row.seconds is not None:
                    row.mebibytes = memory_in_child(case.name, row.name, threads)
        table.goals = [_judge(goal, table, timed) for goal in case.goals]
    return table, missing


def prepare(case: Case, found: list[Contestant]) -> tuple[dict[str, Call], Table]:
    """The calls that agree with the reference, and a table that says of the others why they are not timed."""
    calls: dict[str, Call] = {}
    results: dict[str, Any] = {}
    table = Table(case.name, case.title, reference="")
    for contestant in found:
        row = Row(contestant.name)
        table.rows.append(row)
        try:
            call = contestant.prepare(case.problem)
            result = call.once()
            results[contestant.name] = call.numbers(result) if call.numbers else None
        except Exception as error:
            row.note = f"failed: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            continue
        calls[contestant.name] = call
    table.reference = next((name for name in case.reference if name in calls), next(iter(calls), ""))
    expected = results.get(table.reference)
    for row in table.rows:
        if row.name not in calls or expected is None or results[row.name] is None:
            continue
        row.deviation = deviation(results[row.name], expected)
        if row.deviation > TOLERANCE[case.problem.dtype]:
            row.note = f"not timed: differs from {table.reference} by {row.deviation:.1e}"
            del calls[row.name]
    return calls, table


def _fill(table: Table, timed: Rounds) -> None:
    table.rounds, table.rejected = len(timed.foreign), timed.rejected
    table.foreign_cores, table.disturbed = max(timed.foreign), timed.disturbed
    for row in table.rows:
        if row.name in timed.seconds:
            row.seconds, row.spread = timed.median(row.name), timed.spread(row.name)
            row.ratio = timed.ratio(row.name, table.reference)


def _judge(goal: Goal, table: Table, timed: Rounds) -> GoalResult:
    """The goal beside its figure; of several peers it is the fastest that counts, and the text names it."""
    text = f"{goal.label}: {goal.variant}"
    variant = next((row for row in table.rows if row.name == goal.variant), None)
    if variant is None or variant.seconds is None:
        return GoalResult(" / ".join([text, *goal.against[:1]]), goal.limit, goal.unit, None)
    if not goal.against:
        value = variant.seconds * 1e3 if goal.unit == "ms" else variant.mebibytes
        return GoalResult(text, goal.limit, goal.unit, value)
    if goal.unit == "memory":
        return _judge_memory(goal, table, variant)
    present = [name for name in goal.against if name in timed.seconds]
    if not present:
        return GoalResult(f"{text} / {goal.against[0]}", goal.limit, goal.unit, None)
    fastest = max(present, key=lambda name: timed.ratio(goal.variant, name))
    return GoalResult(f"{text} / {fastest}", goal.limit, goal.unit, timed.ratio(goal.variant, fastest))


def _judge_memory(goal: Goal, table: Table, variant: Row) -> GoalResult:
    """The added memory beside that of the most sparing peer."""
    peers = [row for row in table.rows if row.name in goal.against and row.mebibytes]
    text = f"{goal.label}: {variant.name}"
    if not peers or variant.mebibytes is None:
        return GoalResult(f"{text} / {goal.against[0]}", goal.limit, goal.unit, None)
    least = min(peers, key=lambda row: row.mebibytes or 0.0)
    return GoalResult(
        f"{text} / {least.name}", goal.limit, goal.unit, variant.mebibytes / (least.mebibytes or 1.0)
    )


def memory_here(case_name: str, contestant_name: str) -> float | None:
    """Added memory of one contestant, measured in this process."""
    case = case_named(case_name)
    found, _ = contestants(case)
    contestant = next(each for each in found if each.name == contestant_name)
    try:
        return added_mebibytes(contestant.prepare(case.problem))
    except OSError:
        return None


def memory_in_child(case_name: str, contestant_name: str, threads: int) -> float | None:
    """Added memory of one contestant, in a process of its own that gives freed memory back at once."""
    command = [sys.executable, "-m", "benchmarks.worker", "--threads", str(threads)]
    command += ["--memory", case_name, contestant_name]
    environment = dict(os.environ, MALLOC_MMAP_THRESHOLD_="65536", MALLOC_TRIM_THRESHOLD_="0")
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


if __name__ == "__main__":
    main()
