"""Reads an equation's text: scanner, then the grammar in `equation.lark`, then a syntax tree."""

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from whygrad.equation.conditions import Condition
from whygrad.equation.scanner import Scanner
from whygrad.equation.tokens import Token
from whygrad.equation.tree import (
    BigSum,
    Bound,
    Call,
    Chain,
    Derivative,
    Dots,
    Fraction,
    Function,
    Index,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Ref,
    Span,
    Sum,
    Symbol,
    Transposed,
    Updated,
    replaced,
    walk,
)
from whygrad.equation.vocabulary import Vocabulary
from whygrad.errors import EquationError

if TYPE_CHECKING:
    from lark import Lark

# What a token is called in a message.
_SAYS = {
    "NUMBER": "a number", "NAME": "a quantity", "LPAR": "(", "RPAR": ")", "RBRACE": "}", "DIFF": "∂",
    "REL": "an equals sign",
    "PLUS": "+", "MINUS": "-", "MUL": "a product", "SLASH": "/", "FRAC": "a fraction", "SUM": "Σ", "COMMA": "a comma",
    "$END": "the end", "CALL": "a function", "POW": "a power", "NEXT": "a new line",
}  # fmt: skip


@cache
def _parser() -> "Lark":
    from lark import Lark
    from lark.lexer import Lexer
    from lark.lexer import Token as LarkToken

    class Ready(Lexer):
        """Hands over tokens that were cut before."""

        def __init__(self, lexer_conf: Any) -> None:
            pass

        def lex(self, data: Any) -> Iterable[LarkToken]:  # type: ignore[override]  # no text any more
            for place, token in enumerate(data):
                yield LarkToken(token.type, token, start_pos=place)

    grammar = (files("whygrad.equation") / "equation.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer=Ready, start=["start", "alone"])


def read_chains(text: str, vocabulary: Vocabulary) -> list[Chain]:
    """Returns the chains of equalities in a text.

    Raises:
        EquationError: The text can't be read; a caret points at the place.
    """
    made: list[Chain] = _read(text, vocabulary, "start")
    return made


def read_side(text: str, vocabulary: Vocabulary) -> Node:
    """Returns the tree of one side of an equation.

    Raises:
        EquationError: The text can't be read; a caret points at the place.
    """
    made: Node = _read(text, vocabulary, "alone")
    return made


def _read(text: str, vocabulary: Vocabulary, start: str) -> Any:
    from lark.exceptions import UnexpectedToken

    tokens, conditions = _joined(Scanner(text, vocabulary).scan())
    if not tokens:
        raise EquationError("an equation was expected; there is nothing", text, 0)
    if start == "start" and not any(token.type == "REL" for token in tokens):
        raise EquationError("an equals sign was expected; there is none", text, len(text.rstrip()))
    try:
        tree = _parser().parse(tokens, start=start)
    except UnexpectedToken as error:
        raise _unexpected(error, text) from None
    made = _Builder(text, vocabulary).made(tree)
    if start == "start":
        return [
            chain._replace(conditions=tuple(conditions.get(number, ()))) for number, chain in enumerate(made)
        ]
    return made


def _joined(tokens: list[Token]) -> tuple[list[Token], dict[int, list[Condition]]]:
    """Returns the tokens without line breaks that only part the lines of one equation, and each one's conditions."""
    made: list[Token] = []
    conditions: dict[int, list[Condition]] = {}
    opened = 0
    related = [token.type == "REL" for token in tokens]
    for place, token in enumerate(tokens):
        opened += (token.type in ("LPAR", "LBRACE")) - (token.type in ("RPAR", "RBRACE"))
        if token.type == "WHERE":
            number = sum(before.type == "NEXT" for before in made)
            conditions.setdefault(number, []).append(token.value)
            continue
        if token.type == "COMMA" and opened == 0 and any(related[:place]) and any(related[place:]):
            # A comma between two equations.
            token = token._replace(type="NEXT")
        if token.type == "NEXT":
            before = made[-1].type if made else "NEXT"
            after = next((later.type for later in tokens[place + 1 :] if later.type != "WHERE"), "NEXT")
            goes_on = ("REL", "PLUS", "MINUS", "MUL", "NEXT", "SLASH")
            if before in goes_on or after in goes_on or opened > 0:
                continue
        if token.type == "REL" and made and made[-1].type == "REL" and made[-1].value == "←":
            continue
        made.append(token)
    return made, conditions


def _unexpected(error: Any, text: str) -> EquationError:
    expected = [_SAYS[name] for name in sorted(error.accepts or error.expected) if name in _SAYS]
    wanted = ", ".join(dict.fromkeys(expected)) or "something else"
    if error.token.type == "$END":
        return EquationError(f"the equation ends where {wanted} was expected", text, len(text.rstrip()))
    token: Token = error.token.value
    if token.type == "RPAR":
        return EquationError("this bracket closes nothing, or nothing stands before it", text, token.start)
    if token.type == "DIFF":
        return EquationError(
            "this ∂ has no other half; expected a derivative such as ∂C/∂w", text, token.start
        )
    return EquationError(
        f"{text[token.start : token.end]!r} can't stand here; expected {wanted}", text, token.start
    )


class _Builder:
    """Makes the syntax tree from Lark's."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self.text = text
        self.vocabulary = vocabulary

    def made(self, tree: Any) -> Any:
        method = getattr(self, "_" + tree.data)
        children: list[Any] = []
        for child in tree.children:
            if hasattr(child, "data"):
                children.append(self.made(child))
            else:
                children.append(child.value)
        return method(children)

    def _start(self, found: list[Any]) -> list[Chain]:
        return [item for item in found if isinstance(item, Chain)]

    def _alone(self, found: list[Any]) -> Node:
        node: Node = found[0]
        return node

    def _chain(self, found: list[Any]) -> Chain:
        sides = tuple(item for item in found if isinstance(item, Node))
        relations = tuple(item.value for item in found if isinstance(item, Token))
        return Chain(sides, relations)

    def _signs(self, found: list[Any]) -> tuple[bool, int]:
        return sum(token.type == "MINUS" for token in found) % 2 == 1, found[0].start

    def _sum(self, found: list[Any]) -> Node:
        terms: list[Node] = []
        minus: tuple[bool, int] | None = None
        for item in found:
            if isinstance(item, tuple) and not isinstance(item, Token):
                minus = item
                continue
            node: Node = item
            if minus is not None and minus[0]:
                node = Negative((minus[1], node.span[1]), node)
            terms.append(node)
            minus = None
        return terms[0] if len(terms) == 1 else Sum((terms[0].span[0], terms[-1].span[1]), tuple(terms))

    def _product(self, found: list[Any]) -> Node:
        factors, signs = found[0] if isinstance(found[0], tuple) else ([found[0]], [])
        factors, signs = list(factors), list(signs)
        if len(found) > 1:
            signs.append(found[1] if len(found) == 3 else "")
            factors.append(found[-1])
        if len(factors) == 1:
            single: Node = factors[0]
            return single
        return Product((factors[0].span[0], factors[-1].span[1]), tuple(factors), tuple(signs))

    def _factors(self, found: list[Any]) -> tuple[list[Node], list[str]]:
        if len(found) == 1:
            return [found[0]], []
        factors, signs = found[0]
        return [*factors, found[-1]], [*signs, found[1] if len(found) == 3 else ""]

    def _signed(self, found: list[Any]) -> Node:
        node: Node = found[0]
        return node

    _factor = _argument = _signed

    def _negative(self, found: list[Any]) -> Node:
        return Negative((found[0].start, found[1].span[1]), found[1])

    def _operator(self, found: list[Any]) -> str:
        sign: str = found[0].value
        return sign

    def _bigsum(self, found: list[Any]) -> Node:
        below, above, at = found[0].value
        bounds = self.bounds(below, above, at)
        body: Node = found[1]
        for bound in bounds:
            body = _of_examples(body, bound.letter)
        return BigSum((found[0].start, found[1].span[1]), bounds, body)

    def bounds(self, below: str, above: str, at: int) -> tuple[Bound, ...]:
        """Returns the letters that a sum runs over, from what stands below and above its sign."""
        text = below.strip().strip("{}")
        if not text:
            return ()
        text = re.sub(r"\\(?:substack|mathrm|text|rm)\b|\\[,;!: ]", " ", text)
        unequal = re.fullmatch(r"\s*([A-Za-z]'*)\s*(?:\\neq?|≠|!=)\s*([A-Za-z0-9]'*)\s*", text)
        if unequal is not None:
            other = unequal.group(2)
            first = self.vocabulary.neurons_start()
            without = Index(None, int(other) - first) if other.isdigit() else Index(other, 0)
            return (Bound(unequal.group(1), without=without),)
        member = re.fullmatch(r"\s*([A-Za-z]'*)\s*(?:\\in\b|∈).*", text, re.S)
        if member is not None:
            return (Bound(member.group(1)),)
        if "=" in text:
            letter, _, lower = text.partition("=")
            letters = [self.letter(letter, at)]
            start, dots, end = re.sub(r"\\[lc]?dots|…|\.\.\.", "…", lower).partition("…")
            upper = end.strip(" ,") if dots else above
            lowest = self.bound(start.strip(" ,"), at)
            if lowest is None:
                raise EquationError(f"the number that {letters[0]} starts from was expected", self.text, at)
            return (Bound(letters[0], lowest, self.bound(upper, at)),)
        bounds = []
        for piece in re.split(r"[,\s]+", text.strip()):
            bounds += [
                Bound(letter)
                for letter in ([piece] if re.fullmatch(r"[A-Za-z]'*|\\?ell|ℓ", piece) else list(piece))
            ]
        return tuple(bound._replace(letter=self.letter(bound.letter, at)) for bound in bounds)

    def letter(self, text: str, at: int) -> str:
        """Returns a letter that a sum runs over."""
        bare = text.strip().strip("{}() ").removeprefix("\\").replace("ℓ", "ell")
        if not re.fullmatch(r"[A-Za-z]'*|ell", bare):
            raise EquationError(
                f"a letter that the sum runs over was expected, not {text.strip()!r}", self.text, at
            )
        return bare

    def bound(self, text: str, at: int) -> Node | None:
        """Returns a bound of a sum; None where it says no more than that all are meant (`K`)."""
        bare = text.strip()
        if not bare or re.fullmatch(
            r"[A-Za-z](?:\s*-\s*1)?|n_?\{?(?:out|in|outputs?)\}?|\\text\{\w+\}", bare
        ):
            return None
        if re.fullmatch(r"[0-9]{1,9}", bare):
            return Number((at, at), bare)
        size = re.fullmatch(r"(.+?)(?:\s*-\s*([0-9]{1,3}))?", bare)
        found = self.vocabulary.size(size.group(1)) if size else None
        if size is None or found is None:
            raise EquationError(
                f"{bare!r} is no bound that can be read; expected a number or a layer's size, such as n_L",
                self.text,
                at,
            )
        symbol = Symbol((at, at), size.group(1), (found,))
        if size.group(2) is None:
            return symbol
        return Sum((at, at), (symbol, Negative((at, at), Number((at, at), size.group(2)))))

    def _power(self, found: list[Any]) -> Node:
        return Power((found[0].span[0], found[-1].end), found[0], found[3])

    def _transposed(self, found: list[Any]) -> Node:
        return Transposed((found[0].span[0], found[1].end), found[0])

    def _updated(self, found: list[Any]) -> Node:
        return Updated((found[0].span[0], found[1].end), found[0])

    def _plain(self, found: list[Any]) -> Node:
        node: Node = found[0]
        return node

    def _method(self, found: list[Any]) -> Node:
        arguments, options = found[3] if len(found) > 4 else ((), ())
        return Call((found[0].span[0], found[-1].end), found[1].value, (found[0], *arguments), options)

    def _number(self, found: list[Any]) -> Node:
        return Number((found[0].start, found[0].end), found[0].value)

    def _name(self, found: list[Any]) -> Node:
        symbol: Symbol = found[0].value
        return symbol

    def _dots(self, found: list[Any]) -> Node:
        return Dots((found[0].start, found[0].end))

    def _group(self, found: list[Any]) -> Node:
        span: Span = (found[0].start, found[-1].end)
        return _moved(found[1], span)

    def _compared(self, found: list[Any]) -> Node:
        sides = (found[1], found[3]) if found[2].value == ">" else (found[3], found[1])
        return Call((found[0].start, found[-1].end), Function("greater"), sides)

    def _norm(self, found: list[Any]) -> Node:
        return Call((found[0].start, found[-1].end), Function("norm"), (found[1],))

    def _call(self, found: list[Any]) -> Node:
        arguments, options = found[2]
        return Call((found[0].start, found[-1].end), found[0].value, tuple(arguments), options)

    def _arguments(self, found: list[Any]) -> tuple[list[Node], tuple[str, ...]]:
        nodes = [item for item in found if isinstance(item, Node)]
        return nodes, tuple(item for item in found if isinstance(item, str))

    def _option(self, found: list[Any]) -> str:
        value: str = found[0].value
        return value

    def _bare(self, found: list[Any]) -> Node:
        return Call((found[0].start, found[1].span[1]), found[0].value, (found[1],))

    def _change(self, found: list[Any]) -> Node:
        return Updated((found[0].start, found[1].span[1]), found[1], True)

    def _derivative(self, found: list[Any]) -> Node:
        return Derivative((found[0].start, found[-1].span[1]), found[1], found[4])

    def _fraction(self, found: list[Any]) -> Node:
        return Fraction((found[0].start, found[0].end), found[2], found[5])

    def _fraction_derivative(self, found: list[Any]) -> Node:
        return Derivative((found[0].start, found[0].end), found[3], found[7])

    def _derived(self, found: list[Any]) -> Node:
        of, by, start = found[-1], found[6], found[0].start
        # ∂/∂w (…) x is the derivative of what stands in the brackets, times x.
        if isinstance(of, Product) and self.text[of.span[0]] == "(" and of.factors[0].span[0] == of.span[0]:
            first = Derivative((start, of.factors[0].span[1]), of.factors[0], by)
            return Product((start, of.span[1]), (first, *of.factors[1:]), of.signs)
        return Derivative((start, of.span[1]), of, by)

    def _gradient(self, found: list[Any]) -> Node:
        return Derivative((found[0].start, found[-1].span[1]), found[2], found[1])


def _of_examples(body: Node, letter: str) -> Node:
    """Returns what a sum adds up, with the cost `C_x` as that of example x where the sum is over x."""
    for part in walk(body):
        if not isinstance(part, Symbol) or not re.fullmatch(rf"\\?[A-Za-z]+_\{{?{letter}\}}?", part.text):
            continue
        ref = part.meanings[0]
        if isinstance(ref, Ref) and ref.kind in ("total", "C") and ref.example is None:
            cost = Ref("total", example=Index("(" + letter + ")", 0))
            body = replaced(body, part, Symbol(part.span, part.text, (cost,), part.tail))
    return body


def _moved(node: Node, span: Span) -> Node:
    """Returns a node whose span takes its brackets in."""
    from dataclasses import fields

    values = {field.name: getattr(node, field.name) for field in fields(node)}
    return type(node)(**(values | {"span": span}))
