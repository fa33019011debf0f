"""Walking and rebuilding graphs of nodes; nothing here recurses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from matderiv.limits import tick
from matderiv.tensor.dims import dimension_names
from matderiv.tensor.nodes import (
    Apply,
    Carry,
    Factor,
    Last,
    Loop,
    Map,
    Name,
    Node,
    Product,
    Size,
    Slice,
    Stack,
    Sum,
    Term,
)

if TYPE_CHECKING:
    from matderiv.tensor.arena import Arena

__all__ = [
    "dimensions",
    "everything",
    "reachable",
    "rebuild",
    "remake",
    "substitute",
    "use_counts",
]


def reachable(roots: Iterable[Node], stop: Callable[[Node], bool] | None = None) -> list[Node]:
    """All nodes below the roots, children before parents.

    Where `stop` holds, the node is listed and its children are not followed.
    """
    tick()
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


def everything(roots: Iterable[Node]) -> Iterator[Node]:
    """All nodes below the roots and in the bodies of their loops, each once."""
    seen: set[int] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node.id in seen:
            continue
        seen.add(node.id)
        yield node
        stack.extend(node.children)
        if isinstance(node, Loop):
            stack.extend(carry.next for carry in node.carries)
        elif isinstance(node, Stack):
            stack.append(node.body)


def dimensions(roots: Iterable[Node]) -> list[str]:
    """The names of all sizes that the values depend on, in order of creation."""
    found: dict[str, None] = {}
    for node in sorted(everything(roots), key=lambda n: n.id):
        dims = node.sizes if isinstance(node, Product) else node.shape
        if isinstance(node, Size):
            dims = (node.dim,)
        elif isinstance(node, Loop):
            dims = (node.count,)
        found |= dict.fromkeys(dimension_names(dims))
    return list(found)


def use_counts(roots: Iterable[Node]) -> Counter[int]:
    """How often each node is used; a power other than 1 counts twice, a root once more."""
    roots = list(roots)
    counts: Counter[int] = Counter(root.id for root in roots)
    for node in reachable(roots):
        if isinstance(node, Product):
            for child, _, exponent in node.factors:
                counts[child.id] = counts.get(child.id, 0) + (1 if exponent == 1 else 2)
        else:
            for child in node.children:
                counts[child.id] = counts.get(child.id, 0) + 1
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
    if target is node.arena and not inline:
        for child in children:
            if new.get(child.id, child) is not child:
                break
        else:
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
    if isinstance(node, Loop):
        nexts = _on_new([carry.next for carry in node.carries], node.captured, new)
        carries = [
            Carry(c.argument, new.get(c.start.id, c.start), made)
            for c, made in zip(node.carries, nexts, strict=True)
        ]
        slices = [Slice(argument, new.get(s.id, s)) for argument, s in node.slices]
        return target.loop(node.count, node.direction, carries, slices, node.level)
    if isinstance(node, Last | Stack):
        loop = new.get(node.loop.id, node.loop)
        assert isinstance(loop, Loop)
        if isinstance(node, Last):
            return target.last(loop, node.index)
        return target.stack(loop, *_on_new([node.body], node.captured, new))
    return node


def _on_new(
    bodies: Iterable[Node], captured: Iterable[Node], new: Mapping[int, Node]
) -> list[Node]:
    """Parts of a loop's body on new nodes in the place of what it captures."""
    changed = {c.id: new[c.id] for c in captured if new.get(c.id, c) is not c}
    return substitute(bodies, changed) if changed else list(bodies)


def substitute(roots: Iterable[Node], replacements: Mapping[int, Node]) -> list[Node]:
    """Rebuild graphs with other nodes in the place of some (by id), usually variables."""
    roots = list(roots)
    new: dict[int, Node] = {}
    for node in reachable(roots, lambda n: n.id in replacements):
        new[node.id] = replacements.get(node.id) or remake(node, new)
    return [new[root.id] for root in roots]


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
