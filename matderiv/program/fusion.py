"""Elementwise steps that one loop computes together, entry by entry.

Steps of one shape wait until somebody needs an array of theirs; what only they read stays
a number inside the loop and never becomes an array.  Steps keep their order within a loop
and against everything that reads or writes their arrays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from matderiv.program.counting import UFUNCS
from matderiv.program.steps import Ref, Step, operands_of
from matderiv.tensor.dims import Shape

__all__ = ["Fused", "fused", "is_entrywise"]


@dataclass
class Fused:
    """One loop over a shape.

    steps    in order
    stored   the values that somebody outside reads: they become arrays
    """

    shape: Shape
    steps: list[Step] = field(default_factory=list)
    stored: set[int] = field(default_factory=set)

    @property
    def made(self) -> set[int]:
        return {step.value for step in self.steps}

    @property
    def overwritten(self) -> dict[int, int]:
        """For a value, the array from outside that dies with the loop and may hold it.

        None that the loop reads at another entry than the one at hand.
        """
        moved = {o.value for s in self.steps for o in s.refs if not _in_place(o)}
        found: dict[int, int] = {}
        for step in self.steps:
            if step.reuses and step.alias is not None:
                found[step.value] = found.get(step.alias, step.alias)
        made = self.made
        return {k: base for k, base in found.items() if base not in made | moved}


def is_entrywise(step: Step) -> bool:
    """Whether each entry of the result depends on one entry of each operand."""
    if step.callee is not None or step.writes:
        return False
    return step.function in UFUNCS or step.function == "copy"


def fused(steps: Sequence[Step], kept: Collection[int]) -> Iterator[Step | Fused]:
    """The steps in an order of execution, elementwise ones of one shape gathered.

    `kept` are the values that are read after all of the steps.
    """
    readers: dict[int, list[int]] = {}
    for step in steps:
        for number in operands_of(step):
            readers.setdefault(number, []).append(step.value)
    waiting: dict[Shape, Fused] = {}

    def finished(shape: Shape) -> Iterator[Fused]:
        """A loop, after those that read what it overwrites."""
        loop = waiting.pop(shape)
        bases = set(loop.overwritten.values())
        for other, reader in list(waiting.items()):
            if other in waiting and any(not bases.isdisjoint(operands_of(s)) for s in reader.steps):
                yield from finished(other)
        made = loop.made
        loop.stored = {
            number
            for number in made
            if number in kept or any(reader not in made for reader in readers.get(number, ()))
        }
        yield loop

    for step in steps:
        joins = bool(step.shape) and is_entrywise(step)
        read = set(operands_of(step))
        # Another entry than the one at hand, if an axis is moved or stretched.
        moved = {o.value for o in step.refs if not _in_place(o)}
        for shape, loop in list(waiting.items()):
            others = moved if joins and shape == step.shape else read
            if shape in waiting and (step.writes or not others.isdisjoint(loop.made)):
                yield from finished(shape)
        if joins:
            waiting.setdefault(step.shape, Fused(step.shape)).steps.append(step)
        else:
            yield step
    while waiting:
        yield from finished(next(iter(waiting)))


def _in_place(ref: Ref) -> bool:
    return ref.axes is None or ref.axes == tuple(range(len(ref.axes)))
