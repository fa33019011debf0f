"""Products distributed over sums of thin terms, which saves products of whole matrices.

    (diag(p) - p p') A  =  p ⊙ (A - 𝟏 (p' A))         m n operations in place of m n²
    (I - u v') (n I - 𝟏 𝟏')  =  n I - 𝟏 𝟏' - …        n² in place of n³

A term is thin if no factor links two axes of it: diagonals, outer products, broadcasts.
What all terms have in common along one axis stays before the sum.  The result is one of
the graphs that the planner weighs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeGuard

from matderiv.tensor.nodes import Factor, Name, Node, Number, Product, Sum
from matderiv.tensor.traverse import rebuild

__all__ = ["Scaled", "distributed", "scaled_terms"]

_MOST_TERMS = 6
_MOST_DEPTH = 4

Entry = tuple[Node, Number]  # what a factor is, apart from where it stands


def distributed(roots: Sequence[Node]) -> list[Node]:
    """The roots with products distributed over their thin factors."""
    return rebuild(roots, lambda node: _spread(node, _MOST_DEPTH))


Scaled = tuple[Number, Product, tuple[Node, ...]]
"""A term as coefficient, product, and scalars that multiply it."""


def scaled_terms(node: Product, is_free: Callable[[Node], bool]) -> list[Scaled] | None:
    """The terms of a thin sum that a product does no more than scale, each with its scalars.

    (I - (c w' + 𝟏 𝟏')/n)/s is I/s - (c/(n s)) w' - 1/(n s): vectors are scaled, not the
    matrix.  The constructor of sums would gather the scalars again, so this is done where
    nodes become steps.  Scalars stay apart: 1/‖x‖ and 1/‖x‖² are in the range of floats
    where 1/‖x‖³ is not.  `is_free` says which sums nobody else needs.
    """
    tensors = [factor for factor in node.factors if factor.labels]
    if node.order < 2 or len(tensors) != 1 or len(node.factors) + (node.coefficient != 1) < 2:
        return None
    (total,) = tensors
    inner = total.node
    if total.exponent != 1 or sorted(total.labels) != sorted(node.out):
        return None
    if not isinstance(inner, Sum) or not 1 < len(inner.terms) <= _MOST_TERMS or not is_free(inner):
        return None
    factors = [factor for factor in node.factors if factor is not total]
    scalars = (node.arena.product(1, factors, ()),) if factors else ()
    sizes = dict(enumerate(node.sizes))
    found: list[Scaled] = []
    for coefficient, term in inner.terms:
        turned = [total._replace(node=term)]
        made = node.arena.product(1, turned, node.out, sizes, frozenset({term.id}))
        opened = scaled_terms(made, is_free) if isinstance(made, Product) else None
        coefficient = coefficient * node.coefficient
        if opened is not None:
            found += [(coefficient * c, part, (*scalars, *more)) for c, part, more in opened]
        elif isinstance(made, Product) and _is_thin(made):
            found.append((coefficient, made, scalars))
        else:
            return None
    return found


def _spread(node: Node, depth: int) -> Node | None:
    if isinstance(node, Sum):
        return _summed(node)
    if not isinstance(node, Product) or not depth:
        return None
    for index, factor in enumerate(node.factors):
        inner = _unnamed(factor.node)
        if not _is_contracted(node, factor):
            continue
        if isinstance(inner, Product) and _is_thin(inner):
            thin = _grouped(inner)
            factors = list(node.factors)
            factors[index] = factor._replace(node=thin)
            opened = _product(node, factors, frozenset({thin.id}))
            return _spread(opened, depth - 1) or opened
        if _is_thin_sum(inner):
            spread = _over_sum(node, index, inner, depth)
            return None if spread is node else spread
    return None


def _is_thin_sum(node: Node) -> TypeGuard[Sum]:
    return (
        isinstance(node, Sum)
        and 1 < len(node.terms) <= _MOST_TERMS
        and all(_is_thin(term) for _, term in node.terms)
    )


def _summed(node: Sum) -> Node | None:
    """A sum with its inner thin sums opened, and a vector that all terms share before it.

    y b' - z b' is (y - z) b': one outer product.
    """
    inner = frozenset(term.id for _, term in node.terms if _is_thin_sum(term))
    opened = node.arena.sum(node.terms, node.shape, inner) if inner else node
    if not _is_thin_sum(opened) or opened.order != 2:
        return opened if inner else None
    grouped = [(c, _grouped(term)) for c, term in opened.terms if isinstance(term, Product)]
    total = node.arena.sum(grouped, node.shape)
    if not _is_thin_sum(total):
        return total
    for axis in range(2):
        common, terms = _common(total, [axis])
        rest = [(c, _along(term, 1 - axis)) for c, term in terms]
        if common and all(vector is not None for _, vector in rest):
            shape = (node.shape[1 - axis],)
            vectors = [(c, vector) for c, vector in rest if vector is not None]
            factors = [Factor(entry, (axis,), power) for (entry, power), _ in common]
            whole = Factor(node.arena.sum(vectors, shape), (1 - axis,), 1)
            return node.arena.product(1, [*factors, whole], (0, 1))
    return total


def _along(term: Product, axis: int) -> Node | None:
    """A term that is constant along the other of its two axes, as a vector."""
    kept, dropped = term.out[axis], term.out[1 - axis]
    if kept == dropped or any(dropped in factor.labels for factor in term.factors):
        return None
    sizes = dict(enumerate(term.sizes))
    return term.arena.product(term.coefficient, term.factors, (kept,), sizes)


def _unnamed(node: Node) -> Node:
    while isinstance(node, Name):
        node = node.definition
    return node


def _product(node: Product, factors: Iterable[Factor], inline: frozenset[int]) -> Node:
    sizes = dict(enumerate(node.sizes))
    return node.arena.product(node.coefficient, factors, node.out, sizes, inline)


def _is_contracted(node: Product, factor: Factor) -> bool:
    """Whether the product sums over an axis of this matrix, or does no more than scale it."""
    _, labels, exponent = factor
    if exponent != 1 or len(labels) < 2:
        return False
    others = [other for other in node.factors if other is not factor]
    if not any(other.labels for other in others):
        return True
    if len(set(labels)) < len(labels):
        return False
    carried = {label for other in others for label in other.labels}
    return bool((set(labels) - set(node.out)) & carried)


def _groups(node: Product) -> list[int]:
    """For each label the least label that a chain of factors links it to."""
    group = list(range(len(node.sizes)))
    for factor in node.factors:
        joined = {group[label] for label in factor.labels}
        if joined:
            least = min(joined)
            group = [least if k in joined else k for k in group]
    return group


def _is_thin(node: Node) -> bool:
    """Whether no chain of factors links two axes.

    A diagonal, an outer product, a vector repeated along an axis; a matrix is none.
    """
    if not isinstance(node, Product) or node.order < 2:
        return False
    group, axes = _groups(node), set(node.out)
    return len({group[label] for label in axes}) == len(axes)


def _grouped(node: Product) -> Node:
    """A thin product with each of its vectors as one factor: (A x) (B y)' from A, x, B, y."""
    group = _groups(node)
    sizes = dict(enumerate(node.sizes))
    factors = [factor for factor in node.factors if not factor.labels]
    for axis in dict.fromkeys(node.out):
        own = [f for f in node.factors if f.labels and group[f.labels[0]] == group[axis]]
        if len(own) > 1:
            own = [Factor(node.arena.product(1, own, (axis,), sizes), (axis,), 1)]
        factors += own
    summed = [f for f in node.factors if f.labels and not _ends(group, f, node.out)]
    return _product(node, [*factors, *summed], frozenset())


def _ends(group: Sequence[int], factor: Factor, out: Iterable[int]) -> bool:
    return group[factor.labels[0]] in {group[axis] for axis in out}


def _over_sum(node: Product, index: int, total: Sum, depth: int) -> Node:
    """The factor is a sum: what it is contracted with goes into each of its terms."""
    arena, labels = node.arena, node.factors[index].labels
    inside, outside = _parts(node, index)
    if not any(factor.labels for factor in outside):
        inside, outside = [*inside, *outside], []  # scalars meet vectors, not the whole
    out = [label for label in dict.fromkeys(node.out) if label in _carried(inside, labels)]
    common, terms = _common(total, [a for a, label in enumerate(labels) if label in out])
    sizes = dict(enumerate(node.sizes))
    spread: list[tuple[Number, Node]] = []
    for coefficient, term in terms:
        thin = _grouped(term)
        factors = [*inside, Factor(thin, labels, 1)]
        made = arena.product(1, factors, out, sizes, frozenset({thin.id}))
        spread.append((coefficient, _spread(made, depth - 1) or made))
    whole = arena.sum(spread, tuple(node.sizes[label] for label in out))
    before = [Factor(entry, (labels[axis],), power) for (entry, power), axis in common]
    return _product(node, [*outside, *before, Factor(whole, tuple(out), 1)], frozenset())


def _carried(factors: Iterable[Factor], labels: Iterable[int]) -> set[int]:
    return {*labels, *(label for factor in factors for label in factor.labels)}


def _parts(node: Product, index: int) -> tuple[list[Factor], list[Factor]]:
    """The other factors: those linked to this one by summed labels, and the rest."""
    rest = [factor for k, factor in enumerate(node.factors) if k != index]
    reached = set(node.factors[index].labels) - set(node.out)
    inside: list[Factor] = []
    while True:
        new = [f for f in rest if f not in inside and reached & set(f.labels)]
        if not new:
            return inside, [factor for factor in rest if factor not in inside]
        inside += new
        reached |= {label for f in new for label in f.labels} - set(node.out)


def _common(
    total: Sum, axes: Iterable[int]
) -> tuple[list[tuple[Entry, int]], list[tuple[Number, Product]]]:
    """Vectors that stand in every term along one of these axes, and the terms without them."""
    terms = [(coefficient, term) for coefficient, term in total.terms if isinstance(term, Product)]
    common: list[tuple[Entry, int]] = []
    for axis in axes:
        found = set.intersection(*(_vectors(term, axis) for _, term in terms))
        for entry in sorted(found, key=lambda e: (e[0].id, e[1])):
            without = [(c, _without(term, entry, axis)) for c, term in terms]
            if all(isinstance(term, Product) for _, term in without):
                terms = [(c, term) for c, term in without if isinstance(term, Product)]
                common.append((entry, axis))
    return common, terms


def _vectors(term: Product, axis: int) -> set[Entry]:
    return {(f.node, f.exponent) for f in term.factors if f.labels == (term.out[axis],)}


def _without(term: Product, entry: Entry, axis: int) -> Node:
    wanted = Factor(entry[0], (term.out[axis],), entry[1])
    factors = list(term.factors)
    factors.remove(wanted)
    return _product(term, factors, frozenset())
