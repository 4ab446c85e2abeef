"""The tokens of the grammar, and the tables of what is written for them."""

import re
from typing import Any, NamedTuple

LONGEST = 20_000
MOST_TOKENS = 4_000
DEEPEST = 40
LONGEST_NUMBER = 40


class Token(NamedTuple):
    """A token of the grammar: its type, what it stands for, and where it is."""

    type: str
    value: Any
    start: int
    end: int


COMMANDS: dict[str, tuple[str, str]] = {
    "cdot": ("MUL", "·"), "times": ("MUL", "×"), "ast": ("MUL", "*"), "star": ("MUL", "*"), "bullet": ("MUL", "⊙"),
    "odot": ("MUL", "⊙"), "circ": ("MUL", "⊙"), "otimes": ("MUL", "⊗"), "div": ("SLASH", "/"),
    "equiv": ("REL", "="), "approx": ("REL", "="), "simeq": ("REL", "="), "coloneqq": ("REL", ":="),
    "triangleq": ("REL", "="), "doteq": ("REL", "="),
    "leftarrow": ("REL", "←"), "gets": ("REL", "←"), "Leftarrow": ("REL", "←"), "longleftarrow": ("REL", "←"),
    "rightarrow": ("REL", "→"), "to": ("REL", "→"), "longrightarrow": ("REL", "→"), "mapsto": ("REL", "→"),
    "implies": ("NEXT", "⇒"), "Rightarrow": ("NEXT", "⇒"), "iff": ("NEXT", "⇒"), "Longrightarrow": ("NEXT", "⇒"),
    "Leftrightarrow": ("NEXT", "⇒"),
    "cdots": ("DOTS", "…"), "ldots": ("DOTS", "…"), "dots": ("DOTS", "…"), "dotsb": ("DOTS", "…"),
    "dotsc": ("DOTS", "…"), "dotsm": ("DOTS", "…"),
    "gt": ("COMPARE", ">"), "lt": ("COMPARE", "<"), "geq": ("COMPARE", ">"), "leq": ("COMPARE", "<"),
    "lbrace": ("LPAR", "("), "rbrace": ("RPAR", ")"), "lbrack": ("LPAR", "("), "rbrack": ("RPAR", ")"),
    "partial": ("DIFF", "∂"), "sum": ("SUM", "Σ"), "nabla": ("NABLA", "∇"), "prime": ("PRIME", "'"),
}  # fmt: skip
SIGNS: dict[str, tuple[str, str]] = {
    "+": ("PLUS", "+"), "-": ("MINUS", "-"), "−": ("MINUS", "-"), "–": ("MINUS", "-"), "*": ("MUL", "*"),
    "⋅": ("MUL", "·"),
    "·": ("MUL", "·"), "•": ("MUL", "⊙"), "×": ("MUL", "×"), "⊙": ("MUL", "⊙"), "∘": ("MUL", "⊙"), "⊗": ("MUL", "⊗"),
    "∗": ("MUL", "*"), "@": ("MUL", "@"), "/": ("SLASH", "/"), "÷": ("SLASH", "/"), "∕": ("SLASH", "/"),
    "=": ("REL", "="), "≡": ("REL", "="), "≈": ("REL", "="), "≔": ("REL", ":="), "←": ("REL", "←"), "→": ("REL", "→"),
    "⇒": ("NEXT", "⇒"), "⟹": ("NEXT", "⇒"), "⇔": ("NEXT", "⇒"),
    "(": ("LPAR", "("), ")": ("RPAR", ")"), "[": ("LPAR", "("), "]": ("RPAR", ")"),
    "∂": ("DIFF", "∂"), "𝜕": ("DIFF", "∂"), "Σ": ("SUM", "Σ"), "∑": ("SUM", "Σ"),
    ">": ("COMPARE", ">"), "<": ("COMPARE", "<"), "≥": ("COMPARE", ">"), "≤": ("COMPARE", "<"),
    "…": ("DOTS", "…"), "⋯": ("DOTS", "…"), ",": ("COMMA", ","), ";": ("COMMA", ","),
    "'": ("PRIME", "'"), "′": ("PRIME", "'"),
}  # fmt: skip
LONG_SIGNS = {":=": ("REL", ":="), "==": ("REL", "="), "<-": ("REL", "←"), "->": ("REL", "→"), "...": ("DOTS", "…"),
              "-=": ("REL", "-="), "+=": ("REL", "+="), ".*": ("MUL", "⊙"), "=>": ("NEXT", "⇒"),
              "\\{": ("LPAR", "("), "\\}": ("RPAR", ")")}  # fmt: skip
FRACTIONS = frozenset({"frac", "dfrac", "tfrac", "cfrac", "nicefrac", "sfrac"})
LOOKS = frozenset(
    {"mathbf", "mathrm", "mathit", "mathsf", "mathtt", "mathcal", "boldsymbol", "bm", "boxed", "operatorname", "text",
     "textbf", "textrm", "textit", "texttt", "underbrace", "overbrace", "underline", "overline", "mathop", "vec",
     "ensuremath", "fbox", "cancel", "mathclap"}
)  # fmt: skip
WORDS = frozenset(COMMANDS) - {"to"} | FRACTIONS | {"sqrt", "left", "right", "quad", "lVert", "rVert"}
"""Commands that are known without their backslash, even where letters follow."""

NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+(?![0-9.]))?")
OPTION = re.compile(
    r"(?:axis|dim)\s*=\s*-?[01]|(?:keepdims|keepdim)\s*=\s*(?:True|False)|min\s*=\s*0(?:\.0*)?"
)
DIFFERENTIAL = r"(?:\\(?:mathrm|text)\s*\{\s*d\s*\}|\\partial(?![A-Za-z])|partial|∂|𝜕|d)"

_ENVIRONMENTS = (
    "aligned|align|equation|gather|gathered|split|eqnarray|displaymath|math|multline|alignedat|flalign"
)
SKIPPED = re.compile(
    r"(?:[\s~$&\u200b\u2009\u00a0\u2062\u2061]+|\\[,;:!> ]|\\(?:quad|qquad|displaystyle|textstyle|limits|nolimits"
    r"|nonumber|notag|thinspace|therefore|because|hskip|hfill|noindent|middle|cal|bf|rm|it|left|right"
    r"|[bB]igg?[lrm]?)(?![A-Za-z])\.?|\\[\[\]()]|\\(?:mathopen|mathclose|mathrel)\s*\{\s*\}|[∴∵]"
    rf"|\\(?:begin|end)\{{(?:{_ENVIRONMENTS})\*?\}}(?:\[[tbc]\])?(?:\{{[0-9]+\}})?"
    r"|\\(?:label|tag\*?|color|vspace|hspace|phantom|vphantom|hphantom|ref|eqref|cite)\*?\{[^{}]*\})"
)
SAID = re.compile(r"\\(?:text|textrm|textit|mathrm|mbox|textnormal|rm)\s*\{([^{}$]*)\}")
"""Words that stand beside an equation."""
JOINS = frozenset(
    {"and", "so", "hence", "thus", "therefore", "then", "or", "also", "with", "implies", "i.e."}
)
"""Words between two equations."""
EXPLAINS = re.compile(r"(?:where|since|because|as|by|using|from|via|for|if|when|recall|note|see)\b", re.I)
"""Words that start an explanation, up to the end of the line."""
