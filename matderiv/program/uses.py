"""How the nodes of a graph are used, known before any of them is lowered.

Whether an inverse is only ever multiplied, whether a difference is better computed the other
way round, what all is called on one argument: no node tells it, its users do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from matderiv.program.programs import calls_on, constant
from matderiv.tensor.nodes import Apply, Node, Product, Sum
from matderiv.tensor.primitives import Primitive
from matderiv.tensor.properties import is_nonnegative, is_positive_definite

__all__ = ["calls_by_argument", "factorable", "negated", "solvable_inverses"]


def calls_by_argument(nodes: Iterable[Node]) -> dict[int, frozenset[str]]:
    """For the first argument of each primitive, all that is called on it."""
    calls: dict[int, frozenset[str]] = {}
    for node in nodes:
        if isinstance(node, Apply) and isinstance(node.primitive, Primitive) and node.arguments:
            argument = node.arguments[0].id
            if constant(node.primitive.numpy) is None:
                made = calls_on(node.primitive.numpy)
                calls[argument] = calls.get(argument, frozenset()) | made
    return calls


def negated(nodes: Sequence[Node], roots: Iterable[Node]) -> frozenset[int]:
    """Nodes computed as their negatives: -g ⊙ (h² - 1) is g ⊙ (1 - h²), one negation less.

    A difference costs the same either way round.  Its users are products, each of which
    must be rid of a minus sign by it, be it their own or that of the products that alone
    use them.
    """
    signs = {n.id: n.coefficient for n in nodes if isinstance(n, Product)}
    users: dict[int, list[int]] = {}
    spoiled = {root.id for root in roots}
    for node in nodes:
        if isinstance(node, Product):
            for child, _, exponent in node.factors:
                if exponent == 1 and node.children.count(child) == 1:
                    users.setdefault(child.id, []).append(node.id)
                else:
                    spoiled.add(child.id)
        else:
            spoiled.update(child.id for child in node.children)
    found: set[int] = set()

    def freed(node: Node) -> bool:
        """Whether a minus sign before the node frees all its users of theirs."""
        using = users.get(node.id, [])
        return bool(using) and node.id not in spoiled and all(signs[k] == -1 for k in using)

    def turns(node: Node) -> bool:
        if not isinstance(node, Sum) or is_nonnegative(node):  # it has a root
            return False
        return len({c > 0 for c, _ in node.terms}) == 2 and freed(node)

    def negate(node: Node) -> None:
        found.add(node.id)
        for number in users[node.id]:
            signs[number] = 1

    for node in reversed(nodes):
        if isinstance(node, Product) and signs[node.id] == 1 and freed(node):
            signs[node.id] = -1
            if any(turns(child) for child in node.children):
                negate(node)
            else:
                signs[node.id] = 1
        elif turns(node):
            negate(node)
    return frozenset(found)


def factorable(nodes: Iterable[Node]) -> frozenset[int]:
    """Matrices known to be positive definite of which an inverse or a determinant is asked."""
    return frozenset(
        node.arguments[0].id
        for node in nodes
        if isinstance(node, Apply)
        and isinstance(node.primitive, Primitive)
        and node.primitive.numpy_factored
        and node.arguments[0].order == 2
        and is_positive_definite(node.arguments[0])
    )


def solvable_inverses(nodes: Iterable[Node], roots: Iterable[Node]) -> frozenset[int]:
    """Inverses that products alone use, each time summed over one axis of theirs."""
    nodes = list(nodes)
    inverses = {
        n.id for n in nodes if isinstance(n, Apply) and n.primitive.is_inverse and n.order == 2
    }
    if not inverses:
        return frozenset()
    spoiled = {root.id for root in roots}
    for node in nodes:
        if not isinstance(node, Product):
            spoiled.update(child.id for child in node.children)
            continue
        for factor in node.factors:
            if factor.node.id in inverses:
                ends = set(factor.labels) & set(node.out)
                if factor.exponent != 1 or len(set(factor.labels)) != 2 or len(ends) == 2:
                    spoiled.add(factor.node.id)
    return frozenset(inverses - spoiled)
