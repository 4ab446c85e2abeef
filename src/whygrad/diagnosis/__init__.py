"""Says what is wrong in gradients that somebody worked out: compares, names the mistake, and gives the mend."""

from typing import TYPE_CHECKING, Any

from whygrad.diagnosis.functions import diagnose_functions
from whygrad.diagnosis.record import Diagnosis, Finding, Judged

if TYPE_CHECKING:
    from whygrad.network import Network
    from whygrad.run import Run

__all__ = ["Diagnosis", "Finding", "Judged", "assert_gradients", "diagnose", "diagnose_functions"]


def diagnose(
    run: "Run",
    gradients: Any,
    layout: str = "to-from",
    reduction: str | None = None,
    sign: str = "gradient",
    learning_rate: float | None = None,
    cost: float | None = None,
) -> Diagnosis:
    """Returns which gradients are right, which are not, and which mistakes make the difference.

    Mistakes are searched for from the costs backwards: at the first layer that differs each known mistake is applied
    to the backward pass; the one that reproduces the numbers is carried on, and so the next one is found too. A
    finding is exact where it reproduces the numbers to the rounding of their type; mistakes with the same numbers are
    all named (``instead_of``); what no known mistake makes is described, not named.

    Args:
        run: The network's run on the same examples.
        gradients: A mapping such as ``{"W1": dW1, "b1": db1, ...}`` of arrays, tensors or lists, or the path of a
            ``.npz`` or ``.safetensors`` file. Parameters that are left out are not judged.
        layout: ``"to-from"`` where rows are where a weight goes to, ``"from-to"`` where rows are where it comes
            from; with ``+bias`` behind (or ``bias+`` before) for augmented matrices with the bias as the last (or
            first) column, or row: ``"to-from+bias"``.
        reduction: ``"sum"`` or ``"mean"``: how the gradients join the examples, where that isn't how the cost does.
        sign: ``"descent"`` where minus the gradient is handed in.
        learning_rate: The learning rate, where gradients may have been multiplied with it.
        cost: The value of the person's own cost: a difference of convention is found as one.

    Raises:
        ShapeError: A name, an array or a number can't be used.
        NotSupportedError: There is no such layout, reduction or sign.

    Example:
        >>> import whygrad as wg
        >>> run = wg.Network.default().run()
        >>> mine = {name: 2 * g for name, g in run.gradients().total.items()}
        >>> found = diagnose(run, mine)
        >>> found.right, found.codes[0]
        (False, 'factor_two_missing')
    """
    from whygrad.diagnosis.conventions import Declared
    from whygrad.diagnosis.judge import judged

    return judged(run, gradients, Declared(layout, reduction, sign, learning_rate, cost))


def assert_gradients(net: "Network", x: Any, y: Any, gradients: Any, **conventions: Any) -> None:
    """Raises an AssertionError with the diagnosis unless all gradients are right; returns nothing.

    Args:
        net: The network.
        x: Its inputs.
        y: Its targets.
        gradients: What is to be checked; see :func:`diagnose`.
        **conventions: As in :func:`diagnose`.

    Example:
        >>> import whygrad as wg
        >>> net = wg.Network([2, 3, 1], activation="tanh")
        >>> assert_gradients(net, [0.5, -1.0], [1.0], net.run([0.5, -1.0], [1.0]).gradients().total)
    """
    found = diagnose(net.run(x, y), gradients, **conventions)
    if not found.right:
        raise AssertionError(found.to_text(unicode=False))
