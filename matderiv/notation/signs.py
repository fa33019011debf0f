"""Signs: no leading minus where a difference can be turned round.

-2 X' (y - X w) is printed 2 X' (X w - y).  A sign may be moved into any `Sum` that is
a factor of the term; each flip concerns one place of the printed text, so nothing is
counted twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count

from matderiv.notation.terms import (
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
    Quotient,
    Sigma,
    Sum,
    Term,
)

__all__ = ["add", "negate", "settle", "turn_heavy_first"]


def negate(term: Term) -> Term:
    """-term with the sign in front."""
    if isinstance(term, Sum) and term.is_negation:
        return term.members[0][1]
    return Sum(((-1, term),), order=term.order, symmetric=term.symmetric)


def settle(sign: int, term: Term, *, spoil: bool = True) -> tuple[int, Term]:
    """The product sign · term, as a sign and a term with its differences the right way round.

    A difference is right when its constant (1, I, 𝟏) is positive.  A sign that is left
    turns a difference without constant, then one with it; the last only if `spoil`.
    """
    sums = list(_factors(term))
    if not sums:
        return sign, term
    flips = {place for place, found in enumerate(sums) if _merit(found) < 0}
    if sign * (-1) ** len(flips) < 0:
        neutral = [place for place, found in enumerate(sums) if _merit(found) == 0]
        if neutral:
            flips.add(max(neutral, key=lambda place: (_gain(sums[place]), -place)))
        elif flips:
            flips.discard(max(flips))
        else:
            good = [place for place, found in enumerate(sums) if _turns(found)]
            if good and spoil:
                flips.add(good[-1])
    sign *= (-1) ** len(flips)
    return sign, _flip(term, count(), flips) if flips else term


def turn_heavy_first(term: Term) -> Term:
    """±term with the heavier term of a difference in front, where the sign is of no account."""
    if isinstance(term, Sum) and not term.is_negation and _merit(term) == 0 and _gain(term) > 0:
        return _flip(term, count(), {0})
    return term


def add(members: Iterable[tuple[int, Term]], order: int, symmetric: bool = False) -> Term:
    """Σ ± term: negations opened, a positive term first."""
    flat: list[tuple[int, Term]] = []
    for sign, term in members:
        if isinstance(term, Sum):
            flat += [(sign * inner, part) for inner, part in term.members]
        else:
            flat.append((sign, term))
    if not flat:
        return Number(0)
    return Sum(_positive_first(flat), order=order, symmetric=symmetric)


def _positive_first(members: list[tuple[int, Term]]) -> tuple[tuple[int, Term], ...]:
    first = next((k for k, (sign, _) in enumerate(members) if sign > 0), 0)
    return (members[first], *members[:first], *members[first + 1 :])


def _is_constant(term: Term) -> bool:
    if isinstance(term, Quotient):
        return _is_constant(term.top)
    if isinstance(term, Juxtaposed):
        return _is_constant(term.factors[-1])
    return isinstance(term, Number | Identity | Ones)


def _turns(found: Sum) -> bool:
    return any(sign < 0 for sign, _ in found.members)


def _merit(found: Sum) -> int:
    """1 for a Sum that stands right, -1 for one to be turned, 0 for either."""
    if not _turns(found):
        return 1
    for sign, part in found.members:
        if _is_constant(part):
            return sign
    return 0


def _gain(found: Sum) -> int:
    """How much heavier the first term is once the Sum is turned."""
    heavy = max(part.weight for sign, part in found.members if sign < 0)
    return heavy - found.members[0][1].weight


def _factors(term: Term) -> Iterator[Sum]:
    """The Sums that multiply a term, left to right; `_flip` meets them in the same order."""
    if isinstance(term, Sum):
        if not term.is_negation:
            yield term
    elif isinstance(term, Juxtaposed | Hadamard):
        for factor in term.factors:
            yield from _factors(factor)
    elif isinstance(term, Kronecker):
        yield from _factors(term.left)
        yield from _factors(term.right)
    elif isinstance(term, Quotient):
        yield from _factors(term.top)
    elif isinstance(term, Postfix) and term.mark is Mark.TRANSPOSE:
        yield from _factors(term.body)
    elif isinstance(term, Call) and term.odd:
        yield from _factors(term.arguments[0])
    elif isinstance(term, Entry | Sigma):
        yield from _factors(term.body)


def _flip(term: Term, places: Iterator[int], flips: set[int]) -> Term:
    if isinstance(term, Sum):
        if term.is_negation or next(places) not in flips:
            return term
        turned = [(-sign, part) for sign, part in term.members]
        return replace(term, members=_positive_first(turned))
    if isinstance(term, Juxtaposed | Hadamard):
        return replace(term, factors=tuple(_flip(f, places, flips) for f in term.factors))
    if isinstance(term, Kronecker):
        left = _flip(term.left, places, flips)
        return replace(term, left=left, right=_flip(term.right, places, flips))
    if isinstance(term, Quotient):
        return replace(term, top=_flip(term.top, places, flips))
    if isinstance(term, Postfix) and term.mark is Mark.TRANSPOSE:
        return replace(term, body=_flip(term.body, places, flips))
    if isinstance(term, Call) and term.odd:
        return replace(term, arguments=(_flip(term.arguments[0], places, flips),))
    if isinstance(term, Entry | Sigma):
        return replace(term, body=_flip(term.body, places, flips))
    return term
