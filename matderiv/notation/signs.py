"""Signs: no leading minus where a difference can be turned round.

-2 X' (y - X w) is printed 2 X' (X w - y).  A sign may be moved into any `Sum` that is
a factor of the term; each flip concerns one place of the printed text, so nothing is
counted twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count

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
    Sigma,
    Sum,
    Term,
    rebuild,
)

__all__ = ["add", "agree", "negate", "settle"]


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
        if not spoil:  # of (x - m) (x - m)' neither is turned alone
            neutral = [place for place in neutral if sums.count(sums[place]) == 1]
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


def agree(terms: Sequence[Term]) -> list[Term]:
    """The terms with every difference under ‖·‖ and even powers turned as it stands elsewhere.

    X' (X w - y)/‖y - X w‖ is printed X' (X w - y)/‖X w - y‖; where the difference stands
    nowhere else it keeps the order of the text.
    """
    elsewhere = {frozenset(found.members) for term in terms for found in _odd(term)}
    return [_turn_even(term, elsewhere) for term in terms] if elsewhere else list(terms)


def _is_even(term: Term) -> bool:
    if isinstance(term, Power):
        exponent = term.exponent
        return isinstance(exponent, Number) and exponent.value % 2 == 0
    return isinstance(term, Bars)


def _odd(term: Term) -> Iterator[Sum]:
    """The differences of a term whose sign is of account."""
    stack = [term]
    while stack:
        term = stack.pop()
        if isinstance(term, Sum) and _turns(term):
            yield term
        if isinstance(term, Power | Bars) and _is_even(term) and isinstance(term.body, Sum):
            stack.extend(term.body.parts)
        else:
            stack.extend(term.parts)


def _turn_even(term: Term, elsewhere: set[frozenset[tuple[int, Term]]]) -> Term:
    term = rebuild(term, lambda part: _turn_even(part, elsewhere))
    if not isinstance(term, Power | Bars) or not _is_even(term) or not isinstance(term.body, Sum):
        return term
    turned = frozenset((-sign, part) for sign, part in term.body.members)
    if turned not in elsewhere or frozenset(term.body.members) in elsewhere:
        return term
    return replace(term, body=_flip(term.body, count(), {0}))


def add(members: Iterable[tuple[int, Term]], order: int, symmetric: bool = False) -> Term:
    """Σ ± term: negations opened, the first positive terms first."""
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
    """-a + b + c - d is b + c - a - d; -S + b + cos(c)' stays, where b would meet a row."""
    signs = [sign > 0 for sign, _ in members] + [False]
    start = signs.index(True) if any(signs) else 0
    stop = signs.index(False, start)
    found = (*members[start:stop], *members[:start], *members[stop:])
    place = next((k for k, (_, part) in enumerate(found) if part.order == 2), 0)
    if len({isinstance(part, Postfix) for _, part in found[:place] if part.order == 1}) < 2:
        return found
    return (found[place], *found[:place], *found[place + 1 :])


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
        turned = [
            (1, part) if sign < 0 else settle(-1, part, spoil=False) for sign, part in term.members
        ]
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
