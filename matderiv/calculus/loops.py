"""The derivative of a loop is a loop.

Reverse: it runs the other way.  Its carries are the cotangents of the carries, and an
accumulator for each captured value; its body is the body pulled back from the cotangents
of `next` and of what is stacked.

Forward: it runs the same way, its carries are the tangents of the carries.

What either needs of the values in layer l it reads from stacks of the loop itself, whose
elements are the largest parts that the loop has computed anyway; the rest, a slope such as
1 - h², it computes again.  So no value is computed twice and little is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from matderiv.tensor.dims import Shape
from matderiv.tensor.elementwise import Elementwise
from matderiv.tensor.loops import argument_bits, body_of, build_loop, captured_by
from matderiv.tensor.nodes import Carry, Last, Loop, Map, Name, Node, Slice, Stack, Variable
from matderiv.tensor.traverse import reachable, substitute

__all__ = ["pull_back_loop", "push_forward_loop"]

Accumulate = Callable[[Sequence[tuple[Node, Node]], Sequence[Node], int, Shape, bool], list[Node]]
Spread = Callable[[Sequence[Node], Mapping[int, Node], int, Shape], list[Node]]


def pull_back_loop(
    loop: Loop,
    cotangents: Mapping[Last | Stack, Node],
    mask: int,
    lead: Shape,
    names: bool,
    accumulate: Accumulate,
) -> list[tuple[Node, Node]]:
    """The nodes that a loop reads and that depend on `mask`, each with its cotangent.

    A cotangent has the axes `lead` in front; in a stack the layer stands between them and
    the rest.  `accumulate` pulls back through the body.
    """
    arena = loop.arena
    inner = _inner_mask(loop, mask)
    given = {n.index: g for n, g in cotangents.items() if isinstance(n, Last)}
    stacks = {n.body: g for n, g in cotangents.items() if isinstance(n, Stack)}
    carries = {
        place: carry for place, carry in enumerate(loop.carries) if inner & carry.argument.depends
    }
    bars = {
        place: arena.placeholder(lead + carry.argument.shape, _label(carry.argument, "δ"))
        for place, carry in carries.items()
    }
    axes = (len(lead), *range(len(lead)))
    slices: list[Slice] = []
    seeds: list[tuple[Node, Node]] = [(c.next, bars[place]) for place, c in carries.items()]
    for body, g in stacks.items():
        argument = arena.placeholder(lead + body.shape)
        slices.append(Slice(argument, arena.transpose(g, (*axes, *range(len(axes), g.order)))))
        seeds.append((body, argument))

    captured = [node for node in _read(loop, stacks) if node.depends & mask]
    cut = [piece for piece in loop.slices if piece.argument.depends & inner]
    targets = [*(c.argument for c in carries.values()), *(s.argument for s in cut), *captured]
    found = accumulate(seeds, targets, inner, lead, names)
    found, bound = _bind(loop, stacks, found)
    to_carries, rest = found[: len(carries)], found[len(carries) :]
    to_slices, to_captured = rest[: len(cut)], rest[len(cut) :]

    new = [
        Carry(bars[place], given.get(place) or arena.zero(bars[place].shape), bar)
        for place, bar in zip(carries, to_carries, strict=True)
    ]
    totals = [arena.placeholder(part.shape) for part in to_captured]
    for total, part in zip(totals, to_captured, strict=True):
        new.append(Carry(total, arena.zero(part.shape), total + part))
    lasts = [bars[place] for place, c in carries.items() if c.start.depends & mask]
    made = build_loop(
        arena, loop.count, -loop.direction, new, [*bound, *slices], [*lasts, *totals], to_slices
    )
    starts = [c.start for c in carries.values() if c.start.depends & mask]
    result = list(zip([*starts, *captured], made, strict=False))
    front = (*range(1, len(lead) + 1), 0)
    for piece, stack in zip(cut, made[len(result) :], strict=True):
        back = arena.transpose(stack, (*front, *range(len(front), stack.order)))
        result.append((piece.stack, back))
    return result


def push_forward_loop(
    loop: Loop,
    asked: Sequence[Last | Stack],
    known: Mapping[int, Node],
    mask: int,
    tail: Shape,
    spread: Spread,
) -> dict[int, Node]:
    """The tangents, by id, of what is asked of a loop; `tail` is their axes behind.

    `known` are the tangents of what it reads; `spread` pushes forward through the body.
    """
    arena = loop.arena
    inner = _inner_mask(loop, mask)
    bodies = [n.body for n in asked if isinstance(n, Stack)]
    moved = [part for part in loop.parts if inner & part.argument.depends]
    dots = {
        part.argument.id: arena.placeholder(part.argument.shape + tail, _label(part.argument, "d"))
        for part in moved
    }
    inside = {n.id: known[n.id] for n in _read(loop, bodies) if n.depends & mask}
    carries = [part for part in moved if isinstance(part, Carry)]
    roots = [*(carry.next for carry in carries), *bodies]
    found, bound = _bind(loop, bodies, spread(roots, {**inside, **dots}, inner, tail))

    new = [
        Carry(
            dots[carry.argument.id],
            known.get(carry.start.id) or arena.zero(carry.start.shape + tail),
            tangent,
        )
        for carry, tangent in zip(carries, found, strict=False)
    ]
    slices = [
        Slice(dots[part.argument.id], known[part.stack.id])
        for part in moved
        if isinstance(part, Slice)
    ]
    ends = [n for n in asked if isinstance(n, Last)]
    lasts = {n.id: dots.get(loop.carries[n.index].argument.id) for n in ends}
    wanted = [dot for dot in lasts.values() if dot is not None]
    made = build_loop(
        arena, loop.count, loop.direction, new, [*bound, *slices], wanted, found[len(carries) :]
    )
    results = {n.id: arena.zero(n.shape + tail) for n in ends}
    results |= zip((k for k, dot in lasts.items() if dot is not None), made, strict=False)
    of_body = dict(zip(bodies, made[len(wanted) :], strict=True))
    return results | {n.id: of_body[n.body] for n in asked if isinstance(n, Stack)}


def _inner_mask(loop: Loop, mask: int) -> int:
    """`mask` and the bits of the arguments that vary with it, through any number of layers."""
    inner = mask
    for argument, stack in loop.slices:
        if stack.depends & mask:
            inner |= argument.depends
    while True:
        before = inner
        for argument, start, following in loop.carries:
            if (start.depends & mask) or (following.depends & inner):
                inner |= argument.depends
        if inner == before:
            return inner


def _read(loop: Loop, bodies: Iterable[Node]) -> tuple[Node, ...]:
    """What the loop captures, for its carries and for these parts of its body."""
    nexts = [carry.next for carry in loop.carries]
    return captured_by(loop.parts, [*nexts, *bodies])


def _bind(
    loop: Loop, bodies: Iterable[Node], roots: Sequence[Node]
) -> tuple[list[Node], list[Slice]]:
    """The roots with slices in the place of the values that the loop computes.

    Of those below a root only the first one met is read.  `bodies` are asked of the loop
    besides its carries.
    """
    arena = loop.arena
    own = argument_bits(loop.parts)
    nexts = [carry.next for carry in loop.carries]
    body = body_of(loop.parts, [*nexts, *bodies])
    computed = {node.id for node in body}

    def is_known(node: Node) -> bool:
        # What is asked of a loop in the body is known as well: that one need not run again.
        return (node.loop if isinstance(node, Last | Stack) else node).id in computed

    slices: dict[int, Slice] = {}

    def read(node: Node) -> Node:
        if node.id not in slices:
            argument = arena.placeholder(node.shape, _label(node, ""))
            slices[node.id] = Slice(argument, arena.stack(loop, node))
        return slices[node.id].argument

    maps = _maps(body)
    replaced: dict[int, Node] = {}
    for node in reachable(roots, lambda n: not n.depends & own or is_known(n)):
        if not node.depends & own:
            continue
        if is_known(node):
            replaced[node.id] = read(node)
        elif isinstance(node, Map) and isinstance(node.function, Elementwise):
            for name in node.function.unchanged_by:  # step(z) from relu(z), which is kept anyway
                if (output := maps.get((name, node.arguments[0].id))) is not None:
                    replaced[node.id] = arena.map(node.function, read(output))
    return substitute(roots, replaced), list(slices.values())


def _maps(body: Iterable[Node]) -> dict[tuple[Hashable, int], Node]:
    """The functions that a body computes, under their names where they have one."""
    maps: dict[Node, tuple[Hashable, int]] = {
        n: (n.function.key, n.arguments[0].id) for n in body if isinstance(n, Map)
    }
    names = {n.definition: n for n in body if isinstance(n, Name)}
    return {key: names.get(node, node) for node, key in maps.items()}


def _label(node: Node, mark: str) -> str:
    """What a derivative of a named value is called in print."""
    name = node.name.partition("#")[0] if isinstance(node, Variable | Name) else ""
    return mark + name if name else ""
