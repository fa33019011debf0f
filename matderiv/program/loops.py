"""A loop as one step: the steps of a layer, lowered once, and how its values are kept.

Stacks that only loops read are lists of arrays, an element for each layer: nothing is
copied, and what a carry is before a layer and what it was after the one before is one
array.  All other stacks are arrays.

What the last layer would only hand on is dead.  Those steps come last in the body, so that
they can be left out there: a loop costs (N - 1) times all its steps and once the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from matderiv.program.cleanup import ancestors, with_masks, without_copies
from matderiv.program.steps import Body, Output, Ref, Step
from matderiv.program.wired import Wired, plain
from matderiv.tensor.loops import captured_by
from matderiv.tensor.nodes import Carry, Last, Loop, Node, Stack, Variable
from matderiv.tensor.vanishing import silenced

if TYPE_CHECKING:
    from matderiv.program.lower import Lowering

__all__ = ["lower_loop", "read_by_loops_alone"]


def read_by_loops_alone(nodes: Iterable[Node], roots: Iterable[Node]) -> frozenset[int]:
    """The stacks that are read as slices of loops, and in no other way."""
    stacks: set[int] = set()
    spoiled = {root.id for root in roots}
    for node in nodes:
        if isinstance(node, Stack):
            stacks.add(node.id)
        if isinstance(node, Loop):
            spoiled.update(carry.start.id for carry in node.carries)
        if isinstance(node, Loop | Stack):
            spoiled.update(child.id for child in node.captured)
        elif not isinstance(node, Last):
            spoiled.update(child.id for child in node.children)
    return frozenset(stacks - spoiled)


def lower_loop(outer: Lowering, loop: Loop, asked: Sequence[Last | Stack]) -> None:
    """Record a loop and what is asked of it."""
    tape = outer.tape
    stacks = [node for node in asked if isinstance(node, Stack)]
    made = silenced([*(carry.next for carry in loop.carries), *(stack.body for stack in stacks)])
    nexts, bodies = made[: len(loop.carries)], made[len(loop.carries) :]
    operands: list[Ref] = []
    captured: dict[int, int] = {}
    known: dict[int, Wired] = {}
    for node in captured_by(loop.parts, [*nexts, *bodies]):
        wired = outer.value(node)
        if isinstance(wired.source, Ref):
            number = wired.source.value
            if number not in captured:
                captured[number] = tape.input(tape.shapes[number])
                operands.append(Ref(number))
            wired = wired._replace(source=Ref(captured[number], wired.source.axes))
        known[node.id] = wired
    operands += [outer.array(carry.start) for carry in loop.carries]
    read = [outer.stacked(piece.stack) for piece in loop.slices]
    operands += [ref for ref, _ in read]
    arguments = [tape.input(part.argument.shape) for part in loop.parts]
    for part, number in zip(loop.parts, arguments, strict=True):
        known[part.argument.id] = plain(Ref(number), part.argument.order)

    inner = outer.inside([*nexts, *bodies], known)
    inner.run()
    following = [_own(inner, inner.array(node)) for node in nexts]
    values = [inner.array(node) for node in bodies]
    outputs, found = _outputs(outer, loop, asked, arguments, following, values)
    lasting = [output.source.value for output in outputs]
    results = {ref.value for ref in (*following, *values)}
    steps = with_masks(without_copies(inner.tape.steps, results), results)
    always, rest = _parted(steps, lasting, [ref.value for ref in following])
    carried = len(loop.carries)
    body = Body(
        count=loop.count,
        direction=loop.direction,
        captured=tuple(captured.values()),
        carries=tuple(zip(arguments[:carried], following, strict=True)),
        slices=tuple(
            (number, shift) for number, (_, shift) in zip(arguments[carried:], read, strict=True)
        ),
        inputs=tuple((number, tape.shapes[number]) for number in (*captured.values(), *arguments)),
        steps=(*always, *rest),
        always=len(always),
        outputs=tuple(outputs),
    )
    whole = tape.loop(body, operands)
    parts = [tape.output(whole, place) for place in range(len(outputs))]
    for node, (place, shift) in zip(asked, found, strict=True):
        if outputs[place].kind in ("list", "trail") and isinstance(node, Stack):
            outer.lists[node.id] = parts[place], shift
        else:
            outer.know(node, plain(parts[place], node.order))
    outer.names |= inner.names
    _name(outer, loop, arguments, following)
    for output, ref in zip(outputs, parts, strict=True):
        source = output.source.value if output.argument is None else output.argument
        label = outer.names.get(source, "").removesuffix("_next")
        if label and output.kind != "array":
            outer.names[ref.value] = f"{label}_last" if output.kind == "last" else f"{label}s"


def _outputs(
    outer: Lowering,
    loop: Loop,
    asked: Sequence[Last | Stack],
    arguments: Sequence[int],
    following: Sequence[Ref],
    values: Sequence[Ref],
) -> tuple[list[Output], list[tuple[int, int]]]:
    """The outputs, and for each node asked for its place among them and its shift there."""
    tape = outer.tape
    listed = {n.body.id for n in asked if isinstance(n, Stack) and n.id in outer.as_lists}
    forward = loop.direction > 0
    before, after = (0, 1) if forward else (1, 0)
    outputs: dict[Output, int] = {}
    found: list[tuple[int, int]] = []
    refs = iter(values)
    for node in asked:
        shift = 0
        if isinstance(node, Last):
            output = Output("last", following[node.index], tape.shape(following[node.index]))
        else:
            ref = next(refs)
            shape = (loop.count, *tape.shape(ref))
            output = Output("list" if node.id in outer.as_lists else "array", ref, shape)
            for place, carry in enumerate(loop.carries):
                both = carry.argument.id in listed and carry.next.id in listed
                if both and node.body in (carry.argument, carry.next) and output.kind == "list":
                    shift = before if node.body is carry.argument else after
                    output = Output("trail", following[place], shape, arguments[place])
        found.append((outputs.setdefault(output, len(outputs)), shift))
    return list(outputs), found


def _own(inner: Lowering, ref: Ref) -> Ref:
    """What is handed on: an array that the body made, no view and no argument of its own."""
    made = {step.value: step for step in inner.tape.steps}
    if ref.value in made and not made[ref.value].is_view:
        return ref
    return inner.tape.copy(ref)


def _parted(
    steps: Sequence[Step], lasting: Sequence[int], following: Sequence[int]
) -> tuple[list[Step], list[Step]]:
    """The steps that every layer needs, and those that only a layer after it needs."""
    by_value = {step.value: step for step in steps}
    needed = ancestors(by_value, lasting)
    others = ancestors(by_value, following) - needed
    always = [step for step in steps if step.value in needed]
    return always, [step for step in steps if step.value in others]


def _name(outer: Lowering, loop: Loop, arguments: Sequence[int], following: Sequence[Ref]) -> None:
    """Name the values of a layer after the carries and the stacks."""
    for part, number in zip(loop.parts, arguments, strict=True):
        label = _label(part.argument)
        if label:
            outer.names[number] = label if isinstance(part, Carry) else f"{label}_l"
    for carry, ref in zip(loop.carries, following, strict=True):
        label = _label(carry.argument)
        if label and outer.names.get(ref.value, label) == label:
            outer.names[ref.value] = f"{label}_next"


def _label(argument: Variable) -> str:
    return argument.name.partition("#")[0]
