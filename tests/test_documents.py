"""Every example in the documents is run, and every command in them works."""

import doctest
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

import whygrad as wg
from whygrad.cli import app

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_python_examples_run(path: Path) -> None:
    result = doctest.testfile(str(path), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


def _readme_commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    lines = [line[2:].partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("whygrad ")]


def _mine(folder: Path) -> Path:
    (text,) = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("command", _readme_commands())
def test_readme_commands_work(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _mine(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command.partition(">")[0])[1:]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert result.output.strip() or (tmp_path / words[-1]).stat().st_size


def test_readme_network_file_is_what_it_says(tmp_path: Path) -> None:
    net = wg.Network.load(_mine(tmp_path))
    assert net.run().examples == 2
    assert net.run().cost_names == ("C^0", "C^1", "R")
    assert net.run().value("w_5") == 0.7


def test_readme_shows_the_real_output() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"<!-- output: whygrad (.*?) -->\n```text\n(.*?)```", text, re.DOTALL)
    assert shown
    for command, output in shown:
        result = CliRunner().invoke(app, shlex.split(command))
        assert result.output.startswith(output), result.output[: len(output)]


def test_every_module_is_on_the_map() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    source = ROOT / "src" / "whygrad"
    for path in source.iterdir():
        if path.name in ("__init__.py", "__pycache__", "py.typed", "networks"):
            continue
        name = path.name if path.is_file() else f"{path.name}/"
        assert f"`{name}`" in text, f"docs/architecture.md doesn't say what {name} is"


def test_links_between_documents_lead_somewhere() -> None:
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"
