"""Operations of single entries: whatever our table knows under PyTorch's name."""

from typing import Any

import array_api_compat.torch as xp
from torch import Tensor

from whygrad.ops import Op
from whygrad.structures import Elementwise
from whygrad.torch_recorder.rules.entry import OPS, apply, first
from whygrad.torch_recorder.rules.losses import joined
from whygrad.torch_recorder.tracer import Call, Rule


def _matched(call: Call, op: Op, spelled: Any) -> tuple[list[Any], dict[str, Any], int] | None:
    """Returns the operands, the settings and how a loss is joined, where a call is this operation."""
    values: list[Any] = []
    settings: dict[str, Any] = {}
    reduction, missing = 0, len(spelled.settings)
    for name, value in call.given.items():
        if len(values) < len(op.arguments):
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if name in spelled.settings or not (number or isinstance(value, Tensor)):
                return None
            values.append(value)
        elif name in spelled.settings:
            if isinstance(value, (Tensor, list)):
                return None
            if value is not None:
                settings[spelled.settings[name]] = value
            missing -= 1
        elif name in spelled.fixed:
            if value != spelled.fixed[name]:
                return None
        elif name == "reduction":
            reduction = value
        elif isinstance(value, Tensor) or value != call.default(name):
            return None
    return None if missing else (values, settings, reduction)


def _one_of(candidates: list[tuple[Op, Any]]) -> Rule:
    def rule(call: Call) -> Any:
        for op, spelled in candidates:
            found = _matched(call, op, spelled)
            if found is None:
                continue
            values, settings, reduction = found
            if not reduction:
                return apply(call, op, values, settings)
            out = first(call.out)
            nodes = [call.ledger.input(value, out) for value in values]
            whole = tuple(call.ledger.recording.nodes[node].value for node in nodes)
            value = op.structure.value(whole, dict(op.settings) | settings, xp)
            node = call.ledger.apply(call.name, op, nodes, settings, value)
            return joined(call, node, reduction)
        return NotImplemented

    return rule


def _is_flat(op: Op) -> bool:
    """Returns whether no entry of the result depends on one of an operand, but for steps (rounding, signs)."""
    assert isinstance(op.structure, Elementwise)
    return all(partial == "0" for partial in op.structure.partials.values())


def _divided(plain: Rule) -> Rule:
    return lambda call: _steps(call) if call.given.get("rounding_mode") else plain(call)


def _steps(call: Call) -> Any:
    return None  # a constant, through which no path goes


def by_their_names() -> dict[str, Rule]:
    """Returns a rule for every elementwise operation that our table has under PyTorch's name."""
    named: dict[str, list[tuple[Op, Any]]] = {}
    for op in OPS.values():
        if isinstance(op.structure, Elementwise):
            for spelled in op.in_torch():
                named.setdefault(spelled.name, []).append((op, spelled))
    named["log_sigmoid_forward"] = named["logsigmoid"]  # which returns what its derivative needs beside it
    for candidates in named.values():
        # x^2 rather than x to a constant array's entries; a + b rather than a + 1*b
        candidates.sort(key=lambda pair: (len(pair[0].arguments), len(pair[1].settings)))
    rules = {name: _one_of(candidates) for name, candidates in named.items()}
    rules |= {name: _steps for name, candidates in named.items() if all(_is_flat(op) for op, _ in candidates)}
    rules["div"] = _divided(rules["div"])
    return rules | {f"prims.{name}": made for name, made in rules.items()}
