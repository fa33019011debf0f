"""Loops: a body computed once for each layer, their number a symbol.

    for l = 0 … N-1:          (or N-1 … 0)
        c = next(c, s[l], f)          a carry c, a slice s[l], a captured value f

The body is no graph of its own: it is the nodes above the placeholders that stand for c
and s[l].  What no placeholder is in is an outer node, so it is computed once, and what the
body uses is captured without a declaration.

Outputs are asked for by projection, `Last` and `Stack`, and are no part of the Loop: a
derivative asks for what it needs, and the loop is still the same node.  N is at least 1.

Placeholders are named by level, the height of the loop among those in its body, and
place.  So equal loops are one node, and no placeholder is bound twice on a path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from matderiv.errors import DomainError
from matderiv.tensor.dims import Dim
from matderiv.tensor.nodes import Carry, Last, Loop, Node, Slice, Stack, Sum, Variable
from matderiv.tensor.traverse import reachable, substitute

if TYPE_CHECKING:
    from matderiv.tensor.arena import Arena

__all__ = [
    "argument_bits",
    "body_of",
    "build_loop",
    "captured_by",
    "in_order",
    "last_of",
    "projections",
    "stack_of",
]


# ---- what the arena needs ----------------------------------------------------------------


def argument_bits(parts: Iterable[Carry | Slice]) -> int:
    """The dependency bits of a loop's own placeholders."""
    bits = 0
    for part in parts:
        bits |= part.argument.depends
    return bits


def captured_by(parts: Iterable[Carry | Slice], bodies: Iterable[Node]) -> tuple[Node, ...]:
    """The largest nodes below `bodies` that hold none of the loop's placeholders."""
    own = argument_bits(parts)
    nodes = reachable(bodies, lambda n: not n.depends & own)
    return tuple(node for node in nodes if not node.depends & own)


def last_of(arena: Arena, loop: Loop, index: int) -> Node:
    carry = loop.carries[index]
    if carry.next is carry.argument:
        return carry.start
    if carry.next in loop.captured:
        return carry.next
    key = ("last", loop.id, index)
    return arena.intern(key, Last, carry.start.shape, (loop,), loop=loop, index=index)


def stack_of(arena: Arena, loop: Loop, body: Node) -> Node:
    for argument, stack in loop.slices:
        if body is argument:
            return stack
    shape = (loop.count, *body.shape)
    if not body.depends & argument_bits(loop.parts):
        return arena.broadcast(body, shape, range(1, len(shape)))
    captured = captured_by(loop.parts, [body])
    key = ("stack", loop.id, body.id)
    return arena.intern(
        key, Stack, shape, (loop, *captured), loop=loop, body=body, captured=captured
    )


# ---- writing one -------------------------------------------------------------------------


def build_loop(
    arena: Arena,
    count: Dim,
    direction: int,
    carries: Sequence[Carry],
    slices: Sequence[Slice],
    lasts: Sequence[Variable],
    bodies: Sequence[Node],
) -> list[Node]:
    """Return the last values carried in `lasts`, then the stacks of `bodies`.

    The arguments may be any placeholders.  Carries that stay as they start are captured
    instead, and what no result needs is left out.
    """
    constants = _constant_carries(carries)
    final: dict[int, Node] = dict(constants)
    if constants:
        carries = [carry for carry in carries if carry.argument.id not in constants]
        made = substitute([*(c.next for c in carries), *bodies], constants)
        carries = [c._replace(next=n) for c, n in zip(carries, made, strict=False)]
        bodies = made[len(carries) :]
    asked = [carry.next for carry in carries if carry.argument in lasts]
    needed = _needed(carries, [*asked, *bodies])
    carries = [c for c in carries if c.argument in lasts or needed & c.argument.depends]
    slices = [piece for piece in slices if needed & piece.argument.depends]

    parts: list[Carry | Slice] = [*carries, *slices]
    made = [*(carry.next for carry in carries), *bodies]
    inner = (node.level for node in body_of(parts, made) if isinstance(node, Loop))
    level = 1 + max(inner, default=-1)
    renamed: dict[int, Node] = {}
    arguments: list[Variable] = []
    for place, part in enumerate(parts):
        old = part.argument
        label = old.name.partition("#")[0]
        name = f"{label}#{level}.{place}"
        arguments.append(arena.variable(name, old.shape, role="placeholder"))
        if arguments[-1] is not old:
            renamed[old.id] = arguments[-1]
    made = substitute(made, renamed) if renamed else made
    new_carries = [
        Carry(argument, carry.start, node)
        for argument, carry, node in zip(arguments, carries, made, strict=False)
    ]
    new_slices = [
        Slice(argument, piece.stack)
        for argument, piece in zip(arguments[len(carries) :], slices, strict=True)
    ]
    loop = arena.loop(count, direction, new_carries, new_slices, level)
    assert isinstance(loop, Loop)
    for place, carry in enumerate(carries):
        final[carry.argument.id] = arena.last(loop, place)
    stacks = [arena.stack(loop, body) for body in made[len(carries) :]]
    return [*(final[argument.id] for argument in lasts), *stacks]


def _constant_carries(carries: Sequence[Carry]) -> dict[int, Node]:
    """The values of carries that stay as they start, by the id of their argument.

    Those handed on as they are, and those that start as zero and stay it together.
    """
    constant = {c.argument.id: c.start for c in carries if c.next is c.argument}
    zeros = [c for c in carries if _is_zero(c.start)]
    while zeros:
        trial = {c.argument.id: c.start for c in zeros}
        try:
            made = substitute([c.next for c in zeros], trial)
        except DomainError:  # a division by one of them
            return constant
        kept = [c for c, node in zip(zeros, made, strict=True) if _is_zero(node)]
        if len(kept) == len(zeros):
            return constant | trial
        zeros = kept
    return constant


def _is_zero(node: Node) -> bool:
    return isinstance(node, Sum) and not node.terms


def _needed(carries: Sequence[Carry], roots: Iterable[Node]) -> int:
    """The bits of all that the roots depend on, through any number of layers."""
    needed = 0
    for root in roots:
        needed |= root.depends
    while True:
        before = needed
        for carry in carries:
            if needed & carry.argument.depends:
                needed |= carry.next.depends
        if needed == before:
            return needed


# ---- walking -----------------------------------------------------------------------------


def body_of(parts: Iterable[Carry | Slice], roots: Iterable[Node]) -> list[Node]:
    """The nodes of a body: those below `roots` that hold a placeholder of `parts`."""
    own = argument_bits(parts)
    return [n for n in reachable(roots, lambda n: not n.depends & own) if n.depends & own]


def projections(nodes: Iterable[Node]) -> dict[int, list[Last | Stack]]:
    """What is asked of each Loop, by its id."""
    found: dict[int, list[Last | Stack]] = {}
    for node in nodes:
        if isinstance(node, Last | Stack):
            found.setdefault(node.loop.id, []).append(node)
    return found


def in_order(roots: Iterable[Node], stop: Callable[[Node], bool] | None = None) -> list[Node]:
    """As `reachable`, and a Loop after all that its Stacks capture.

    So whoever comes to a Loop can run it once for everything that is asked of it.
    """
    nodes = reachable(roots, stop)
    if not any(isinstance(node, Loop) for node in nodes):
        return nodes
    asked = projections(nodes)
    listed = {node.id: node for node in nodes}
    waiting: dict[int, int] = {}
    users: dict[int, list[int]] = {}
    for node in nodes:
        below = {c.id for c in node.children}
        for projection in asked.get(node.id, ()):
            below |= {c.id for c in projection.children if c is not node}
        below &= listed.keys()
        waiting[node.id] = len(below)
        for child in below:
            users.setdefault(child, []).append(node.id)
    ready = [number for number, count in waiting.items() if not count]  # rising, so a heap
    order: list[Node] = []
    while ready:
        number = heappop(ready)
        order.append(listed[number])
        for user in users.get(number, ()):
            waiting[user] -= 1
            if not waiting[user]:
                heappush(ready, user)
    assert len(order) == len(nodes), "a stack needs the outcome of its own loop"
    return order
