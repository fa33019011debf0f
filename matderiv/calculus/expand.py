"""Expanding a value: products over sums, squares of sums, like terms merged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeGuard

from matderiv.calculus.squares import squared
from matderiv.calculus.weight import Weights, has_diagonal
from matderiv.tensor.cancel import is_orthogonal
from matderiv.tensor.dims import Dim
from matderiv.tensor.nodes import Apply, Factor, Map, Node, Number, Product, Sum
from matderiv.tensor.properties import is_symmetric

__all__ = ["as_product", "expand", "may_merge"]

_OPAQUE = 80  # heavier children are not looked into
_MOST_TERMS = 40

_Monomial = tuple[Number, tuple[Factor, ...], tuple[int, ...]]  # coefficient, factors, output


def as_product(node: Node) -> Product:
    """A term as a Product of factors, also where it is a bare node."""
    if isinstance(node, Product):
        return node
    bare = Product.__new__(Product)
    bare.arena, bare.shape, bare.id, bare.depends = node.arena, node.shape, node.id, node.depends
    bare.order = node.order
    bare.coefficient, bare.wiring = 1, True
    bare.out = tuple(range(node.order))
    bare.factors, bare.children = (Factor(node, bare.out, 1),), (node,)
    bare.sizes = node.shape
    return bare


def may_merge(node: Node, weight: Weights) -> bool:
    """Whether expanding a node can make terms meet.

    The terms of one Sum stay apart when all are multiplied by the same factors, unless a
    factor meets itself, its inverse or a function of its argument in a term.
    """
    if isinstance(node, Sum):
        return any(isinstance(child, Sum) or _opens(child) for child in node.children)
    if not _opens(node):
        return False
    sizes = dict(enumerate(node.sizes))
    monomial = node.coefficient, node.factors, node.out
    coefficient, factors, ends = _flat(monomial, sizes, lambda n: weight(n) <= _OPAQUE)
    for child, _, exponent in node.factors:
        if isinstance(child, Product) and (exponent < 0 or len(set(child.out)) < child.order):
            return True  # 1 / (a / b) is b / a; a diagonal makes two axes one
    merged = node.arena.product(coefficient, factors, ends, sizes)
    if not isinstance(merged, Product) or len(merged.factors) < len(factors):
        return True
    sums = [f for f in factors if isinstance(f.node, Sum)]
    if not sums:
        return False
    if len(sums) > 1 or sums[0].exponent != 1 or len(factors) == 1:
        return True
    total = sums[0]
    if has_diagonal(total.node) or len(set(total.labels)) < total.node.order:
        return True  # I makes two axes one, on which factors may meet; diag(A - A') is 0
    others = [f for f in factors if f is not total]
    for term in total.node.children:
        inner = as_product(term)
        for factor in inner.factors:
            labels = tuple(
                total.labels[inner.out.index(k)] if k in inner.out else None for k in factor.labels
            )
            if any(_meet(factor.node, labels, other) for other in others):
                return True
    return False


def _meet(node: Node, labels: tuple[int | None, ...], other: Factor) -> bool:
    """Whether two factors of one product may merge or cancel; no other has a label None."""
    if node is other.node:
        turned = labels == other.labels[::-1] and is_symmetric(node.arena, node)
        return labels == other.labels or turned or is_orthogonal(node)
    for one, two in ((node, other.node), (other.node, node)):
        if isinstance(one, Apply) and one.primitive.is_inverse:
            argument = one.arguments[0]
            if two is argument or any(two is child for child in argument.children):
                return True
    return (
        isinstance(node, Map)
        and isinstance(other.node, Map)
        and node.arguments[0] in (other.node.arguments[0], -other.node.arguments[0])
    )


def _opens(node: Node) -> TypeGuard[Product]:
    return isinstance(node, Product) and any(
        _merges(f.node, f.exponent)
        if isinstance(f.node, Product)
        else isinstance(f.node, Sum) and f.exponent in (1, 2)
        for f in node.factors
    )


def expand(node: Node, weight: Weights) -> Node:
    """Products distributed over sums, squares of sums opened, like terms merged.

    Gives the node back where the result is too long to be of use.
    """
    arena = node.arena
    axes = tuple(range(node.order))
    sizes = dict(enumerate(node.shape))
    terms: list[tuple[Number, Node]] = []
    stack: list[_Monomial] = [(1, (Factor(node, axes, 1),), axes)]

    def may_open(child: Node) -> bool:
        return child is node or weight(child) <= _OPAQUE

    while stack:
        if len(stack) + len(terms) > _MOST_TERMS:
            return node
        coefficient, factors, ends = monomial = _flat(stack.pop(), sizes, may_open)
        step = _distributed(monomial, may_open)
        if step is None:
            terms.append((1, squared(arena.product(coefficient, factors, ends, sizes))))
        else:
            stack += reversed(step)
    return arena.sum(terms, node.shape)


def _flat(
    monomial: _Monomial, sizes: dict[int, Dim], may_open: Callable[[Node], bool]
) -> _Monomial:
    """A product with the Products among its factors merged in."""
    place = 0
    while place < len(monomial[1]):
        child, _, exponent = monomial[1][place]
        if isinstance(child, Product) and _merges(child, exponent) and may_open(child):
            monomial = _merge_in(monomial, place, child, sizes)
            place = 0
        else:
            place += 1
    return monomial


def _distributed(monomial: _Monomial, may_open: Callable[[Node], bool]) -> list[_Monomial] | None:
    """A product over the terms of its first Sum."""
    coefficient, factors, ends = monomial
    for place, (child, labels, exponent) in enumerate(factors):
        if isinstance(child, Sum) and exponent in (1, 2) and may_open(child):
            others = factors[:place] + factors[place + 1 :]
            if exponent == 2:
                others = (Factor(child, labels, 1), *others)
            return [
                (coefficient * c, (Factor(term, labels, 1), *others), ends)
                for c, term in child.terms
            ]
    return None


def _merge_in(monomial: _Monomial, place: int, child: Product, sizes: dict[int, Dim]) -> _Monomial:
    """A product with the Product at a place merged in; `sizes` grows by its labels."""
    coefficient, factors, ends = monomial
    _, labels, exponent = factors[place]
    inner: dict[int, int] = {}
    same: dict[int, int] = {}  # axes that a repeated label makes one
    for label, axis in zip(child.out, labels, strict=True):
        axis = same.get(axis, axis)
        known = inner.setdefault(label, axis)
        if known != axis:
            same = {k: known if v == axis else v for k, v in same.items()} | {axis: known}
            inner = {k: known if v == axis else v for k, v in inner.items()}
    for label, dim in enumerate(child.sizes):
        if label not in inner:
            inner[label] = len(sizes)
            sizes[len(sizes)] = dim
    merged = [
        Factor(f.node, tuple([inner[k] for k in f.labels]), f.exponent * exponent)
        for f in child.factors
    ]
    merged += [
        Factor(f.node, tuple([same.get(k, k) for k in f.labels]), f.exponent)
        for k, f in enumerate(factors)
        if k != place
    ]
    ends = tuple([same.get(k, k) for k in ends])
    left = {k for f in merged for k in f.labels}.union(ends)
    for axis in {same.get(k, k) for k in labels} - left:
        # It carried ones, and is summed: the number of them.
        merged.append(Factor(child.arena.size(sizes[axis]), (), 1))
    return coefficient * child.coefficient, tuple(merged), ends


def _merges(node: Product, exponent: Number) -> bool:
    """Whether a power of a Product is the Product of the powers."""
    if exponent == 1:
        return True
    plain = len(node.sizes) == len(node.out) == len(set(node.out))
    return plain and isinstance(exponent, int)  # a factor has the coefficient 1 then
