"""What a viewer sends, read field by field: every field that can't be used is named, with what was expected."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from whygrad.errors import EquationError, WhygradError

SHOWN = 60
"""How many characters of what was found an error repeats."""


class RequestError(WhygradError, ValueError):
    """A request that can't be answered: the field, what was expected in it, what was found."""

    def __init__(self, where: str, message: str, position: int | None = None) -> None:
        self.where = where
        self.position = position
        super().__init__(message)


@contextmanager
def at(where: str) -> Iterator[None]:
    """Says in which field of a request an error of the library comes from.

    Example:
        >>> try:
        ...     with at("equation"):
        ...         raise EquationError("there is nothing to read", "", 0)
        ... except RequestError as error:
        ...     print(error.where, error.position)
        equation 0
    """
    try:
        yield
    except RequestError:
        raise
    except EquationError as error:
        raise RequestError(where, str(error), error.position) from None
    except WhygradError as error:
        raise RequestError(where, str(error)) from None


class Fields:
    """One JSON object of a request; a field that is null is a field that isn't there."""

    def __init__(self, given: Any, where: str, known: tuple[str, ...]) -> None:
        if not isinstance(given, Mapping):
            raise RequestError(where, f"{where}: expected an object, found {_shown(given)}")
        for key in given:
            if key not in known:
                raise RequestError(where, f"{where}: expected {', '.join(known)}, found {_shown(key)}")
        self.where = where
        self._given = {key: value for key, value in given.items() if value is not None}

    def __contains__(self, key: str) -> bool:
        return key in self._given

    def raw(self, key: str) -> Any:
        """Returns a field as it was sent; nothing where it isn't there."""
        return self._given.get(key)

    def wrong(self, key: str, expected: str) -> RequestError:
        """Returns the error for a field that isn't what was expected."""
        where = f"{self.where}.{key}"
        found = _shown(self._given[key]) if key in self._given else "nothing"
        return RequestError(where, f"{where}: expected {expected}, found {found}")

    def text(self, key: str, most: int = 200) -> str | None:
        """Returns a text of at most some characters; nothing where there is none."""
        found = self._given.get(key)
        if found is None:
            return None
        if not isinstance(found, str):
            raise self.wrong(key, "a text")
        if len(found) > most:
            where = f"{self.where}.{key}"
            raise RequestError(where, f"{where}: expected at most {most:,} characters, found {len(found):,}")
        return found

    def needed(self, key: str, most: int) -> str:
        """Returns a text that must be there."""
        found = self.text(key, most)
        if found is None or not found.strip():
            raise self.wrong(key, "a text")
        return found

    def number(self, key: str) -> float | None:
        """Returns a finite number; nothing where there is none."""
        found = self._given.get(key)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, (int, float)) or not math.isfinite(found):
            raise self.wrong(key, "a finite number")
        return float(found)

    def whole(self, key: str) -> int | None:
        """Returns a whole number; nothing where there is none."""
        found = self._given.get(key)
        if found is not None and (isinstance(found, bool) or not isinstance(found, int)):
            raise self.wrong(key, "a whole number")
        return found

    def name(self, key: str) -> str | int | None:
        """Returns the name of a quantity, or the number of a cost; nothing where there is none."""
        found = self._given.get(key)
        return self.whole(key) if isinstance(found, int) else self.text(key)


def _shown(found: Any) -> str:
    text = repr(found)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
