"""What every format prints alike: the same number by several ways, side by side, and whether costs are listed."""

from whygrad.derive.derivation import Derivation
from whygrad.derive.spelling import shown

# Costs are listed where there are few.
COSTS_UP_TO = 12


def lists_costs(d: Derivation) -> bool:
    """Returns whether the derivatives of several costs are listed one by one."""
    return d.of not in d.costs and 1 < len(d.costs) <= COSTS_UP_TO


def number(value: float) -> str:
    """Returns a number to six digits."""
    return "0" if value == 0 else shown(value)


def checks_title(d: Derivation) -> str:
    """Returns the heading: how many ways there are."""
    ways = ["", "One way", "Two ways", "Three ways"][1 + d.paths.walked + (d.finite_difference is not None)]
    return f"{ways} to the same number" if ways != "One way" else "The number"


def checks(d: Derivation) -> list[tuple[str, str, str]]:
    """Returns rows of a name, a number and a remark."""
    rows = []
    if d.paths.walked:
        listed = "product along the path" if d.paths.count == 1 else "sum of all paths"
        rows.append((listed, number(d.paths.sum), "" if d.paths.count else "there is none"))
    agree = "" if d.sums_agree else "should agree with the sum to rounding: please report it"
    if not d.paths.walked:
        agree = "adds up all paths at once: there are too many to walk"
    rows.append(("backward pass", number(d.value), agree))
    if d.finite_difference is not None:
        says = "changed a little, run forward again"
        if not d.difference_agrees:
            says += "; not the same, as on a kink or where numbers are extreme"
        rows.append(("finite difference", number(d.finite_difference), says))
    if d.paths.total and d.paths.count > 1:
        cancelled = max(1 - abs(d.value) / d.paths.total, 0.0)
        share = f"{cancelled:.1%}" if cancelled > 1e-9 else "0%"
        rows.append(("cancellation", share, f"of {number(d.paths.total)}, the sum without signs"))
    return rows


def percent(share: float) -> str:
    """Returns a share with its sign, such as ``+12.3%``."""
    if share and abs(share) < 0.0005:
        return "<0.1%"
    return f"{share:+.1%}" if share else "0%"
