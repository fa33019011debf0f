"""What a schedule is made of: a plan's steps, gathered into units that may move or repeat.

A unit makes one buffer: the step that allocates it and those that write into it.  A view
belongs to whoever reads it and is made again with it.  A schedule is a list of unit
numbers, repeats allowed: a unit that stands there twice is computed twice, and whoever
reads it reads its newest version.  Validity, FLOPs and peak are one pass each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from matderiv.program.assemble import Plan
from matderiv.program.cleanup import renumber
from matderiv.program.counting import UFUNCS, WEIGHTS
from matderiv.program.footprint import Footprints
from matderiv.program.liveness import homes
from matderiv.program.steps import Step, executed, operands_of
from matderiv.tensor.dims import Shape

__all__ = ["Schedule", "Units", "rescheduled"]


@dataclass(frozen=True)
class Schedule:
    """Units in order of execution, before and after the value is returned."""

    forward: tuple[int, ...]
    backward: tuple[int, ...]

    @staticmethod
    def of(plan: Plan, units: Units) -> Schedule:
        """The schedule that a plan follows."""

        def numbers(steps: Iterable[Step]) -> tuple[int, ...]:
            return tuple(sorted({units.of[step.value] for step in steps if not step.is_view}))

        return Schedule(numbers(plan.forward), numbers(plan.backward))

    @property
    def every(self) -> tuple[int, ...]:
        return self.forward + self.backward

    @property
    def recomputed(self) -> list[int]:
        """Units that stand there more than once, as often as they are repeated."""
        seen: set[int] = set()
        again = []
        for unit in self.every:
            if unit in seen:
                again.append(unit)
            seen.add(unit)
        return again


class Units:
    """The units of steps at some sizes, numbered in order of execution.

    reads    for each unit those whose buffers it reads, through views or not
    kept     bytes of its buffer
    hidden   bytes that its computation hides, or copies it makes on the way
    flops    operations, function evaluations by their weight
    results  units whose buffers are returned
    """

    def __init__(
        self, steps: Iterable[Step], results: Iterable[int], footprints: Footprints
    ) -> None:
        distinct = list({step.value: step for step in steps}.values())
        if any(step.reuses for step in distinct):
            raise ValueError("a result that overwrites an operand ties the order of steps")
        home = homes(distinct)
        # A part of a tuple is made again with whoever reads it, the tuple is the unit.
        whole = {step.value: step.alias for step in distinct if step.item is not None}
        for number, owner in home.items():
            while (base := whole.get(owner)) is not None:
                owner = home.get(base, base)
            home[number] = owner
        self.views = {step.value: step for step in distinct if step.is_view}
        groups: dict[int, list[Step]] = {}  # by the buffer, the one written last at the end
        for step in distinct:
            if not step.is_view:
                owner = home[step.value]
                through = [k for k in operands_of(step) if k in self.views and home[k] == owner]
                views = [self.views[k] for k in dict.fromkeys(through)]
                groups[owner] = [*groups.pop(owner, []), *views, step]
        self.steps = list(groups.values())
        numbers = {owner: unit for unit, owner in enumerate(groups)}
        # A value and the unit that makes its buffer; -1 for a view of an input.
        self.of = {step.value: numbers.get(home[step.value], -1) for step in distinct}
        self.reads = [self._reads(unit) for unit in range(len(self.steps))]
        self.returned = list(results)
        self.results = {self.of[number] for number in self.returned if number in self.of}
        self.kept = [sum(footprints[s.value].kept for s in group) for group in self.steps]
        self.hidden = [max(footprints[s.value].hidden for s in group) for group in self.steps]
        self.flops = [
            sum(
                int(s.flops.at(footprints.sizes))
                + WEIGHTS.get(s.function, 0) * int(s.evaluations.at(footprints.sizes))
                for s in executed(group)
            )
            for group in self.steps
        ]

    def __len__(self) -> int:
        return len(self.steps)

    def _reads(self, unit: int) -> tuple[int, ...]:
        values = [k for step in self.steps[unit] for k in operands_of(step)]
        found = {self.of[k] for k in values if k in self.of}
        return tuple(sorted(found - {unit, -1}))

    def peak(
        self,
        schedule: Sequence[int],
        results: Iterable[int] | None = None,
        start: Iterable[int] = (),
    ) -> int:
        """The most bytes alive at once, with these units alive at the end.

        `start` are units whose buffers exist before.  Read backwards: before a unit is
        computed its operands are alive and it is not.
        """
        kept = self.kept
        alive = set(self.results if results is None else results)
        total = sum(kept[unit] for unit in alive)
        most = total
        for unit in reversed(schedule):
            if unit not in alive:
                total += kept[unit]
                alive.add(unit)
            for operand in self.reads[unit]:
                if operand not in alive:
                    alive.add(operand)
                    total += kept[operand]
            most = max(most, total + self.hidden[unit])
            alive.discard(unit)
            total -= kept[unit]
        missing = alive - set(start)
        if missing:
            raise ValueError(f"units {sorted(missing)} are read before they are computed")
        return most

    def least(self, reuse: bool = True) -> int:
        """No schedule has a lower peak: each unit meets its operands, results stay.

        With `reuse` an elementwise result may lie where an operand does.
        """
        steps = []
        for unit, group in enumerate(self.steps):
            operands = sum(self.kept[k] for k in self.reads[unit])
            own = 0 if reuse and group[0].function in UFUNCS and operands else self.kept[unit]
            steps.append(operands + own + self.hidden[unit])
        return max(sum(self.kept[unit] for unit in self.results), *steps)

    def work(self, schedule: Iterable[int]) -> int:
        return sum(self.flops[unit] for unit in schedule)


class _Writer:
    """Turns unit numbers into steps; what is made again gets a number of its own."""

    def __init__(self, units: Units, shapes: Sequence[Shape]) -> None:
        self.units = units
        self.shapes = list(shapes)
        self.original: dict[int, int] = {}  # of a value that got another number
        self._now: dict[int, int] = {}  # the newest version of each value
        self._versions: dict[tuple[int, int], int] = {}  # a view of one version of its base
        self._made: dict[int, int] = {}  # views in the function at hand, and of which version

    def function(self, schedule: Iterable[int], returned: Iterable[int]) -> list[Step]:
        """The steps of one function, with the views that they need and that are returned."""
        self._made = {}
        steps: list[Step] = []
        for unit in schedule:
            for step in self.units.steps[unit]:
                for number in operands_of(step):
                    self._view(number, unit, steps)
                again = step.value in self._now
                self._write(step, self._fresh(step.value) if again else step.value, steps)
        for number in returned:
            if number in self.units.views and number not in self._now:
                self._view(number, -1, steps)
        return steps

    def _view(self, number: int, unit: int, steps: list[Step]) -> None:
        step = self.units.views.get(number)
        if step is None or self.units.of[number] == unit:
            return
        assert step.alias is not None
        self._view(step.alias, unit, steps)
        base = self._now.get(step.alias, step.alias)
        if self._made.get(number) == base:
            return
        self._made[number] = base
        known = self._versions.get((number, base))
        if known is None:
            known = self._fresh(number) if number in self._now else number
            self._versions[number, base] = known
        self._write(step, known, steps)

    def _write(self, step: Step, number: int, steps: list[Step]) -> None:
        made = renumber(step, self._now)
        steps.append(made if number == step.value else replace(made, value=number))
        self._now[step.value] = number

    def _fresh(self, number: int) -> int:
        self.shapes.append(self.shapes[number])
        self.original[len(self.shapes) - 1] = number
        return len(self.shapes) - 1


def rescheduled(plan: Plan, units: Units, schedule: Schedule) -> Plan:
    """The plan that computes the value and gradients in this order, repeats included."""
    writer = _Writer(units, plan.shapes)
    last = bool(schedule.backward)
    first = [k for k in units.returned if k == plan.value.value or not last]
    forward = writer.function(schedule.forward, first)
    backward = writer.function(schedule.backward, units.returned if last else ())
    made = {step.value for step in backward}
    known = {step.value for step in forward if not step.is_view}
    read = {number for step in backward for number in operands_of(step)}
    names = dict(plan.names)
    for number, original in writer.original.items():
        if original in plan.names:
            names[number] = f"{plan.names[original]}_again"
    return replace(
        plan,
        shapes=writer.shapes,
        names=names,
        forward=forward,
        backward=backward,
        cache=sorted((read - made) & known),
    )
