r"""Writing terms down: one renderer, every dialect a table.

>>> from matderiv.notation.terms import Mark, Symbol
>>> w, X = Symbol("w", order=1), Symbol("X", order=2)
>>> term = Postfix(Juxtaposed((X, w), order=1), Mark.TRANSPOSE, order=1)
>>> [render(term, name) for name in ("unicode", "ascii", "latex")]
['(X w)ᵀ', "(X w)'", '\\left(X w\\right)^{\\top}']
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from fractions import Fraction
from typing import NamedTuple

from matderiv.notation.dialects import DIALECTS, Dialect
from matderiv.notation.terms import (
    Bars,
    Call,
    Delta,
    Einsum,
    Entry,
    Hadamard,
    Identity,
    Juxtaposed,
    Kronecker,
    Layered,
    Number,
    Ones,
    Partial,
    Postfix,
    Power,
    Quotient,
    Sigma,
    Sum,
    Symbol,
    Term,
    Zeros,
)
from matderiv.tensor.dims import Composite, Dim
from matderiv.tensor.primitives import ARGUMENTS

__all__ = ["Equation", "Span", "render", "render_lines"]


_DIGITS = "0123456789"
_RAISED = ("ᵀ", "⁻¹")  # after σ² a bracket would look like the rest of a denominator


class Level(IntEnum):
    """How tightly a text holds together, as in the language's table of operators."""

    SUM = 1
    HADAMARD = 2
    PRODUCT = 3
    FACTOR = 4
    POSTFIX = 5
    ATOM = 6


def render(term: Term, dialect: str = "unicode", names: Mapping[str, str] | None = None) -> str:
    """The text of a term; `names` gives the final name of each symbol that has another."""
    return _Writer(DIALECTS[dialect], names or {}).write(term)[0]


class Span(NamedTuple):
    """The layers of a line, in the order in which they are computed."""

    letter: str
    first: str
    last: str


class Equation(NamedTuple):
    """name[indices] = term for the layers of `span`; name, indices and span may be missing."""

    name: str
    indices: Sequence[str]
    term: Term
    span: Span | None = None


def render_lines(
    lines: Sequence[Equation],
    where: Sequence[Equation],
    table: Dialect,
    names: Mapping[str, str],
    declarations: Mapping[str, str],
) -> str:
    """A document of equations, and of those below.

    `declarations` of functions stand before the lines below.
    """
    writer = _Writer(table, names)
    head = [writer.equation(line) for line in lines]
    below = [f"{writer.name(name)}: {kind}" for name, kind in sorted(declarations.items())]
    below += [writer.equation(line) for line in where]
    text = table.between.join(head)
    if below:
        text += table.where.format() + table.line.join(below)
    return table.document.format(x=text)


def _dim(dim: Dim) -> str:
    if isinstance(dim, Composite):
        parts = ([str(dim.coefficient)] if dim.coefficient != 1 else []) + list(dim.names)
        return "*".join(parts)
    return str(dim)


_PLACES = 4  # 0.0001, and then 1e-5


def _number(value: int | Fraction, dialect: Dialect) -> str:
    """An exact decimal: the denominator has no prime factors but 2 and 5."""
    if isinstance(value, int) or value.denominator == 1:
        return dialect.number.format(x=int(value))
    places = 0
    while (value * 10**places).denominator != 1:
        places += 1
    digits = str(int(value * 10**places))
    mantissa = digits.rstrip("0")
    if places > _PLACES and len(mantissa) <= _PLACES:
        power = len(digits) - 1 - places
        if mantissa == "1":
            return dialect.power_of_ten.format(n=power)
        mantissa = f"{mantissa[0]}.{mantissa[1:]}".rstrip(".")
        return dialect.scientific.format(x=mantissa, n=power)
    digits = digits.rjust(places + 1, "0")
    return dialect.number.format(x=f"{digits[:-places]}.{digits[-places:]}")


class _Writer:
    def __init__(self, dialect: Dialect, names: Mapping[str, str]) -> None:
        self.dialect = dialect
        self.names = names

    def name(self, name: str) -> str:
        return self.dialect.symbol(self.names.get(name, name))

    def equation(self, equation: Equation) -> str:
        name, indices, term, span = equation
        text = self.write(term)[0]
        if span is not None:
            text = self.dialect.span.format(x=text, i=span.letter, a=span.first, b=span.last)
        left = self.name(name) if name else ""
        if indices:
            unnamed = self.dialect.entry.format(x=self.dialect.unnamed, y=self.indices(indices))
            left = self.subscripted(left, indices) if left else unnamed
        return left + self.dialect.equals + text if left else text

    def at(self, term: Term, level: Level) -> str:
        """The text, in brackets where it holds less tightly than `level`."""
        text, own = self.write(term)
        return text if own >= level else self.dialect.brackets.format(x=text)

    def write(self, term: Term) -> tuple[str, Level]:
        return _RULES[type(term)](self, term)

    def indices(self, indices: Sequence[str]) -> str:
        letters = all(len(i) == 1 and i.isalpha() for i in indices)
        joiner = self.dialect.index if letters else self.dialect.long_index
        return joiner.join(self.dialect.letter.format(x=index) for index in indices)

    # ----- leaves ---------------------------------------------------------------------
    def symbol(self, term: Symbol) -> tuple[str, Level]:
        return self.name(term.name), Level.ATOM

    def number(self, term: Number) -> tuple[str, Level]:
        return _number(term.value, self.dialect), Level.ATOM

    def ones(self, term: Ones) -> tuple[str, Level]:
        dims = ", ".join(map(_dim, term.dims))
        if len(term.dims) == 1:
            return self.dialect.ones.format(x=dims), Level.ATOM
        text = self.dialect.ones_matrix.format(x=dims)
        return text, Level.ATOM if dims in text else Level.FACTOR

    def zeros(self, term: Zeros) -> tuple[str, Level]:
        return self.dialect.zeros.format(x=", ".join(map(_dim, term.dims))), Level.ATOM

    def identity(self, term: Identity) -> tuple[str, Level]:
        return self.dialect.identity.format(x=_dim(term.dim)), Level.ATOM

    # ----- marks and powers -----------------------------------------------------------
    def postfix(self, term: Postfix) -> tuple[str, Level]:
        template = self.dialect.marks[term.mark]
        return template.format(x=self.at(term.body, Level.ATOM)), Level.POSTFIX

    def power(self, term: Power) -> tuple[str, Level]:
        base = self.at(term.body, Level.ATOM)
        exponent, level = self.write(term.exponent)
        if not term.elementwise and (raised := self.dialect.superscript(exponent)) is not None:
            return base + raised, Level.POSTFIX
        signed = isinstance(term.exponent, Sum) and term.exponent.is_negation
        atomic = level == Level.ATOM or (signed and isinstance(term.exponent.parts[0], Number))
        if not atomic and (term.elementwise or not self.dialect.stacked):
            exponent = self.dialect.brackets.format(x=exponent)
        template = self.dialect.elementwise_power if term.elementwise else self.dialect.power
        return template.format(x=base, y=exponent), Level.POSTFIX

    # ----- products -------------------------------------------------------------------
    def juxtaposed(self, term: Juxtaposed) -> tuple[str, Level]:
        text = ""
        for place, factor in enumerate(term.factors):
            if place == 0 and isinstance(factor, Quotient) and factor.order == 0:
                text = self.quotient(factor, leading=True)[0]
                continue
            piece = self.at(factor, Level.FACTOR)
            if not place:
                text = piece
                continue
            if text[-1] in _DIGITS and piece[0] in _DIGITS:
                piece = self.dialect.brackets.format(x=piece)
            tight = self.dialect.tight and piece[0] == "(" and text.endswith(_RAISED)
            text += piece if tight else self.dialect.juxtaposition + piece
        return text, Level.PRODUCT

    def hadamard(self, term: Hadamard) -> tuple[str, Level]:
        above = [self.at(factor, Level.PRODUCT) for factor in term.factors]
        text = self.dialect.hadamard.join(above) or self.dialect.number.format(x="1")
        if term.divisors:
            below = [self.at(d, Level.FACTOR) for d in term.divisors]
            bottom = below[0]
            if len(below) > 1:
                bottom = self.dialect.brackets.format(x=self.dialect.hadamard.join(below))
            text += self.dialect.divide + bottom
        return text, Level.HADAMARD

    def kronecker(self, term: Kronecker) -> tuple[str, Level]:
        left, right = self.at(term.left, Level.POSTFIX), self.at(term.right, Level.POSTFIX)
        if self.dialect.kronecker.startswith("kron"):
            left, right = self.write(term.left)[0], self.write(term.right)[0]
            return self.dialect.kronecker.format(x=left, y=right), Level.ATOM
        return self.dialect.kronecker.format(x=left, y=right), Level.PRODUCT

    def quotient(self, term: Quotient, leading: bool = False) -> tuple[str, Level]:
        if self.dialect.stacked:
            top, bottom = self.write(term.top)[0], self.write(term.bottom)[0]
            return self.dialect.quotient.format(x=top, y=bottom), Level.FACTOR
        inner = isinstance(term.top, Juxtaposed) and any(f.order for f in term.top.factors)
        whole = isinstance(term.top, Quotient) or (leading and inner)
        level = Level.FACTOR if whole else Level.PRODUCT
        top, bottom = self.at(term.top, level), self.at(term.bottom, Level.POSTFIX)
        if top.endswith(("^-1", "^1")):
            top, bottom = f"{top} ", f" {bottom}"  # X^-1/2 has two readings
        return self.dialect.quotient.format(x=top, y=bottom), Level.PRODUCT

    # ----- sums -----------------------------------------------------------------------
    def sum(self, term: Sum) -> tuple[str, Level]:
        text = ""
        for place, (sign, part) in enumerate(term.members):
            piece = self.at(part, Level.HADAMARD)
            if place:
                text += (self.dialect.plus if sign > 0 else self.dialect.minus) + piece
            else:
                text = piece if sign > 0 else self.dialect.negative.format(x=piece)
        return text, Level.SUM

    # ----- functions ------------------------------------------------------------------
    def call(self, term: Call) -> tuple[str, Level]:
        arguments = [self.write(argument)[0] for argument in term.arguments]
        if self.dialect.templates and term.latex is not None:
            shown = dict(zip(ARGUMENTS, arguments, strict=False))
            first = arguments[:1]
            if term.axis is not None:
                first.append(self.dialect.axis.format(x=term.axis))
            if term.sizes:
                first.append(", ".join(map(_dim, term.sizes)))
            shown["x"] = self.dialect.comma.join(first)
            template = term.latex.replace("({x", r"\left({x").replace("})", r"}\right)")
            return template.format(**shown), Level.ATOM
        arguments += [_dim(size) for size in term.sizes]
        if term.axis is not None:
            arguments.append(self.dialect.axis.format(x=term.axis))
        symbol = self.dialect.function or self.dialect.symbol
        name = symbol(self.names.get(term.function, term.function))
        name += self.dialect.prime * term.primes
        joined = self.dialect.comma.join(arguments)
        return self.dialect.call.format(x=name, y=joined), Level.ATOM

    def partial(self, term: Partial) -> tuple[str, Level]:
        times = {slot: term.slots.count(slot) for slot in term.slots}
        ascii_form = self.dialect.partial.startswith("D(")
        by = []
        for slot, count in times.items():
            text = self.at(term.arguments[slot], Level.SUM if ascii_form else Level.ATOM)
            if ascii_form:
                by += [text] * count
            else:
                by.append(self.dialect.partial_by.format(x=text, n=self.degree(count)))
        joined = (self.dialect.comma if ascii_form else "").join(by)
        function = self.name(term.function)
        if ascii_form and len(term.arguments) > 1:
            called = self.dialect.comma.join(self.at(a, Level.SUM) for a in term.arguments)
            function = self.dialect.call.format(x=function, y=called)
        text = self.dialect.partial.format(x=function, y=joined, n=self.degree(len(term.slots)))
        return text, Level.ATOM if ascii_form else Level.FACTOR

    def degree(self, count: int) -> str:
        if count == 1:
            return ""
        raised = self.dialect.superscript(str(count))
        return raised if raised is not None else self.dialect.degree.format(x=count)

    def bars(self, term: Bars) -> tuple[str, Level]:
        text = self.dialect.bars.format(x=self.write(term.body)[0])
        if not term.suffix:
            return text, Level.ATOM
        suffix, table = term.suffix, self.dialect
        below = table.subscript(suffix)
        if below is not None:
            return text + below, Level.ATOM
        below = table.number.format(x=suffix) if suffix[0].isdecimal() else table.symbol(suffix)
        return table.norm.format(x=text, y=below), Level.ATOM

    # ----- indices --------------------------------------------------------------------
    def entry(self, term: Entry) -> tuple[str, Level]:
        body = self.at(term.body, Level.ATOM if self.dialect.stacked else Level.POSTFIX)
        return self.subscripted(body, term.indices), Level.ATOM

    def subscripted(self, body: str, indices: Sequence[str]) -> str:
        if self.dialect.templates and not body.isalnum():
            body = f"{{{body}}}"  # W_{1} takes no second subscript
        return self.dialect.entry.format(x=body, y=self.indices(indices))

    def layered(self, term: Layered) -> tuple[str, Level]:
        return self.subscripted(self.write(term.body)[0], term.indices), Level.ATOM

    def delta(self, term: Delta) -> tuple[str, Level]:
        return self.dialect.delta.format(y=self.indices(term.indices)), Level.ATOM

    def sigma(self, term: Sigma) -> tuple[str, Level]:
        body = self.at(term.body, Level.PRODUCT)
        return self.dialect.sigma.format(x=body, y=self.indices(term.indices)), Level.PRODUCT

    def einsum(self, term: Einsum) -> tuple[str, Level]:
        operands = [self.write(part)[0] for part in term.operands]
        joined = self.dialect.comma.join([f'"{term.spec}"', *operands])
        return self.dialect.call.format(x=self.name("einsum"), y=joined), Level.ATOM


_RULES: dict[type[Term], Callable[[_Writer, Term], tuple[str, Level]]] = {
    kind: getattr(_Writer, kind.__name__.lower())
    for kind in (
        Bars, Call, Delta, Einsum, Entry, Hadamard, Identity, Juxtaposed, Kronecker, Layered,
        Number, Ones, Partial, Postfix, Power, Quotient, Sigma, Sum, Symbol, Zeros,
    )
}  # fmt: skip
