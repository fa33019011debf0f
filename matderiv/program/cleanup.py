"""Passes over recorded steps: drop what nobody needs, and copies that serve nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from matderiv.program.steps import Ref, Step, operands_of

__all__ = ["ancestors", "renumber", "with_masks", "without_copies"]


def ancestors(steps: Mapping[int, Step], roots: Iterable[int]) -> set[int]:
    """The values of steps that the roots depend on."""
    found: set[int] = set()
    stack = [root for root in roots if root in steps]
    while stack:
        number = stack.pop()
        if number not in found:
            found.add(number)
            stack += [k for k in operands_of(steps[number]) if k in steps and k not in found]
    return found


def without_copies(steps: Sequence[Step], roots: set[int]) -> list[Step]:
    """Drop copies of arrays that nobody else reads: they may be written into themselves."""
    needed = ancestors({step.value: step for step in steps}, roots)
    steps = [step for step in steps if step.value in needed]
    uses: dict[int, int] = {}
    own: set[int] = set()
    for step in steps:
        for number in operands_of(step):
            uses[number] = uses.get(number, 0) + 1
        if step.alias is None:
            own.add(step.value)
    renamed: dict[int, int] = {}
    kept: list[Step] = []
    for step in steps:
        source = step.operands[0] if step.operands else None
        if (
            step.function == "copy"
            and step.value not in roots
            and isinstance(source, Ref)
            and source.axes is None
            and source.value in own
            and source.value not in roots
            and uses[source.value] == 1
        ):
            renamed[step.value] = renamed.get(source.value, source.value)
        else:
            kept.append(renumber(step, renamed) if renamed else step)
    return kept


def renumber(step: Step, renamed: Mapping[int, int]) -> Step:
    """The step with other numbers for the values that it reads."""
    read = operands_of(step) if step.alias is None else [*operands_of(step), step.alias]
    if all(renamed.get(number, number) == number for number in read):
        return step

    def new(ref: Ref) -> Ref:
        return Ref(renamed.get(ref.value, ref.value), ref.axes)

    return replace(
        step,
        operands=tuple(new(o) if isinstance(o, Ref) else o for o in step.operands),
        options=tuple((k, new(o) if isinstance(o, Ref) else o) for k, o in step.options),
        alias=None if step.alias is None else renamed.get(step.alias, step.alias),
    )


def with_masks(steps: Sequence[Step], roots: set[int]) -> list[Step]:
    """[x > 0] as an array of one byte an entry where it only ever multiplies other arrays.

    `heaviside` has no vector code in NumPy: a comparison takes a fortieth of its time.
    """
    masks = {
        step.value
        for step in steps
        if step.function == "heaviside" and step.operands[1] == 0.0 and step.value not in roots
    }
    for step in steps:
        used = [number for number in operands_of(step) if number in masks]
        if used and (
            step.function != "multiply"
            or len(used) == 2
            or not all(isinstance(operand, Ref) for operand in step.operands)
        ):
            masks.difference_update(used)
    return [replace(step, function="greater") if step.value in masks else step for step in steps]
