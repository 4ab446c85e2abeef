"""A real JupyterLab on a free port, with settings of its own and nothing from the machine's user."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import nbformat

ROOT = Path(__file__).parents[2]
PATIENCE = 60


class Lab(NamedTuple):
    """A JupyterLab that runs: its address with a slash at the end, its token, and its folder of notebooks."""

    address: str
    token: str
    folder: Path

    def notebook(self, name: str, cells: Sequence[str]) -> str:
        """Writes a notebook and returns the address that shows it alone."""
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(made, self.folder / name)
        return f"{self.address}doc/tree/{name}?token={self.token}"


@contextmanager
def jupyterlab(home: Path) -> Iterator[Lab]:
    """Starts JupyterLab in an empty folder, and ends it with its kernels."""
    notebooks, runtime, config = home / "notebooks", home / "runtime", home / "config"
    for folder in (notebooks, runtime, config / "labconfig"):
        folder.mkdir(parents=True)
    # Announcements would be fetched from the outside.
    disabled = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "labconfig" / "page_config.json").write_text(json.dumps(disabled), encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "IPYTHON"))}
    env |= {
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PYTHONPATH": str(ROOT / "src"),
    }
    options = [
        "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", "--LabApp.expose_app_in_browser=True",
        f"--ServerApp.root_dir={notebooks}", "--ServerApp.terminals_enabled=False",
        "--LabApp.extension_manager=readonly", "--KernelManager.shutdown_wait_time=1",
    ]  # fmt: skip
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env=env,
            cwd=home,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _started(process, home)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _started(process: subprocess.Popen[bytes], home: Path) -> Lab:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for file in (home / "runtime").glob("jpserver-*.json"):
            try:
                found = json.loads(file.read_text(encoding="utf-8"))
            except ValueError:
                continue  # it is being written
            if found.get("port"):
                return Lab(found["url"], found["token"], home / "notebooks")
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab didn't start:\n{(home / 'log').read_text(encoding='utf-8')[-3000:]}")
