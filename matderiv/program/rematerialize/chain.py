"""Chains: which states to keep so that the fewest stages are computed again.

To reverse l stages with the state before them and s free slots, go q stages forward, keep
the state there, reverse the rest, then the first q:

    R(l, s) = min_q  q + R(l - q, s - 1) + R(q, s),    R(1, s) = 0,  R(l, 0) = l (l - 1) / 2

For equal stages R has a closed form, the bound of Griewank (1992), "Achieving logarithmic
growth of temporal and spatial complexity in reverse automatic differentiation".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from math import comb

import numpy as np

from matderiv.program.rematerialize.drop import crossing, fetch
from matderiv.program.units import Schedule, Units

__all__ = ["Chain", "binomial_bound", "chain_schedules"]

_STAGES = 128  # as many as the table is made for
_SLOTS = (1, 2, 3, 4, 6, 8, 12, 16)


def binomial_bound(stages: int, slots: int) -> int:
    """The least number of advances over `stages` equal stages with the start and `slots` kept.

    t l - C(c + t, t - 1) with c = slots + 1 and the least t for which C(c + t, t) ≥ l.

    >>> [binomial_bound(*case) for case in ((10, 2), (20, 3), (64, 5), (64, 9), (100, 4))]
    [15, 39, 156, 116, 316]
    """
    kept, t = slots + 1, 0
    while comb(kept + t, t) < stages:
        t += 1
    return t * stages - comb(kept + t, t - 1) if t else 0


class Chain:
    """The table of R for stages of these costs; `reverse(l, s)` on a stretch from any stage."""

    def __init__(self, costs: Sequence[int], slots: int) -> None:
        self.costs = costs
        self.slots = slots

    @cached_property
    def _tables(self) -> tuple[np.ndarray, np.ndarray]:
        """least[s, i, j] and the split for stages i … j - 1."""
        count = len(self.costs)
        ahead = np.array([0, *accumulate(self.costs)], dtype=float)
        least = np.zeros((self.slots + 1, count + 1, count + 1))
        split = np.zeros(least.shape, dtype=int)
        for length in range(2, count + 1):
            for start in range(count - length + 1):
                stop = start + length
                way = ahead[start + 1 : stop] - ahead[start]
                least[0, start, stop] = way.sum()
                for s in range(1, self.slots + 1):
                    total = (
                        way
                        + least[s - 1, start + 1 : stop, stop]
                        + least[s, start, start + 1 : stop]
                    )
                    best = int(total.argmin())
                    least[s, start, stop] = total[best]
                    split[s, start, stop] = start + 1 + best
        return least, split

    @property
    def least(self) -> int:
        """The operations of all advances."""
        return int(self._tables[0][self.slots, 0, len(self.costs)])

    def actions(self) -> Iterator[tuple[str, int, int]]:
        """("advance", from, to), ("keep", state, 0), ("forget", state, 0), ("reverse", stage, 0).

        State i is the one before stage i.
        """
        yield from self._reverse(0, len(self.costs), self.slots)

    def _reverse(self, start: int, stop: int, slots: int) -> Iterator[tuple[str, int, int]]:
        while stop - start > 1 and slots:
            at = int(self._tables[1][slots, start, stop])
            yield "advance", start, at
            yield "keep", at, 0
            yield from self._reverse(at, stop, slots - 1)
            yield "forget", at, 0
            stop = at
        for stage in range(stop - 1, start - 1, -1):
            if stage > start:
                yield "advance", start, stage
            yield "reverse", stage, 0


def chain_schedules(units: Units, base: Schedule) -> Iterator[tuple[int, Schedule]]:
    """Schedules for several numbers of kept states, where the forward part is a chain.

    Its states are the values that alone cross from the units before to those after.
    """
    across = crossing(units, base)
    states = [
        (place, unit)
        for place, unit in enumerate(base.forward)
        if across[place] == {unit} and place + 1 < len(base.forward)
    ]
    if len(states) < 3:
        return
    if len(states) >= _STAGES:
        states = states[:: len(states) // _STAGES + 1]
    borders = [place + 1 for place, _ in states]
    pairs = zip([0, *borders], [*borders, len(base.forward)], strict=True)
    costs = [max(1, sum(units.flops[u] for u in base.forward[i:j])) for i, j in pairs]
    for slots in _SLOTS:
        if slots < len(states):
            chain = Chain(costs, slots)
            yield slots, _follow(units, base, chain, [unit for _, unit in states], borders)


def _follow(
    units: Units, base: Schedule, chain: Chain, states: list[int], borders: list[int]
) -> Schedule:
    """The schedule of a chain's actions; the first sweep is the forward part itself."""
    stages = np.searchsorted(borders, range(len(base.forward)), side="right")
    stage_of = dict(zip(base.forward, map(int, stages), strict=True))
    kept: set[int] = set()
    there: set[int] = set()
    order: list[int] = []
    waiting = list(reversed(base.backward))
    first = True
    for action, number, to in chain.actions():
        if action == "advance" and not first:
            fetch(units, states[to - 1], there, order)
            there = {k for k in there if k not in stage_of or k in kept or k == states[to - 1]}
        elif action == "keep":
            kept.add(states[number - 1])
        elif action == "forget":
            kept.discard(states[number - 1])
        elif action == "reverse":
            if first:  # the forward part ended here: its last stage is there as it is
                there = {k for k, stage in stage_of.items() if stage >= number} | set(kept)
                there |= units.results & set(base.forward)
                first = False
            while waiting:
                reads = [k for k in units.reads[waiting[-1]] if k not in there]
                if any(stage_of.get(k, number) < number for k in reads):
                    break
                fetch(units, waiting.pop(), there, order)
            there = {k for k in there if k not in stage_of or k in kept}
    while waiting:
        fetch(units, waiting.pop(), there, order)
    return Schedule(base.forward, tuple(order))
