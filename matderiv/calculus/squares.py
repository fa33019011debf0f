"""Equal parts of a product as a power: A' s ⊙ A' s is (A' s).^2.

The parts of a Product are what hangs together by summed labels.  Each is a factor of its
own to a reader; where two are one value on the same axes, it is written once.
"""

from __future__ import annotations

from collections import Counter

from matderiv.tensor.nodes import Factor, Node, Product

__all__ = ["squared"]


def squared(node: Node) -> Node:
    """A Product with its equal parts as powers; any other node itself.

    >>> from matderiv.tensor.arena import Arena
    >>> arena = Arena()
    >>> A, x = arena.variable("A", ("m", "n")), arena.variable("x", ("n",))
    >>> squared(arena.einsum("ij,j,ik,k->i", A, x, A, x)) is arena.einsum("ij,j->i", A, x) ** 2
    True
    """
    if not isinstance(node, Product):
        return node
    arena, outer = node.arena, set(node.out)
    parts = [part for part in _parts(node, outer) if len(part) > 1]
    if len(parts) < 2:
        return node
    found: Counter[tuple[int, tuple[int, ...]]] = Counter()
    values: dict[int, Node] = {}
    for part in parts:
        axes = tuple(sorted({label for factor in part for label in factor.labels} & outer))
        value = arena.product(1, part, axes)
        values[value.id] = value
        found[value.id, axes] += 1
    if max(found.values()) == 1:
        return node
    inside = {id(factor) for part in parts for factor in part}
    factors = [factor for factor in node.factors if id(factor) not in inside]
    factors += [Factor(values[key], axes, count) for (key, axes), count in found.items()]
    sizes = dict(enumerate(node.sizes))
    return arena.product(node.coefficient, factors, node.out, sizes)


def _parts(node: Product, outer: set[int]) -> list[list[Factor]]:
    """The factors, grouped by the summed labels that they share."""
    owner: dict[int, list[Factor]] = {}
    groups: dict[int, list[Factor]] = {}
    for factor in node.factors:
        joined = [factor]
        for label in set(factor.labels) - outer:
            if label in owner and owner[label] is not joined:
                other = owner[label]
                groups.pop(id(other), None)
                joined += other
        for member in joined:
            for label in set(member.labels) - outer:
                owner[label] = joined
        groups[id(joined)] = joined
    return list(groups.values())
