"""An array that writes down what is done with it, so that a person's NumPy function can be read without its source."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from whygrad.arrays import Array
from whygrad.diagnosis.numpy_functions import FLAT, PARTIALS, SELECT
from whygrad.diagnosis.tape import Tape
from whygrad.errors import NotSupportedError


class LeakError(NotSupportedError):
    """A traced array went where only plain numbers can go."""


class Traced(NDArrayOperatorsMixin):
    """An array on a tape; ``node`` is the step that made it. Assigning to entries makes it another step."""

    __array_priority__ = 1000

    def __init__(self, tape: Tape, node: int) -> None:
        self.tape, self.node = tape, node

    @property
    def value(self) -> Array:
        """The numbers."""
        return self.tape.steps[self.node].value

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    dtype = property(lambda self: self.value.dtype)
    T = property(lambda self: self._select("transpose", np.transpose))

    def __len__(self) -> int:
        return len(self.value)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        raise LeakError("a traced array was put into a plain array; build it with np.stack, or from np.zeros")

    def __float__(self) -> float:
        raise LeakError("a traced number was turned into a plain one with float() or by assignment")

    def __bool__(self) -> bool:
        return bool(self.value)

    def __iter__(self) -> Any:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, index: Any) -> "Traced":
        index = _plain_index(index)
        return self._select("getitem", lambda x: x[index])

    def __setitem__(self, index: Any, value: Any) -> None:
        index = _plain_index(index)
        value = self._on(value)
        places = np.arange(self.size).reshape(self.shape)
        new = np.arange(value.size).reshape(value.shape) + self.size
        places[index] = new
        filled = np.concatenate([self.value.ravel(), value.value.ravel()])[places]
        self.node = self.tape.add("select", (self.node, value.node), filled, places, "setitem")

    def _on(self, other: Any) -> "Traced":
        if isinstance(other, Traced):
            return other
        return Traced(self.tape, self.tape.add("constant", (), np.asarray(other, float)))

    def _select(self, name: str, function: Callable[..., Array]) -> "Traced":
        places = np.asarray(function(np.arange(self.size).reshape(self.shape)))
        return Traced(
            self.tape, self.tape.add("select", (self.node,), self.value.ravel()[places], places, name)
        )

    def _axes(self, axis: Any) -> tuple[int, ...]:
        """Returns the axes that are meant: all where nothing is said."""
        every = range(self.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        return tuple(a % self.ndim for a in every)

    def _reduce(self, name: str, axis: Any, keepdims: bool) -> "Traced":
        axes = self._axes(axis)
        count = int(np.prod([self.shape[a] for a in axes]))
        weight = 1 / count if name == "mean" else 1.0
        node = self.tape.add(
            "reduce",
            (self.node,),
            self.value.sum(axis=axes, keepdims=keepdims) * weight,
            (axes, weight),
            name,
        )
        return Traced(self.tape, node)

    def sum(self, axis: Any = None, keepdims: bool = False, **_: Any) -> "Traced":
        """Returns the sum over axes."""
        return self._reduce("sum", axis, keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False, **_: Any) -> "Traced":
        """Returns the mean over axes."""
        return self._reduce("mean", axis, keepdims)

    def var(self, axis: Any = None, keepdims: bool = False, ddof: int = 0, **_: Any) -> "Traced":
        """Returns the variance over axes."""
        apart = self - self.mean(axis, True)
        found = (apart * apart).mean(axis, keepdims)
        count = self.size // max(1, found.size)
        scaled: Traced = found * (count / (count - ddof)) if ddof else found
        return scaled

    def std(self, axis: Any = None, keepdims: bool = False, ddof: int = 0, **_: Any) -> "Traced":
        """Returns the standard deviation over axes."""
        variance: Any = self.var(axis, keepdims, ddof)
        root: Traced = np.sqrt(variance)
        return root

    def max(self, axis: Any = None, keepdims: bool = False, **_: Any) -> "Traced":
        """Returns the largest entries over axes; the first of equal ones."""
        return self._extreme("max", np.argmax, axis, keepdims)

    def min(self, axis: Any = None, keepdims: bool = False, **_: Any) -> "Traced":
        """Returns the smallest entries over axes; the first of equal ones."""
        return self._extreme("min", np.argmin, axis, keepdims)

    def _extreme(self, name: str, place: Any, axis: Any, keepdims: bool) -> "Traced":
        axes = self._axes(axis)
        left = tuple(a for a in range(self.ndim) if a not in axes)
        flat = np.transpose(self.value, left + axes).reshape(*(self.shape[a] for a in left), -1)
        at = place(flat, axis=-1)

        def function(x: Array) -> Array:
            moved = np.transpose(x, left + axes).reshape(flat.shape)
            found = np.take_along_axis(moved, at[..., None], -1)[..., 0]
            return np.expand_dims(found, axes) if keepdims else found

        return self._select(name, function)

    def reshape(self, *shape: Any) -> "Traced":
        """Returns the entries in another shape."""
        wanted = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        return self._select("reshape", lambda x: x.reshape(wanted))

    def transpose(self, *axes: Any) -> "Traced":
        """Returns the array with its axes in another order."""
        wanted = axes[0] if len(axes) == 1 and isinstance(axes[0], (tuple, list)) else axes or None
        return self._select("transpose", lambda x: np.transpose(x, wanted))

    def ravel(self, *_: Any) -> "Traced":
        """Returns the entries in one row."""
        return self._select("reshape", np.ravel)

    flatten = ravel

    def copy(self, *_: Any) -> "Traced":
        """Returns the same entries."""
        return self._select("copy", np.copy)

    def astype(self, *_: Any, **__: Any) -> "Traced":
        """Returns itself: everything is traced in float64."""
        return self

    def dot(self, other: Any) -> "Traced":
        """Returns the matrix product."""
        return _matmul(self, self._on(other))

    def cumsum(self, axis: Any = None) -> "Traced":
        """Returns the running sums along an axis."""
        return _running(self, axis)

    def squeeze(self, axis: Any = None) -> "Traced":
        """Returns the array without axes of length 1."""
        return self._select("reshape", lambda x: np.squeeze(x, axis))

    def argmax(self, axis: Any = None) -> Array:
        """Returns where the largest entries are."""
        return self.value.argmax(axis)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        name = ufunc.__name__
        if method == "reduce" and name in ("add", "maximum", "minimum"):
            verb = {"add": self.sum, "maximum": self.max, "minimum": self.min}[name]
            return verb(options.get("axis", 0), bool(options.get("keepdims", False)))
        if method != "__call__":
            raise NotSupportedError(f"np.{name}.{method} can't be traced")
        out = options.get("out")
        plain = [x.value if isinstance(x, Traced) else np.asarray(x) for x in inputs]
        if name in FLAT:
            return ufunc(*plain)
        if name == "matmul":
            return _matmul(self._on(inputs[0]), self._on(inputs[1]))
        if name not in PARTIALS:
            raise NotSupportedError(f"np.{name} can't be traced")
        with np.errstate(all="ignore"):
            value = ufunc(*(np.asarray(x, float) for x in plain))
            partials = PARTIALS[name](*plain, value)
        nodes = tuple(self._on(x).node for x in inputs)
        shaped = tuple(np.broadcast_to(np.asarray(partial, float), value.shape) for partial in partials)
        made = self.tape.add("elementwise", nodes, value, shaped, name)
        if out is not None and isinstance(out[0], Traced):
            out[0].node = made
            return out[0]
        if out is not None:
            raise LeakError("a traced array was added to a plain array in place")
        return Traced(self.tape, made)

    def __array_function__(self, func: Any, types: Any, args: Any, options: Any) -> Any:
        name = func.__name__
        first: Any = args[0] if args else None
        if name in SELECT:
            return self._gathered(func, args, options)
        if name in ("sum", "mean", "var", "std", "max", "min", "amax", "amin"):
            verb = getattr(first, name.removeprefix("a"))
            return verb(*args[1:], **options)
        if name in ("zeros_like", "ones_like", "empty_like", "full_like"):
            return self._on(func(first.value if isinstance(first, Traced) else first, *args[1:], dtype=float))
        if name in ("shape", "ndim", "size", "argmax", "argmin", "argsort"):
            return func(first.value, *args[1:], **options)
        if name in ("dot", "matmul"):
            return _matmul(self._on(first), self._on(args[1]))
        if name == "outer":
            return self._on(first).ravel()[:, None] * self._on(args[1]).ravel()[None, :]
        if name == "where" and len(args) == 3:
            condition = first.value if isinstance(first, Traced) else np.asarray(first)
            return self._chosen(condition, self._on(args[1]), self._on(args[2]))
        if name == "clip":
            low, high = (*args[1:], options.get("a_min"), options.get("a_max"))[:2]
            return np.minimum(np.maximum(first, low), high)
        if name == "einsum":
            return self._einsum(args)
        if name == "cumsum":
            return _running(self._on(first), *args[1:], **options)
        if name in ("convolve", "correlate"):
            return _convolved(self._on(first), self._on(args[1]), name, *args[2:], **options)
        if name == "pad":
            before = args[1] if len(args) > 1 else options["pad_width"]
            if (args[2] if len(args) > 2 else options.get("mode", "constant")) != "constant":
                raise NotSupportedError("np.pad can be traced with zeros only")
            positions = np.arange(first.size).reshape(first.shape)
            places: Array = np.pad(positions, before, constant_values=-1)
            value = np.where(places >= 0, first.value.ravel()[np.maximum(places, 0)], 0.0)
            return Traced(self.tape, self.tape.add("select", (first.node,), value, places, "pad"))
        raise NotSupportedError(f"np.{name} can't be traced")

    def _chosen(self, condition: Array, yes: "Traced", no: "Traced") -> "Traced":
        value: Array = np.where(condition, yes.value, no.value)
        on = np.broadcast_to(condition, value.shape).astype(float)
        return Traced(
            self.tape, self.tape.add("elementwise", (yes.node, no.node), value, (on, 1 - on), "where")
        )

    def _gathered(self, func: Any, args: Any, options: Any) -> "Traced":
        """Returns entries of one or several arrays in another arrangement, by arranging their positions."""
        nodes: list[Traced] = []
        before = 0

        def positions(x: Any) -> Any:
            nonlocal before
            if isinstance(x, (list, tuple)) and any(isinstance(part, Traced) for part in x):
                return [positions(self._on(part)) for part in x]
            if not isinstance(x, Traced):
                return x
            made = np.arange(x.size).reshape(x.shape) + before
            nodes.append(x)
            before += x.size
            return made

        places = np.asarray(func(*(positions(x) for x in args), **options))
        flat = np.concatenate([x.value.ravel() for x in nodes])
        return Traced(
            self.tape,
            self.tape.add("select", tuple(x.node for x in nodes), flat[places], places, func.__name__),
        )

    def _einsum(self, args: Any) -> "Traced":
        left, _, out = args[0].replace(" ", "").partition("->")
        parts = left.split(",")
        if len(parts) == 2 and all(len(set(part)) == len(part) for part in parts):
            return _contracted(self._on(args[1]), parts[0], self._on(args[2]), parts[1], out)
        if len(parts) == 1 and len(set(parts[0])) == len(parts[0]):
            lost = tuple(place for place, label in enumerate(parts[0]) if label not in out)
            kept = [label for label in parts[0] if label in out]
            summed = self._on(args[1]).sum(lost) if lost else self._on(args[1])
            return summed.transpose([kept.index(label) for label in out])
        raise NotSupportedError(f"np.einsum({args[0]!r}) can't be traced")


class Held(np.ndarray):
    """Plain data whose method ``dot`` asks the other array first, as ``np.dot`` does and the method itself doesn't."""

    def dot(self, other: Any, out: Any = None) -> Any:
        """Returns the product."""
        return np.dot(self, other) if out is None else np.dot(self, other, out)


def held(array: Any) -> Any:
    """Returns data that can meet traced arrays in each of NumPy's ways to multiply."""
    return array.view(Held) if type(array) is np.ndarray else array


def _running(array: Traced, axis: int | None = None) -> Traced:
    """Returns the running sums along an axis: the product with a triangle of ones."""
    flat = array.ravel() if axis is None else array
    last = flat.ndim - 1
    order = list(range(flat.ndim))
    at = last if axis is None else axis % flat.ndim
    order[at], order[last] = last, at
    moved = flat if order == sorted(order) else flat.transpose(order)
    size = moved.shape[-1]
    labels = "abcdefg"[:last]
    triangle = array._on(np.triu(np.ones((size, size))))
    made = _contracted(moved, labels + "z", triangle, "zy", labels + "y", "cumsum")
    return made if order == sorted(order) else made.transpose(order)


def _convolved(one: Traced, other: Traced, name: str, mode: str = "") -> Traced:
    """Returns np.convolve or np.correlate of two rows: a product of windows with the shorter row."""
    mode = mode or ("full" if name == "convolve" else "valid")
    if name == "correlate":
        other = other._select("flip", np.flip)
    if other.size > one.size:
        one, other = other, one
    many, size = one.size, other.size
    places = np.arange(many + size - 1)[:, None] - np.arange(size)
    low = {"full": 0, "same": (size - 1) // 2, "valid": size - 1}[mode]
    rows = {"full": many + size - 1, "same": many, "valid": many - size + 1}[mode]
    places = places[low : low + rows]
    places = np.where((places >= 0) & (places < many), places, -1)
    value = np.where(places >= 0, one.value[np.maximum(places, 0)], 0.0)
    node = one.tape.add("select", (one.node,), value, places, "sliding_window_view")
    return _contracted(Traced(one.tape, node), "xz", other, "z", "x")


def _plain_index(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(part.value.astype(int) if isinstance(part, Traced) else part for part in index)
    return index.value.astype(int) if isinstance(index, Traced) else index


def _contracted(
    one: Traced, of_one: str, other: Traced, of_other: str, out: str, name: str = "matmul"
) -> Traced:
    value = np.einsum(f"{of_one},{of_other}->{out}", one.value, other.value)
    node = one.tape.add("contract", (one.node, other.node), value, (of_one, of_other, out), name)
    return Traced(one.tape, node)


def _matmul(one: Traced, other: Traced) -> Traced:
    if one.ndim == 0 or other.ndim == 0:
        made: Traced = one * other
        return made
    extra = "abcdefg"
    stack = max(one.ndim, other.ndim) - 2
    if one.ndim > 2 and other.ndim > 2 and one.ndim != other.ndim:
        raise NotSupportedError("a matrix product of stacks of different rank can't be traced")
    left = extra[: one.ndim - 2] + "xz" if one.ndim > 1 else "z"
    right = extra[: other.ndim - 2] + "zy" if other.ndim > 1 else "z"
    out = extra[: max(stack, 0)] + ("x" if one.ndim > 1 else "") + ("y" if other.ndim > 1 else "")
    return _contracted(one, left, other, right, out)
