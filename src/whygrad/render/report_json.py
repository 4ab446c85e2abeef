"""Reports as JSON: dictionaries, lists, texts and numbers; what isn't known or isn't finite is null."""

from typing import Any

import numpy as np

from whygrad.report.record import Numbers, Part, Report


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _numbers(values: Any) -> list[Any]:
    return [_numbers(row) if np.ndim(row) else _number(row) for row in values]


def _part(part: Part, costs: tuple[str, ...]) -> dict[str, Any]:
    numbers: Numbers = part.numbers
    return {
        "name": part.name,
        "kind": "module" if part.shape is None else "parameter",
        "shape": None if part.shape is None else list(part.shape),
        "entries": numbers.entries,
        "reached": {cost: bool(known) for cost, known in zip(costs, numbers.reached, strict=True)},
        "norms": dict(zip(costs, _numbers(numbers.norms), strict=True)),
        "shares": dict(zip(costs, _numbers(numbers.shares), strict=True)),
        "shares_of_squares": dict(zip(costs, _numbers(numbers.shares_of_squares), strict=True)),
        "cosines": _numbers(numbers.cosines),
        "cosines_with_sum": dict(zip(costs, _numbers(numbers.along), strict=True)),
        "cancellation": dict(zip(costs, _numbers(numbers.cancellation), strict=True)),
        "entropy": dict(zip(costs, _numbers(numbers.entropy), strict=True)),
        "parts": [_part(inner, costs) for inner in part.parts],
    }


def report_json(report: Report) -> dict[str, Any]:
    """Returns a report as what JSON can hold."""
    costs = tuple(report.costs)
    split = report.spectrum
    return {
        "version": 1,
        "costs": {name: _number(value) for name, value in report.costs.items()},
        "findings": [
            {
                "kind": finding.kind,
                "problem": finding.problem,
                "says": finding.says,
                "tries": list(finding.tries),
                "names": list(finding.names),
                "costs": list(finding.costs),
            }
            for finding in report.findings
        ],
        "model": _part(report.model, costs),
        "depth": [
            {"layer": layer.name, "norms": dict(zip(costs, _numbers(layer.norms), strict=True))}
            for layer in report.layers
        ],
        "activations": [dict(units._asdict()) for units in report.units],
        "frozen": list(report.frozen),
        "stops": list(report.stops),
        "spectrum": None
        if split is None
        else {
            "blocks": list(split.blocks),
            "parts": {name: _numbers(part) for name, part in split.parts.items()},
            "norms": {name: _numbers(whole) for name, whole in split.whole.items()},
        },
    }
