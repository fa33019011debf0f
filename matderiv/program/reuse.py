"""Elementwise results written into an operand that dies with the step: `out=`.

The same operations on the same numbers, so values stay equal bit by bit; what falls is
the peak, by one array wherever an elementwise step is where it lies.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from matderiv.program.assemble import Plan
from matderiv.program.counting import UFUNCS
from matderiv.program.footprint import Footprints, item_size
from matderiv.program.liveness import deaths, homes
from matderiv.program.steps import Step, operands_of
from matderiv.tensor.dims import Shape

__all__ = ["reusing", "without_reuse"]


def without_reuse(plan: Plan) -> Plan:
    """The plan with every result in an array of its own."""

    def rewritten(steps: Sequence[Step]) -> list[Step]:
        return [replace(s, alias=None, reuses=False) if s.reuses else s for s in steps]

    return replace(
        plan,
        forward=rewritten(plan.forward),
        backward=rewritten(plan.backward),
        derivative=rewritten(plan.derivative),
        joint=(),
    )


def reusing(plan: Plan, footprints: Footprints) -> Plan:
    """The plan with elementwise results written into an operand that dies with the step.

    The operand must be an array that this function made, of the result's shape, strides
    and type, that nothing else shares: no view, no input, nothing that is cached, and
    nothing that a function of the caller's has seen, which may have returned it.
    `footprints` are those of its values, in whatever order they are computed.
    """
    if plan.functions:
        return plan
    kept = {plan.value.value, *(ref.value for ref in plan.gradients.values())}
    kept |= {ref.value for ref in plan.derivatives.values()}
    # A loop may have put what it starts from into a list.
    kept |= {k for step in plan.steps if step.body is not None for k in operands_of(step)}
    cached = {*kept, *plan.cache}  # may be read a second time
    return replace(
        plan,
        forward=_rewritten(plan.forward, cached, footprints, plan.shapes),
        backward=_rewritten(plan.backward, cached, footprints, plan.shapes),
        derivative=_rewritten(plan.derivative, cached, footprints, plan.shapes),
        joint=_rewritten(plan.in_one_pass, kept, footprints, plan.shapes),
    )


def _rewritten(
    steps: Sequence[Step], kept: Collection[int], footprints: Footprints, shapes: Sequence[Shape]
) -> list[Step]:
    """The steps, blocks of rows among them, with results in operands that die."""
    home = homes(steps)
    # Parts of a tuple that is kept lie in it.
    parts = {step.value for step in steps if step.item is not None and step.alias in kept}
    sharers: dict[int, int] = {}
    for owner in home.values():
        sharers[owner] = sharers.get(owner, 0) + 1
    found = []
    for step, dying in zip(steps, deaths(steps, kept), strict=True):
        if step.strips is not None:
            inner = footprints.inside(step.strips)
            block = _rewritten(step.strips.steps, (), inner, shapes)
            step = replace(step, strips=replace(step.strips, steps=tuple(block)))
        free = [k for k in dying if sharers.get(k) == 1 and k not in parts]
        target = _target(step, free, footprints, shapes)
        found.append(step if target is None else replace(step, alias=target, reuses=True))
    return found


def _target(
    step: Step, free: Sequence[int], footprints: Footprints, shapes: Sequence[Shape]
) -> int | None:
    """The operand that the result of an elementwise step may be written into.

    A copy of what nobody reads again is that array itself.
    """
    copies = step.function == "copy"
    writable = step.function in UFUNCS and step.shape
    if not (copies or writable) or step.alias is not None:
        return None
    layouts = footprints.layouts
    refs = step.refs
    for ref in refs:
        plain = all(other.axes is None for other in refs if other.value == ref.value)
        if (
            ref.value in free
            and plain
            and shapes[ref.value] == step.shape
            and layouts[ref.value] == layouts[step.value]
            and (copies or layouts[step.value].item == item_size(step.function, footprints.item))
        ):
            return ref.value
    return None
