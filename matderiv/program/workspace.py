"""Buffers that stay between calls: temporaries of `value_and_grad` and `derivative`.

A value gets a place if it is made row by row by an elementwise function or a matrix product
and neither it nor anything that shares its array is returned.  Places of one shape are taken
again as soon as who lies there dies.  The same calls run on the same numbers, with `out=`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from matderiv.errors import UnsupportedError
from matderiv.program.assemble import Plan
from matderiv.program.counting import UFUNCS
from matderiv.program.footprint import Footprints, item_size
from matderiv.program.liveness import deaths, homes
from matderiv.program.memory import Memory
from matderiv.program.steps import Step, operands_of
from matderiv.tensor.dims import Shape

__all__ = ["buffers", "with_workspace"]


def with_workspace(plan: Plan) -> Plan:
    """The plan with places in buffers for its temporaries."""
    if plan.functions:
        raise UnsupportedError("a function of the caller's may call back: no workspace")
    footprints = Memory(plan).footprints
    results = {plan.value.value, *(ref.value for ref in plan.gradients.values())}
    dense = {ref.value for ref in plan.derivatives.values()}
    joint = plan.in_one_pass if plan.gradients else ()
    return replace(
        plan,
        joint=_placed(joint, results, footprints),
        derivative=_placed(plan.derivative, dense, footprints),
    )


def buffers(steps: Sequence[Step]) -> list[Shape]:
    """The shapes of the buffers that steps write into, by place."""
    shapes = {step.buffer: step.shape for step in steps if step.buffer is not None}
    return [shapes[place] for place in range(len(shapes))]


def _placed(steps: Sequence[Step], kept: Collection[int], footprints: Footprints) -> list[Step]:
    home = homes(steps)
    returned = {home.get(number, number) for number in kept}
    # What a loop starts from or collects may be kept inside it.
    returned |= {
        home.get(k, k) for step in steps if step.body is not None for k in operands_of(step)
    }
    members: dict[int, int] = {}
    for owner in home.values():
        members[owner] = members.get(owner, 0) + 1
    place: dict[int, int] = {}
    free: dict[Shape, list[int]] = {}
    count = 0
    found = []
    for step, dying in zip(steps, deaths(steps, kept), strict=True):
        if _can_be_placed(step, footprints) and step.value not in returned:
            if free.get(step.shape):
                place[step.value] = free[step.shape].pop()
            else:
                place[step.value], count = count, count + 1
            step = replace(step, buffer=place[step.value])
        found.append(step)
        written = [step.alias] if step.writes and step.alias is not None else []
        for number in (*dying, *written):
            owner = home.get(number, number)
            if owner in members:
                members[owner] -= 1
                if not members[owner] and owner in place:
                    shape = next(s.shape for s in found if s.value == owner)
                    free.setdefault(shape, []).append(place[owner])
    return found


def _can_be_placed(step: Step, footprints: Footprints) -> bool:
    return (
        (step.function in UFUNCS or step.function == "matmul")
        and step.alias is None
        and bool(step.shape)
        and footprints.layouts[step.value].is_by_rows
        and footprints.layouts[step.value].item == item_size(step.function, footprints.item)
        and item_size(step.function, footprints.item) == footprints.item
    )
