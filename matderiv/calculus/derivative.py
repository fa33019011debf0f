"""Derivatives of any tensor by any variable: one rule for each kind of node.

Reverse: the cotangent of a node n has shape root + n.  It starts as the identity at the
root and moves to the children, highest id first:

    Product  C[labels of factor] = coefficient · e · Σ g · Π others · factor^(e-1)
    Sum      coefficient · g
    Map      g ⊙ ∂f/∂argument
    Apply    the primitive's adjoint
    Name     the same g, which becomes the named cotangent δz
    Loop     a loop that runs the other way; see `loops.py`

Forward: the tangent of a node n has shape n + seed, by the same rules read the other
way; a primitive is pushed forward by the adjoint of its adjoint.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from matderiv.calculus.loops import pull_back_loop, push_forward_loop
from matderiv.tensor.dims import Shape
from matderiv.tensor.loops import in_order, projections
from matderiv.tensor.nodes import (
    Apply,
    Factor,
    Last,
    Loop,
    Map,
    Name,
    Node,
    Product,
    Stack,
    Sum,
    Term,
    Variable,
)

if TYPE_CHECKING:
    from matderiv.tensor.arena import Arena

__all__ = ["accumulate", "forward", "pull_back", "push_forward", "reverse", "spread"]


def reverse(root: Node, wrt: Sequence[Variable], *, names: bool = False) -> list[Node]:
    """∂root/∂v for each v, of shape root + v, by reverse accumulation.

    `names` gives the cotangents of a scalar root's named values names of their own.
    """
    seed = root.arena.delta(root.shape)
    return pull_back(root, wrt, seed, names=names and root.order == 0)


def forward(root: Node, wrt: Sequence[Variable]) -> list[Node]:
    """∂root/∂v for each v, of shape root + v, by forward accumulation."""
    return [push_forward([root], {v: root.arena.delta(v.shape)})[0] for v in wrt]


def pull_back(root: Node, wrt: Sequence[Node], seed: Node, *, names: bool = False) -> list[Node]:
    """The cotangents of `wrt`, variables or one named value, for a cotangent `seed`.

    The seed has any axes, then the root's.
    """
    lead = seed.shape[: seed.order - root.order]
    mask = 0
    for variable in wrt:
        mask |= variable.depends
    return accumulate([(root, seed)], wrt, mask, lead, names)


def accumulate(
    seeds: Sequence[tuple[Node, Node]],
    targets: Sequence[Node],
    mask: int,
    lead: Shape,
    names: bool,
) -> list[Node]:
    """The cotangents of the targets for those of other nodes; nothing moves below a target.

    `mask` is the bits on which a path to a target may depend, `lead` the axes in front.
    """
    arena = seeds[0][0].arena
    parts: dict[int, list[Term]] = {}
    for node, g in seeds:
        parts.setdefault(node.id, []).append(Term(1, g))
    ends = {target.id for target in targets}
    order = in_order((node for node, _ in seeds), lambda n: n.id in ends or not n.depends & mask)
    named = {node.definition.id: node for node in order if isinstance(node, Name)}
    of_loops: dict[int, dict[Last | Stack, Node]] = {}
    for node in reversed(order) if arena.has_loops else _parents_first(order):
        if node.id in of_loops:  # what is asked of a loop may depend on more than the loop
            assert isinstance(node, Loop)
            moved = pull_back_loop(node, of_loops[node.id], mask, lead, names, accumulate)
        elif node.id in ends or node.id not in parts or not node.depends & mask:
            continue
        else:
            g = arena.sum(parts.pop(node.id), lead + node.shape)
            if isinstance(node, Last | Stack):
                of_loops.setdefault(node.loop.id, {})[node] = g
                continue
            if names and isinstance(node, Name) and not _is_number(g):
                g = arena.name(f"δ{node.name}", g, "cotangent")
            moved = _adjoints(arena, node, g, mask, named)
        for child, contribution in moved:
            parts.setdefault(child.id, []).append(Term(1, contribution))
    return [arena.sum(parts.get(target.id, []), lead + target.shape) for target in targets]


def _is_number(g: Node) -> bool:
    """Whether a cotangent is a constant: it needs no name."""
    return isinstance(g, Product) and not any(factor.labels for factor in g.factors)


def _parents_first(nodes: Sequence[Node]) -> Iterator[Node]:
    """The nodes, parents before children, else by id: f + g as it was written."""
    listed = {node.id: node for node in nodes}
    below = {node.id: {c.id for c in node.children if c.id in listed} for node in nodes}
    waiting = Counter(child for children in below.values() for child in children)
    ready = [number for number in listed if not waiting[number]]  # by id, so it is a heap
    while ready:
        number = heappop(ready)
        yield listed[number]
        for child in below[number]:
            waiting[child] -= 1
            if not waiting[child]:
                heappush(ready, child)


def _adjoints(
    arena: Arena, node: Node, g: Node, mask: int, named: Mapping[int, Name]
) -> list[tuple[Node, Node]]:
    """The children that depend on the variables, each with its cotangent.

    A derivative that is a function of the value takes the value's name where it has one.
    """
    lead = list(range(-(g.order - node.order), 0))
    if isinstance(node, Product):
        slope = _slope_of_root(node, named)
        if slope is not None:
            return [(node.children[0], _times(g, slope, lead, node.out))]
        found: list[tuple[Node, Node]] = []
        for index, (child, labels, exponent) in enumerate(node.factors):
            if not child.depends & mask:
                continue
            factors = [Factor(g, (*lead, *node.out), 1)]
            factors += node.factors[:index] + node.factors[index + 1 :]
            if exponent != 1:
                factors.append(Factor(child, labels, exponent - 1))
            sizes = dict(enumerate(node.sizes))
            out = (*lead, *labels)
            found.append((child, arena.product(node.coefficient * exponent, factors, out, sizes)))
        return found
    if isinstance(node, Sum):
        return [
            (t.node, arena.scale(t.coefficient, g)) for t in node.terms if t.node.depends & mask
        ]
    if isinstance(node, Name):
        return [(node.definition, g)]
    found = []
    for index, child in enumerate(node.children):
        if not child.depends & mask:
            continue
        if isinstance(node, Map):
            value = named.get(node.id, node)
            slope = node.function.differentiate(index, value, node.arguments)
            found.append((child, _times(g, slope, lead, tuple(range(node.order)))))
        else:
            assert isinstance(node, Apply)
            cotangent = node.primitive.pull_back(index, g, node, named.get(node.id))
            if cotangent is not None:
                found.append((child, cotangent))
    return found


def _times(g: Node, slope: Node, lead: Sequence[int], labels: tuple[int, ...]) -> Node:
    """g ⊙ slope, the cotangent with axes in front."""
    factors = [Factor(g, (*lead, *labels), 1), Factor(slope, labels, 1)]
    return g.arena.product(1, factors, (*lead, *labels))


def _slope_of_root(node: Product, named: Mapping[int, Name]) -> Node | None:
    """∂y/∂x = c^k/k y^(1 - k) of a named y = c x^(1/k), entry by entry: 1/(2 r) of r = √x."""
    value = named.get(node.id)
    if value is None or len(node.factors) != 1:
        return None
    _, labels, exponent = node.factors[0]
    if abs(exponent.numerator) != 1 or labels != node.out:
        return None
    k = int(1 / exponent)
    factor = Factor(value, labels, 1 - k)
    coefficient = Fraction(node.coefficient) ** k / k
    return node.arena.product(coefficient, [factor], node.out, dict(enumerate(node.sizes)))


def push_forward(
    roots: Sequence[Node], tangents: Mapping[Variable, Node], *, names: bool = False
) -> list[Node]:
    """The tangents of the roots (shape: the root's, then any axes) for tangents of variables.

    `names` gives the tangents of named values names of their own.
    """
    mask = 0
    known: dict[int, Node] = {}
    tail: Shape = ()
    for variable, tangent in tangents.items():
        mask |= variable.depends
        known[variable.id] = tangent
        tail = tangent.shape[variable.order :]
    return spread(roots, known, mask, tail, names)


def spread(
    roots: Sequence[Node],
    known: Mapping[int, Node],
    mask: int,
    tail: Shape,
    names: bool = False,
) -> list[Node]:
    """The tangents of the roots for `known` ones, by id; `tail` is the axes behind."""
    arena = roots[0].arena
    known = dict(known)
    order = in_order(roots, lambda n: n.id in known or not n.depends & mask)
    asked = projections(order)
    for node in order:
        if isinstance(node, Loop):
            moved = [part for part in asked[node.id] if part.depends & mask]
            known |= push_forward_loop(node, moved, known, mask, tail, spread)
        elif node.depends & mask and node.id not in known:
            parts = _tangents(arena, node, known, len(tail), mask)
            tangent = arena.sum([Term(1, part) for part in parts], node.shape + tail)
            if names and isinstance(node, Name):
                tangent = arena.name(f"d{node.name}", tangent, "tangent")
            known[node.id] = tangent
    return [known.get(root.id) or arena.zero(root.shape + tail) for root in roots]


def _tangents(
    arena: Arena, node: Node, known: Mapping[int, Node], extra: int, mask: int
) -> list[Node]:
    """The contributions of the children to the tangent of a node."""
    tail = tuple(range(-extra, 0))
    axes = tuple(range(node.order))
    if isinstance(node, Product):
        found = []
        for index, (child, labels, exponent) in enumerate(node.factors):
            if not child.depends & mask:
                continue
            factors = [Factor(known[child.id], (*labels, *tail), 1)]
            factors += node.factors[:index] + node.factors[index + 1 :]
            if exponent != 1:
                factors.append(Factor(child, labels, exponent - 1))
            sizes = dict(enumerate(node.sizes))
            out = (*node.out, *tail)
            found.append(arena.product(node.coefficient * exponent, factors, out, sizes))
        return found
    if isinstance(node, Sum):
        return [
            arena.scale(t.coefficient, known[t.node.id])
            for t in node.terms
            if t.node.depends & mask
        ]
    if isinstance(node, Name):
        return [known[node.definition.id]]
    found = []
    for index, child in enumerate(node.children):
        if not child.depends & mask:
            continue
        tangent = known[child.id]
        if isinstance(node, Map):
            slope = node.function.differentiate(index, node, node.arguments)
            factors = [Factor(slope, axes, 1), Factor(tangent, (*axes, *tail), 1)]
            found.append(arena.product(1, factors, (*axes, *tail)))
            continue
        assert isinstance(node, Apply)
        pushed = _through(node, index, tangent, extra)
        if pushed is not None:
            found.append(pushed)
    return found


def _through(node: Apply, index: int, tangent: Node, extra: int) -> Node | None:
    """The tangent of a primitive for that of one argument: the adjoint of its adjoint.

    The adjoint is linear in the cotangent u, so <u, J v> = <adjoint(u), v> is pulled back
    to u.
    """
    arena = node.arena
    u = arena.variable("u", node.shape, role="dual")
    cotangent = node.primitive.pull_back(index, u, node)
    if cotangent is None:
        return None
    order = node.arguments[index].order
    (pushed,) = pull_back(cotangent, [u], _axes_first(tangent, order, extra))
    return _axes_first(pushed, extra, node.order)


def _axes_first(node: Node, first: int, last: int) -> Node:
    """The last axes moved to the front."""
    return node.arena.transpose(node, (*range(first, first + last), *range(first)))
