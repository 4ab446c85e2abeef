"""The command line, in processes of its own: what is printed where, and with which status."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
START = "-m whygrad"


def whygrad(*arguments: str, **environment: str) -> Any:
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    env = clean | {"PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": "utf-8"} | environment
    made = subprocess.run(
        [sys.executable, *START.split(), *arguments], capture_output=True, env=env, timeout=120, check=False
    )
    assert b"Traceback" not in made.stderr
    return made


def test_the_first_command_answers_the_question() -> None:
    made = whygrad("explain")
    assert made.returncode == 0
    text = made.stdout.decode()
    assert text.startswith("∂ΣC/∂w⁰₀,₁ = 0.33349\n")
    assert "The 6 paths, strongest first" in text
    assert made.stderr == b""
    assert "\x1b" not in text
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_the_module_of_the_commands_runs_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = whygrad("translate", "w^0_{0,3}", "--to", "nielsen")
    monkeypatch.setattr(f"{__name__}.START", "-m whygrad.cli")
    assert whygrad("translate", "w^0_{0,3}", "--to", "nielsen").stdout == plain.stdout == b"w^4_{11}\n"
    assert whygrad("translate", "w^0_{0,9}", "--to", "nielsen").returncode == 2


def test_json_is_json() -> None:
    made = json.loads(whygrad("explain", "w^0_{0,1}", "--format", "json").stdout, parse_constant=pytest.fail)
    assert made["path_count"] == 6
    assert list(made["costs"]) == ["C^0", "C^1"]


@pytest.mark.parametrize("of", ["1", "C^1"])
def test_costs_go_by_number_and_by_name(of: str) -> None:
    made = json.loads(whygrad("explain", "w^0_{0,3}", "--of", of, "--format", "json").stdout)
    assert made["of"] == "C^1"
    assert made["value"] == 0
    listed = json.loads(whygrad("paths", "w^0_{0,1}", "--of", of, "-k", "2", "--format", "json").stdout)
    assert listed["path_count"] == 3
    assert {path["quantities"][-1] for path in listed["paths"]} == {"C^1"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explain", "w^0_{0,9}"], "whygrad: w^0_{0,9}: the network 2-3-3-2 has"),
        (["explain", "q"], "no quantity with this name"),
        (["explain", "--of", "7"], "expected a number from 0 to 1"),
        (["explain", "-n", "/no/such.toml"], "/no/such.toml: no such file"),
        (["explain", "--format", "xml"], "--format: expected one of text, latex, html, json, found 'xml'"),
        (["explain", "--bogus"], "No such option: --bogus"),
        (["explain", "-k", "0"], "whole number from 1"),
        (["explain", "--example", "3"], "expected a number from 0 to 0"),
        (["explain", "--notation", "foo"], "there is no notation 'foo'"),
        (["paths", "--of", "a^0_1"], "--of: expected a cost (C^0, C^1), found 'a^0_1'"),
        (["paths", "--of", "9"], "expected a number from 0 to 1"),
        (["code", "--style", "c"], "expected one of numpy, scalar, pytorch, found 'c'"),
        (["translate", "w^0_{0,3}", "--to", "xx"], "there is no notation 'xx'"),
        (["bogus"], "No such command 'bogus'"),
    ],
)
def test_bad_input_is_one_message_and_status_2(arguments: list[str], message: str) -> None:
    made = whygrad(*arguments)
    assert made.returncode == 2
    assert made.stdout == b""
    assert message in made.stderr.decode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"sizes = [2", "not a TOML file"),
        (b"\xff\xfe", "can't be read"),
        (b'sizes = [2, 2]\nactivation = "reluu"', "did you mean 'relu'?"),
        (b"sizes = [2, -2]", "whole numbers from 1"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, text: bytes, message: str) -> None:
    file = tmp_path / "net.toml"
    file.write_bytes(text)
    made = whygrad("explain", "-n", str(file))
    assert made.returncode == 2
    assert made.stderr.decode().startswith(f"whygrad: {file}: ")
    assert message in made.stderr.decode()


@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize("command", [["explain"], ["paths"], ["explain", "w^0_{0,3}", "--of", "1"]])
def test_terminals_without_unicode_get_ascii(command: list[str], format: str) -> None:
    made = whygrad(*command, "--format", format, PYTHONIOENCODING="ascii", LANG="C")
    assert made.returncode == 0
    assert made.stdout.isascii()
    assert b"?" not in made.stdout


@pytest.mark.parametrize("format", ["latex", "html"])
def test_documents_are_utf_8_everywhere(format: str) -> None:
    plain = whygrad("explain", "--format", format, PYTHONIOENCODING="ascii", LANG="C")
    assert plain.stdout == whygrad("explain", "--format", format).stdout
    plain.stdout.decode("utf-8")


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_lines_fit_the_terminal(columns: str) -> None:
    text = whygrad("explain", COLUMNS=columns).stdout.decode()
    assert max(map(len, text.splitlines())) <= int(columns)


def test_colour_is_for_terminals_and_not_for_no_color() -> None:
    assert b"\x1b[" in whygrad("explain", FORCE_COLOR="1", TERM="xterm-256color").stdout
    no_color = whygrad("explain", FORCE_COLOR="1", NO_COLOR="1", TERM="xterm-256color").stdout
    assert b"\x1b[3" not in no_color  # bold and dim may stay: they are no colours


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f'"{sys.executable}" {START} explain --format html | head -c 10; echo "${{PIPESTATUS[0]}}"'
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    made = subprocess.run(["bash", "-c", command], capture_output=True, env=env, timeout=120, check=True)
    assert made.stderr == b""
    assert made.stdout.decode() == "<!doctype 0\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_said() -> None:
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    with Path("/dev/full").open("w") as full:
        made = subprocess.run(
            [sys.executable, *START.split(), "explain"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=env,
            check=False,
        )
    assert made.returncode == 2
    assert made.stderr == b"whygrad: can't write: No space left on device\n"


def test_starting_loads_no_heavy_library() -> None:
    code = (
        "import sys; sys.argv = ['whygrad', 'explain']; import whygrad.cli\n"
        "try: whygrad.cli.main()\n"
        "finally:\n"
        "    heavy = {'torch', 'lark', 'latex2mathml', 'safetensors', 'scipy'}\n"
        "    print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env, timeout=60, check=True)
    assert made.stderr.decode().strip() == "[]"


def test_help_is_short_and_names_every_command() -> None:
    text = whygrad("--help").stdout.decode()
    for command in ("explain", "paths", "translate", "code", "check"):
        assert f"  {command} " in text
