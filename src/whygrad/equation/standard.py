"""The usual right sides of derivatives whose indices are letters: what a correction falls back on."""

from whygrad.equation.forms import direct_forms
from whygrad.equation.tree import Derivative, Index, Ref, Symbol
from whygrad.equation.trial import Trial
from whygrad.equation.vocabulary import stands_for


def standard_forms(trial: Trial) -> list[str]:
    """Returns right sides that may be those of the left side's derivative, as texts; they still have to be judged."""
    direct = direct_forms(trial)
    target = _target(trial)
    if target is None or direct:
        return direct
    writer, net, beside = trial.writer, trial.setting.layered, ""
    if target.kind == "z":
        z = target
    elif target.kind in ("w", "b") and target.layer is not None and not target.array:
        z = Ref("z", target.layer, target.to)
        if target.kind == "w":
            below = target.layer._replace(offset=target.layer.offset - 1)
            beside = writer.ref(Ref("a", below, target.source))
    else:
        return []
    made = []
    for delta, error in _deltas(trial, z):
        if beside and delta.startswith("("):
            made.append(f"{delta}{writer.times()}{beside}")
        elif beside:
            made.append(f"({delta}){writer.times()}{beside}")
        else:
            made.append(delta[1:-1] if error else delta)
    if net.l2 and target.kind == "w":
        delta = writer.ref(Ref("delta", target.layer, target.to))
        strength = "\\lambda" if writer.style == "latex" else "λ"
        made.append(f"{delta}{writer.times()}{beside} + {strength}{writer.times()}{writer.ref(target)}")
    return made


def _deltas(trial: Trial, z: Ref) -> list[tuple[str, bool]]:
    """Returns what delta may be, each with whether it is an error `(a - y)` alone."""
    writer, net = trial.writer, trial.setting.layered
    try:
        a, y = (
            writer.ref(Ref(kind, layer, z.to, array=z.array)) for kind, layer in (("a", z.layer), ("y", None))
        )
        slope = writer.slope(z)
    except (KeyError, ValueError):
        return []
    times = writer.elementwise() if z.array else writer.times()
    error = f"({a} - {y})"
    made = [(error, True)]
    made += [(delta, False) for delta in (f"{error}{times}{slope}", f"2 {error}{times}{slope}", f"2 {error}")]
    single = not z.array and z.to is not None
    if net.cost == "cross_entropy" and single:
        total = writer.ref(Ref("y", None, Index("k", 0)))
        sign = "\\sum_k" if writer.style == "latex" else "Σ_k"
        made.append((f"{a} {sign} {total} - {y}", False))
    dense = z.layer == Index(None, net.depth) and net.activations[-1].dense
    if dense and single and net.cost.endswith("squared_error"):
        made.append((_dense_delta(trial, z, 2 if net.cost == "squared_error" else 1), False))
    return made + [(delta, False) for delta in _hidden(trial, z, slope, times)]


def _dense_delta(trial: Trial, z: Ref, factor: int) -> str:
    """Returns delta of a softmax under squares: every output's error comes back."""
    writer, latex = trial.writer, trial.writer.style == "latex"
    letter = next(letter for letter in "kmnpq" if z.to is None or letter != z.to.letter)
    output, target = (
        writer.ref(Ref(kind, layer, Index(letter, 0))) for kind, layer in (("a", z.layer), ("y", None))
    )
    both = (
        f"{z.to.letter or z.to.offset + writer.notation.record.neurons_from}{letter}"
        if z.to is not None
        else letter
    )
    kronecker = f"\\delta_{{{both}}}" if latex else f"δ_{{{both}}}"
    sign = f"\\sum_{letter}" if latex else f"Σ_{letter}"
    own = writer.ref(z._replace(kind="a"))
    number = "2 " if factor == 2 else ""
    return f"{sign} {number}({output} - {target}) {output} ({kronecker} - {own})"


def _hidden(trial: Trial, z: Ref, slope: str, times: str) -> list[str]:
    """Returns delta of a hidden layer: what comes back over all weights, times the slope."""
    if z.layer is None:
        return []
    above = z.layer._replace(offset=z.layer.offset + 1)
    writer, latex = trial.writer, trial.writer.style == "latex"
    if z.array:
        weights, delta = (writer.ref(Ref(kind, above, array=True)) for kind in ("w", "delta"))
        turned = trial.setting.vocabulary.notation.weight_orientation == "to-from"
        raised = f"({weights})^T" if latex else f"{weights}.T"
        return [f"({raised if turned else weights} {delta}){times}{slope}"]
    used = {index.letter for index in (z.layer, z.to) if index is not None}
    letter = next(letter for letter in "kmnpq" if letter not in used)
    weight = writer.ref(Ref("w", above, Index(letter, 0), z.to))
    delta = writer.ref(Ref("delta", above, Index(letter, 0)))
    sign = f"\\sum_{letter}" if latex else f"Σ_{letter}"
    return [f"{slope} {sign} {weight}{writer.times()}{delta}"]


def _target(trial: Trial) -> Ref | None:
    """Returns what the total is derived by on the left side; delta counts as its derivative by z."""
    node = stands_for(trial.pair.left)
    if isinstance(node, Derivative):
        of, by = stands_for(node.of), stands_for(node.by)
        if not isinstance(of, Symbol) or not isinstance(by, Symbol):
            return None
        first, second = of.meanings[0], by.meanings[0]
        if isinstance(first, Ref) and first.kind == "total" and isinstance(second, Ref):
            return second
        return None
    if isinstance(node, Symbol) and isinstance(node.meanings[0], Ref):
        ref = node.meanings[0]
        if ref.derived:
            return ref._replace(derived=False)
        if ref.kind == "delta":
            return ref._replace(kind="z", sign=1)
    return None
