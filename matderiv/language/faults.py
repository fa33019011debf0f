"""A parser's refusal in the words of the language.

Brackets and bars pair already when the parser runs, so it meets two faults only: an
operand is missing, or something stands where an operand just ended.
"""

from __future__ import annotations

import re

from lark.exceptions import UnexpectedToken

from matderiv.errors import ParseError
from matderiv.language.tokens import Token, span_of
from matderiv.tensor.elementwise import ELEMENTWISE

__all__ = ["explain"]

_OPERATORS = frozenset(("PLUS", "MINUS", "MULTIPLY", "HADAMARD", "POWER"))
_AFTER_OPERAND = _OPERATORS | {"TRANSPOSE", "INVERSE"}
_SIGNS = {"SEPARATOR": "the end of the line", "$END": "the end", "INVERSE": "^-1"}


def explain(error: UnexpectedToken, tokens: list[Token], source: str) -> ParseError:
    """The error to show for the parser's refusal of a list of made tokens."""
    token: Token = error.token
    position = next((k for k, known in enumerate(tokens) if known is token), len(tokens))
    if token.type == "$END":
        position = len(tokens)
    before = tokens[position - 1] if position else None
    raised = tokens[max(0, position - 3) : position]
    if [known.type for known in raised[:2]] == ["FUNCTION", "POWER"] and len(raised) == 3:
        message, span = _raised(raised[0], raised[2], source), span_of(raised[0])
    else:
        message, span = _fault(token, before, error, source)
    return ParseError(message, span=span, source=source)


def _fault(
    token: Token, before: Token | None, error: UnexpectedToken, source: str
) -> tuple[str, tuple[int, int]]:
    at_end = token.type in ("$END", "SEPARATOR", "WHERE")
    here = (
        (len(source.rstrip()), len(source.rstrip()) + 1)
        if token.type == "$END"
        else (span_of(token))
    )
    shown = _SIGNS.get(token.type) or f"'{_text(token, source)}'"
    if token.type == "LSQB":
        return "[ ] hold indices, directly after a name: X[0, :]; brackets that group are ( )", here
    if before is None and token.type == "WHERE":
        return "an expression is missing before 'where'", here
    if before is None:
        return f"an operand is missing before {shown}", here
    after = span_of(before)[1], span_of(before)[1] + 1
    sign = _text(before, source)
    if "PLUS" in error.accepts:  # there is no sign +, so an operand just ended
        if token.type == "COMMA" and re.fullmatch(r"\d,\d", source[here[0] - 1 : here[1] + 1]):
            return "a number has no comma: 0.5 is one half, 1000 a thousand", here
        if token.type == "COMMA":
            return "',' separates arguments in brackets, and declarations", here
        if token.type == "STRING":
            return "a quoted text is the first argument of einsum", here
        if token.type == "KEYWORD":
            return "options stand after the arguments: sum(X, axis=0)", here
        return f"{shown} cannot stand here", here
    if before.type == "EQUALS":
        return "'=' needs an expression on its right", after
    if before.type == "FUNCTION" and token.type == "INVERSE":
        return f"{sign}^-1 has two readings: a{sign}(…) and 1/{sign}(…)", here
    if before.type == "FUNCTION" and before in ELEMENTWISE and _text(token, source) in "'′":
        return (
            f"{sign}'(…) is read where {sign} is declared, {sign}: elementwise; the derivative of "
            f"the function {sign} is written out, 1 - tanh(x).^2 for tanh'(x)"
        ), span_of(before)
    if before.type == "FUNCTION":
        return f"{sign} is a function and needs an argument", span_of(before)
    if before.type == "POWER" and token.type == "PLUS":
        return "^+ is not read: write pinv(A) for the pseudoinverse", span_of(before)
    if before.type in _OPERATORS:
        if token.type in _AFTER_OPERAND and not at_end:
            return f"two operators in a row: '{sign}' and {shown}; an operand is missing", (
                span_of(before)
            )
        return f"an operand is missing after '{sign}'", after
    if before.type == "LSQB" or token.type == "RSQB" or "RSQB" in error.accepts:
        return "an index is an integer from 0, or a slice a:b", here
    if at_end:
        return f"an expression is missing after '{sign}'", after
    return f"an operand is missing before {shown}", here


def _raised(function: Token, exponent: Token, source: str) -> str:
    """exp^x, which is e^x or exp(x) and no power of a function."""
    name, above = _text(function, source), _text(exponent, source)
    exponential = f"e^{above} or " if function == "exp" else ""
    return (
        f"{name}^{above} is {name} to a power, of nothing: write {exponential}{name}({above}); "
        "sin^2 x is (sin x)^2"
    )


def _text(token: Token, source: str) -> str:
    return source[slice(*span_of(token))].strip() or str(token)
