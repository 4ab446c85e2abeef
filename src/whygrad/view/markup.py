"""Markup as nested lists, so that the viewer makes elements of it and never reads text as markup."""

import xml.etree.ElementTree as ET
from typing import Any

_LEFT_OUT = ("style", "script")
_KEPT = (
    "class",
    "mathvariant",
    "display",
    "stretchy",
    "accent",
    "form",
    "width",
    "lspace",
    "rspace",
    "open",
    "tabindex",
)


def tree(markup: str) -> list[Any]:
    """Returns well-formed markup of our own as nested lists: tag, attributes, children (lists or texts).

    Styles and scripts are left out, and of the attributes only those that say how something looks are kept.

    Example:
        >>> tree('<p class="head">a &lt; b<style>p {}</style><br/></p>')
        ['p', {'class': 'head'}, ['a < b', ['br', {}, []]]]
    """
    return _nested(ET.fromstring(markup))


def _nested(element: ET.Element) -> list[Any]:
    children: list[Any] = [element.text] if element.text else []
    for child in element:
        if child.tag.rpartition("}")[2] not in _LEFT_OUT:
            children.append(_nested(child))
        if child.tail:
            children.append(child.tail)
    kept = {name: value for name, value in element.attrib.items() if name in _KEPT}
    return [element.tag.rpartition("}")[2], kept, children]
