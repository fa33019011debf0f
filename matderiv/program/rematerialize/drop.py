"""Keep some forward values; compute the others again when backward first reads them.

What is computed again stays until its last reader.  Two ways to choose what is kept:

    segments   the values that cross m - 1 cuts, evenly spaced: about m + n/m of n values
               are alive at once and one more forward is computed; √n segments are best
    cheapest   drop first what costs the fewest operations for each byte
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from math import isqrt

from matderiv.program.units import Schedule, Units

__all__ = [
    "cached",
    "cheapest_first",
    "crossing",
    "fetch",
    "on_demand",
    "segments",
    "sqrt_segments",
]


def cached(units: Units, base: Schedule) -> list[int]:
    """The forward units that backward reads, in order."""
    inside = set(base.forward)
    read = {k for unit in base.backward for k in units.reads[unit]} & inside
    return [unit for unit in base.forward if unit in read]


def on_demand(units: Units, base: Schedule, dropped: Collection[int]) -> Schedule:
    """The schedule that computes dropped forward units again where backward needs them."""
    there = (set(base.forward) - set(dropped)) & {*cached(units, base), *units.results}
    order: list[int] = []
    for unit in base.backward:
        fetch(units, unit, there, order)
    return Schedule(base.forward, tuple(order))


def fetch(units: Units, unit: int, there: set[int], order: list[int]) -> None:
    """Append a unit to the order, after those of its ancestors that are not there."""
    stack = [unit]
    while stack:
        missing = [k for k in units.reads[stack[-1]] if k not in there]
        if missing:
            stack.append(missing[0])
        else:
            order.append(stack[-1])
            there.add(stack.pop())


def segments(units: Units, base: Schedule, count: int) -> Schedule:
    """The schedule that keeps what crosses the borders of `count` segments.

    A border may move by half a segment to where the fewest bytes cross it.  The values of
    the last segment are kept too: backward begins with them.
    """
    values = cached(units, base)
    across = crossing(units, base)
    place = {unit: k for k, unit in enumerate(base.forward)}
    borders = []
    for cut in range(1, count):
        middle = cut * len(values) / count
        reach = len(values) / count / 2
        near = range(max(1, round(middle - reach)), min(len(values), round(middle + reach) + 1))
        ends = [place[values[k - 1]] for k in near]
        if ends:
            centre = place[values[min(len(values), max(1, round(middle))) - 1]]
            borders.append(
                min(ends, key=lambda end: (_bytes(units, across[end]), abs(end - centre)))
            )
    if not borders:
        return base
    kept = {unit for border in borders for unit in across[border]}
    last = max(borders)
    return on_demand(units, base, {k for k in values if place[k] <= last} - kept)


def sqrt_segments(units: Units, base: Schedule) -> int:
    """√n for the n values that backward reads."""
    return max(1, isqrt(len(cached(units, base))))


def crossing(units: Units, base: Schedule) -> list[set[int]]:
    """After each forward unit, those before it that later forward units read."""
    last = {k: place for place, unit in enumerate(base.forward) for k in units.reads[unit]}
    alive: set[int] = set()
    found = []
    for place, unit in enumerate(base.forward):
        alive = {k for k in (*alive, unit) if last.get(k, -1) > place}
        found.append(alive)
    return found


def _bytes(units: Units, group: Collection[int]) -> int:
    return sum(units.kept[unit] for unit in group)


def cheapest_first(units: Units, base: Schedule) -> Iterator[Schedule]:
    """Schedules that drop more and more, by operations for each byte gained."""
    values = [unit for unit in cached(units, base) if unit not in units.results]
    values.sort(key=lambda unit: units.flops[unit] / max(1, units.kept[unit]))
    dropped: set[int] = set()
    for unit in values:
        dropped.add(unit)
        yield on_demand(units, base, dropped)
