"""Walking and rebuilding graphs of nodes; nothing here recurses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from matderiv.tensor.nodes import Apply, Factor, Map, Name, Node, Product, Sum, Term

if TYPE_CHECKING:
    from matderiv.tensor.arena import Arena

__all__ = ["reachable", "rebuild", "remake", "use_counts"]


def reachable(roots: Iterable[Node], stop: Callable[[Node], bool] | None = None) -> list[Node]:
    """All nodes below the roots, children before parents.

    Where `stop` holds, the node is listed and its children are not followed.
    """
    seen: dict[int, Node] = {}
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node.id in seen:
            continue
        seen[node.id] = node
        if stop is None or not stop(node):
            stack.extend(node.children)
    return [seen[k] for k in sorted(seen)]


def use_counts(roots: Iterable[Node]) -> Counter[int]:
    """How often each node is used; a power other than 1 counts twice, a root once more."""
    roots = list(roots)
    counts: Counter[int] = Counter(root.id for root in roots)
    for node in reachable(roots):
        if isinstance(node, Product):
            for factor in node.factors:
                counts[factor.node.id] += 1 if factor.exponent == 1 else 2
        else:
            for child in node.children:
                counts[child.id] += 1
    return counts


def remake(
    node: Node,
    new: Mapping[int, Node],
    inline: frozenset[int] = frozenset(),
    arena: Arena | None = None,
) -> Node:
    """The node on new children, through the constructors; the node itself if none is new."""
    children = node.children
    target = arena or node.arena
    if target is node.arena and not inline and all(new.get(c.id, c) is c for c in children):
        return node
    if isinstance(node, Product):
        factors = [Factor(new.get(f.node.id, f.node), f.labels, f.exponent) for f in node.factors]
        return target.product(
            node.coefficient, factors, node.out, dict(enumerate(node.sizes)), inline
        )
    if isinstance(node, Sum):
        terms = [Term(t.coefficient, new.get(t.node.id, t.node)) for t in node.terms]
        return target.sum(terms, node.shape, inline)
    if isinstance(node, Map):
        return target.map(node.function, *(new.get(a.id, a) for a in node.arguments))
    if isinstance(node, Apply):
        arguments = (new.get(a.id, a) for a in node.arguments)
        return target.apply(node.primitive, *arguments, parameters=node.parameters)
    if isinstance(node, Name):
        definition = new.get(node.definition.id, node.definition)
        return target.name(node.name, definition, node.role)
    return node


def rebuild(
    roots: Iterable[Node],
    change: Callable[[Node], Node | None],
) -> list[Node]:
    """Rebuild graphs bottom-up.

    `change` sees each node, already on rebuilt children, and returns what stands in its
    place, or None to keep it.
    """
    roots = list(roots)
    new: dict[int, Node] = {}
    for node in reachable(roots):
        made = remake(node, new)
        new[node.id] = change(made) or made
    return [new[root.id] for root in roots]
