"""In which order steps run, and which of them write into an operand.

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
from matderiv.program.counting import ARITHMETIC, WEIGHTS
from matderiv.program.footprint import item_size
from matderiv.program.liveness import deaths, homes
from matderiv.program.memory import Memory
from matderiv.program.steps import Ref, Step, operands_of
from matderiv.program.units import Schedule, Units, rescheduled

__all__ = ["ORDERS", "greedy", "late", "ordered", "orders", "reusing", "without_reuse"]

_UFUNCS = (ARITHMETIC | set(WEIGHTS)) - {"kron"}


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


def ordered(plan: Plan) -> Plan:
    """The plan with each function in the best order at the sizes planned for."""
    footprints = Memory(plan).footprints
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


# ---- writing into operands ---------------------------------------------------------------


def without_reuse(plan: Plan) -> Plan:
    """The plan with every result in an array of its own."""

    def rewritten(steps: Sequence[Step]) -> list[Step]:
        return [replace(s, alias=None, reuses=False) if s.reuses else s for s in steps]

    return replace(
        plan,
        forward=rewritten(plan.forward),
        backward=rewritten(plan.backward),
        derivative=rewritten(plan.derivative),
        joint=(),
    )


def reusing(plan: Plan) -> Plan:
    """The plan with elementwise results written into an operand that dies with the step.

    The operand must be an array that this function made, of the result's shape, strides
    and type, that nothing else shares: no view, no input, nothing that is cached, and
    nothing that a function of the caller's has seen, which may have returned it.
    """
    if plan.functions:
        return plan
    memory = Memory(plan)
    kept = {plan.value.value, *(ref.value for ref in plan.gradients.values())}
    kept |= {ref.value for ref in plan.derivatives.values()}
    # A loop may have put what it starts from into a list.
    kept |= {k for step in plan.steps if step.body is not None for k in operands_of(step)}

    cached = {*kept, *plan.cache}  # may be read a second time

    def rewritten(steps: Sequence[Step], kept: Collection[int]) -> list[Step]:
        home = homes(steps)
        sharers: dict[int, int] = {}
        for owner in home.values():
            sharers[owner] = sharers.get(owner, 0) + 1
        found = []
        for step, dying in zip(steps, deaths(steps, kept), strict=True):
            target = _target(step, [k for k in dying if sharers.get(k) == 1], memory)
            found.append(step if target is None else replace(step, alias=target, reuses=True))
        return found

    return replace(
        plan,
        forward=rewritten(plan.forward, cached),
        backward=rewritten(plan.backward, cached),
        derivative=rewritten(plan.derivative, cached),
        joint=rewritten(plan.in_one_pass, kept),
    )


def _target(step: Step, free: Sequence[int], memory: Memory) -> int | None:
    """The operand that the result of an elementwise step may be written into."""
    if step.function not in _UFUNCS or step.alias is not None or not step.shape:
        return None
    layouts = memory.footprints.layouts
    refs = [operand for operand in step.operands if isinstance(operand, Ref)]
    for ref in refs:
        plain = all(other.axes is None for other in refs if other.value == ref.value)
        if (
            ref.value in free
            and plain
            and memory.plan.shapes[ref.value] == step.shape
            and layouts[ref.value] == layouts[step.value]
            and layouts[step.value].item == item_size(step.function)
        ):
            return ref.value
    return None
