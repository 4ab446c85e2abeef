"""`python -m benchmarks`: measures whygrad against its peers, prints the tables, writes the page."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from benchmarks import machine, report
from benchmarks.groups import GROUPS
from benchmarks.records import GroupResult
from benchmarks.start import measure_start
from benchmarks.workloads import START


def main() -> int:
    """0 where all groups could be measured, 1 where a worker failed."""
    arguments = _parser().parse_args()
    machine.limit_threads(os.environ, arguments.threads)
    names = arguments.only.split(",") if arguments.only else list(GROUPS)
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        raise SystemExit(f"No group is called {', '.join(unknown)}; there are {', '.join(GROUPS)}.")
    rounds = arguments.rounds or (5 if arguments.quick else 25)
    patience = 5.0 if arguments.quick else 120.0
    console, failed = Console(), False
    for name in names:
        result = _measure(name, arguments.threads, rounds, patience)
        if result is None:
            console.print(f"[red]{name}: its process failed[/]")
            failed = True
            continue
        report.show(result, console)
        if arguments.write:
            _write(result, arguments.write)
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", help=f"some groups, with commas: {','.join(GROUPS)}")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, help="25 unless told, 5 with --quick")
    parser.add_argument("--quick", action="store_true", help="few rounds, and no waiting for a quiet machine")
    parser.add_argument("--write", type=Path, help="write this page; groups not measured now are kept")
    return parser


def _measure(name: str, threads: int, rounds: int, patience: float) -> GroupResult | None:
    if name == START.name:
        return measure_start(threads, rounds, patience)
    command = [sys.executable, "-m", "benchmarks.worker", "--group", name, "--threads", str(threads)]
    command += ["--rounds", str(rounds), "--patience", str(patience)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        return None
    return GroupResult.from_json(json.loads(done.stdout.splitlines()[-1]))


def _write(result: GroupResult, page: Path) -> None:
    """Writes the page, and the figures beside it, from which other groups' last results are taken."""
    figures = page.with_suffix(".json")
    stored = json.loads(figures.read_text()) if figures.exists() else {}
    stored[result.group] = result.to_json()
    ordered = {name: stored[name] for name in GROUPS if name in stored}
    remarks = report.remarks_of(page.read_text()) if page.exists() else ""
    page.parent.mkdir(parents=True, exist_ok=True)
    figures.write_text(json.dumps(ordered, indent=1) + "\n")
    page.write_text(report.markdown((GroupResult.from_json(each) for each in ordered.values()), remarks))


if __name__ == "__main__":
    sys.exit(main())
