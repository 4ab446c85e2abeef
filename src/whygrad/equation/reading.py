"""Says in words how an equation was understood."""

from whygrad.equation.tree import BigSum, Chain, Derivative, Ref, Stands, Symbol, Updated, walk
from whygrad.equation.vocabulary import Vocabulary, quantity_of

MOST_NAMED = 8


def reads_as(chains: list[Chain], vocabulary: Vocabulary) -> str:
    """Returns what its names stand for, what its letters run over, and which derivatives are meant."""
    nodes = [node for chain in chains for side in chain.sides for node in walk(side)]
    symbols = [node for node in nodes if isinstance(node, Symbol)]
    refs = [node.meanings[0] for node in symbols if isinstance(node.meanings[0], Ref)]
    parts = [f"{name} is {means}" for name, means in _named(symbols, vocabulary).items() if means]
    summed = {bound.letter for node in nodes if isinstance(node, BigSum) for bound in node.bounds}
    free = {index.letter for ref in refs for index in ref.indices if index.letter} - summed - {"@"}
    if free:
        parts.append(f"{', '.join(sorted(free))}: for all values that exist")
    if any(ref.array for ref in refs):
        rows = (
            "rows are where a weight goes to"
            if vocabulary.notation.weight_orientation == "to-from"
            else "rows are where a weight comes from"
        )
        examples = "examples stand in rows" if vocabulary.code else "examples stand in columns"
        parts.append(f"arrays of whole layers; {rows}, {examples}")
    if any(isinstance(node, Derivative) for node in nodes):
        parts.append("derivatives are over all paths")
    if any(isinstance(node, Updated) for node in nodes):
        parts.append("a step takes away the rate times the derivative of the total")
    return "; ".join(parts)


def _named(symbols: list[Symbol], vocabulary: Vocabulary) -> dict[str, str]:
    """Returns the first of a person's own names, and what each stands for."""
    plain = vocabulary.plain.notation
    found: dict[str, str] = {}
    for node in symbols:
        meaning = node.meanings[0]
        if not vocabulary.own(node.text):
            continue
        if isinstance(meaning, Ref) and not meaning.array and not meaning.lettered:
            found.setdefault(node.text, plain.text(quantity_of(meaning, {}), vocabulary.layout))
        elif isinstance(meaning, Stands):
            written = vocabulary.own_names.get(node.text)
            if written:
                found.setdefault(node.text, vocabulary.notation.aliases.get(written, ""))
    return dict(list(found.items())[:MOST_NAMED])
