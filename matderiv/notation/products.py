"""Products in matrix notation.

The tensor factors become pieces, which `pieces.py` joins; scalar factors go before the
result and below it, and the sign where it shows least.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction

from matderiv.notation.forms import chain, diagonal, elementwise_power, split
from matderiv.notation.numbers import scale
from matderiv.notation.pieces import Piece, finish, reduce
from matderiv.notation.scalars import scalar_factors
from matderiv.notation.signs import settle
from matderiv.notation.terms import Entry, Hadamard, Juxtaposed, Term
from matderiv.tensor.dims import Dim
from matderiv.tensor.nodes import Apply, Factor, Node, Product

__all__ = ["lift_product", "operand"]

Lift = Callable[[Node], Term]


def lift_product(product: Product, lift: Lift) -> tuple[int, Term] | None:
    """The sign and the term of a Product of order ≤ 2; None where matrix notation fails."""
    coefficient = Fraction(product.coefficient)
    factors, sizes = rejoin(product)
    tensors, pieces = slices_of_stacks([f for f in factors if f.labels], product.out, lift)
    if any(len(factor.labels) > 2 for factor in tensors):
        return None
    scalars = [factor for factor in factors if not factor.labels]
    magnitude, above, below = scalar_factors(abs(coefficient), scalars, lift)
    for factor in tensors:
        up, down, piece = _piece(factor, lift)
        above, below = above + up, below + down
        pieces.append(piece)
    out = tuple(dict.fromkeys(product.out))
    scalar_terms = reduce(pieces, out, sizes)
    if scalar_terms is None:
        return None
    body: Term | None
    if not product.out:
        # An inner product alone is the body, so that 2 x' A x has no brackets.
        above += scalar_terms
        compound = [term for term in above if isinstance(term, Juxtaposed)]
        body = compound[0] if len(compound) == 1 else None
        above = [term for term in above if term is not body]
    else:
        body = finish(pieces, product.out, sizes)
        if body is None:
            return None
        up, down, links = split(body)
        above, below, body = above + scalar_terms + up, below + down, chain(links)
    return settle(1 if coefficient > 0 else -1, scale(magnitude, above, below, body))


def rejoin(product: Product) -> tuple[list[Factor], list[Dim]]:
    """The factors with Σ_jk reshape(a)[j,k] reshape(b)[j,k] as the Σ_j a[j] b[j] it came from."""
    factors, sizes = list(product.factors), list(product.sizes)
    while True:
        for place, factor in enumerate(factors):
            split = _split_axis(factor)
            if split is None or any(label in product.out for label in split):
                continue
            holders = [k for k, f in enumerate(factors) if set(split) & set(f.labels)]
            if len(holders) == 2 and all(_split_axis(factors[k]) == split for k in holders):
                for k in holders:
                    inner = factors[k].node.children[0]
                    labels = (*factors[k].labels[: -len(split)], len(sizes))
                    factors[k] = Factor(inner, labels, 1)
                sizes.append(factors[place].node.shape[-1])
                break
        else:
            return factors, sizes


def slices_of_stacks(
    factors: list[Factor], out: Sequence[int], lift: Lift
) -> tuple[list[Factor], list[Piece]]:
    """The other factors, and W[0, :, :] for a stack of matrices W and the selection of one."""
    pieces: list[Piece] = []
    if all(len(factor.labels) < 3 for factor in factors):
        return factors, pieces
    held = Counter([*out, *(label for factor in factors for label in factor.labels)])
    rows = {
        factor.labels[1]: (factor, row)
        for factor in factors
        if (row := _selected_row(factor)) and held[factor.labels[0]] == 1
    }
    for stack in factors:
        labels = stack.labels
        taken = {k: rows[k] for k in labels if k in rows and held[k] == 2}
        rest = tuple(label for label in labels if label not in taken)
        if len(labels) < 3 or len(rest) not in (1, 2) or stack.exponent != 1:
            continue
        if not taken or len(set(rest)) < len(rest):
            continue
        indices = tuple(taken[k][1] if k in taken else ":" for k in labels)
        term = Entry(lift(stack.node), indices, order=len(rest))
        pieces.append(Piece((term,), rest))
        gone = {id(stack), *(id(factor) for factor, _ in taken.values())}
        factors = [factor for factor in factors if id(factor) not in gone]
    return factors, pieces


def _selected_row(factor: Factor) -> str:
    """k for the selection I[k:k+1, :]; empty for other factors."""
    node = factor.node
    if not isinstance(node, Apply) or node.primitive.key != "select" or factor.exponent != 1:
        return ""
    _, start, stop = node.parameters
    assert isinstance(start, int)
    return str(start) if stop == start + 1 else ""


def _split_axis(factor: Factor) -> tuple[int, ...] | None:
    """The labels that a reshape made of the last axis of its argument."""
    node = factor.node
    if not isinstance(node, Apply) or node.primitive.key != "reshape" or factor.exponent != 1:
        return None
    axes, dims = node.parameters
    assert isinstance(dims, tuple)
    return factor.labels[-len(dims) :] if axes == 1 and len(dims) > 1 else None


def operand(factor: Factor, lift: Lift) -> Term:
    """The term of a tensor factor with its elementwise power."""
    term = lift(factor.node)
    if factor.exponent == 1:
        return term
    powered = elementwise_power(term, abs(Fraction(factor.exponent)))
    if factor.exponent > 0:
        return powered
    return Hadamard((), (powered,), order=term.order, symmetric=term.symmetric)


def _piece(factor: Factor, lift: Lift) -> tuple[list[Term], list[Term], Piece]:
    term = operand(factor, lift)
    labels = factor.labels
    if len(labels) == 2 and labels[0] == labels[1]:
        return [], [], Piece((diagonal(term),), labels[:1])
    above, below, links = split(term)
    return above, below, Piece(tuple(links), labels)
