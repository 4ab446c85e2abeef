"""The usual right sides of local derivatives and of forward equations: what a correction falls back on."""

from whygrad.equation.slips.common import ref_of
from whygrad.equation.tree import Derivative, Index, Ref
from whygrad.equation.trial import Trial
from whygrad.equation.vocabulary import stands_for

_COSTS = {
    "squared_error": "2 ({a} - {y})",
    "half_squared_error": "{a} - {y}",
    "absolute_error": "sign({a} - {y})",
    "cross_entropy": "-{y} / {a}",
    "binary_cross_entropy": "({a} - {y}) / ({a} (1 - {a}))",
}
_SLOPES = {"sigmoid": "{a} (1 - {a})", "tanh": "1 - {a} {a}", "identity": "1"}


def direct_forms(trial: Trial) -> list[str]:
    """Returns right sides for what is one step: a by z, a cost by an output, z, a; they still have to be judged."""
    left = stands_for(trial.pair.left)
    try:
        if isinstance(left, Derivative):
            of, by = ref_of(left.of), ref_of(left.by)
            return _local(trial, of, by) if of is not None and by is not None else []
        ref = ref_of(left)
        return _forward(trial, ref) if ref is not None and not ref.derived else []
    except (KeyError, ValueError):
        return []


def _local(trial: Trial, of: Ref, by: Ref) -> list[str]:
    net, writer = trial.setting.layered, trial.writer
    if of.kind in ("C", "total") and by.kind == "a":
        names = {"a": writer.ref(by), "y": writer.ref(Ref("y", None, by.to, array=by.array))}
        form = _COSTS.get(net.cost)
        return [form.format(**names)] if form is not None else []
    if of.kind == "a" and by.kind == "z" and of.layer == by.layer and of.to == by.to and of.layer is not None:
        lettered = of.layer.letter is not None
        names_ = (
            {a.name for a in net.activations} if lettered else {net.activations[of.layer.offset - 1].name}
        )
        made = [writer.slope(by)]
        if len(names_) == 1:
            made.insert(0, _SLOPES.get(next(iter(names_)), writer.slope(by)).format(a=writer.ref(of)))
        return made
    if of.kind == "z" and by.kind == "a" and not of.array and of.layer is not None:
        return [writer.ref(Ref("w", of.layer, of.to, by.to))]
    return []


def _forward(trial: Trial, ref: Ref) -> list[str]:
    if ref.kind not in ("z", "a") or ref.layer is None or ref.example is not None:
        return []
    net, writer = trial.setting.layered, trial.writer
    below = ref.layer._replace(offset=ref.layer.offset - 1)
    if below.letter is None and below.offset < 0:
        return []
    bias = f" + {writer.ref(Ref('b', ref.layer, ref.to, array=ref.array))}" if net.bias else ""
    if ref.array:
        weights, inputs = (
            writer.ref(Ref(kind, layer, array=True)) for kind, layer in (("w", ref.layer), ("a", below))
        )
        if trial.setting.vocabulary.code:
            turned = trial.setting.vocabulary.notation.weight_orientation == "to-from"
            weighted = f"{inputs}.dot({weights}{'.T' if turned else ''})"
        else:
            turned = trial.setting.vocabulary.notation.weight_orientation == "from-to"
            raised = writer.transposed(weights) if turned else weights
            weighted = f"{raised} {inputs}"
    else:
        used = {index.letter for index in (ref.layer, ref.to) if index is not None}
        letter = next(letter for letter in "kmnpq" if letter not in used)
        sign = f"\\sum_{letter}" if writer.style == "latex" else f"Σ_{letter}"
        names = (
            writer.ref(Ref("w", ref.layer, ref.to, Index(letter, 0))),
            writer.ref(Ref("a", below, Index(letter, 0))),
        )
        weighted = f"{sign} {names[0]}{writer.times()}{names[1]}"
    inner = weighted + bias
    if ref.kind == "z":
        return [inner]
    return [f"{writer.function(ref._replace(kind='z'))}({inner})"]
