"""Network, weight and data files: what they give, and that every bad one is refused with file and key."""

import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import whygrad as wg
from whygrad.files import KEYS, read_arrays, read_data, read_network

GOOD = """
sizes = [2, 2, 1]
activation = ["tanh", "leaky_relu(0.3)"]
bias = true
cost = "half_squared_error"
l2 = 0.5
reduction = "mean"
notation = "nielsen"
[parameters]
W1 = [[1, 2], [3, 4]]
b1 = [0.5, -0.5]
W2 = [[1.5, 2.5]]
b2 = [0]
[data]
x = [[1, 2], [3, 4], [5, 6]]
y = [[0], [1], [2]]
[names]
"w_5" = "w^0_{0,1}"
"""


def file(tmp_path: Path, text: str, name: str = "net.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path, *parts: str) -> str:
    """Asserts that a network file is refused, and that the message has these parts; the file's name first."""
    with pytest.raises(wg.NetworkFileError) as caught:
        wg.Network.load(path)
    message = str(caught.value)
    assert message.startswith(str(path.parent)), message
    for part in parts:
        assert part in message
    return message


def unless_refused(read: Callable[[], Any]) -> tuple[Any, str]:
    """Returns what was read and nothing, or nothing and the message of the refusal; any other error passes through."""
    try:
        return read(), ""
    except wg.WhygradError as error:
        return None, str(error)


def test_a_file_with_everything(tmp_path: Path) -> None:
    net = wg.Network.load(file(tmp_path, GOOD))
    assert net.layered.sizes == (2, 2, 1)
    assert [str(a) for a in net.layered.activations] == ["tanh", "leaky_relu(0.3)"]
    assert (net.layered.cost, net.layered.l2, net.layered.reduction) == ("half_squared_error", 0.5, "mean")
    np.testing.assert_array_equal(net.parameters["W1"], [[1, 2], [3, 4]])
    run = net.run()
    np.testing.assert_array_equal(run.x, [[1, 2], [3, 4], [5, 6]])
    np.testing.assert_array_equal(run.y, [[0], [1], [2]])
    assert net.notation.name == "nielsen"
    assert net.quantity("w_5") == wg.Quantity("w", 1, 0, 0)
    assert wg.Network.load(str(tmp_path / "net.toml"), notation="ng").notation.name == "ng"


def test_a_file_that_says_little(tmp_path: Path) -> None:
    net = wg.Network.load(file(tmp_path, "sizes = [3, 2]\nseed = 7"))
    np.testing.assert_array_equal(net.parameters["W1"], wg.Network([3, 2], seed=7).parameters["W1"])
    assert not net.layered.bias


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_bytes(b"\xef\xbb\xbfsizes = [1, 1]\n[data]\nfile = 'd.csv'")
    (tmp_path / "d.csv").write_bytes(b"\xef\xbb\xbf1.5,2.5\n3,4\n")
    np.testing.assert_array_equal(wg.Network.load(path).run().x, [[1.5], [3.0]])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["sizes missing", "a list of whole numbers such as [2, 3, 3, 2]"]),
        ("sizes = [2, ", ["not a TOML file"]),
        ("sizes = [2, 1]\nbananas = 1", ["unknown entry 'bananas'; expected sizes, activation"]),
        ("sizes = 5", ["sizes: expected a list such as [2, 3, 3, 2], found 5"]),
        ("sizes = [2]", ["sizes: expected the inputs and at least one layer"]),
        ("sizes = []", ["at least one layer"]),
        ("sizes = [2, 0]", ["sizes: expected whole numbers from 1, found 0 at place 1"]),
        ("sizes = [2, -3]", ["found -3 at place 1"]),
        ("sizes = [2, 1.5]", ["found 1.5 at place 1"]),
        ("sizes = [2, true]", ["found True at place 1"]),
        ('sizes = [2, "3"]', ["found '3' at place 1"]),
        ("sizes = [2, [3]]", ["found [3] at place 1"]),
        ("sizes = [100_000_000, 2]", ["at most 10,000,000 neurons in a layer, found more at place 0"]),
        ("sizes = [100_000, 100_000]", ["at most 1,000,000,000 weights, found 10,000,000,000"]),
        ("sizes = [2, 1" + "0" * 400 + "]", ["found more at place 1"]),
        ("sizes = [2, 1" + "0" * 5000 + "]", ["not a TOML file", "digits"]),
        (
            'sizes = [2, 1]\nactivation = "rleu"',
            ["activation: expected one of", "found 'rleu'; did you mean 'relu'?"],
        ),
        ("sizes = [2, 1]\nactivation = 5", ["activation: expected a name such as 'relu'", "found 5"]),
        ("sizes = [2, 1]\nactivation = [5]", ["activation: expected a name such as 'relu', found 5"]),
        ("sizes = [2, 1]\nactivation = {relu = 1}", ["activation: expected a name such as 'relu'"]),
        (
            'sizes = [2, 1]\nactivation = ["relu", "relu"]',
            ["activation: expected one for all layers or one for each of the 1 layers", "found 2"],
        ),
        ('sizes = [2, 1]\nactivation = "leaky_relu(a)"', ["expected a number for slope", "found 'a'"]),
        ('sizes = [2, 1]\nactivation = "leaky_relu(0.3"', ["expected leaky_relu(slope)"]),
        ('sizes = [2, 1]\nactivation = "leaky_relu(1, 2)"', ["expected leaky_relu(slope)"]),
        ('sizes = [2, 1]\nactivation = "leaky_relu(nan)"', ["expected a finite slope"]),
        ('sizes = [2, 1]\nactivation = "leaky_relu(alpha=1)"', ["expected slope", "found 'alpha'"]),
        ('sizes = [2, 1]\nactivation = "relu(3)"', ["expected relu, found 'relu(3)'"]),
        ('sizes = [2, 1]\nbias = "yes"', ["bias: expected true or false, found 'yes'"]),
        ("sizes = [2, 1]\nbias = 1", ["bias: expected true or false, found 1"]),
        ('sizes = [2, 1]\ncost = "mse"', ["cost: expected one of", "found 'mse'"]),
        ("sizes = [2, 1]\ncost = 3", ["cost: expected one of", "found 3"]),
        ("sizes = [2, 1]\nl2 = -1", ["l2: expected a finite number that is 0 or more, found -1"]),
        ("sizes = [2, 1]\nl2 = inf", ["l2: expected a finite number", "found inf"]),
        ("sizes = [2, 1]\nl2 = nan", ["l2: expected a finite number", "found nan"]),
        ("sizes = [2, 1]\nl2 = true", ["l2: expected a finite number", "found True"]),
        ('sizes = [2, 1]\nl2 = "1"', ["l2: expected a finite number"]),
        ("sizes = [2, 1]\nl2 = 1" + "0" * 400, ["l2: expected a finite number"]),
        ('sizes = [2, 1]\nreduction = "max"', ["reduction: expected one of sum, mean, found 'max'"]),
        ('sizes = [2, 1]\nnotation = "nielson"', ["no notation 'nielson'", "did you mean 'nielsen'"]),
        ("sizes = [2, 1]\nnotation = 3", ["notation: expected a name such as 'nielsen', found 3"]),
        ("sizes = [2, 1]\nseed = -1", ["seed: expected a whole number from 0, found -1"]),
        ('sizes = [2, 1]\nseed = "a"', ["seed: expected a whole number from 0, found 'a'"]),
        ("sizes = [2, 1]\nseed = 1.5", ["seed: expected a whole number from 0, found 1.5"]),
        ("sizes = [2, 1]\nparameters = 5", ["[parameters] should be a table, found 5"]),
        ("sizes = [2, 1]\ndata = []", ["[data] should be a table, found []"]),
        ("sizes = [2, 1]\nnames = 'a'", ["[names] should be a table, found 'a'"]),
        ("sizes = [2, 1]\n[names]\nw = 5", ["[names] 'w' should stand for a text, found 5"]),
        ("sizes = [2, 1]\n[parameters]", ["parameters: W1 missing; expected W1, found none"]),
        ("sizes = [2, 1]\n[parameters]\nW1 = [[1, 2]]\nW2 = [[1]]", ["parameters: expected W1, found W2"]),
        (
            "sizes = [2, 1]\nbias = false\n[parameters]\nW1 = [[1, 2]]\nb1 = [1]",
            ["expected W1, found b1 (the network has bias = false)"],
        ),
        (
            "sizes = [2, 1]\n[parameters]\nW1 = [[1], [2]]",
            ["W1: expected the shape (1, 2), found (2, 1)", "transpose"],
        ),
        ("sizes = [2, 1]\n[parameters]\nW1 = [1, 2]", ["W1: expected the shape (1, 2), found (2,)"]),
        ("sizes = [1, 1]\n[parameters]\nW1 = [[1]]\nb1 = [[1]]", ["b1: expected the shape (1,)", "ravel()"]),
        ("sizes = [2, 1]\n[parameters]\nW1 = [[1, 2], [3]]", ["W1: expected a rectangle of numbers"]),
        ('sizes = [2, 1]\n[parameters]\nW1 = [["a", "b"]]', ["W1: expected real numbers"]),
        ("sizes = [2, 1]\n[parameters]\nW1 = 1979-05-27", ["W1: expected real numbers"]),
        ("sizes = [2, 1]\n[parameters]\nW1 = {a = 1}", ["W1: expected real numbers"]),
        (
            "sizes = [2, 1]\n[parameters]\nW1 = [[1, nan]]",
            ["W1: expected finite numbers, found nan at [0, 1]"],
        ),
        (
            "sizes = [2, 1]\n[parameters]\nW1 = [[-inf, 1]]",
            ["W1: expected finite numbers, found -inf at [0, 0]"],
        ),
        ("sizes = [2, 1]\n[parameters]\nW1 = [[1" + "0" * 400 + ", 1]]", ["W1: expected"]),
        ("sizes = [2, 1]\n[parameters]\nfile = 5", ["[parameters] file should be a text, found 5"]),
        ("sizes = [2, 1]\n[parameters]\nfile = 'no.npz'", ["no.npz: no such file"]),
        (
            "sizes = [2, 1]\n[parameters]\nfile = 'net.toml'",
            ["expected a .safetensors or .npz file, found '.toml'"],
        ),
        ("sizes = [2, 1]\n[parameters]\nfile = 'weights'", ["found 'no ending'"]),
        (
            "sizes = [2, 1]\n[parameters]\nfile = 'a.npz'\nW1 = [[1, 2]]",
            ["[parameters] has both file and W1"],
        ),
        ('sizes = [2, 1]\n[parameters]\nfile = "a\\u0000b.npz"', ["null byte"]),
        ("sizes = [2, 1]\n[parameters]\nfile = '" + "a" * 3000 + ".npz'", ["not an npz file"]),
        ("sizes = [2, 1]\n[data]\nx = [1, 2]", ["[data] y missing; expected x and y, or file"]),
        ("sizes = [2, 1]\n[data]\nz = 1", ["[data] has 'z'; expected x and y, or file"]),
        (
            "sizes = [2, 1]\n[data]\nx = [1]\ny = [1]",
            ["x: expected the shape (2,) or (examples, 2) for 2 inputs"],
        ),
        ("sizes = [2, 1]\n[data]\nx = [1, 2]\ny = [1, 2]", ["y: expected the shape (1,) or (examples, 1)"]),
        ("sizes = [2, 1]\n[data]\nx = [[1, 2], [3, 4]]\ny = [[1]]", ["as many inputs as targets"]),
        (
            "sizes = [2, 1]\n[data]\nx = [[1, nan]]\ny = [[1]]",
            ["x: expected finite numbers, found nan at [0, 1]"],
        ),
        ("sizes = [2, 1]\n[data]\nx = []\ny = []", ["x: expected the shape"]),
        ("sizes = [2, 1]\n[data]\nfile = 'no.csv'", ["no.csv: no such file"]),
        (
            "sizes = [2, 1]\n[data]\nfile = 'd.xls'",
            ["expected a .npz, .safetensors or .csv file, found '.xls'"],
        ),
        ("sizes = [2, 1]\n[data]\nfile = 'd.csv'\nx = 1", ["[data] has both file and x"]),
        ('sizes = [2, 1]\n[data]\nfile = "a\\u0000b.csv"', ["null byte"]),
        ("sizes = 5\n[data]\nfile = 'net.csv'", ["sizes should be a list of whole numbers"]),
    ],
)
def test_bad_network_files(tmp_path: Path, text: str, parts: list[str]) -> None:
    (tmp_path / "net.csv").write_text("1,2,3\n")
    path = file(tmp_path, text)
    refused(path, *parts)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_bytes(b"sizes = [2, 1] # \xff\xfe")
    refused(path, "net.toml: can't be read")
    refused(tmp_path / "nothing.toml", "nothing.toml: no such file")
    with pytest.raises(wg.NetworkFileError, match="can't be read"):
        wg.Network.load(tmp_path)
    with pytest.raises(wg.NetworkFileError, match="can't be read: embedded null byte"):
        wg.Network.load("a\0b")
    with pytest.raises(wg.NetworkFileError, match="load: expected the path of a network file, found 5"):
        wg.Network.load(5)


def test_files_nested_too_deeply(tmp_path: Path) -> None:
    refused(file(tmp_path, "sizes = " + "[" * 5000 + "]" * 5000), "nested too deeply")
    refused(file(tmp_path, "sizes = [1, 1]\n[parameters]\nW1 = " + "[" * 70 + "1" + "]" * 70), "W1: expected")


def test_every_key_says_what_it_should_be() -> None:
    assert all(KEYS.values())


# Weights


def weights() -> dict[str, Any]:
    return {"W1": np.arange(6.0).reshape(3, 2), "W2": np.ones((1, 3))}


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64])
def test_parameters_from_files(tmp_path: Path, ending: str, dtype: Any) -> None:
    arrays = {name: v.astype(dtype) for name, v in weights().items()}
    path = tmp_path / f"weights.{ending}"
    if ending == "npz":
        np.savez(path, **arrays)
    else:
        save_file(arrays, path)
    net = wg.Network.load(file(tmp_path, f'sizes = [2, 3, 1]\n[parameters]\nfile = "weights.{ending}"'))
    assert net.dtype == (np.float32 if dtype == np.float32 else np.float64)
    for name, value in arrays.items():
        np.testing.assert_array_equal(net.parameters[name], value)


def refused_weights(path: Path, *parts: str) -> None:
    with pytest.raises(wg.NetworkFileError) as caught:
        read_arrays(path)
    for part in (str(path), *parts):
        assert part in str(caught.value)


class Dangerous:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_pickles_are_refused_and_never_run(tmp_path: Path) -> None:
    trap = tmp_path / "it ran"
    path = tmp_path / "weights.npz"
    np.savez(path, W1=np.array([Dangerous(trap)], dtype=object), allow_pickle=True)
    refused_weights(path, "not an npz file of plain arrays", "allow_pickle")
    path.write_bytes(pickle.dumps(Dangerous(trap)))
    refused_weights(path, "not an npz file of plain arrays")
    assert not trap.exists()


def test_damaged_weight_files(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    for content in (b"", b"nonsense", b"PK\x03\x04", b"\x93NUMPY\x01\x00v\x00{'descr': '<f8'"):
        path.write_bytes(content)
        refused_weights(path, "not an npz file of plain arrays")
    single = io.BytesIO()
    np.save(single, np.ones(3))
    path.write_bytes(single.getvalue())
    refused_weights(path, "it holds a single array; save with np.savez")
    # claims a size that no memory has
    with zipfile.ZipFile(path, "w") as archive:
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000, 1000), }\n"
        archive.writestr("W1.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    refused_weights(path, "not an npz file of plain arrays")
    path = tmp_path / "w.safetensors"
    for content in (b"", b"nonsense", struct.pack("<Q", 2**60) + b"{}", struct.pack("<Q", 5) + b"{'a'}"):
        path.write_bytes(content)
        refused_weights(path, "not a safetensors file of arrays")
    refused_weights(tmp_path / "none.safetensors", "no such file")
    (tmp_path / "folder.npz").mkdir()
    refused_weights(tmp_path / "folder.npz", "not an npz file")


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    position=st.integers(0, 2000),
    replaced=st.binary(min_size=1, max_size=8),
    cut=st.booleans(),
    npz=st.booleans(),
)
@pytest.mark.filterwarnings("ignore")
def test_any_damage_is_located(tmp_path: Path, position: int, replaced: bytes, cut: bool, npz: bool) -> None:
    path = tmp_path / ("w.npz" if npz else "w.safetensors")
    if npz:
        np.savez_compressed(path, **weights())
    else:
        save_file(weights(), path)
    content = path.read_bytes()
    position %= len(content)
    path.write_bytes(content[:position] + replaced + (b"" if cut else content[position + len(replaced) :]))
    arrays, message = unless_refused(lambda: read_arrays(path))
    if message:
        assert str(path) in message
    else:
        assert all(isinstance(v, np.ndarray) for v in arrays.values())


# Data


def test_data_from_csv(tmp_path: Path) -> None:
    path = file(tmp_path, "first,second,wanted\n1,2,3\n\n 4 , 5e0,-6\n", "d.csv")
    x, y = read_data(path, [2, 9, 1])
    np.testing.assert_array_equal(x, [[1, 2], [4, 5]])
    np.testing.assert_array_equal(y, [[3], [-6]])


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_data_from_arrays(tmp_path: Path, ending: str) -> None:
    arrays = {"x": np.ones((4, 2)), "y": np.zeros((4, 1))}
    path = tmp_path / f"d.{ending}"
    if ending == "npz":
        np.savez(path, **arrays)
    else:
        save_file(arrays, path)
    run = wg.Network.load(file(tmp_path, f"sizes = [2, 1]\n[data]\nfile = 'd.{ending}'")).run()
    assert (run.x.shape, run.y.shape) == ((4, 2), (4, 1))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "expected at least one row of numbers, found none"),
        ("a,b,c\n", "expected at least one row of numbers, found none"),
        ("1,2\n", "line 1: expected 2 inputs and 1 targets, found 2 columns"),
        ("1,2,3\n1,2,3,4\n", "line 2: expected 2 inputs and 1 targets, found 4 columns"),
        ("1,2,3\n\n1,,3\n", "line 3: expected numbers, found '1,,3'"),
        ("a,b,c\nd,e,f\n", "line 2: expected numbers, found 'd,e,f'"),
        ("1,oops,3\n4,5,6\n", "line 1: expected numbers, found '1,oops,3'"),
        ("1;2;3\n4;5;6\n", "line 2: expected numbers, found '4;5;6'"),
        ("1,2,3\n1,2,nan\n", "y: expected finite numbers, found nan at [1, 0]"),
        ("inf,2,3\n", "x: expected finite numbers, found inf at [0, 0]"),
        ("1,2,3,\n", "line 1: expected numbers"),
    ],
)
def test_bad_csv_files(tmp_path: Path, text: str, part: str) -> None:
    file(tmp_path, text, "d.csv")
    refused(file(tmp_path, "sizes = [2, 1]\n[data]\nfile = 'd.csv'"), part)


def test_data_without_targets(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.ones((4, 2)))
    refused(
        file(tmp_path, "sizes = [2, 1]\n[data]\nfile = 'd.npz'"),
        "d.npz: y missing; expected x and y, found x",
    )


# Anything at all

KEY = st.sampled_from([*KEYS, "W1", "b1", "file", "x", "y", "extra"])
VALUE = st.recursive(
    st.one_of(
        st.integers(-3, 5).map(str),
        st.integers().map(str),
        st.floats().map(lambda v: repr(v)),
        st.sampled_from(
            ["true", "false", "1979-05-27", "07:32:00", "''", "'relu'", "'sum'", "'d.csv'", "'w.npz'", "'\\'"]
        ),
        st.sampled_from(
            ['"softmax"', '"cross_entropy"', '"w^0_{0,1}"', '"\\u0000"', '"elu(1e999)"', '"elu(,)"', '"("']
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: "[" + ", ".join(items) + "]"),
        st.dictionaries(st.sampled_from("abc"), inner, max_size=2).map(
            lambda table: "{" + ", ".join(f"{k} = {v}" for k, v in table.items()) + "}"
        ),
    ),
    max_leaves=8,
)


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    top=st.dictionaries(KEY, VALUE, max_size=5),
    tables=st.dictionaries(
        st.sampled_from(["parameters", "data", "names"]), st.dictionaries(KEY, VALUE, max_size=3), max_size=3
    ),
    sized=st.booleans(),
)
def test_any_network_file_is_read_or_refused(tmp_path: Path, top: Any, tables: Any, sized: bool) -> None:
    if sized:
        top = {**top, "sizes": "[2, 2]"}
    lines = [f"{key} = {value}" for key, value in top.items() if key not in tables]
    for name, entries in tables.items():
        lines += [f"[{name}]", *(f"{key} = {value}" for key, value in entries.items())]
    path = file(tmp_path, "\n".join(lines))

    def everything() -> Any:
        run = wg.Network.load(path).run()
        return run.costs, run.gradients()["W1"], run.sweep("strongest").array("W1")

    made, message = unless_refused(everything)
    assert bool(message) == (made is None)


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(content=st.binary(max_size=60), tail=st.sampled_from([b"", b"\nsizes = [2, 1]", GOOD.encode()]))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes, tail: bytes) -> None:
    path = tmp_path / "net.toml"
    path.write_bytes(content + tail)
    csv = tmp_path / "d.csv"
    csv.write_bytes(content)
    for bad, read in ((path, lambda: read_network(path)), (csv, lambda: read_data(csv, [1, 1]))):
        made, message = unless_refused(read)
        assert message.startswith(str(bad)) if message else made is not None
