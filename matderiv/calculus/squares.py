"""Equal parts of a product as a power: A' s ⊙ A' s is (A' s).^2.

The parts of a Product are what hangs together by summed labels.  Each is a factor of its
own to a reader; where two are one value on the same axes, it is written once.
"""

from __future__ import annotations

from collections import Counter

from matderiv.tensor.canonical import connected
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
    summed = [[label for label in factor.labels if label not in outer] for factor in node.factors]
    parts = [[node.factors[k] for k in part] for part in connected(summed) if len(part) > 1]
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
