"""Run the schedule under a budget of bytes, and drop values when they do not fit.

Dropped first is what is cheap to compute again, large, and far from its next use: the
least (operations, with those of dropped ancestors) / (bytes · distance).  This is the
heuristic of Kirisame et al. (2021), "Dynamic tensor rematerialization", with the future
known; it comes without a guarantee, so it is run for many budgets and the best is taken.
"""

from __future__ import annotations

from bisect import bisect_right

from matderiv.program.units import Schedule, Units

__all__ = ["evict"]


def evict(units: Units, base: Schedule, budget: int) -> Schedule | None:
    """A schedule for a budget; None where operands alone do not fit."""
    run = _Run(units, base, budget)
    forward: list[int] = []
    for now, unit in enumerate(base.every):
        if now == len(base.forward):
            forward, run.order = run.order, []
        if not run.fetch(unit, now):
            return None
    return Schedule(tuple(forward), tuple(run.order))


class _Run:
    """What is resident while the schedule runs."""

    def __init__(self, units: Units, base: Schedule, budget: int) -> None:
        self.units = units
        self.budget = budget
        self.order: list[int] = []
        self.resident: set[int] = set()
        self.total = 0
        self._readers: list[list[int]] = [[] for _ in range(len(units))]
        for place, unit in enumerate(base.every):
            for operand in units.reads[unit]:
                self._readers[operand].append(place)

    def fetch(self, unit: int, now: int) -> bool:
        """Compute a unit, after what it reads and is not resident."""
        reads = self.units.reads
        stack = [unit]
        while stack:
            top = stack[-1]
            missing = [k for k in reads[top] if k not in self.resident]
            if missing:
                stack.append(missing[0])
                continue
            locked = {k for pending in stack for k in reads[pending]}
            if not self._make_room(top, locked, now):
                return False
            self.order.append(stack.pop())
            self.resident.add(top)
            self.total += self.units.kept[top]
            locked = {k for pending in stack for k in reads[pending]}
            for k in {*reads[top], top} - locked:
                if not self._kept(k, now):
                    self._drop(k)
        return True

    def _kept(self, unit: int, now: int) -> bool:
        return unit in self.units.results or self._next(unit, now) > 0

    def _next(self, unit: int, now: int) -> int:
        """How many units from now reads this one for the next time; 0 for never."""
        places = self._readers[unit]
        at = bisect_right(places, now)
        return places[at] - now if at < len(places) else 0

    def _make_room(self, unit: int, locked: set[int], now: int) -> bool:
        need = self.units.kept[unit] + self.units.hidden[unit]
        if self.total + need <= self.budget:
            return True
        movable = self.resident - locked - self.units.results
        costs = {k: self._cost(k) for k in movable}
        while self.total + need > self.budget:
            if not movable:
                return False
            worst = min(
                movable,
                key=lambda k: (costs[k] / (self.units.kept[k] * self._distance(k, now)), k),
            )
            movable.remove(worst)
            self._drop(worst)
        return True

    def _distance(self, unit: int, now: int) -> int:
        return self._next(unit, now) or len(self.units)

    def _drop(self, unit: int) -> None:
        self.resident.remove(unit)
        self.total -= self.units.kept[unit]

    def _cost(self, unit: int) -> int:
        """Operations to compute a unit again, with those of its ancestors that are gone."""
        seen, stack, total = {unit}, [unit], 0
        while stack:
            top = stack.pop()
            total += self.units.flops[top]
            for operand in self.units.reads[top]:
                if operand not in self.resident and operand not in seen:
                    seen.add(operand)
                    stack.append(operand)
        return max(1, total)
