"""Says in words how an equation was understood."""

from whygrad.equation.tree import BigSum, Chain, Derivative, Ref, Stands, Symbol, Updated, walk
from whygrad.equation.vocabulary import Vocabulary, quantity_of

MOST_NAMED = 8


def reads_as(chains: list[Chain], vocabulary: Vocabulary) -> str:
    """Returns what its names stand for, what its letters run over, and which derivatives are meant."""
    plain = vocabulary.plain.notation
    named: dict[str, str] = {}
    letters: dict[str, None] = {}
    summed: dict[str, None] = {}
    derivatives = steps = arrays = False
    for chain in chains:
        for side in chain.sides:
            for node in walk(side):
                derivatives |= isinstance(node, Derivative)
                steps |= isinstance(node, Updated)
                if isinstance(node, BigSum):
                    summed.update(dict.fromkeys(bound.letter for bound in node.bounds))
                if not isinstance(node, Symbol):
                    continue
                meaning = node.meanings[0]
                if isinstance(meaning, Ref):
                    indices = [
                        index for index in (meaning.layer, meaning.to, meaning.source) if index is not None
                    ]
                    letters.update(dict.fromkeys(i.letter for i in indices if i.letter and i.letter != "@"))
                    arrays |= meaning.array
                    if not meaning.array and not any(index.letter for index in indices):
                        name = plain.text(quantity_of(meaning, {}), vocabulary.layout)
                        if vocabulary.own(node.text):
                            named.setdefault(node.text, name)
                elif isinstance(meaning, Stands) and vocabulary.own(node.text):
                    written = vocabulary.own_names.get(node.text)
                    if written:
                        named.setdefault(node.text, vocabulary.notation.aliases.get(written, ""))
    parts = [f"{name} is {means}" for name, means in list(named.items())[:MOST_NAMED] if means]
    free = [letter for letter in letters if letter not in summed]
    if free:
        parts.append(f"{', '.join(sorted(free))}: for all values that exist")
    if arrays:
        rows = (
            "rows are where a weight goes to"
            if vocabulary.notation.weight_orientation == "to-from"
            else "rows are where a weight comes from"
        )
        examples = "examples stand in rows" if vocabulary.code else "examples stand in columns"
        parts.append(f"arrays of whole layers; {rows}, {examples}")
    if derivatives:
        parts.append("derivatives are over all paths")
    if steps:
        parts.append("a step takes away the rate times the derivative of the total")
    return "; ".join(parts)
