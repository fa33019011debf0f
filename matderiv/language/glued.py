"""What touches what it stands at, and may have been an index, a power or an argument there.

‖X w - y‖22 was ‖X w - y‖₂², ‖X‖F was ‖X‖_F, (x - m)2 was (x - m)², x⊤A−1x was x⊤ A⁻¹ x:
what a copy from a page leaves of raised and lowered marks.  In MATLAB, x(1) is an entry; in
a book, f'(x) is a derivative.  Read as products and differences they would be other
formulas, so they are refused with both readings.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, starmap

from matderiv.errors import ParseError
from matderiv.language.symbols import Symbols
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


def refuse_glued(tokens: Sequence[Token], symbols: Symbols) -> None:
    """Raise a ParseError at what may have been raised, lowered, an index or an argument."""
    for before, token in pairwise(tokens):
        if not _touch(before, token):
            continue
        closed = _CLOSED.get(before.type)
        if token.type == "NUMBER" and closed:
            power = f"{closed}^{token}"
            if before.type == "CLOSENORM":
                squared = token[0] + "^" + token[1:]
                power = f"{closed}_{squared}" if len(token) == 2 else f"{closed}_{token}, {power}"
            raise ParseError(
                f"{token} directly after a bracket or bar has several readings: "
                f"{power} and {token} {closed}",
                span=span_of(token),
            )
        lowered = before.type == "CLOSENORM" and token.type == "NAME" and token in ("F", "p")
        if lowered and not symbols.is_variable(token):
            raise ParseError(
                f"{token} directly after a norm has two readings: the norm ||…||_{token}, and a "
                f"product, ||…|| {token}",
                span=span_of(token),
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
    for start, token in enumerate(tokens):
        window = tokens[start : start + 5]
        if token.type == "NAME" and len(window) > 3 and all(starmap(_touch, pairwise(window[:3]))):
            _refuse_argument(window, symbols)


def _refuse_argument(tokens: Sequence[Token], symbols: Symbols) -> None:
    """x(1), X(1, 2), and f'(x) of an undeclared f."""
    name, after, inside, *rest = tokens
    if after == "(" and inside.isdigit() and rest and rest[0].type in ("RPAR", "COMMA"):
        raise ParseError(
            f"a number in brackets directly after {name} has two readings: an entry, written with "
            f"[ ] and counted from 0, and a factor, written {inside} {name}",
            span=span_of(after),
        )
    kinds = [token.type for token in (after, inside, *rest)]
    primed = kinds == ["TRANSPOSE", "LPAR", "NAME", "RPAR"] and after == "'"
    if primed and not symbols.is_variable(name):
        raise ParseError(
            f"{name}'({rest[0]}) has two readings: the derivative of a function, which is "
            f"declared, {name}: elementwise, and the product {name}' {rest[0]}",
            span=(span_of(name)[0], span_of(after)[1]),
        )


def _touch(one: Token, other: Token) -> bool:
    return span_of(one)[1] == span_of(other)[0]
