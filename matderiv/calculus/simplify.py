"""Simplification of a whole graph: merge what is used once, split what cannot be written.

    flatten      a Product used once, by a Product, becomes part of it; so for Sums.
                 Shared nodes and names stay, or repeated squaring would explode.
    distribute   a Product over a Sum of order > 2, which matrix notation cannot hold
    shorten      see `shorten.py`

The body of a loop is simplified as a graph of its own, on what it captures.

Flattening lowers the number of nodes; distribution lowers the number of Sums of order
> 2 inside Products and is undone by nothing here; shortening strictly lowers a pair of
natural numbers.  So the rounds end.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence

from matderiv.calculus.shorten import Shortener
from matderiv.tensor.loops import build_loop, captured_by, in_order, projections
from matderiv.tensor.nodes import (
    Apply,
    Carry,
    Factor,
    Last,
    Loop,
    Name,
    Node,
    Product,
    Slice,
    Stack,
    Sum,
    Term,
    Variable,
)
from matderiv.tensor.primitives import AbstractFunction
from matderiv.tensor.properties import is_distributed
from matderiv.tensor.traverse import reachable, rebuild, remake, substitute, use_counts

__all__ = ["flatten", "simplify", "substitute"]

_ROUNDS = 6
_READABLE = 20  # a formula of more names than this keeps those of all its cotangents
_LARGEST = 30  # factors or terms of what may become part of a node


def simplify(roots: Sequence[Node], *, short: bool = True, all_names: bool = False) -> list[Node]:
    """Return the roots in a short form of the same value.

    Value-preserving and idempotent.  For code generation `short=False` leaves out what
    serves the reader alone, and `all_names=True` keeps the name of every cotangent.
    """
    current = list(roots)
    if not current:
        return current
    arena = current[0].arena
    merger, shortener = arena.keeper(Merger), arena.keeper(Shortener)
    for _ in range(_ROUNDS):
        before = current
        current = _simplify_bodies(current, short)
        current = merger(settle_names(current, all_names))
        if short:
            current = shortener.shorten_all(current)
        if all(a is b for a, b in zip(before, current, strict=True)):
            break
    return current


def _simplify_bodies(roots: Sequence[Node], short: bool) -> list[Node]:
    """Simplify what is asked of each loop, and drop what is not."""
    if not roots[0].arena.has_loops:
        return list(roots)
    order = in_order(roots)
    asked = projections(order)
    new: dict[int, Node] = {}
    for node in order:
        if isinstance(node, Loop):
            new |= _simplify_loop(node, asked.get(node.id, []), new, short)
        elif not isinstance(node, Last | Stack):
            new[node.id] = remake(node, new)
    return [new[root.id] for root in roots]


def _simplify_loop(
    loop: Loop, asked: Sequence[Last | Stack], new: Mapping[int, Node], short: bool
) -> dict[int, Node]:
    """What is asked of a loop, by id, made anew on `new` children."""
    arena = loop.arena
    lasts = [node for node in asked if isinstance(node, Last)]
    stacks = [node for node in asked if isinstance(node, Stack)]
    bodies = [*(carry.next for carry in loop.carries), *(stack.body for stack in stacks)]
    leaves: dict[int, Node] = {}
    values: dict[int, Node] = {}
    for node in captured_by(loop.parts, bodies):
        # A value computed once outside must not be taken apart inside.
        if node.depends and node.children:
            marks = ["symmetric"] if arena.is_symmetric(node) else []
            leaf = arena.variable(f"{node.id}", node.shape, marks, role="captured")
            leaves[node.id], values[leaf.id] = leaf, new[node.id]
    bodies = substitute(simplify(substitute(bodies, leaves), short=short), values)
    carries = [
        Carry(carry.argument, new[carry.start.id], body)
        for carry, body in zip(loop.carries, bodies, strict=False)
    ]
    slices = [Slice(argument, new[stack.id]) for argument, stack in loop.slices]
    ends = [loop.carries[node.index].argument for node in lasts]
    rest = bodies[len(carries) :]
    made = build_loop(arena, loop.count, loop.direction, carries, slices, ends, rest)
    return dict(zip((node.id for node in (*lasts, *stacks)), made, strict=True))


def settle_names(roots: Sequence[Node], keep_all: bool = False) -> list[Node]:
    """Let every use of a named value go through its name; drop names that are not due.

    A cotangent used once gives its name up where the formulas stay readable without it:
    it needs no line of its own.  So does one that is as short as a name, as the derivative
    of an abstract function is.
    """
    names = {node.definition.id: node for node in reachable(roots) if isinstance(node, Name)}
    if not names:
        return list(roots)
    counts = use_counts(roots)
    cotangents = [name for name in names.values() if name.role == "cotangent"]
    bare = {
        name.id
        for name in cotangents
        if _is_abstract(name.definition) or _is_multiple(name.definition)
    }
    once = {name.id for name in cotangents if counts[name.id] < 2}
    keep_all = keep_all or any(_is_long(root, once | bare) for root in roots)
    dropped = bare if keep_all else bare | once
    return _rename(roots, names, dropped)


def _is_long(root: Node, through: Container[int]) -> bool:
    """Whether a formula has too many names to be read; some of them count as what they name."""
    stack, count = [root], 0
    while stack and count <= _READABLE:
        node = stack.pop()
        if isinstance(node, Name) and node.id in through:
            stack.append(node.definition)
        elif isinstance(node, Name) or not node.children:
            count += 1
        else:
            stack.extend(node.children)
    return count > _READABLE


def _is_multiple(node: Node) -> bool:
    """Whether a value is 2 c: no longer than its name."""
    if not isinstance(node, Product) or len(node.factors) != 1:
        return False
    child, labels, exponent = node.factors[0]
    return isinstance(child, Variable | Name) and labels == node.out and exponent == 1


def _is_abstract(node: Node) -> bool:
    return isinstance(node, Apply) and isinstance(node.primitive, AbstractFunction)


def _rename(
    roots: Sequence[Node], names: Mapping[int, Name], dropped: Container[int]
) -> list[Node]:
    """Rebuild graphs with the names that are not dropped, each wherever its definition stands."""
    new: dict[int, Node] = {}
    for node in reachable(roots):
        if isinstance(node, Name):
            # Its definition has been given the name already, or has outlived it.
            new[node.id] = new[node.definition.id]
            continue
        made = remake(node, new)
        name = names.get(node.id)
        if name is not None and name.id not in dropped:
            made = node.arena.name(name.name, made, name.role)
        new[node.id] = made
    return [new[root.id] for root in roots]


class Merger:
    """Flattens after distributing, each graph once: code is often made of what is read."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], list[Node]] = {}

    def __call__(self, roots: Sequence[Node]) -> list[Node]:
        asked = tuple(root.id for root in roots)
        if asked not in self._known:
            self._known[asked] = flatten(distribute(roots))
        return self._known[asked]


def flatten(roots: Sequence[Node]) -> list[Node]:
    """Merge each Product into the Product, each Sum into the Sum, that alone uses it."""
    counts = use_counts(roots)
    nodes = reachable(roots)

    def merged(node: Node, new: Mapping[int, Node]) -> frozenset[int]:
        """The children that become part of a node."""
        kind = type(node)
        return frozenset(
            [
                made.id
                for child in node.children
                if counts[child.id] == 1
                and type(made := new[child.id]) is kind
                and len(made.children) <= _LARGEST
            ]
        )

    new: dict[int, Node] = {}
    for node in nodes:
        new[node.id] = remake(node, new, merged(node, new))
    return [new[root.id] for root in roots]


def distribute(roots: Sequence[Node]) -> list[Node]:
    """Expand Products over their factors that are Sums of order > 2.

    One of more than `_LARGEST` terms stays as it is: it would copy sums that are shared.
    """
    counts: dict[int, int] = {}

    def terms(node: Node) -> int:
        """How many terms a node has once it is expanded."""
        if node.id not in counts:
            count = 1
            if isinstance(node, Product):
                factors = [child for child, _, exponent in node.factors if exponent == 1]
                count = math.prod(terms(child) for child in factors if isinstance(child, Sum))
            elif isinstance(node, Sum) and node.order > 2:
                count = sum(terms(term) for _, term in node.terms)
            counts[node.id] = count
        return counts[node.id]

    def expand(node: Node) -> Node | None:
        if not isinstance(node, Product) or terms(node) > _LARGEST:
            return None
        for index, (child, labels, exponent) in enumerate(node.factors):
            if isinstance(child, Sum) and is_distributed(child) and exponent == 1:
                others = node.factors[:index] + node.factors[index + 1 :]
                sizes = dict(enumerate(node.sizes))
                parts = []
                for coefficient, term in child.terms:
                    factors = [Factor(term, labels, 1), *others]
                    part = node.arena.product(
                        node.coefficient, factors, node.out, sizes, frozenset({term.id})
                    )
                    parts.append(Term(coefficient, expand(part) or part))
                return node.arena.sum(parts, node.shape)
        return None

    if any(isinstance(node, Sum) and node.order > 2 for node in reachable(roots)):
        return rebuild(roots, expand)
    return list(roots)
