"""Loops in blocks of layers: keep what is carried before each block, compute the rest again.

A loop of N layers that keeps its values for the loop that runs back holds N states.  In
blocks it holds one state for each block and, while a block runs back, those of the block:
with √N blocks about 2 √N states, for one more run of the layers (Griewank 1992; Chen et
al. 2016, "Training deep nets with sublinear memory cost").  This is the schedule of
segments (`drop.py`) with the number of layers a symbol.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from matderiv.program.assemble import Plan, split
from matderiv.program.cleanup import ancestors
from matderiv.program.steps import (
    Again,
    Blocks,
    Body,
    Operand,
    Output,
    Ref,
    Step,
    operands_of,
)
from matderiv.tensor.dims import Composite

__all__ = ["in_blocks"]

Place = tuple[int, int]  # a loop, and one of its outputs


def in_blocks(plan: Plan, count: int | None = None) -> Plan | None:
    """The plan with its loops in so many blocks, or in √N; None where there are none to cut.

    Cut are loops whose lists are read by loops of the backward part alone.
    """
    writer = _Cut(plan, count)
    return writer.plan() if writer.dropped and not plan.derivatives else None


class _Cut:
    def __init__(self, plan: Plan, count: int | None) -> None:
        self.whole, self.count = plan, count
        self.shapes = list(plan.shapes)
        self.names = dict(plan.names)
        steps = {step.value: step for step in [*plan.forward, *plan.backward]}
        self.steps = steps
        self.loops = {
            step.value: step.body
            for step in plan.forward
            if step.body is not None
            and step.body.direction > 0
            and not isinstance(step.body.count, Composite)
        }
        self.dropped = self._dropped(plan.forward, plan.backward)

    def _dropped(self, forward: Sequence[Step], backward: Sequence[Step]) -> dict[int, Place]:
        """The lists that loops of the backward part alone read, by number."""
        found: dict[int, Place] = {}
        for step in self.steps.values():
            loop, place = _output(step)
            body = self.loops.get(loop)
            if place >= 0 and body is not None and body.outputs[place].kind in ("list", "trail"):
                found[step.value] = loop, place
        inside = {step.value for step in forward}
        for step in self.steps.values():
            read = set(operands_of(step))
            if step.body is not None and step.body.direction < 0 and step.value not in inside:
                parts = step.body.parts(step.operands)
                stacks = {ref.value for ref in parts.stacks if isinstance(ref, Ref)}
                again = [found[k][0] for k in stacks if k in found]
                read -= {k for k in stacks if k in found and found[k][0] == min(again)}
            for number in read:
                found.pop(number, None)
        return found

    def _blocks(self, loop: int) -> Blocks:
        layers = self.loops[loop].count
        assert not isinstance(layers, Composite)
        return Blocks(layers, self.count)

    # ---- the loop that runs forward ----------------------------------------------------

    def plan(self) -> Plan:
        starts: dict[int, dict[int, int]] = {}  # by loop and argument: the list of starts
        made: dict[int, Step] = {}
        for loop in dict.fromkeys(loop for loop, _ in self.dropped.values()):
            body = self.loops[loop]
            gone = {place for other, place in self.dropped.values() if other == loop}
            argued = _carried(body, [body.outputs[place].source for place in gone])
            kept = [k for k in range(len(body.outputs)) if k not in gone]
            new = [
                Output("starts", following, self._starts_shape(loop, argument), argument)
                for argument, following in body.carries
                if argument in argued
            ]
            outputs = [*(body.outputs[k] for k in kept), *new]
            made[loop] = replace(
                self.steps[loop],
                body=_pruned(replace(body, outputs=tuple(outputs), blocks=self._blocks(loop))),
            )
            for step in self.steps.values():  # the outputs that are left, at their new places
                owner, place = _output(step)
                if owner == loop and place >= 0 and place in kept:
                    made[step.value] = replace(step, operands=(Ref(loop), (kept.index(place),)))
            starts[loop] = {}
            for place, output in enumerate(new, len(kept)):
                assert output.argument is not None
                number = self._number(output.shape, f"{self._label(output.argument)}_starts")
                starts[loop][output.argument] = number
                made[number] = Step(
                    number, "output", (Ref(loop), (place,)), output.shape, alias=loop
                )
        return self._assembled(made, starts)

    def _starts_shape(self, loop: int, argument: int) -> tuple[int | str | Composite, ...]:
        (number,) = self._blocks(loop).number.terms
        shape = dict(self.loops[loop].inputs)[argument]
        return (number[0] if number else 1, *shape)

    def _number(self, shape: tuple[int | str | Composite, ...], name: str) -> int:
        self.shapes.append(shape)
        self.names[len(self.shapes) - 1] = name
        return len(self.shapes) - 1

    def _label(self, argument: int) -> str:
        return self.names.get(argument, "state")

    # ---- the loops that run back -------------------------------------------------------

    def _assembled(self, made: Mapping[int, Step], starts: Mapping[int, Mapping[int, int]]) -> Plan:
        plan = self.whole
        forward = [made.get(step.value, step) for step in plan.forward]
        inner = {step.value for step in forward}
        backward: list[Step] = []
        there: set[int] = set()
        for step in plan.backward:
            if step.value in inner or step.value in self.dropped:
                continue  # a view made again, a list that is no more
            loops = {self.dropped[k][0] for k in operands_of(step) if k in self.dropped}
            for loop in loops - there:
                backward += [made[number] for number in starts[loop].values()]
            there |= loops
            for loop in loops:
                step = self._reversed(step, loop, starts[loop])
            backward.append(made.get(step.value, step))
        every = {step.value: step for step in [*forward, *backward]}
        found, cache = split(every, inner, backward)
        return replace(
            plan,
            shapes=self.shapes,
            names=self.names,
            forward=forward,
            backward=found,
            cache=cache,
            joint=(),
        )

    def _reversed(self, step: Step, loop: int, starts: Mapping[int, int]) -> Step:
        """The loop with the lists of another one computed again before each block."""
        body, ran = step.body, self.loops[loop]
        assert body is not None
        if body.again is not None:
            return step
        parts = body.parts(step.operands)
        stacks = list(zip(body.slices, parts.stacks, strict=True))
        places = {
            stack.value: self.dropped[stack.value][1]
            for _, stack in stacks
            if isinstance(stack, Ref) and self.dropped.get(stack.value, (None,))[0] == loop
        }
        outputs = [ran.outputs[place] for place in places.values()]
        argued = _carried(ran, [output.source for output in outputs])
        carried = [carry for carry in ran.carries if carry[0] in argued]
        needed = _needed(ran, [*(o.source for o in outputs), *(ref for _, ref in carried)])
        steps = tuple(s for s in ran.steps if s.value in needed)
        again = Again(
            replace(
                ran,
                carries=tuple(carried),
                outputs=tuple(outputs),
                steps=steps,
                always=len(steps),
                blocks=None,
            ),
            tuple(places),
            tuple(
                (argument, list(places).index(stack.value), shift)
                for (argument, shift), stack in stacks
                if isinstance(stack, Ref) and stack.value in places
            ),
            self._blocks(loop),
        )
        rest = [(s, o) for s, o in stacks if not (isinstance(o, Ref) and o.value in places)]
        of_loop = ran.parts(self.steps[loop].operands)
        operands: list[Operand] = [
            *parts.captured,
            *parts.starts,
            *(operand for _, operand in rest),
            *of_loop.captured,
            *(Ref(starts[argument]) for argument, _ in carried),
            *of_loop.stacks,
        ]
        new = replace(body, slices=tuple(part for part, _ in rest), again=again)
        return replace(step, operands=tuple(operands), body=new)


def _output(step: Step) -> tuple[int, int]:
    """The loop and the place, where a step is an output of one."""
    return (-1 if step.alias is None else step.alias), step.place


def _needed(body: Body, refs: Iterable[Ref]) -> set[int]:
    steps = {step.value: step for step in body.steps}
    return ancestors(steps, (ref.value for ref in refs))


def _carried(body: Body, sources: Sequence[Ref]) -> set[int]:
    """The carries' arguments that some values of a layer depend on, through any layers."""
    found: set[int] = set()
    pending = list(sources)
    while pending:
        read = {ref.value for ref in pending}
        steps = _needed(body, pending)
        for step in body.steps:
            if step.value in steps:
                read.update(operands_of(step))
        pending = []
        for argument, following in body.carries:
            # The list of what a carry becomes begins with what it was.
            if argument not in found and (argument in read or following.value in read):
                found.add(argument)
                pending.append(following)
    return found


def _pruned(body: Body) -> Body:
    """Without the steps that neither a carry nor an output needs."""
    refs = [ref for _, ref in body.carries]
    refs += [output.source for output in body.outputs]
    needed = _needed(body, refs)
    always = [s for s in body.steps[: body.always] if s.value in needed]
    rest = [s for s in body.steps[body.always :] if s.value in needed]
    return replace(body, steps=(*always, *rest), always=len(always))
