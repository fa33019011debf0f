"""Building terms by their laws: transposes, chains, powers, Hadamard products, scalars.

Each function chooses the form with fewer tokens, as a careful author would:
(A B)' or B' A', X X X or X^3, B/s or 1/s B.

>>> A, B = Symbol("A", order=2), Symbol("B", order=2)
>>> transpose(chain((A, B))) == Postfix(Juxtaposed((A, B), order=2), Mark.TRANSPOSE, order=2)
True
>>> transpose(transpose(chain((A, B)))) == chain((A, B))
True
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from matderiv.notation.slices import (
    is_row_entry,
    join_slices,
    single_entry,
    transpose_selection,
)
from matderiv.notation.terms import (
    Call,
    Entry,
    Hadamard,
    Identity,
    Juxtaposed,
    Mark,
    Number,
    Ones,
    Postfix,
    Power,
    Quotient,
    Sum,
    Symbol,
    Term,
    Zeros,
)

__all__ = [
    "MEAN",
    "TOTAL",
    "chain",
    "diagonal",
    "elementwise_power",
    "hadamard",
    "inverse",
    "multiply_number",
    "number",
    "power",
    "scale",
    "split",
    "square_root",
    "total",
    "trace",
    "transpose",
]

MEAN = r"\operatorname{{mean}}({x})"
TOTAL = r"\operatorname{{sum}}({x})"
_OPPOSITE = {Mark.INVERSE: Mark.INVERSE_TRANSPOSE, Mark.INVERSE_TRANSPOSE: Mark.INVERSE}
_LONGEST_FRACTION = 16  # 3/16 is read more easily than 0.1875


# ----- transposes ---------------------------------------------------------------------
def transpose(term: Term) -> Term:
    """The transpose in the shorter form; S' = S where that is known."""
    if term.order == 0 or term.symmetric:
        return term
    wrapped = Postfix(term, Mark.TRANSPOSE, order=term.order)
    pushed: Term
    if isinstance(term, Postfix):
        if term.mark is Mark.TRANSPOSE:
            return term.body
        return replace(term, mark=_OPPOSITE[term.mark])
    if isinstance(term, Entry) and (turned := transpose_selection(term)) is not None:
        return turned
    if isinstance(term, Ones | Zeros) and term.order == 2:
        return replace(term, dims=term.dims[::-1])
    if isinstance(term, Juxtaposed):
        scalars, _, factors = split(term)
        pushed = _with_scalars(scalars, chain(_reversed(factors)))
    elif isinstance(term, Quotient):
        return replace(term, top=transpose(term.top))
    elif isinstance(term, Sum):
        pushed = replace(term, members=tuple((s, transpose(t)) for s, t in term.members))
    elif term.order == 1:
        return wrapped
    elif isinstance(term, Hadamard):
        pushed = Hadamard(
            tuple(map(transpose, term.factors)), tuple(map(transpose, term.divisors)), order=2
        )
    elif isinstance(term, Power):
        pushed = replace(term, body=transpose(term.body))
    elif isinstance(term, Call) and term.elementwise:
        pushed = replace(term, arguments=tuple(map(transpose, term.arguments)))
    else:
        return wrapped
    return pushed if pushed.weight <= wrapped.weight else wrapped


def _reversed(factors: Sequence[Term]) -> list[Term]:
    return [transpose(factor) for factor in reversed(factors)]


def inverse(term: Term) -> Term:
    """A⁻¹, with (A')⁻¹ as A⁻ᵀ."""
    if isinstance(term, Postfix) and term.mark is Mark.TRANSPOSE:
        return Postfix(term.body, Mark.INVERSE_TRANSPOSE, order=2, symmetric=term.symmetric)
    return Postfix(term, Mark.INVERSE, order=2, symmetric=term.symmetric)


# ----- chains: products of matrices and vectors ---------------------------------------
def split(term: Term) -> tuple[list[Term], list[Term], list[Term]]:
    """Numerators, denominators and the chain of a term that is no scalar.

    The chain is flat, its transposes pushed down to the factors.
    """
    if isinstance(term, Quotient) and term.order:
        above, below, factors = split(term.top)
        return above, [*below, term.bottom], factors
    if isinstance(term, Juxtaposed) and term.order:
        above, below, factors = [], [], list[Term]()
        for factor in term.factors:
            if factor.order:
                up, down, more = split(factor)
                above, below, factors = above + up, below + down, factors + more
            elif isinstance(factor, Quotient):
                above.append(factor.top)
                below.append(factor.bottom)
            else:
                above.append(factor)
        return above, below, factors
    if isinstance(term, Postfix) and term.mark is Mark.TRANSPOSE:
        if isinstance(term.body, Juxtaposed):
            above, below, factors = split(term.body)
            return above, below, _reversed(factors)
    return [], [], [term]


def chain(factors: Sequence[Term]) -> Term:
    """The product of a chain, with runs of transposes folded and equal neighbours as powers."""
    flat: list[Term] = []
    above: list[Term] = []
    below: list[Term] = []
    for factor in factors:
        if factor.order == 0:
            above.append(factor)
            continue
        up, down, more = split(factor)
        above, below, flat = above + up, below + down, flat + more
    flat = [f for f in flat if not isinstance(f, Identity)] or flat[:1]
    flat = join_slices(flat)
    order = sum(f.order for f in flat if f.order == 1)
    if not any(f.order == 1 for f in flat):
        order = 2
    elif order == 2:
        # A column times a row is a matrix, a row times a column a scalar.
        order = 0 if _is_row(flat[0]) or flat[-1].order == 1 and not _is_row(flat[-1]) else 2
    folded = _powers(_fold(flat))
    body = folded[0] if len(folded) == 1 else Juxtaposed(tuple(folded), order=order)
    return scale(Fraction(1), above, below, body) if above or below else body


def _is_row(term: Term) -> bool:
    if term.order != 1:
        return False
    if isinstance(term, Postfix):
        return not _is_row(term.body)
    if isinstance(term, Entry):
        return is_row_entry(term)
    return isinstance(term, Juxtaposed) and _is_row(term.factors[0])


def _fold(factors: Sequence[Term]) -> list[Term]:
    """Write the run where it saves most as one transpose: A' B' C' as (C B A)'."""
    gains = [(f.weight - transpose(f).weight, _transposed(f)) for f in factors]
    best, where = (2, -1, 0), (0, 0)
    for start in range(len(factors)):
        gain, looks = 0, 0
        for stop in range(start, len(factors)):
            gain, looks = gain + gains[stop][0], looks + gains[stop][1]
            merit = gain, looks, start - stop
            if merit > best and stop > start:
                best, where = merit, (start, stop + 1)
    start, stop = where
    if start == stop:
        return list(factors)
    inner = chain(_reversed(factors[start:stop]))
    folded = Postfix(inner, Mark.TRANSPOSE, order=inner.order)
    return [*_fold(factors[:start]), folded, *_fold(factors[stop:])]


def _transposed(factor: Term) -> int:
    """1 for A⁻ᵀ, -1 for A⁻¹, whose transposes are free: a run of them looks better folded."""
    if not isinstance(factor, Postfix) or factor.symmetric:
        return 0
    return {Mark.INVERSE_TRANSPOSE: 1, Mark.INVERSE: -1}.get(factor.mark, 0)


def _powers(factors: Sequence[Term]) -> list[Term]:
    """Write equal square neighbours as a power where that is shorter."""
    result: list[Term] = []
    start = 0
    while start < len(factors):
        factor = factors[start]
        stop = start + 1
        while stop < len(factors) and factor.order == 2 and factors[stop] == factor:
            stop += 1
        count = stop - start
        base, sign = factor, 1
        if isinstance(factor, Postfix) and factor.mark is Mark.INVERSE:
            base, sign = factor.body, -1
        candidate = power(base, Fraction(sign * count))
        if count > 1 and candidate.weight <= count * factor.weight:
            result.append(candidate)
        else:
            result += factors[start:stop]
        start = stop
    return result


# ----- powers -------------------------------------------------------------------------
def power(base: Term, exponent: Fraction) -> Term:
    """base^exponent of a scalar or of a square matrix."""
    if exponent == 1:
        return base
    if exponent == Fraction(1, 2) and base.order == 0:
        return square_root(base)
    return Power(base, signed_number(exponent), False, order=base.order, symmetric=base.symmetric)


def elementwise_power(base: Term, exponent: Fraction) -> Term:
    if base.order == 0 or exponent == 1:
        return power(base, exponent)
    if exponent == Fraction(1, 2):
        return square_root(base)
    return Power(base, signed_number(exponent), True, order=base.order, symmetric=base.symmetric)


def square_root(base: Term) -> Term:
    return Call(
        "sqrt",
        (base,),
        order=base.order,
        symmetric=base.symmetric,
        latex=r"\sqrt{{{x}}}",
        elementwise=True,
    )


# ----- functions of structure ---------------------------------------------------------
def diagonal(term: Term) -> Term:
    """diag of a vector (a matrix) or of a matrix (a vector)."""
    order = 3 - term.order
    if isinstance(term, Ones) and term.order == 1:
        return Identity(term.dims[0])
    return Call(
        "diag",
        (term,),
        order=order,
        symmetric=order == 2,
        latex=r"\operatorname{{diag}}({x})",
        odd=True,
    )


def trace(term: Term) -> Term:
    return Call("tr", (term,), order=0, latex=r"\operatorname{{tr}}({x})", odd=True)


def total(term: Term) -> Term:
    """The sum of all entries; of a diagonal, the trace."""
    if (entry := single_entry(term)) is not None:
        return entry
    if isinstance(term, Call) and term.function == "diag":
        inner = term.arguments[0]
        return trace(inner) if inner.order == 2 else total(inner)
    return Call("sum", (term,), order=0, latex=TOTAL, odd=True)


# ----- elementwise products -----------------------------------------------------------
def hadamard(factors: Sequence[Term], divisors: Sequence[Term] = ()) -> Term:
    """The elementwise product, equal operands as powers, common ones cancelled."""
    above: list[Term] = []
    below: list[Term] = list(divisors)
    for factor in factors:
        if isinstance(factor, Hadamard):
            above += factor.factors
            below += factor.divisors
        else:
            above.append(factor)
    above, below = _repeated(above), _repeated(below)
    if len(above) == 1 and not below:
        return above[0]
    parts = above + below
    return Hadamard(
        tuple(above),
        tuple(below),
        order=parts[0].order,
        symmetric=all(part.symmetric for part in parts),
    )


def _repeated(operands: Sequence[Term]) -> list[Term]:
    """Equal operands as elementwise powers, each at its first place."""
    counts: dict[Term, Fraction] = {}
    for operand in operands:
        base, exponent = operand, Fraction(1)
        if isinstance(operand, Power) and operand.elementwise:
            value = number_value(operand.exponent)
            if value is not None:
                base, exponent = operand.body, value
        counts[base] = counts.get(base, Fraction(0)) + exponent
    return [elementwise_power(base, exponent) for base, exponent in counts.items()]


# ----- numbers and scalar factors -----------------------------------------------------
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
            below += _scalars(term)
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
    return _with_scalars(above, body)


def _scalars(term: Term) -> list[Term]:
    """The factors of a product of scalars; an inner product stays whole."""
    if isinstance(term, Juxtaposed) and all(factor.order == 0 for factor in term.factors):
        return list(term.factors)
    return [term]


def _with_scalars(scalars: Sequence[Term], body: Term) -> Term:
    if not scalars:
        return body
    if isinstance(body, Hadamard):
        if body.factors:
            first = _with_scalars(scalars, body.factors[0])
            return replace(body, factors=(first, *body.factors[1:]))
        if len(scalars) == 1:
            return replace(body, factors=(scalars[0],))
        return replace(body, factors=(Juxtaposed(tuple(scalars), order=0),))
    rest = body.factors if isinstance(body, Juxtaposed) else (body,)
    return Juxtaposed((*scalars, *rest), order=body.order, symmetric=body.symmetric)


def multiply_number(coefficient: Fraction, term: Term) -> Term:
    """coefficient · term, the coefficient positive."""
    if coefficient == 1:
        return term
    if term.order:
        above, below, factors = split(term)
        return scale(coefficient, above, below, chain(factors))
    if isinstance(term, Quotient):
        return scale(coefficient, _scalars(term.top), [term.bottom], None)
    if isinstance(term, Juxtaposed) and isinstance(term.factors[0], Number | Quotient):
        return scale(coefficient, term.factors, (), None)
    value = number_value(term)
    return scale(coefficient, (), (), term) if value is None else number(coefficient * value)
