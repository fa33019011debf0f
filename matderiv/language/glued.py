"""What a copy from a page leaves of raised and lowered marks: digits that touch what they stood at.

‖X w - y‖22 was ‖X w - y‖₂², (x - m)2 was (x - m)², x⊤A−1x was x⊤ A⁻¹ x.  Read as products
and differences they would be other formulas, so they are refused with both readings.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from matderiv.errors import ParseError
from matderiv.language.tokens import Token, span_of

__all__ = ["refuse_glued"]

_CLOSED = {
    "RPAR": "(…)",
    "RSQB": "[…]",
    "RANGLE": "<…>",
    "CLOSENORM": "||…||",
    "CLOSEABS": "|…|",
}
_ENDS = frozenset({*_CLOSED, "NAME", "TRANSPOSE", "SUFFIX"})
_STARTS = frozenset({"NAME", "CALL", "FUNCTION", "LPAR", "OPENNORM", "OPENABS"})


def refuse_glued(tokens: Sequence[Token]) -> None:
    """Raise a ParseError at a number glued to what it may have been raised or lowered from."""
    for before, number in pairwise(tokens):
        closed = _CLOSED.get(before.type)
        if number.type == "NUMBER" and closed and _touch(before, number):
            power = f"{closed}^{number}"
            if before.type == "CLOSENORM":
                squared = number[0] + "^" + number[1:]
                power = f"{closed}_{squared}" if len(number) == 2 else f"{closed}_{number}, {power}"
            raise ParseError(
                f"{number} directly after a bracket or bar has several readings: "
                f"{power} and {number} {closed}",
                span=span_of(number),
            )
    for before, minus, one, after in zip(tokens, tokens[1:], tokens[2:], tokens[3:], strict=False):
        glued = _touch(before, minus) and _touch(minus, one) and _touch(one, after)
        kinds = before.type in _ENDS, minus.type == "MINUS", one == "1", after.type in _STARTS
        if glued and all(kinds):
            raise ParseError(
                "-1 between two factors has two readings: the inverse ^-1 of the first, and a "
                "difference, which is written without the 1",
                span=(span_of(minus)[0], span_of(one)[1]),
            )


def _touch(one: Token, other: Token) -> bool:
    return span_of(one)[1] == span_of(other)[0]
