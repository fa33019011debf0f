"""Blocks of rows: what is made for every row of an array is made for a few rows at a time.

Arrays as long as a batch are then never made as a whole, and a block of them stays in the
cache from one step to the next: strip mining, after M. J. Wolfe, "More iteration space
tiling", Supercomputing 1989.  The array whose rows are taken is the one that saves most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from matderiv.program.assemble import Plan
from matderiv.program.cuts import Cut, best_cut
from matderiv.program.polynomial import Polynomial
from matderiv.program.steps import Gathered, Ref, Step, Strips, operands_of
from matderiv.tensor.dims import Shape, dim_text

__all__ = ["in_strips"]


def in_strips(plan: Plan) -> Plan:
    """The plan with `value_and_grad` and `derivative` in blocks of rows where that saves."""
    shapes, views = list(plan.shapes), dict[int, int]()
    names = {number: variable.name for variable, number in plan.inputs.items()} | dict(plan.names)

    def stripped(steps: Sequence[Step], results: Iterable[Ref]) -> Sequence[Step]:
        kept = {ref.value for ref in results}
        cut = best_cut(steps, plan.inputs.values(), kept, shapes, plan.sizes)
        return steps if cut is None else _written(steps, cut, shapes, names, views)

    joint = stripped(plan.in_one_pass, [plan.value, *plan.gradients.values()])
    derivative = stripped(plan.derivative, plan.derivatives.values())
    return replace(plan, joint=joint, derivative=derivative, shapes=shapes, names=names)


def _written(
    steps: Sequence[Step],
    cut: Cut,
    shapes: list[Shape],
    names: dict[int, str],
    views: dict[int, int],
) -> list[Step]:
    """Steps before the loop, the loop, what it leaves behind, and steps after it.

    `shapes` and `names` get the values of a block, `views` the rows of a value by its number.
    """
    rows = f"rows of {dim_text(cut.length)}"
    made: dict[int, int] = {}
    inner: dict[int, Step] = {}

    def new(number: int, axis: int | None) -> int:
        shape = shapes[number]
        if axis is not None:
            shape = (*shape[:axis], rows, *shape[axis + 1 :])
            if number in names:
                names[len(shapes)] = f"{names[number]}_rows"
        shapes.append(shape)
        return len(shapes) - 1

    def block(number: int, cut: bool) -> int:
        """What a block reads of a value."""
        if number in made or not cut:
            return made.get(number, number)
        if number not in views:
            views[number] = new(number, 0)
        view = views[number]
        inner.setdefault(view, Step(view, "rows", (Ref(number),), shapes[view], alias=number))
        return view

    for step, placed in cut.inside.values():
        slices = iter(placed.slices)
        operands = tuple(
            Ref(block(o.value, next(slices)), o.axes) if isinstance(o, Ref) else o
            for o in step.operands
        )
        number = made[step.value] = new(step.value, placed.axis)
        inner[number] = replace(step, value=number, operands=operands, shape=shapes[number])
    left = [k for k in cut.inside if cut.axis(k) is None or k in cut.stored]
    outputs = [Gathered(made[k], shapes[k], cut.axis(k) is None) for k in left]
    read = dict.fromkeys(k for s in inner.values() for k in operands_of(s) if k not in inner)
    shapes.append(())
    loop = Step(
        value=len(shapes) - 1,
        function="strips",
        operands=tuple(map(Ref, read)),
        shape=(),
        strips=Strips(cut.length, rows, cut.widths, tuple(inner.values()), tuple(outputs)),
        flops=Polynomial.total(Polynomial.of(*o.shape) for o in outputs if o.summed),
    )
    gathered = [
        Step(k, "output", (Ref(loop.value), (place,)), shapes[k], alias=loop.value)
        for place, k in enumerate(left)
    ]
    before = [s for s in steps if s.value not in cut.inside and s.value not in cut.late]
    after = [step for step in steps if step.value in cut.late]
    return [*before, loop, *gathered, *after]
