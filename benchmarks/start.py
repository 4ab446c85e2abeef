"""Import and cold start, each in fresh processes that take turns."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import machine
from benchmarks.measure import FOREIGN_CORES, LoadMeter
from benchmarks.peers import PEERS
from benchmarks.records import GoalResult, GroupResult, Row, Table
from benchmarks.workloads import START

NETWORK = """
W = [np.full((3, 2), 0.5), np.full((3, 3), 0.25), np.full((2, 3), 0.125)]
x, y = np.array([1.0, 2.0]), np.array([0.5, -0.5])
"""

FIRST_GRADIENTS = {  # from nothing to the gradients of both costs of 2-3-3-2, as a user would write it
    "whygrad": "import numpy as np\nimport whygrad as wg"
    + NETWORK
    + """
net = wg.Network([2, 3, 3, 2], bias=False, parameters={"W1": W[0], "W2": W[1], "W3": W[2]})
print(net.run(x, y).gradients()["W1"].sum())
""",
    "NumPy by hand": "import numpy as np"
    + NETWORK
    + """
a1 = W[0] @ x
a2 = W[1] @ a1
d3 = np.diag(2 * (W[2] @ a2 - y))
d2 = d3 @ W[2]
d1 = d2 @ W[1]
print((d1[:, :, None] * x).sum(), (d2[:, :, None] * a1).sum(), (d3[:, :, None] * a2).sum())
""",
    "torch K-loop": "import numpy as np\nimport torch"
    + NETWORK
    + """
W = [torch.tensor(each, requires_grad=True) for each in W]
costs = (W[2] @ (W[1] @ (W[0] @ torch.tensor(x))) - torch.tensor(y)).square()
rows = [torch.autograd.grad(cost, W, retain_graph=True) for cost in costs]
print(float(sum(row[0].sum() for row in rows)))
""",
    "TorchJD autojac": "import numpy as np\nimport torch\nfrom torchjd.autojac import jac"
    + NETWORK
    + """
W = [torch.tensor(each, requires_grad=True) for each in W]
costs = (W[2] @ (W[1] @ (W[0] @ torch.tensor(x))) - torch.tensor(y)).square()
print(float(jac(costs, W)[0].sum()))
""",
    "JAX jit": "import numpy as np\nimport jax\njax.config.update('jax_enable_x64', True)"
    + NETWORK
    + """
costs = lambda W: (W[2] @ (W[1] @ (W[0] @ x)) - y) ** 2
print(float(jax.jit(jax.jacrev(costs))(W)[0].sum()))
""",
    "HIPS autograd": "import autograd.numpy as np\nfrom autograd import make_vjp"
    + NETWORK
    + """
costs = lambda W: (np.dot(W[2], np.dot(W[1], np.dot(W[0], x))) - y) ** 2
pull_back, _ = make_vjp(costs)(W)
print(sum(pull_back(row)[0].sum() for row in np.eye(2)))
""",
}

IMPORTS = {  # `import whygrad` alone leaves its modules for later, so that they are measured too
    "whygrad": "import whygrad",
    "whygrad, Network loaded": "import whygrad; whygrad.Network; whygrad.Run",
    "numpy": "import numpy",
    "torch": "import torch",
    "TorchJD": "import torchjd.autojac",
    "JAX": "import jax",
    "HIPS autograd": "import autograd.numpy",
}

MEASURED_IMPORT = """
import time
from pathlib import Path
def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1024
before, start = resident(), time.perf_counter()
{statement}
print(time.perf_counter() - start, resident() - before)
"""


@dataclass(frozen=True)
class Program:
    """A command in a fresh process; `inside` ones print their own seconds and MiB, others are timed whole."""

    name: str
    command: tuple[str, ...]
    inside: bool = False


def measure_start(threads: int, rounds: int, patience: float) -> GroupResult:
    """Three tables: imports, first gradients, and `whygrad explain` from a cold shell."""
    result = GroupResult(
        START.name,
        START.title,
        datetime.now(UTC).strftime("%Y-%m-%d"),
        threads,
        machine.describe(),
        machine.versions(sorted({peer.distribution for peer in PEERS} | {"jaxlib"})),
    )
    imports = [
        Program(name, (sys.executable, "-c", MEASURED_IMPORT.format(statement=statement)), inside=True)
        for name, statement in IMPORTS.items()
    ]
    first = [Program(name, (sys.executable, "-c", code)) for name, code in FIRST_GRADIENTS.items()]
    result.tables = [
        _table("import", "Time and memory of the import statement", imports, rounds, patience),
        _table("first gradients", "From nothing to both gradients of 2-3-3-2", first, rounds, patience),
        _table("explain", "`whygrad explain` from a cold shell", _shell(), rounds, patience),
    ]
    imported, gradients, explained = result.tables
    imported.goals = [
        _limit(imported, "G10 good", 100, "ms"),
        _limit(imported, "G10 good", 40, "MiB"),
        _limit(imported, "G10 ambitious", 80, "ms"),
        _over_numpy(imported),
        _limit(imported, "G10 ambitious, not import alone", 80, "ms", "whygrad, Network loaded"),
    ]
    gradients.goals = [_limit(gradients, "G11 good", 150, "ms"), _limit(gradients, "G11 ambitious", 90, "ms")]
    explained.goals = [_limit(explained, "explain", 500, "ms", "whygrad explain")]
    return result


def _shell() -> list[Program]:
    script = Path(sys.executable).with_name("whygrad")
    return [
        Program("whygrad explain", (str(script), "explain")),
        Program("python -c pass", (sys.executable, "-c", "pass")),
    ]


def _table(name: str, title: str, programs: list[Program], rounds: int, patience: float) -> Table:
    """Medians over rounds in which every program runs once, after one run that fills the disk's cache."""
    table = Table(name, title, reference=programs[0].name)
    rows = {program.name: Row(program.name) for program in programs}
    table.rows = list(rows.values())
    working = []
    for program in programs:
        try:
            _run(program)
        except (RuntimeError, OSError) as error:
            rows[program.name].note = f"failed: {error}"
        else:
            working.append(program)
    seconds: dict[str, list[float]] = {program.name: [] for program in working}
    memory: dict[str, list[float]] = {program.name: [] for program in working}
    deadline = time.perf_counter() + patience
    while working and table.rounds < rounds:
        quiet = _quiet_enough()
        if not quiet and time.perf_counter() < deadline:
            table.rejected += 1
            continue
        table.disturbed |= not quiet
        table.rounds += 1
        for program in working:
            took, added = _run(program)
            seconds[program.name].append(took)
            memory[program.name] += [added] if added is not None else []
    reference = table.reference if table.reference in seconds else next(iter(seconds), "")
    table.reference = reference
    for name, values in seconds.items():
        row = rows[name]
        row.seconds = statistics.median(values)
        row.spread = (max(values) - min(values)) / 2 / row.seconds
        row.ratio = statistics.median(a / b for a, b in zip(values, seconds[reference], strict=True))
        row.mebibytes = statistics.median(memory[name]) if memory[name] else None
    return table


def _quiet_enough() -> bool:
    """Whether others leave the machine alone just now; a child's own time can't be told from theirs."""
    meter = LoadMeter()
    time.sleep(0.2)
    return meter.foreign_cores() <= FOREIGN_CORES


def _run(program: Program) -> tuple[float, float | None]:
    start = time.perf_counter()
    done = subprocess.run(program.command, capture_output=True, text=True, check=False)
    took = time.perf_counter() - start
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no message")
    if not program.inside:
        return took, None
    inside, added = done.stdout.split()
    return float(inside), float(added)


def _limit(table: Table, label: str, limit: float, unit: str, name: str = "whygrad") -> GoalResult:
    row = next(row for row in table.rows if row.name == name)
    value = row.mebibytes if unit == "MiB" else None if row.seconds is None else row.seconds * 1e3
    return GoalResult(f"{label}: {name}", limit, unit, value)


def _over_numpy(table: Table) -> GoalResult:
    seconds = {row.name: row.seconds for row in table.rows}
    ours, numpys = seconds["whygrad"], seconds["numpy"]
    value = None if ours is None or numpys is None else (ours - numpys) * 1e3
    return GoalResult("G10 ambitious: whygrad - numpy", 9, "ms", value)
