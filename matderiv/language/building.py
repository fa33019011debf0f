"""From the parser's reductions to syntax trees, bottom up and without state.

Each method is named for the rule (or alias) of the grammar that it builds, and gets
every token of it.  Nothing is judged here: refusals that need the source are made by
`refusals.py`, kinds and sizes by `inference.py`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from lark import Transformer

from matderiv.language.syntax import Span, Syntax
from matderiv.language.tokens import Token, span_of

__all__ = ["Build", "Declaration", "Index"]


class Declaration(NamedTuple):
    """`A, B: (n, 3) symmetric`: names with places; sizes None where only a kind is given."""

    names: tuple[tuple[str, Span], ...]
    kind: str
    sizes: tuple[str | int, ...] | None
    attributes: tuple[str, ...]


class Index(NamedTuple):
    """One index: an entry `start`, a slice `start:stop` (None: open), or a loop's name.

    The numbers are as typed; that they are integers is checked with the shapes.
    """

    kind: str
    start: int | Fraction | None
    stop: int | Fraction | None
    name: str
    span: Span


def _value(token: Token) -> int | Fraction:
    if token.isdigit() and len(token) < 400:
        return int(token)
    exact = Fraction(token) if len(token) < 400 else Fraction(float(token))
    return exact.numerator if exact.denominator == 1 else exact


class Build(Transformer):  # type: ignore[type-arg]
    """Makes a `Syntax` of each rule."""

    # ---- programs ----------------------------------------------------------------

    def start(self, children: list[Any]) -> Syntax:
        blocks = tuple(child for child in children if isinstance(child, Syntax))
        return Syntax("program", blocks, (0, 0))

    def block(self, children: list[Any]) -> Syntax:
        statements = tuple(child for child in children if isinstance(child, Syntax))
        return Syntax("block", statements, (statements[0].span[0], statements[-1].span[1]))

    def value(self, children: list[Any]) -> Syntax:
        return Syntax("value", (children[0],), children[0].span)

    def assignment(self, children: list[Any]) -> Syntax:
        target, _, expression = children
        start, end = span_of(target)
        return Syntax(
            "assignment", (expression,), (start, expression.span[1]), (start, end), str(target)
        )

    def definition(self, children: list[Any]) -> Syntax:
        target, _, parameter, _, _, expression, _, kind = children
        place = span_of(target)
        value = str(target), str(parameter)
        return Syntax("definition", (expression,), (place[0], span_of(kind)[1]), place, value)

    def repetition(self, children: list[Any]) -> Syntax:
        first, index, _, count, _, block, last = children
        span = span_of(first)[0], span_of(last)[1]
        size = int(count) if count.type == "INTEGER" else str(count)
        return Syntax("repetition", (block,), span, span_of(first), (str(index), size))

    # ---- declarations ------------------------------------------------------------

    def names(self, children: list[Any]) -> list[Token]:
        return [token for token in children if token.type == "DECLARED"]

    def sizes(self, children: list[Any]) -> list[Token]:
        return [token for token in children if token.type in ("DIMENSION", "INTEGER")]

    def _declaration(self, children: list[Any], kind: str, sizes: list[Token] | None) -> Syntax:
        names = tuple((str(token), span_of(token)) for token in children[0])
        attributes = tuple(
            str(token)
            for token in children
            if isinstance(token, Token) and token.type == "ATTRIBUTE"
        )
        dims = None
        if sizes is not None:
            dims = tuple(int(s) if s.type == "INTEGER" else str(s) for s in sizes)
        value = Declaration(names, kind, dims, attributes)
        return Syntax("declaration", (), names[0][1], value=value)

    def shape_declaration(self, children: list[Any]) -> Syntax:
        tokens = [child for child in children if isinstance(child, Token)]
        return self._declaration(children, "", self.sizes(tokens))

    def kind_declaration(self, children: list[Any]) -> Syntax:
        return self._declaration(children, str(children[2]), None)

    def attribute_declaration(self, children: list[Any]) -> Syntax:
        return self._declaration(children, "", None)

    def space_declaration(self, children: list[Any]) -> Syntax:
        exponent: Any = children[4] if len(children) > 4 and children[3].type == "POWER" else []
        sizes = [exponent] if isinstance(exponent, Token) else exponent
        return self._declaration(children, "", sizes)

    # ---- operators ---------------------------------------------------------------

    def binary(self, children: list[Any]) -> Syntax:
        left, operator, right = children
        return Syntax(
            "binary",
            (left, right),
            (left.span[0], right.span[1]),
            span_of(operator),
            str(operator),
            right.bare,
        )

    def juxtaposition(self, children: list[Any]) -> Syntax:
        left, right = children
        gap = left.span[1], max(right.span[0], left.span[1] + 1)
        return Syntax("binary", (left, right), (left.span[0], right.span[1]), gap, "", right.bare)

    def negation(self, children: list[Any]) -> Syntax:
        sign, operand = children
        place = span_of(sign)
        return Syntax("negation", (operand,), (place[0], operand.span[1]), place, bare=operand.bare)

    def transpose(self, children: list[Any]) -> Syntax:
        operand, token = children
        place = span_of(token)
        return Syntax("transpose", (operand,), (operand.span[0], place[1]), place)

    def inverse(self, children: list[Any]) -> Syntax:
        operand, token = children
        place = span_of(token)
        return Syntax("inverse", (operand,), (operand.span[0], place[1]), place, str(token))

    def power(self, children: list[Any]) -> Syntax:
        base, token, exponent = children
        return Syntax(
            "power", (base, exponent), (base.span[0], exponent.span[1]), span_of(token), str(token)
        )

    def entry(self, children: list[Any]) -> Syntax:
        base, last = children[0], children[-1]
        indices = tuple(child for child in children if isinstance(child, Index))
        return Syntax(
            "entry", (base,), (base.span[0], span_of(last)[1]), span_of(children[1]), indices
        )

    def index(self, children: list[Token]) -> Index:
        span = span_of(children[0])[0], span_of(children[-1])[1]
        colon = next((k for k, token in enumerate(children) if token.type == "COLON"), None)
        if colon is None and children[0].type == "NAME":
            return Index("name", None, None, str(children[0]), span)
        start = _value(children[0]) if colon != 0 else None
        if colon is None:
            return Index("entry", start, None, str(children[0]), span)
        stop = _value(children[-1]) if colon + 1 < len(children) else None
        return Index("slice", start, stop, "", span)

    # ---- functions ---------------------------------------------------------------

    def application(self, children: list[Any]) -> Syntax:
        function, operand = children
        place = span_of(function)
        span, head = (place[0], operand.span[1]), (place[0], operand.span[0])
        return Syntax("call", (operand,), span, place, str(function), head)

    def power_application(self, children: list[Any]) -> Syntax:
        function, token, exponent, operand = children
        place = span_of(function)
        span = place[0], operand.span[1]
        call = Syntax("call", (operand,), span, place, str(function))
        call.bracketed = True  # (sin x)^2: the power is of the value
        head = None if operand.bracketed else (place[0], operand.span[0])
        return Syntax("power", (call, exponent), span, span_of(token), str(token), head)

    def call(self, children: list[Any]) -> Syntax:
        arguments = tuple(child for child in children if isinstance(child, Syntax))
        if isinstance(children[0], Syntax):
            name, start, method = children[1], children[0].span[0], True
        else:
            name, start, method = children[0], span_of(children[0])[0], False
        span = start, span_of(children[-1])[1]
        return Syntax("method" if method else "call", arguments, span, span_of(name), str(name))

    def keyword(self, children: list[Any]) -> Syntax:
        name, _, value = children
        place = span_of(name)
        return Syntax("keyword", (value,), (place[0], value.span[1]), place, str(name))

    def string(self, children: list[Token]) -> Syntax:
        return Syntax("string", (), span_of(children[0]), value=children[0].strip("\"'"))

    # ---- atoms -------------------------------------------------------------------

    def name(self, children: list[Token]) -> Syntax:
        return Syntax("name", (), span_of(children[0]), value=str(children[0]))

    def number(self, children: list[Token]) -> Syntax:
        token = children[0]
        if token[0].isalpha():
            op = "euler" if token == "e" else "option"  # True, False, None, inf
            return Syntax(op, (), span_of(token), value=str(token))
        return Syntax("number", (), span_of(token), value=_value(token))

    def group(self, children: list[Any]) -> Syntax:
        opening, inside, closing = children
        inside.span = span_of(opening)[0], span_of(closing)[1]
        inside.bracketed, inside.bare = True, None
        node: Syntax = inside
        return node

    def norm(self, children: list[Any]) -> Syntax:
        opening, inside, closing, *suffix = children
        end = span_of(suffix[0] if suffix else closing)[1]
        place = span_of(suffix[0]) if suffix else span_of(opening)
        value = str(suffix[0]) if suffix else ""
        return Syntax("norm", (inside,), (span_of(opening)[0], end), place, value)

    def absolute(self, children: list[Any]) -> Syntax:
        opening, inside, closing = children
        place = span_of(opening)
        return Syntax("absolute", (inside,), (place[0], span_of(closing)[1]), place)

    def inner(self, children: list[Any]) -> Syntax:
        opening, left, _, right, closing = children
        place = span_of(opening)
        return Syntax("inner", (left, right), (place[0], span_of(closing)[1]), place)
