"""The schedule of least work for a budget, by search: for small graphs.

A state is the next unit of the given order and the set of resident units; the cost so far
is what was computed again.  Dropping is free and tried only when something does not fit.
Of all schedules that compute units for the first time in the given order and hold, between
two such steps, only what a later unit of it reads, the least is found.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from time import monotonic

from matderiv.program.units import Schedule, Units

__all__ = ["optimum"]

State = tuple[int, int]


def optimum(units: Units, base: Schedule, budget: int, seconds: float = 2.0) -> Schedule | None:
    """The best schedule within a budget; None if there is none or time is up."""
    search = _Search(units, base, budget)
    end = monotonic() + seconds
    start: State = (0, 0)
    best = {start: 0}
    parents: dict[State, tuple[State, int]] = {}
    heap = [(0, 0, start)]
    while heap:
        cost, _, state = heapq.heappop(heap)
        if cost > best[state]:
            continue
        if state[0] == len(search.every):
            return search.schedule(state, parents)
        if monotonic() > end:
            return None
        for unit, more, other in search.moves(state):
            total = cost + more
            if total < best.get(other, total + 1):
                best[other] = total
                parents[other] = (state, unit)
                heapq.heappush(heap, (total, -other[0], other))
    return None


class _Search:
    def __init__(self, units: Units, base: Schedule, budget: int) -> None:
        self.units = units
        self.budget = budget
        self.every = base.every
        self.forward = len(base.forward)
        self.reads = [sum(1 << k for k in reads) for reads in units.reads]
        self.results = sum(1 << k for k in units.results)
        needed = self.results
        self.needed = [needed]  # after each step from the end: what later ones read
        for unit in reversed(self.every):
            needed |= self.reads[unit]
            self.needed.append(needed)
        self.needed.reverse()
        self._bytes: dict[int, int] = {0: 0}

    def bytes(self, mask: int) -> int:
        known = self._bytes.get(mask)
        if known is None:
            low = mask & -mask
            known = self._bytes[mask] = (
                self.bytes(mask ^ low) + self.units.kept[low.bit_length() - 1]
            )
        return known

    def moves(self, state: State) -> Iterator[tuple[int, int, State]]:
        """(unit computed or -1, operations computed again, next state)."""
        at, mask = state
        unit = self.every[at]
        full = False
        if not self.reads[unit] & ~mask:
            if self._fits(unit, mask):
                yield unit, 0, (at + 1, (mask | 1 << unit) & self.needed[at + 1])
            else:
                full = True
        else:
            for other in self._missing(unit, mask):
                if not self.reads[other] & ~mask:
                    if self._fits(other, mask):
                        yield other, self.units.flops[other], (at, mask | 1 << other)
                    else:
                        full = True
        if full:
            left = (
                mask & ~self.results & ~self.reads[unit]
                if not self.reads[unit] & ~mask
                else mask & ~self.results
            )
            while left:
                low = left & -left
                left ^= low
                yield -1, 0, (at, mask ^ low)

    def _fits(self, unit: int, mask: int) -> bool:
        return self.bytes(mask) + self.units.kept[unit] + self.units.hidden[unit] <= self.budget

    def _missing(self, unit: int, mask: int) -> list[int]:
        """The ancestors of a unit that are not resident, down to those that are."""
        found: dict[int, None] = {}
        stack = [k for k in self.units.reads[unit] if not mask >> k & 1]
        while stack:
            top = stack.pop()
            if top not in found:
                found[top] = None
                stack += [k for k in self.units.reads[top] if not mask >> k & 1]
        return list(found)

    def schedule(self, state: State, parents: dict[State, tuple[State, int]]) -> Schedule:
        forward: list[int] = []
        backward: list[int] = []
        while state in parents:
            before, unit = parents[state]
            if unit >= 0:
                (forward if before[0] < self.forward else backward).append(unit)
            state = before
        return Schedule(tuple(reversed(forward)), tuple(reversed(backward)))
