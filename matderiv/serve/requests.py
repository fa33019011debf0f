"""What the page may ask, read from JSON and checked field by field; and how it hears of faults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from matderiv.calculus.layout import LAYOUTS
from matderiv.errors import MatderivError

__all__ = ["FORMS", "MAX_ORDER", "Request", "error_part"]

FORMS = ("formula", "differential", "vjp", "hvp", "vec", "index")
MAX_ORDER = 6
_NAMES = 50


@dataclass(frozen=True)
class Request:
    """A formula and how to see it.

    then  the second variable of a mixed derivative of order 2, or none
    at    numbers for the names of sizes

    >>> Request.read({"source": "x' x", "wrt": ["x"]}).layout
    'mixed'
    """

    source: str
    wrt: tuple[str, ...] = ()
    then: str | None = None
    order: int = 1
    layout: str = "mixed"
    form: str = "formula"
    structured: bool = False
    at: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, data: Any) -> Request:
        """Raises MatderivError for a field that is unknown or of the wrong kind."""
        if not isinstance(data, Mapping) or "source" not in data:
            raise MatderivError("a request is an object with a source")
        for name, value in data.items():
            if name not in _FIELDS or not _FIELDS[name](value):
                raise MatderivError(f"a request has no field {name!r} with this value")
        return cls(**{**data, "wrt": tuple(data.get("wrt", ()))})


def error_part(error: Exception, of: str = "derivative") -> dict[str, Any]:
    """An error as a part of an answer, `of` another part that it takes the place of."""
    if isinstance(error, MatderivError):
        message, hint, span = error.message, error.hint, error.span
    elif isinstance(error, MemoryError):
        message, hint, span = "this takes more memory than there is", None, None
    else:
        message, hint, span = f"internal fault, {type(error).__name__}: {error}", None, None
    kind = type(error).__name__
    found = {"name": kind, "message": message, "hint": hint, "span": span and list(span)}
    return {"part": "error", "of": of, **found}


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) < 200


_FIELDS: dict[str, Callable[[Any], bool]] = {
    "source": lambda v: isinstance(v, str),
    "wrt": lambda v: isinstance(v, list) and len(v) <= _NAMES and all(map(_is_name, v)),
    "then": lambda v: v is None or _is_name(v),
    "order": lambda v: type(v) is int and 1 <= v <= MAX_ORDER,
    "layout": lambda v: v in LAYOUTS,
    "form": lambda v: v in FORMS,
    "structured": lambda v: isinstance(v, bool),
    "at": lambda v: (
        isinstance(v, Mapping)
        and len(v) <= _NAMES
        and all(type(n) is int and 0 < n < 10**9 for n in v.values())
    ),
}
