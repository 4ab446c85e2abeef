"""The person's conventions: what was declared, and what their own cost's value says."""

from collections.abc import Iterator, Mapping
from math import isclose
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.setting import Ruler, Setting
from whygrad.errors import NotSupportedError, ShapeError

if TYPE_CHECKING:
    from whygrad.run import Run


class Declared(NamedTuple):
    """What a person declares about their gradients: the arguments of :func:`whygrad.diagnosis.diagnose`."""

    layout: str = "to-from"
    reduction: str | None = None
    sign: str = "gradient"
    learning_rate: float | None = None
    cost: float | None = None

    @property
    def turn(self) -> float:
        """What a gradient is multiplied with to be what was handed in: -1 for a direction of descent."""
        return -1.0 if self.sign == "descent" else 1.0

    def checked(self) -> "Declared":
        """Returns the same with numbers in the place of whatever stood for them.

        Raises:
            NotSupportedError: A convention that isn't known.
            ShapeError: A learning rate or a cost that is no number.
        """
        if self.reduction not in (None, "sum", "mean"):
            raise NotSupportedError(f"reduction: expected 'sum' or 'mean', found {self.reduction!r}")
        if self.sign not in ("gradient", "descent"):
            raise NotSupportedError(
                f"sign: expected 'gradient' or 'descent' (minus the gradient), found {self.sign!r}"
            )
        rate = None if self.learning_rate is None else checked_number("learning_rate", self.learning_rate)
        if rate == 0:
            raise ShapeError("learning_rate: expected a number other than 0")
        cost = None if self.cost is None else checked_number("cost", self.cost)
        return self._replace(learning_rate=rate, cost=cost)


class Convention(NamedTuple):
    """One way to read the gradients: the setting they are judged in, and the arrays in it."""

    setting: Setting
    arrays: Mapping[str, Array]
    notes: tuple[str, ...] = ()

    def rights(self, ruler: Ruler) -> int:
        """Returns how many parameters are right in it."""
        right = self.setting.gradients
        return sum(ruler.same(name, array, right[name]) for name, array in self.arrays.items())


class Own(NamedTuple):
    """How the person's own cost is made from the network's: factors of the data's part and the regularisation's."""

    data: float = 1.0
    regular: float = 1.0
    bias: float = 0.0
    note: str = ""
    known: bool = True


def _scales(setting: Setting) -> dict[float, str]:
    m, outputs = setting.examples, setting.sizes[-1]
    named: dict[float, str] = {1.0: ""}
    reduced = setting.reduction == "mean"
    steps = [
        (m if reduced else 1 / m, "summed over the examples" if reduced else "averaged over the examples"),
        (0.5, "half of it"),
        (2.0, "twice"),
        (1 / outputs, "averaged over the outputs"),
        (-1.0, "with the other sign"),
    ]
    for number, words in steps:
        for other, before in list(named.items()):
            named.setdefault(other * number, f"{before}, {words}" if before else words)
    return named


def own_cost(setting: Setting, cost: float, eps: float) -> Own:
    """Returns how a person's own cost is made from the network's.

    A different cost isn't a mistake in the gradients: they are judged against the cost that was computed.
    """
    data = setting.data_cost()
    W = sum(float(np.sum(weights**2)) for weights in setting.W.values())
    b = sum(float(np.sum(bias**2)) for bias in setting.b.values())
    regular = setting.l2 / 2 * W
    close = max(1e-7, 64 * eps)
    if isclose(cost, data + regular, rel_tol=close, abs_tol=1e-12):
        return Own()
    parts = [(1.0, 0.0, "")]
    if setting.l2:
        m = setting.examples
        parts += [
            (0.0, 0.0, "without the regularisation"),
            (2.0, 0.0, "with twice the regularisation"),
            (0.5, 0.0, "with half the regularisation"),
            (1.0, 1.0, "with the biases regularised too"),
            (float(m), 0.0, "with the regularisation times the examples"),
            (1 / m, 0.0, "with the regularisation divided by the examples"),
        ]
    for share, of_bias, how in parts:
        for number, words in _scales(setting).items():
            if isclose(
                cost,
                number * data + share * regular + of_bias * setting.l2 / 2 * b,
                rel_tol=close,
                abs_tol=1e-12,
            ):
                said = ", ".join(part for part in (words, how) if part)
                note = f"Your cost {cost:.6g} is the network's {data + regular:.6g} {said}: yours is what counts here."
                return Own(number, share, of_bias, note)
            if (
                how == ""
                and number != 1
                and isclose(cost, number * (data + regular), rel_tol=close, abs_tol=1e-12)
            ):
                note = f"Your cost {cost:.6g} is the network's {data + regular:.6g} {words}: yours is what counts here."
                return Own(number, number, 0.0, note)
    note = (
        f"Your cost is {cost:.8g}, the network's is {data + regular:.8g}: the forward passes (or the costs) differ, "
        "so the gradients can't be expected to agree. Compare the forward passes first."
    )
    return Own(note=note, known=False)


def checked_number(name: str, value: Any) -> float:
    """Returns a declared number.

    Raises:
        ShapeError: It isn't one.
    """
    try:
        number = float(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError):
        raise ShapeError(f"{name}: expected a number, found {value!r}") from None
    if not np.isfinite(number):
        raise ShapeError(f"{name}: expected a finite number, found {number}")
    return number


def conventions(
    run: "Run", arrays: Mapping[str, Array], eps: float, declared: Declared
) -> tuple[Iterator[Convention], Own]:
    """Returns the readings that the declared conventions leave, the most literal first, and the person's cost."""
    plain = Setting(run)
    own = Own() if declared.cost is None else own_cost(plain, declared.cost, eps)
    return _readings(run, plain, arrays, own, declared, eps), own


def _readings(
    run: "Run",
    plain: Setting,
    arrays: Mapping[str, Array],
    own: Own,
    declared: Declared,
    eps: float,
) -> Iterator[Convention]:
    reduction, sign, rate = declared.reduction, declared.sign, declared.learning_rate
    turned = {name: -array for name, array in arrays.items()} if sign == "descent" else dict(arrays)
    said = ["sign='descent': what was handed in is minus the gradient."] if sign == "descent" else []
    m = plain.examples
    strength = own.regular * plain.l2
    for step in (None, rate) if rate is not None else (None,):
        read, notes = turned, list(said)
        if step is not None:
            read = {name: array / step for name, array in turned.items()}
            notes.append(
                f"learning_rate={step:g}: what was handed in is the learning rate times the gradient."
            )
        if reduction in (None, plain.reduction) or m == 1:
            setting = Setting(run, own.data, strength, own.bias * plain.l2, near=eps)
            yield Convention(setting, read, tuple(notes))
            continue
        # The regularisation may have been scaled with the rest or not.
        for factor in (m if reduction == "sum" else 1 / m, 1.0) if strength else (1.0,):
            setting = Setting(
                run, own.data, strength * factor, own.bias * plain.l2 * factor, near=eps, reduction=reduction
            )
            words = (
                f"reduction={reduction!r}: the gradients are a {reduction}, the cost is a {plain.reduction}."
            )
            yield Convention(setting, read, (*notes, words))
