"""The curve of peak memory against extra FLOPs, and the plan for a budget.

All methods run on all orders of the backward part, and once more with the loops in blocks;
what no other schedule beats in both is the curve.  The general problem is NP-hard, so it is
an upper bound of the best curve; `least` is a lower bound of every peak.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from matderiv.errors import MatderivError
from matderiv.program.assemble import Plan
from matderiv.program.liveness import Peak
from matderiv.program.memory import Memory
from matderiv.program.polynomial import Polynomial
from matderiv.program.rematerialize.blocks import in_blocks
from matderiv.program.rematerialize.chain import chain_schedules
from matderiv.program.rematerialize.drop import cached, cheapest_first, segments, sqrt_segments
from matderiv.program.rematerialize.evict import evict
from matderiv.program.rematerialize.exact import optimum
from matderiv.program.reuse import reusing, without_reuse
from matderiv.program.schedules import orders
from matderiv.program.steps import executed
from matderiv.program.units import Schedule, Units, rescheduled
from matderiv.tensor.dims import dim_value

__all__ = ["Point", "Tradeoff"]

_BUDGETS = 20  # as many as are tried between the least peak and that of keeping all
_SMALL = 48  # units up to which the exact search is tried


@dataclass(frozen=True)
class Point:
    """A schedule by some method, its peak in bytes and its work in FLOPs.

    Its units are those of the trade-off `of`, which may have loops in blocks.
    """

    method: str
    schedule: Schedule
    peak: int
    work: int
    of: Tradeoff = field(repr=False, compare=False)


class Tradeoff:
    """Schedules for the gradients of a plan at some sizes, from keeping all to keeping little.

    plain    the point that computes nothing twice
    points   every schedule that was made, with the peak of its units
    curve    those that no other beats, by falling peak; the peak is that of the code
    least    bytes below which no schedule can stay
    """

    def __init__(
        self,
        plan: Plan,
        sizes: Mapping[str, int] | None = None,
        report: Callable[[str], None] = lambda method: None,
        label: str = "",
    ) -> None:
        if not plan.gradients:
            raise MatderivError(
                "without gradients nothing is kept for later", hint="name a variable after wrt"
            )
        self._report = report  # hears of each method that is tried
        self.label = label  # what its schedules are called, beside the method
        self.plan = without_reuse(replace(plan, sizes={**plan.sizes, **(sizes or {})}))
        results = [plan.value.value, *(ref.value for ref in plan.gradients.values())]
        footprints = Memory(self.plan).footprints
        self.units = Units([*self.plan.forward, *self.plan.backward], results, footprints)
        base = Schedule.of(self.plan, self.units)
        self.bases = list(dict.fromkeys([base, *orders(self.units, base)]))
        self._plans: dict[Schedule, Plan] = {}

    # ---- points ----------------------------------------------------------------------

    def point(self, method: str, schedule: Schedule) -> Point:
        every = schedule.every
        return Point(method, schedule, self.units.peak(every), self.units.work(every), self)

    @cached_property
    def plain(self) -> Point:
        points = [self.point(self.label or "keep all", base) for base in self.bases]
        return min(points, key=lambda point: point.peak)

    @property
    def least(self) -> int:
        return min(found.units.least() for found in (self, *self.blocks))

    @cached_property
    def blocks(self) -> list[Tradeoff]:
        """The same with the loops in blocks, of several lengths; the one of least peak first."""
        found = [self.in_blocks(count) for count in (None, *self._counts())]
        made = [tradeoff for tradeoff in found if tradeoff is not None]
        return sorted(made, key=lambda tradeoff: tradeoff.plain.peak)

    def _counts(self) -> list[int]:
        """Numbers of blocks, more of them where loops are deep."""
        loops = (step.body for step in self.plan.forward if step.body is not None)
        deepest = max((dim_value(body.count, self.plan.sizes) for body in loops), default=1)
        return [round(2 ** (k / 2)) for k in range(2, 2 * deepest.bit_length() - 1)]

    def in_blocks(self, count: int | None = None) -> Tradeoff | None:
        """The same with the loops in so many blocks, or in √N; None where there are none."""
        made = in_blocks(self.plan, count)
        label = f"{'√N' if count is None else count} blocks"
        return None if made is None else Tradeoff(made, report=self._report, label=label)

    def segments(self, count: int | str = "sqrt") -> Point:
        """The best of the orders for so many segments, or the square root of the values.

        Where there are loops whose values are kept, their layers are in so many blocks.
        """
        number = None if count == "sqrt" else _whole(count)
        inside = self.in_blocks(number)
        if inside is not None:
            return inside.plain
        points = []
        for base in self.bases:
            size = number or sqrt_segments(self.units, base)
            schedule = segments(self.units, base, size)
            points.append(self.point(f"{size} segments", schedule))
        return min(points, key=lambda point: (point.peak, point.work))

    @cached_property
    def points(self) -> list[Point]:
        found = [self.plain]
        for method, schedule in self._schedules():
            self._report(method)
            found.append(self.point(f"{self.label}, {method}".removeprefix(", "), schedule))
        for place, other in enumerate(self.blocks):
            found += other.points if place == 0 else [other.plain]
        return found

    def _schedules(self) -> Iterator[tuple[str, Schedule]]:
        units, lowest = self.units, self.units.least(reuse=False)
        step = (self.plain.peak - lowest) / _BUDGETS
        budgets = [lowest + int(step * k) for k in range(_BUDGETS)]
        for base in self.bases:
            count = len(cached(units, base))
            for number in sorted({2, 3, 4, *(round(count ** (k / 8)) for k in range(1, 8))}):
                if 1 < number <= count:
                    yield f"{number} segments", segments(units, base, number)
            for schedule in cheapest_first(units, base):
                yield "cheapest first", schedule
            for slots, schedule in chain_schedules(units, base):
                yield f"chain, {slots} kept", schedule
            for budget in budgets:
                evicted = evict(units, base, budget)
                if evicted is not None:
                    yield "eviction", evicted
        if len(units) <= _SMALL:
            for budget in budgets[:: _BUDGETS // 5]:
                best = optimum(units, self.plain.schedule, budget)
                if best is not None:
                    yield "search", best

    @cached_property
    def curve(self) -> list[Point]:
        best = frontier(self.points)
        return frontier(replace(point, peak=self.peak(point).bytes) for point in best)

    # ---- plans -----------------------------------------------------------------------

    def realised(self, point: Point) -> Plan:
        """The plan that follows a schedule, with results written into operands."""
        if point.of is not self:
            return point.of.realised(point)
        if point.schedule not in self._plans:
            made = rescheduled(self.plan, self.units, point.schedule)
            self._plans[point.schedule] = reusing(made, Memory(made).footprints)
        return self._plans[point.schedule]

    def peak(self, point: Point) -> Peak:
        """The peak of the code for a point: what `value_and_grad` will be measured at."""
        return Memory(self.realised(point)).value_and_grad

    def extra(self, point: Point) -> Polynomial:
        """FLOPs that are computed a second time, as a formula."""
        made = self.realised(point)
        return _flops(made) - _flops(self.plan)

    def within(self, budget: int) -> Point:
        """The point of least work whose code stays within a budget.

        Raises MatderivError where none is found, with the least peak that was.
        """
        for point in self.curve:
            if point.peak <= budget:
                return point
        lowest = self.curve[-1].peak
        raise MatderivError(
            f"no schedule within {budget:,} bytes was found: the least peak is {lowest:,}, "
            f"and none is below {self.least:,}",
            hint=f"--budget {lowest}",
        )


def frontier(points: Iterable[Point]) -> list[Point]:
    """The points that no other beats in peak and work, by falling peak."""
    found: list[Point] = []
    for point in sorted(points, key=lambda p: (p.work, p.peak)):
        if not found or point.peak < found[-1].peak:
            found.append(point)
    return found


def _flops(plan: Plan) -> Polynomial:
    """Of forward and backward, in which views may stand twice."""
    return Polynomial.total(s.flops for s in executed([*plan.forward, *plan.backward]))


def _whole(count: int | str) -> int:
    if str(count).isdecimal() and int(count) > 0:
        return int(count)
    raise MatderivError(f"{count!r} is no number of segments", hint="--segments sqrt")
