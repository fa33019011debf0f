"""In which order steps run.

No rule of ordering is best for every program, and all are cheap, so three orders are
computed and the one of the least peak is taken:

    as recorded
    late        a unit that takes more memory than it frees waits for its first reader
    greedy      of the units that are ready, the one that adds least to what is alive
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from matderiv.program.assemble import Plan
from matderiv.program.footprint import Footprints
from matderiv.program.units import Schedule, Units, rescheduled

__all__ = ["ORDERS", "greedy", "late", "ordered", "orders"]


def late(units: Units, phase: Sequence[int], results: Collection[int]) -> list[int]:
    """Units that take more than they free are computed when somebody needs them.

    A unit that takes what it frees waits too, so that a chain of them moves as one.
    """
    last = {operand: unit for unit in phase for operand in units.reads[unit]}
    waiting = set()
    for unit in phase:
        freed = sum(units.kept[k] for k in units.reads[unit] if last[k] == unit)
        if unit in last and unit not in results and units.kept[unit] >= freed:
            waiting.add(unit)
    inside, done, order = set(phase), set[int](), list[int]()
    for anchor in phase:
        if anchor in waiting:
            continue
        stack = [anchor]
        while stack:
            unit = stack[-1]
            missing = [k for k in units.reads[unit] if k in inside and k not in done]
            if unit in done or not missing:
                stack.pop()
                if unit not in done:
                    done.add(unit)
                    order.append(unit)
            else:
                stack += reversed(missing)
    return order


def greedy(units: Units, phase: Sequence[int], results: Collection[int]) -> list[int]:
    """List scheduling by (bytes made - bytes freed), earlier units first among equals."""
    inside = set(phase)
    readers: dict[int, set[int]] = {}
    for unit in phase:
        for operand in units.reads[unit]:
            readers.setdefault(operand, set()).add(unit)
    missing = {unit: sum(k in inside for k in units.reads[unit]) for unit in phase}

    def added(unit: int) -> int:
        freed = (k for k in units.reads[unit] if len(readers[k]) == 1 and k not in results)
        return units.kept[unit] - sum(units.kept[k] for k in freed)

    ready = {unit for unit in phase if not missing[unit]}
    heap = [(added(unit), unit) for unit in ready]
    heapq.heapify(heap)
    order = []
    while heap:
        cost, unit = heapq.heappop(heap)
        if unit not in ready or cost != added(unit):
            continue  # computed already, or entered again at its new cost
        ready.remove(unit)
        order.append(unit)
        changed = set()
        for operand in units.reads[unit]:
            readers[operand].discard(unit)
            if len(readers[operand]) == 1:
                changed |= readers[operand] & ready
        for reader in readers.get(unit, ()):
            missing[reader] -= 1
            if not missing[reader]:
                ready.add(reader)
                changed.add(reader)
        for other in changed:
            heapq.heappush(heap, (added(other), other))
    return order


def _as_recorded(units: Units, phase: Sequence[int], results: Collection[int]) -> list[int]:
    return list(phase)


Order = Callable[[Units, Sequence[int], Collection[int]], list[int]]
ORDERS: dict[str, Order] = {"as recorded": _as_recorded, "late": late, "greedy": greedy}


def orders(units: Units, base: Schedule) -> list[Schedule]:
    """The schedule with its backward part, which decides the peak, in each of the orders.

    The forward part is in the best order for itself.
    """
    inside = set(base.backward)
    cache = {k for unit in base.backward for k in units.reads[unit]} - inside
    kept = cache | (units.results - inside)
    forward = _best(units, base.forward, kept, ())
    return [
        Schedule(tuple(forward), tuple(order(units, base.backward, units.results)))
        for order in ORDERS.values()
    ]


def _best(
    units: Units, phase: Sequence[int], results: Collection[int], start: Iterable[int]
) -> list[int]:
    candidates = [order(units, phase, results) for order in ORDERS.values()]
    return min(candidates, key=lambda order: units.peak(order, results, start))


def ordered(plan: Plan, footprints: Footprints) -> Plan:
    """The plan with each function in the best order for these footprints of its values."""
    results = [plan.value.value, *(ref.value for ref in plan.gradients.values())]
    units = Units([*plan.forward, *plan.backward], results, footprints)
    base = Schedule.of(plan, units)
    candidates = [base, *orders(units, base)]
    best = min(candidates, key=lambda schedule: units.peak(schedule.every))
    made = plan if best is base else rescheduled(plan, units, best)
    if plan.derivatives:
        results = [ref.value for ref in plan.derivatives.values()]
        units = Units(plan.derivative, results, footprints)
        phase = range(len(units))
        found = _best(units, phase, units.results, ())
        if found != list(phase):
            alone = rescheduled(plan, units, Schedule(tuple(found), ()))
            made = replace(made, derivative=alone.forward)
    return made
