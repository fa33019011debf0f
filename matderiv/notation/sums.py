"""Sums, with the broadcasts that the language restores.

A scalar stands alone beside vectors, and beside matrices that are all elementwise; a
vector that repeats along rows stands alone beside a full matrix: X W + b.  Next to an
identity or a diag, and where nothing else fixes the shape, the ones are printed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from matderiv.notation.forms import MEAN, TOTAL, chain, multiply_number, transpose
from matderiv.notation.signs import add, settle
from matderiv.notation.terms import (
    Call,
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
from matderiv.tensor.nodes import Node, Product
from matderiv.tensor.nodes import Sum as SumNode

__all__ = ["lift_sum", "without_broadcast"]

Lift = Callable[[Node], Term]
_ONE = Fraction(1)


def lift_sum(
    node: SumNode, lift: Lift, mention: Callable[[Node], float], scale: Fraction = _ONE
) -> Term:
    """The scaled terms in the order in which their first names were mentioned, constants last."""
    if not node.terms:
        return Zeros(node.shape, order=node.order) if node.order else Number(0)
    parts = [(Fraction(scale * coefficient), child) for coefficient, child in node.terms]
    parts.sort(key=lambda part: (mention(part[1]), part[1].id))
    terms = [lift(child) for _, child in parts]
    broadcast = [_broadcast_axes(child) for _, child in parts]
    full = [t for t, axes in zip(terms, broadcast, strict=True) if axes is None]
    rows_allowed = any(not _is_diagonal(term) for term in full)
    rows_allowed &= not any(_is_diagonal(term) for term in terms)
    scalars_allowed = bool(full) and (node.order == 1 or all(map(_is_elementwise, full)))
    if any(axes == (1,) for axes in broadcast) and not rows_allowed:
        scalars_allowed = False
    last: list[tuple[int, Term]] = []
    first: list[tuple[int, Term]] = []
    for (coefficient, child), term, axes in zip(parts, terms, broadcast, strict=True):
        place = first
        if (axes == () and scalars_allowed) or (axes == (1,) and node.order == 2 and rows_allowed):
            term = lift(without_broadcast(child))
            if axes == (1,):
                place, term = last, _as_row(term)
        sign = 1 if coefficient > 0 else -1
        if isinstance(term, Sum) and term.is_negation:
            sign, term = -sign, term.members[0][1]
        term = multiply_number(abs(coefficient), term)
        if sign < 0:
            sign, term = settle(sign, term, spoil=False)
        place.append((sign, term))
    symmetric = node.arena.is_symmetric(node)
    return _turned_as_one(add(first + last, node.order, symmetric))


def _turned_as_one(total: Term) -> Term:
    """(A B + C)' of (A B)' + C'."""
    if not isinstance(total, Sum) or any(part.order != 2 for _, part in total.members):
        return total
    inside = tuple((sign, transpose(part)) for sign, part in total.members)
    turned = Postfix(replace(total, members=inside), Mark.TRANSPOSE, order=2)
    return turned if turned.weight < total.weight and len(inside) > 1 else total


def _as_row(term: Term) -> Term:
    """A vector to be added to every row: a name as it is, M' 𝟏/n as the mean of columns."""
    top = term.top if isinstance(term, Quotient) else term
    if isinstance(top, Juxtaposed) and isinstance(top.factors[-1], Ones):
        size = Symbol(str(top.factors[-1].dims[0]), order=0)
        rows = chain(top.factors[:-1])
        bodies = enumerate((transpose(rows), rows))  # summed along axis 0, or 1
        axis, body = min(bodies, key=lambda pair: pair[1].weight)
        if top is term:
            return Call("sum", (body,), axis=axis, order=1, latex=TOTAL, odd=True)
        if isinstance(term, Quotient) and term.bottom == size:
            return Call("mean", (body,), axis=axis, order=1, latex=MEAN, odd=True)
    return term if term.weight == 1 else transpose(term)


def _broadcast_axes(node: Node) -> tuple[int, ...] | None:
    """The axes that a broadcast value has of its own; None for a full value."""
    if not isinstance(node, Product) or len(set(node.out)) != len(node.out) or not node.out:
        return None
    carried = {label for factor in node.factors for label in factor.labels}
    axes = tuple(axis for axis, label in enumerate(node.out) if label in carried)
    return None if len(axes) == len(node.out) else axes


def without_broadcast(node: Node) -> Node:
    """The value before it was repeated along new axes."""
    if _broadcast_axes(node) is None:
        return node
    assert isinstance(node, Product)
    carried = {label for factor in node.factors for label in factor.labels}
    out = [label for label in node.out if label in carried]
    return node.arena.product(node.coefficient, node.factors, out)


def _is_diagonal(term: Term) -> bool:
    if isinstance(term, Juxtaposed):
        return all(not factor.order or _is_diagonal(factor) for factor in term.factors)
    if isinstance(term, Quotient):
        return _is_diagonal(term.top)
    return isinstance(term, Identity) or (isinstance(term, Call) and term.function == "diag")


def _is_elementwise(term: Term) -> bool:
    if isinstance(term, Juxtaposed):
        scalars = all(factor.order == 0 for factor in term.factors[:-1])
        return scalars and _is_elementwise(term.factors[-1])
    if isinstance(term, Quotient):
        return _is_elementwise(term.top)
    if isinstance(term, Call | Power):
        return term.elementwise
    return isinstance(term, Symbol | Hadamard | Ones)
