"""Models on an accelerator have the record that they have on the host, and its arrays stay there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.torch_recorder.device.models import MODELS
from tests.torch_recorder.device.simulated import build


@pytest.fixture(scope="module")
def differing(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What differs, by model. In a process of its own: a device that a process knows it knows for good."""
    library = tmp_path_factory.mktemp("device") / "accelerator.so"
    build(library)
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-m", "tests.torch_recorder.device.run", str(library)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, str] = json.loads(run.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", MODELS)
def test_a_record_on_an_accelerator_is_the_one_on_the_host(name: str, differing: dict[str, str]) -> None:
    assert name not in differing, differing.get(name)
