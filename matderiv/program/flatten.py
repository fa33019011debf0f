"""Products of products as one product, so that all their factors are ordered together.

A product that one other product uses is merged into it: its coefficient then moves to
the cheapest array, and A (B x) and (A B) x are weighed against each other.  Shared
products, named ones and powers stay apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from matderiv.tensor.nodes import Node, Product
from matderiv.tensor.traverse import reachable, remake, use_counts

__all__ = ["flatten"]


def flatten(roots: Sequence[Node], most: int) -> list[Node]:
    """The roots with single-use products merged into the products that use them.

    No product grows beyond `most` factors by it.
    """
    uses = use_counts(roots)
    if not any(
        isinstance(child, Product) and exponent == 1 and uses[child.id] == 1
        for node in reachable(roots)
        if isinstance(node, Product)
        for child, _, exponent in node.factors
    ):
        return list(roots)
    new: dict[int, Node] = {}
    for node in reachable(roots):
        inline: list[int] = []
        if isinstance(node, Product):
            count = len(node.factors)
            for factor in node.factors:
                child = new[factor.node.id]
                if (
                    isinstance(child, Product)
                    and factor.exponent == 1
                    and uses[factor.node.id] == 1
                    and count + len(child.factors) - 1 <= most
                ):
                    inline.append(child.id)
                    count += len(child.factors) - 1
        new[node.id] = remake(node, new, frozenset(inline))
    return [new[root.id] for root in roots]
