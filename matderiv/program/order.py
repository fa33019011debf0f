"""In which order steps run, and which of them write into an operand.

No rule of ordering is best for every program, and all are cheap, so three orders are
computed and the one of the least peak is taken:

    as recorded
    late        a unit that takes more memory than it frees waits for its first reader
    greedy      of the units that are ready, the one that adds least to what is alive
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from matderiv.program.assemble import Plan
from matderiv.program.counting import ARITHMETIC, WEIGHTS
from matderiv.program.footprint import Footprints, item_size
from matderiv.program.liveness import deaths, homes
from matderiv.program.memory import Memory
from matderiv.program.steps import Ref, Step
from matderiv.program.units import Schedule, Units, rescheduled

__all__ = ["ORDERS", "greedy", "late", "ordered", "reusing"]

_UFUNCS = (ARITHMETIC | set(WEIGHTS)) - {"kron"}


def ordered(plan: Plan, footprints: Footprints | None = None) -> Plan:
    """The plan with forward, backward and derivative each in the best of the orders."""
    footprints = footprints or Memory(plan).footprints
    results = [plan.value.value, *(ref.value for ref in plan.gradients.values())]
    units = Units([*plan.forward, *plan.backward], results, footprints)
    schedule = base_schedule(plan, units)
    best = min(schedules(units, schedule), key=lambda s: units.peak(s.every))
    if best != schedule:
        plan = rescheduled(plan, units, best)
    if plan.derivatives:
        results = [ref.value for ref in plan.derivatives.values()]
        units = Units(plan.derivative, results, footprints)
    return plan
