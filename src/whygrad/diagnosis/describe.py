"""The structure of a difference that no known mistake makes: what can be said truthfully, and no more."""

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.setting import Ruler, Setting


def _listed(numbers: Array, most: int = 6) -> str:
    shown = [str(int(number)) for number in numbers]
    return (
        ", ".join(shown) if len(shown) <= most else f"{', '.join(shown[:most])} and {len(shown) - most} more"
    )


def _only_some(wrong: Array) -> str | None:
    if wrong.all():
        return None
    if wrong.ndim == 1:
        return f"only {_named('the entry', 'the entries', np.flatnonzero(wrong))}"
    rows, columns = np.flatnonzero(wrong.any(axis=1)), np.flatnonzero(wrong.any(axis=0))
    if len(rows) < wrong.shape[0] and len(rows) <= len(columns):
        what = "the weights into this neuron" if len(rows) == 1 else "the weights into these neurons"
        return f"only {_named('row', 'the rows', rows)} ({what})"
    if len(columns) < wrong.shape[1]:
        what = "the weights from this neuron" if len(columns) == 1 else "the weights from these neurons"
        return f"only {_named('column', 'the columns', columns)} ({what})"
    return f"{int(wrong.sum())} of {wrong.size} entries differ"


def _named(one: str, several: str, numbers: Array) -> str:
    return f"{one} {int(numbers[0])} differs" if len(numbers) == 1 else f"{several} {_listed(numbers)} differ"


def _one_entry(given: Array, right: Array, wrong: Array) -> str:
    place = tuple(int(number) for number in np.argwhere(wrong)[0])
    found, wanted = float(given[place]), float(right[place])
    times = f", {found / wanted:.6g} times as much" if wanted else ""
    return f"only the entry {list(place)} differs: {found:.6g} instead of {wanted:.6g}{times}"


def _proportional(difference: Array, to: Array, tolerance: float) -> float | None:
    size = float(np.sum(to**2))
    if not size or difference.size < 2:
        return None
    factor = float(np.sum(difference * to)) / size
    return factor if np.max(np.abs(difference - factor * to)) <= tolerance and factor else None


def describe(setting: Setting, name: str, given: Array, wrong: Array, ruler: Ruler) -> str:
    """Returns what is seen in a parameter's difference.

    Args:
        setting: The network on its examples.
        name: The parameter.
        given: Its gradient as handed in.
        wrong: Which entries differ.
        ruler: What counts as the same number.
    """
    right = setting.gradients[name]
    layer = int(name[1:])
    if not np.isfinite(given).all():
        place = [int(i) for i in np.argwhere(~np.isfinite(given))[0]]
        return f"d{name} has entries that are no finite numbers, the first at {place}: an overflow or a division by 0?"
    if not np.any(given):
        return f"d{name} is all zeros: it is never filled, or what arrives there is lost"
    difference = given - right
    tolerance = ruler.tolerance(name, given)
    if np.count_nonzero(wrong) == 1 and wrong.size > 1:
        return f"d{name}: {_one_entry(given, right, wrong)}"
    seen: list[str] = []
    some = _only_some(wrong)
    if some:
        seen.append(some)
    factor = _proportional(given, right, tolerance)
    if factor is not None:
        seen.append(f"it is exactly {factor:.6g} times the right one")
    of_value = _proportional(difference, setting.W[layer] if name[0] == "W" else setting.b[layer], tolerance)
    if of_value is not None:
        seen.append(f"the difference is {of_value:.6g} times {name}")
    if difference.size > 2 and np.ptp(difference) <= tolerance:
        seen.append(f"the difference is the same number, {float(difference.mean()):.6g}, everywhere")
    zero = ~np.any(given, axis=1) if given.ndim == 2 else given == 0
    if zero.any() and not (~np.any(right, axis=1) if right.ndim == 2 else right == 0)[zero].all():
        seen.append(f"it is 0 for the neurons {_listed(np.flatnonzero(zero))}")
    if given.ndim == 2 and min(given.shape) > 1:
        singular = np.linalg.svd(difference, compute_uv=False)
        if singular[0] and singular[1] < 1e-9 * singular[0]:
            seen.append("the difference is a product of one column and one row (one example, or one path)")
    ratio = _one_example(setting, name, given, ruler)
    if ratio:
        seen.append(ratio)
    if not seen or seen == [some]:
        seen.append(direction(given, right))
    return f"d{name}: " + "; ".join(seen)


def _one_example(setting: Setting, name: str, given: Array, ruler: Ruler) -> str | None:
    layer = int(name[1:])
    if setting.examples == 1:
        return None
    for example, (delta, inputs) in enumerate(zip(setting.deltas[layer], setting.a[layer - 1], strict=True)):
        share = np.outer(delta, inputs) if name[0] == "W" else delta
        factor = _proportional(given, share, ruler.tolerance(name, given))
        if factor is not None:
            return f"it is {factor:.6g} times the share of example {example}"
    return None


def direction(given: Array, right: Array) -> str:
    """Returns how far the direction and the length of a gradient are from the right one."""
    sizes = float(np.linalg.norm(given)) * float(np.linalg.norm(right))
    if not sizes:
        return "the right one is 0"
    cosine = float(np.sum(given * right)) / sizes
    ratio = float(np.linalg.norm(given) / np.linalg.norm(right))
    if cosine > 0.99:
        return f"nearly the right direction (cosine {cosine:.4f}), {ratio:.4g} times as long"
    if cosine < -0.99:
        return f"nearly the opposite direction (cosine {cosine:.4f}), {ratio:.4g} times as long"
    return f"the direction differs (cosine {cosine:.3f}), {ratio:.4g} times as long"
