"""Network, weight and data files: TOML, safetensors, npz (never pickles) and csv. Every error names file and key."""

from pathlib import Path
from typing import Any

import numpy as np

from whygrad.errors import NetworkFileError

KEYS = {
    "sizes": "a list of whole numbers such as [2, 3, 3, 2]",
    "activation": "a name or one for each layer",
    "bias": "true or false",
    "cost": "a name",
    "l2": "a number",
    "reduction": '"sum" or "mean"',
    "notation": "a name",
    "seed": "a whole number",
    "parameters": "a table",
    "data": "a table",
    "names": "a table",
}


def read_network(path: Path) -> dict[str, Any]:
    """Returns a network file's entries as the arguments of ``Network``.

    Raises:
        NetworkFileError: The file can't be read, isn't TOML, or has an entry that isn't expected.
    """
    import tomllib

    text = _text(path)
    try:
        entries = tomllib.loads(text)
    except ValueError as error:  # a TOMLDecodeError, or a whole number of thousands of digits
        raise NetworkFileError(f"{path}: not a TOML file: {error}") from None
    except RecursionError:
        raise NetworkFileError(f"{path}: nested too deeply") from None
    for key in entries:
        if key not in KEYS:
            raise NetworkFileError(f"{path}: unknown entry {key!r}; expected {', '.join(KEYS)}")
    for key in ("parameters", "data", "names"):
        if key in entries and not isinstance(entries[key], dict):
            raise NetworkFileError(f"{path}: [{key}] should be {KEYS[key]}, found {entries[key]!r}")
    if "sizes" not in entries:
        raise NetworkFileError(f"{path}: sizes missing; expected {KEYS['sizes']}")
    options = {key: value for key, value in entries.items() if key not in ("data", "parameters", "names")}
    options.setdefault("bias", None)
    if "parameters" in entries:
        options["parameters"] = _parameters(path, entries["parameters"])
    if "names" in entries:
        options["names"] = _names(path, entries["names"])
    if "data" in entries:
        options["x"], options["y"] = _data(path, entries["data"], entries["sizes"])
    return options


def _text(path: Path) -> str:
    try:
        # utf-8-sig: spreadsheets and Windows editors begin a file with a byte order mark
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NetworkFileError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        # ValueError: bytes that aren't UTF-8, or a null byte in the name
        raise NetworkFileError(f"{path}: can't be read: {error}") from None


def _names(path: Path, entries: dict[str, Any]) -> dict[str, str]:
    for name, meaning in entries.items():
        if not isinstance(meaning, str):
            raise NetworkFileError(f"{path}: [names] {name!r} should stand for a text, found {meaning!r}")
    return entries


def _parameters(path: Path, entries: dict[str, Any]) -> dict[str, Any]:
    if "file" not in entries:
        return entries
    others = [key for key in entries if key != "file"]
    if others:
        raise NetworkFileError(
            f"{path}: [parameters] has both file and {', '.join(others)}; expected one or the other"
        )
    return read_arrays(_beside(path, entries["file"], "parameters"))


def _beside(path: Path, name: Any, table: str) -> Path:
    if not isinstance(name, str):
        raise NetworkFileError(f"{path}: [{table}] file should be a text, found {name!r}")
    return path.parent / name


def read_arrays(path: Path) -> dict[str, Any]:
    """Returns the arrays of a safetensors or npz file by name.

    Raises:
        NetworkFileError: The file can't be read, is of another kind, or holds pickled objects.
    """
    readers = {".safetensors": _safetensors, ".npz": _npz}
    if path.suffix not in readers:
        raise NetworkFileError(
            f"{path}: expected a .safetensors or .npz file, found {path.suffix or 'no ending'!r}"
        )
    try:
        return readers[path.suffix](path)
    except FileNotFoundError:
        raise NetworkFileError(f"{path}: no such file") from None
    except Exception as error:
        # A damaged file makes zipfile, zlib, NumPy and safetensors raise many types: KeyError, RuntimeError, …
        kind = (
            "a safetensors file of arrays" if path.suffix == ".safetensors" else "an npz file of plain arrays"
        )
        raise NetworkFileError(f"{path}: not {kind}: {error}") from None


def _safetensors(path: Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    return dict(load_file(path))


def _npz(path: Path) -> dict[str, Any]:
    # Opened here: np.load leaves a file open that begins like an archive and isn't one.
    with path.open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single array; save with np.savez")
        with archive:
            return {name: archive[name] for name in archive.files}


def _data(path: Path, entries: dict[str, Any], sizes: Any) -> tuple[Any, Any]:
    if "file" in entries:
        others = [key for key in entries if key != "file"]
        if others:
            raise NetworkFileError(
                f"{path}: [data] has both file and {', '.join(others)}; expected one or the other"
            )
        return read_data(_beside(path, entries["file"], "data"), sizes)
    for key in entries:
        if key not in ("x", "y"):
            raise NetworkFileError(f"{path}: [data] has {key!r}; expected x and y, or file")
    for key in ("x", "y"):
        if key not in entries:
            raise NetworkFileError(f"{path}: [data] {key} missing; expected x and y, or file")
    return entries["x"], entries["y"]


def read_data(path: Path, sizes: Any) -> tuple[Any, Any]:
    """Returns the inputs and targets of a data file: an npz file with x and y, or a csv file.

    A csv file has one example in each row: the inputs, then the targets; a first row of names is passed over.

    Raises:
        NetworkFileError: The file can't be read, or its columns don't fit the sizes.
    """
    if path.suffix in (".npz", ".safetensors"):
        arrays = read_arrays(path)
        for key in ("x", "y"):
            if key not in arrays:
                raise NetworkFileError(
                    f"{path}: {key} missing; expected x and y, found {', '.join(arrays) or 'none'}"
                )
        return arrays["x"], arrays["y"]
    if path.suffix != ".csv":
        raise NetworkFileError(
            f"{path}: expected a .npz, .safetensors or .csv file, found {path.suffix or 'no ending'!r}"
        )
    return _columns(path, _text(path).splitlines(), sizes)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _columns(path: Path, lines: list[str], sizes: Any) -> tuple[Any, Any]:
    if not (isinstance(sizes, list) and sizes and all(isinstance(size, int) for size in sizes)):
        raise NetworkFileError(f"{path}: the network's sizes should be {KEYS['sizes']}, found {sizes!r}")
    wanted = sizes[0] + sizes[-1]
    rows: list[list[float]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        cells = line.split(",")
        try:
            row = [float(cell) for cell in cells]
        except ValueError:
            if number == 1 and not any(_is_number(cell) for cell in cells):
                continue
            raise NetworkFileError(
                f"{path}, line {number}: expected numbers, found {line.strip()[:60]!r}"
            ) from None
        if len(row) != wanted:
            raise NetworkFileError(
                f"{path}, line {number}: expected {sizes[0]} inputs and {sizes[-1]} targets, found {len(row)} columns"
            )
        rows.append(row)
    if not rows:
        raise NetworkFileError(f"{path}: expected at least one row of numbers, found none")
    table = np.array(rows)
    return table[:, : sizes[0]], table[:, sizes[0] :]
