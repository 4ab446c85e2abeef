"""Derivations as JSON: dictionaries, lists, texts and numbers."""

from typing import Any

from whygrad.derive.derivation import Derivation, Words
from whygrad.derive.spelling import Math
from whygrad.listing import Paths


def plain(words: Words) -> str:
    """Returns words as plain text.

    Example:
        >>> plain(("the cost ", Math("C^0", "C⁰", "C^0")))
        'the cost C^0'
    """
    return "".join(piece.ascii if isinstance(piece, Math) else piece for piece in words)


def derivation_json(derivation: Derivation) -> dict[str, Any]:
    """Returns a derivation with the keys that DESIGN.md fixes, and what else there is."""
    table = derivation.paths
    return {
        "version": 1,
        "network": derivation.network,
        "notation": derivation.notation,
        "quantity": derivation.quantity,
        "of": derivation.of,
        "heading": derivation.heading.latex,
        "value": derivation.value,
        "costs": dict(derivation.costs),
        "cost_reasons": {name: plain(words) for name, words in derivation.cost_reasons.items()},
        "words": [plain(words) for words in derivation.words],
        "paths": [
            {
                "quantities": list(row.quantities),
                "cost": row.cost,
                "contribution": row.contribution,
                "share": row.share,
                "example": row.example,
                "factors": [{"latex": math.latex, "value": value} for math, value in row.factors],
            }
            for row in table.rows
        ],
        "path_count": table.count,
        "live_path_count": table.live,
        "path_sum": table.sum,
        "path_total": table.total,
        "others": {"count": table.others, "contribution": table.others_sum if table.others else 0.0},
        "finite_difference": derivation.finite_difference,
        "steps": [
            {
                "title": step.title,
                "latex": line.math.latex,
                "value": line.value,
                "says": plain(step.says),
            }
            for step in derivation.steps
            for line in step.lines
        ],
        "groups": [
            [{"neuron": name.ascii, "paths": many, "contribution": value} for name, many, value in group.rows]
            for group in derivation.groups
        ],
        "layers": [
            {
                "latex": line.math.latex,
                "values": [list(row) for row in line.result.values] if line.result else None,
                "marked": list(line.result.marked) if line.result and line.result.marked else None,
            }
            for line in derivation.layerwise
        ],
        "examples": [{"example": example, "contribution": value} for example, value in derivation.examples],
        "notes": [plain(words) for words in derivation.notes],
    }


def paths_json(paths: Paths) -> dict[str, Any]:
    """Returns a list of the strongest paths with the sums over all paths."""
    return {
        "version": 1,
        "paths": [{"quantities": list(path.quantities), "contribution": path.contribution} for path in paths],
        "shares": [float(share) for share in paths.shares],
        "path_count": paths.count,
        "live_path_count": paths.live,
        "path_sum": paths.sum,
        "path_total": paths.total,
    }
