"""Chains: which states to keep so that the fewest stages are computed again.

To reverse l stages with the state before them and s free slots, go q stages forward, keep
the state there, reverse the rest, then the first q:

    R(l, s) = min_q  q + R(l - q, s - 1) + R(q, s),    R(1, s) = 0,  R(l, 0) = l (l - 1) / 2

For equal stages R has a closed form, the bound of Griewank (1992), "Achieving logarithmic
growth of temporal and spatial complexity in reverse automatic differentiation".

There a stage is reversed from the state before it alone.  In a network it is reversed
from the state after it too, which is its output; the state kept at q then serves the
first part as well, until that part has reversed its last stage:

    E(l, s) = min_q  q + E(l - q, s - 1) + F(q, s - 1),    E(1, s) = 1
    F(l, s) = min_q  q + F(l - q, s - 1) + F(q, s),        F(1, s) = 0

F is for a stretch whose last state is kept, beyond the s slots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from math import comb

import numpy as np

from matderiv.program.rematerialize.drop import cached, crossing, fetch
from matderiv.program.units import Schedule, Units

__all__ = ["Chain", "binomial_bound", "chain_schedules"]

_STAGES = 80  # as many as the tables are made for
_SLOTS = 16  # as many states as are kept of a chain at a time

Action = tuple[str, int, int]


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


class Table:
    """least[s, i, j], the cost of stages i … j - 1 with s slots, and where it splits them."""

    def __init__(self, slots: int, count: int) -> None:
        shape = (slots + 1, count + 1, count + 1)
        self.least = np.full(shape, np.inf)
        self.split = np.zeros(shape, dtype=int)
        for stage in range(count):
            self.least[:, stage, stage + 1] = 0

    def enter(self, s: int, i: int, j: int, costs: np.ndarray, first: int) -> None:
        """The least of some costs, those of the splits first, first + 1, …"""
        best = int(costs.argmin())
        self.least[s, i, j] = costs[best]
        self.split[s, i, j] = first + best


class Chain:
    """The cheapest reversal of stages of these costs with so many states kept at a time.

    outputs   a stage is reversed from the states before and after it
    """

    def __init__(self, costs: Sequence[int], slots: int, outputs: bool = False) -> None:
        self.costs = costs
        self.slots = slots
        self.outputs = outputs

    @cached_property
    def _tables(self) -> tuple[Table, Table]:
        """(R, nothing), or (F, E): least[s, i, j] and the split for stages i … j - 1."""
        count = len(self.costs)
        ahead = np.array([0, *accumulate(self.costs)], dtype=float)
        kept = Table(self.slots, count)
        ended = Table(self.slots, count)
        for stage, cost in enumerate(self.costs):
            ended.least[:, stage, stage + 1] = cost
        for i, j in ((k, k + length) for length in range(2, count + 1) for k in range(count)):
            if j > count:
                continue
            way = ahead[i + 1 : j] - ahead[i]
            if self.outputs:  # the state before the last stage needs no slot of its own
                kept.enter(0, i, j, way[-1:] + kept.least[0, i, j - 1], j - 1)
            else:
                kept.enter(0, i, j, way.sum()[None], i)
            for s in range(1, self.slots + 1):
                left = kept.least[s, i, i + 1 : j]
                kept.enter(s, i, j, way + kept.least[s - 1, i + 1 : j, j] + left, i + 1)
                left = kept.least[s - 1, i, i + 1 : j]
                ended.enter(s, i, j, way + ended.least[s - 1, i + 1 : j, j] + left, i + 1)
        return kept, ended

    @property
    def least(self) -> float:
        """The cost of all advances; infinite where the slots do not do."""
        kept, ended = self._tables
        return float((ended if self.outputs else kept).least[self.slots, 0, len(self.costs)])

    def actions(self, slots: int | None = None) -> Iterator[Action]:
        """("advance", from, to), ("keep", state, 0), ("forget", state, 0), ("reverse", stage, 0).

        State i is the one before stage i.  `slots` may be fewer than the chain's.
        """
        whole = (0, len(self.costs), self.slots if slots is None else slots)
        return self._ended(*whole) if self.outputs else self._reverse(*whole)

    def _reverse(self, start: int, stop: int, slots: int) -> Iterator[Action]:
        while stop - start > 1 and slots:
            at = int(self._tables[0].split[slots, start, stop])
            yield "advance", start, at
            yield "keep", at, 0
            yield from self._reverse(at, stop, slots - 1)
            yield "forget", at, 0
            stop = at
        for stage in range(stop - 1, start - 1, -1):
            if stage > start:
                yield "advance", start, stage
            yield "reverse", stage, 0

    def _ended(self, start: int, stop: int, slots: int) -> Iterator[Action]:
        """The last state of the stretch is not kept."""
        if stop - start == 1:
            yield "advance", start, stop
            yield "reverse", start, 0
            return
        at = int(self._tables[1].split[slots, start, stop])
        yield "advance", start, at
        yield "keep", at, 0
        yield from self._ended(at, stop, slots - 1)
        yield from self._kept(start, at, slots - 1)

    def _kept(self, start: int, stop: int, slots: int) -> Iterator[Action]:
        """The last state of the stretch is kept, and forgotten when its stage is reversed."""
        while stop - start > 1:
            at = int(self._tables[0].split[slots, start, stop])
            yield "advance", start, at
            if at == stop - 1:
                yield "reverse", at, 0
                yield "forget", stop, 0
                yield "keep", at, 0
            else:
                yield "keep", at, 0
                yield from self._kept(at, stop, slots - 1)
            stop = at
        yield "reverse", start, 0
        yield "forget", stop, 0


def chain_schedules(units: Units, base: Schedule) -> Iterator[tuple[int, Schedule]]:
    """Schedules for several numbers of kept states, where the forward part is a chain.

    Its states are the values that alone cross from the units before to those after, of
    those that backward reads.
    """
    across, read = crossing(units, base), set(cached(units, base))
    states = [
        (place, unit)
        for place, unit in enumerate(base.forward)
        if across[place] == {unit} and unit in read and place + 1 < len(base.forward)
    ]
    if len(states) < 3:
        return
    if len(states) >= _STAGES:
        states = states[:: len(states) // _STAGES + 1]
    borders = [place + 1 for place, _ in states]
    pairs = zip([0, *borders], [*borders, len(base.forward)], strict=True)
    costs = [max(1, sum(units.flops[u] for u in base.forward[i:j])) for i, j in pairs]
    most = min(_SLOTS, len(states) - 1)
    chain = Chain(costs, most, outputs=True)
    for slots in range(1, most + 1):
        actions = chain.actions(slots)
        yield slots, _follow(units, base, actions, [unit for _, unit in states], borders)


def _follow(
    units: Units,
    base: Schedule,
    actions: Iterator[Action],
    states: list[int],
    borders: list[int],
) -> Schedule:
    """The schedule of a chain's actions; the first sweep is the forward part itself."""
    stages = np.searchsorted(borders, range(len(base.forward)), side="right")
    stage_of = dict(zip(base.forward, map(int, stages), strict=True))
    kept: set[int] = set()
    there: set[int] = set()
    order: list[int] = []
    waiting = list(reversed(base.backward))
    first = True
    for action, number, to in actions:
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
