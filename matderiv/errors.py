"""Every error a user can meet.

One tree: `MatderivError` with a message, the place in the source, and a hint.  A hint
is text the user can follow as it stands; where none can be computed there is none.

    MatderivError
    ├── ParseError            the text is no sentence of the language, or is one in two ways
    ├── NameResolutionError   a name is unknown, or means two things
    ├── ShapeError            kinds or sizes do not fit
    ├── DomainError           a value outside the domain of an operation
    ├── UnsupportedError      meaningful, but not something the engine does
    └── LimitError            longer, or more work, than one call may take

>>> print(ShapeError("x has 2 axes", span=(4, 5), source="1 + x", hint="sum(x)"))
ShapeError: x has 2 axes
  1 + x
      ^
  try: sum(x)
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

__all__ = [
    "DomainError",
    "LimitError",
    "MatderivError",
    "NameResolutionError",
    "ParseError",
    "ShapeError",
    "UnsupportedError",
    "one_of",
]

_WIDTH = 100


class MatderivError(Exception):
    """What is wrong, where (`span`, offsets into `source`) and what to write instead."""

    def __init__(
        self,
        message: str,
        *,
        span: tuple[int, int] | None = None,
        hint: str | None = None,
        source: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.hint = hint
        self.source = source

    def __str__(self) -> str:
        lines = [f"{type(self).__name__}: {self.message}"]
        if self.span is not None and self.source is not None:
            lines += _excerpt(self.source, *self.span)
        if self.hint:
            lines.append(f"  try: {self.hint}")
        return "\n".join(lines)


class ParseError(MatderivError, ValueError):
    """The text is no sentence of the language, or is one in two ways.

    What a reader could take in two ways is refused with both readings, never guessed.

        broken  matderiv diff "tr A B" wrt A
        fixed   matderiv diff "tr(A B)" wrt A
    """


class NameResolutionError(MatderivError, ValueError):
    """A name is unknown, or stands for two things.

    A run of letters is a declared name, else a product of names of one letter each.

        broken  matderiv diff "||X w - y||^2" wrt v
        fixed   matderiv diff "||X w - y||^2" wrt w
    """


class ShapeError(MatderivError, ValueError):
    """Kinds or sizes do not fit together.

    The message has the shapes on both sides.  Lower-case names are columns, upper-case
    ones matrices, unless a declaration says otherwise.

        broken  matderiv diff "x y" wrt x
        fixed   matderiv diff "x' y" wrt x
    """


class DomainError(MatderivError, ValueError):
    """A value lies outside the domain of an operation.

    A derivative is checked at random points, with entries of several sizes and signs;
    where the formula has a real value at none of them, nothing can be checked or shown.

        broken  matderiv diff "log(-1 - x' x)" wrt x
        fixed   matderiv diff "log(1 + x' x)" wrt x
    """


class UnsupportedError(MatderivError, NotImplementedError):
    """The text is meaningful, but the engine does not do this.

    The message says what it does instead, where there is something.

        broken  matderiv diff "A x" wrt x --form hvp
        fixed   matderiv diff "A x" wrt x --form jvp
    """


class LimitError(MatderivError, RuntimeError):
    """A text is longer, or its work takes more time, than one call may have.

    Every call has 8 seconds of processor time and may read 1,000,000 characters; both
    are options (`--seconds`, `md.limits`).

        broken  matderiv diff "det(X)^64" wrt X --order 3 --seconds 0.001
        fixed   matderiv diff "det(X)^64" wrt X --seconds 60
    """


def one_of(value: object, options: Sequence[str], what: str) -> str:
    """The value, if it is one of the options.

    >>> one_of("down", ("up", "forward"), "mode")
    Traceback (most recent call last):
    matderiv.errors.UnsupportedError: UnsupportedError: there is no mode 'down'; ...
    """
    if isinstance(value, str) and value in options:
        return value
    known = (
        f"the {what}s are {', '.join(options)}" if len(options) > 1 else f"{options[0]} is there"
    )
    raise UnsupportedError(f"there is no {what} {_short(value)}; {known}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _excerpt(source: str, start: int, end: int) -> list[str]:
    """The line of a span with carets under it; long lines are cut around the place."""
    start = min(max(start, 0), len(source))
    first = source.rfind("\n", 0, start) + 1
    last = source.find("\n", start)
    last = len(source) if last < 0 else last
    end = min(max(end, start + 1), max(last, start + 1))
    left, right = first, last
    if last - first > _WIDTH:
        left = max(first, start - _WIDTH // 2)
        right = min(last, left + _WIDTH)
    before = ("… " if left > first else "") + _visible(source[left:start])
    after = _visible(source[start:right]) + (" …" if right < last else "")
    carets = "^" * max(1, _columns(_visible(source[start : min(end, right)])))
    return [f"  {before}{after}".rstrip(), f"  {' ' * _columns(before)}{carets}"]


def _visible(text: str) -> str:
    """The text with every control character as one space."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in text)


def _columns(text: str) -> int:
    """The columns a terminal gives to a text: wide letters take 2, combining marks 0."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
