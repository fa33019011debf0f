"""Building terms by their laws: transposes, chains, powers, Hadamard products, scalars.

Each function chooses the form with fewer tokens, as a careful author would:
(A B)' or B' A', X X X or X^3, B/s or 1/s B.

>>> from matderiv.notation.terms import Symbol
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

from matderiv.notation.numbers import (
    number,
    number_value,
    scalar_parts,
    scale,
    signed_number,
)
from matderiv.notation.slices import (
    is_row,
    join_slices,
    single_entry,
    transpose_selection,
)
from matderiv.notation.terms import (
    Bars,
    Call,
    Entry,
    Hadamard,
    Identity,
    Juxtaposed,
    Kronecker,
    Mark,
    Number,
    Ones,
    Postfix,
    Power,
    Quotient,
    Sum,
    Term,
    Zeros,
    walk,
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
    "power",
    "split",
    "square_root",
    "total",
    "trace",
    "transpose",
]

MEAN = r"\operatorname{{mean}}({x})"
TOTAL = r"\operatorname{{sum}}({x})"
_OPPOSITE = {Mark.INVERSE: Mark.INVERSE_TRANSPOSE, Mark.INVERSE_TRANSPOSE: Mark.INVERSE}


# ----- transposes ---------------------------------------------------------------------
def transpose(term: Term) -> Term:
    """The transpose in the shorter form; S' = S where that is known."""
    if term.order == 0 or term.symmetric:
        return term
    if not term.turned:
        term.turned.append(_transpose(term))
    return term.turned[0]


def _transpose(term: Term) -> Term:
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
        above, below, factors = split(term)
        pushed = scale(Fraction(1), above, below, chain(_reversed(factors)))
    elif isinstance(term, Quotient):
        return replace(term, top=transpose(term.top))
    elif isinstance(term, Sum) and (term.order == 2 or term.is_negation):
        if any(part.order not in (0, term.order) for _, part in term.members):
            return wrapped  # a vector added to every row
        pushed = replace(term, members=tuple((s, transpose(t)) for s, t in term.members))
    elif term.order == 1:
        return wrapped
    elif isinstance(term, Hadamard):
        pushed = Hadamard(
            tuple(map(transpose, term.factors)), tuple(map(transpose, term.divisors)), order=2
        )
    elif isinstance(term, Kronecker):
        sides = term.left, term.right
        if all(s.order == 2 for s in sides) and any(isinstance(s, Identity) for s in sides):
            return wrapped  # (V' ⊗ I) D (W' ⊗ I), not ((W ⊗ I) D (V ⊗ I))'
        pushed = replace(term, left=transpose(term.left), right=transpose(term.right))
    elif isinstance(term, Power):
        exponent = term.exponent
        exponent = transpose(exponent) if isinstance(exponent, Term) else exponent
        pushed = replace(term, body=transpose(term.body), exponent=exponent)
    elif isinstance(term, Call) and term.elementwise:
        pushed = replace(term, arguments=tuple(map(transpose, term.arguments)))
    else:
        return wrapped
    within = isinstance(term, Power | Call)  # exp(X)' reads better than exp(X')
    return pushed if pushed.weight <= wrapped.weight - within else wrapped


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
    turned = isinstance(term, Postfix) and term.mark is Mark.TRANSPOSE
    if isinstance(term, Postfix) and turned and isinstance(term.body, Juxtaposed):
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
    # Free ends: a row has none on its left, a column none on its right.
    order = (not is_row(flat[0])) + (flat[-1].order == 2 or is_row(flat[-1]))
    folded = _powers(_fold(flat))
    body = folded[0] if len(folded) == 1 else Juxtaposed(tuple(folded), order=order)
    return scale(Fraction(1), above, below, body) if above or below else body


def _fold(factors: Sequence[Term]) -> list[Term]:
    """Write the run where it saves most as one transpose: A' B' C' as (C B A)'."""
    if len(factors) < 2:
        return list(factors)
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
        result += _as_power(factor, stop - start)
        start = stop
    return result


def _as_power(factor: Term, count: int) -> list[Term]:
    """A factor so often, as a power where that is no longer."""
    if count > 1:
        base, sign = factor, 1
        if isinstance(factor, Postfix) and factor.mark is Mark.INVERSE:
            base, sign = factor.body, -1
        candidate = power(base, Fraction(sign * count))
        if candidate.weight <= count * factor.weight:
            return [candidate]
    return [factor] * count


# ----- numbers in front -----------------------------------------------------------------
def multiply_number(coefficient: Fraction, term: Term) -> Term:
    """coefficient · term, the coefficient positive."""
    if coefficient == 1:
        return term
    if term.order:
        above, below, factors = split(term)
        return scale(coefficient, above, below, chain(factors))
    if isinstance(term, Quotient):
        return scale(coefficient, scalar_parts(term.top), [term.bottom], None)
    if isinstance(term, Juxtaposed) and isinstance(term.factors[0], Number | Quotient):
        return scale(coefficient, term.factors, (), None)
    value = number_value(term)
    return scale(coefficient, (), (), term) if value is None else number(coefficient * value)


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
    """diag of a vector (a matrix) or of a matrix (a vector).

    Of f(X) entry by entry it is f(diag(X)): 1 ./ sqrt(diag(X X')) has no root of what is
    beside the diagonal.
    """
    if term.order == 2 and (inner := _entry_by_entry(term)) is not None:
        return inner
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


def _entry_by_entry(term: Term) -> Term | None:
    """The diagonal of a power, a function or a reciprocal of the entries of one matrix."""
    if isinstance(term, Power) and term.elementwise and term.exponent.order == 0:
        return replace(term, body=diagonal(term.body), order=1, symmetric=False)
    if isinstance(term, Call) and term.elementwise and len(term.arguments) == 1:
        return replace(term, arguments=(diagonal(*term.arguments),), order=1, symmetric=False)
    if isinstance(term, Hadamard) and not term.factors and len(term.divisors) == 1:
        return replace(term, divisors=(diagonal(*term.divisors),), order=1, symmetric=False)
    return None


def trace(term: Term) -> Term:
    """The trace, its chain turned and rotated to the shortest; u v' under it is v' u.

    Of equally short ones, that with less under transposes, and a quadratic form before
    others: tr(X' L X), neither tr(X (L X)') nor tr(L X X').
    """
    above, below, links = split(term)
    candidates = list[tuple[int, int, bool, Term]]()
    for ring in (links, _reversed(links)):
        for start in range(len(ring)):
            turned = ring[start:] + ring[:start]
            closed = _trace(turned)
            is_form = turned[0] == transpose(turned[-1])
            candidates.append((closed.weight, _under_transposes(closed), not is_form, closed))
    best = min(candidates, key=lambda candidate: candidate[:3])[3]
    return scale(Fraction(1), above, below, best) if above or below else best


def _under_transposes(term: Term) -> int:
    """The tokens of products that are transposed."""
    return sum(
        part.body.weight
        for part in walk(term)
        if isinstance(part, Postfix) and part.mark is Mark.TRANSPOSE and part.body.weight > 1
    )


def _trace(links: Sequence[Term]) -> Term:
    """The trace of a chain as it stands; of M' M it is ‖M‖²."""
    half = len(links) // 2
    if len(links) % 2 == 0 and list(links[:half]) == _reversed(links[half:]):
        matrix = chain(links[half:])
        if matrix.order == 2 and matrix.weight > 1:
            return power(Bars(matrix), Fraction(2))
    term = chain(links)
    if term.order == 0:
        return term
    return Call("tr", (term,), order=0, latex=r"\operatorname{{tr}}({x})", odd=True)


def total(term: Term) -> Term:
    """The sum of all entries; of a diagonal, the trace; of |x|, ‖x‖₁."""
    if (entry := single_entry(term)) is not None:
        return entry
    if isinstance(term, Call) and term.function == "abs" and term.order == 1:
        return Bars(term.arguments[0], "1", order=0)
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
