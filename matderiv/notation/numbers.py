"""Numbers and scalar factors in front of a term, and below it.

>>> from matderiv.notation.terms import Symbol
>>> v = Symbol("v", order=1)
>>> n = Symbol("n", order=0)
>>> scale(Fraction(1), [], [n], v) == Quotient(v, n, order=1)
True
>>> scale(Fraction(2), [], [n], v).weight
4
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from matderiv.notation.terms import Hadamard, Juxtaposed, Number, Quotient, Sum, Term

__all__ = ["number", "number_value", "scalar_parts", "scale", "signed_number", "with_scalars"]

_LONGEST_FRACTION = 16  # 3/16 is read more easily than 0.1875


def number(value: int | Fraction) -> Term:
    """A number ≥ 0: an integer, a small fraction p/q, or a decimal where that is exact."""
    value = Fraction(value)
    if value.denominator == 1 or _is_decimal(value):
        return Number(value if value.denominator != 1 else value.numerator)
    return Quotient(Number(value.numerator), Number(value.denominator), order=0)


def signed_number(value: Fraction) -> Term:
    return number(value) if value >= 0 else Sum(((-1, number(-value)),), order=0)


def number_value(term: Term) -> Fraction | None:
    """The value of a term that `signed_number` made."""
    if isinstance(term, Number):
        return Fraction(term.value)
    if isinstance(term, Quotient):
        above, below = number_value(term.top), number_value(term.bottom)
        return above / below if above is not None and below else None
    if isinstance(term, Sum) and term.is_negation:
        value = number_value(term.members[0][1])
        return None if value is None else -value
    return None


def _is_decimal(value: Fraction) -> bool:
    """Whether a fraction is read better as a decimal: 0.01, not 1/100; but 1/2, 3/16."""
    rest = value.denominator
    if rest <= _LONGEST_FRACTION and rest % 10:
        return False
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def scale(
    coefficient: Fraction,
    numerators: Sequence[Term],
    denominators: Sequence[Term],
    body: Term | None,
) -> Term:
    """coefficient · Π numerators / Π denominators · body, the coefficient positive.

    `B/s` where no numerator stands before B, else `p/q B`.
    """
    above, below = list[Term](), list[Term]()
    for term in numerators:
        value = number_value(term)
        if value is None:
            above.append(term)
        else:
            coefficient *= value
    for term in denominators:
        value = number_value(term)
        if value is None:
            below += scalar_parts(term)
        else:
            coefficient /= value
    if coefficient.denominator == 1 or not _is_decimal(coefficient):
        if coefficient.denominator != 1:
            below.insert(0, Number(coefficient.denominator))
        coefficient = Fraction(coefficient.numerator)
    if coefficient != 1:
        above.insert(0, number(coefficient))
    bottom = below[0] if len(below) == 1 else Juxtaposed(tuple(below), order=0) if below else None
    if body is None:
        top: Term = above[0] if len(above) == 1 else Juxtaposed(tuple(above), order=0)
        top = top if above else Number(1)
        return Quotient(top, bottom, order=0) if bottom else top
    if not above:
        if bottom is None:
            return body
        return Quotient(body, bottom, order=body.order, symmetric=body.symmetric)
    if bottom is not None:
        top = above[0] if len(above) == 1 else Juxtaposed(tuple(above), order=0)
        above = [Quotient(top, bottom, order=0)]
    return with_scalars(above, body)


def scalar_parts(term: Term) -> list[Term]:
    """The factors of a product of scalars; an inner product stays whole."""
    if isinstance(term, Juxtaposed) and all(factor.order == 0 for factor in term.factors):
        return list(term.factors)
    return [term]


def with_scalars(scalars: Sequence[Term], body: Term) -> Term:
    if not scalars:
        return body
    if isinstance(body, Hadamard):
        if body.factors:
            first = with_scalars(scalars, body.factors[0])
            return replace(body, factors=(first, *body.factors[1:]))
        if len(scalars) == 1:
            return replace(body, factors=(scalars[0],))
        return replace(body, factors=(Juxtaposed(tuple(scalars), order=0),))
    rest = body.factors if isinstance(body, Juxtaposed) else (body,)
    return Juxtaposed((*scalars, *rest), order=body.order, symmetric=body.symmetric)
