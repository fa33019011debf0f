"""A trade-off for people: the curve as a table and a picture, and what a plan computes again."""

from __future__ import annotations

from collections import Counter

from matderiv.pictures.svg import Drawing
from matderiv.program.operations import display_names
from matderiv.program.rematerialize.tradeoff import Point, Tradeoff
from matderiv.reports.quantities import bytes_text
from matderiv.reports.tables import Share, Table

__all__ = ["curve_picture", "curve_table", "summary"]

_ROWS, _DEAREST = 14, 3
_WIDTH, _HEIGHT, _LEFT, _BELOW, _EDGE = 520, 320, 70, 46, 20


def shown(tradeoff: Tradeoff) -> list[Point]:
    """Some points of the curve, by even steps of the peak, that cost no more than 3 forwards."""
    once = _forward(tradeoff)
    most = tradeoff.plain.work + _DEAREST * once
    points = [point for point in tradeoff.curve if point.work <= most]
    first, last = points[0].peak, points[-1].peak
    marks = [first + (last - first) * k / (_ROWS - 1) for k in range(_ROWS)]
    near = [min(points, key=lambda point: abs(point.peak - mark)) for mark in marks]
    return list(dict.fromkeys(near))


def _forward(tradeoff: Tradeoff) -> int:
    """The work of a forward, at least 1: shares of it are shown."""
    return max(1, tradeoff.units.work(tradeoff.plain.schedule.forward))


def curve_table(tradeoff: Tradeoff) -> Table:
    """One row for each schedule: peak of its code, extra FLOPs, and both as shares."""
    highest = tradeoff.peak(tradeoff.plain).bytes
    once = _forward(tradeoff)
    rows = []
    for point in shown(tradeoff):
        peak, extra = point.peak, point.work - tradeoff.plain.work
        rows.append(
            (
                point.method,
                f"{peak:,}",
                Share(peak / highest),
                f"{extra:,}",
                Share(extra / once),
            )
        )
    head = ("schedule", "peak bytes", "of keep all", "extra FLOPs", "of a forward")
    return Table(head, rows, frozenset(head[1:]))


def curve_picture(tradeoff: Tradeoff) -> str:
    """The curve as SVG: extra work to the right, peak upwards."""
    once = _forward(tradeoff)
    pairs = [((point.work - tradeoff.plain.work) / once, point.peak) for point in shown(tradeoff)]
    widest = max(1.0, *(x for x, _ in pairs))
    highest = max(y for _, y in pairs)
    drawing = Drawing(_WIDTH, _HEIGHT, "peak memory against operations computed again")

    def place(x: float, y: float) -> tuple[float, float]:
        across = _LEFT + (_WIDTH - _LEFT - _EDGE) * x / widest
        return across, _HEIGHT - _BELOW - (_HEIGHT - _BELOW - _EDGE) * y / highest

    for k in range(5):
        share = k / 4
        drawing.line([place(0, share * highest), place(widest, share * highest)], "grid")
        x, y = place(0, share * highest)
        drawing.text(x - 6, y, bytes_text(int(share * highest)), "small right")
        x, y = place(share * widest, 0)
        drawing.text(x, y + 14, f"{share * widest:.2g}", "small")
    drawing.line([place(0, highest), place(0, 0), place(widest, 0)], "edge")
    drawing.line([place(*pair) for pair in pairs], "edge")
    for point, pair in zip(shown(tradeoff), pairs, strict=True):
        drawing.circle(*place(*pair), 4, "life", f"{point.method}: {bytes_text(pair[1])}")
    x, y = place(widest / 2, 0)
    drawing.text(x, y + 32, "operations computed again, in forward passes", "small")
    return drawing.to_text()


def summary(tradeoff: Tradeoff, point: Point) -> list[str]:
    """What a schedule keeps, what it computes again, and what that costs."""
    units, made = point.of.units, tradeoff.realised(point)
    names = display_names(made)
    again = Counter(point.schedule.recomputed)
    kept = [names.outputs.get(number, [names.values[number]]) for number in made.cache]
    repeated = [
        names.values[units.steps[unit][-1].value] + (f" ({count} times)" if count > 1 else "")
        for unit, count in sorted(again.items())
    ]
    repeated += [
        f"{names.values[number]} in blocks of layers"
        for step in made.backward
        if step.body is not None and step.body.again is not None
        for number in step.body.again.lists
    ]
    highest = tradeoff.peak(tradeoff.plain).bytes
    peak = tradeoff.peak(point).bytes
    extra = point.work - tradeoff.plain.work
    once = _forward(tradeoff)
    return [
        f"schedule    {point.method}",
        f"kept        {', '.join(name for group in kept for name in group) or 'nothing'}",
        f"again       {', '.join(repeated) or 'nothing'}",
        f"peak        {peak:,} bytes, {peak / highest:.1%} of {highest:,}".replace("%", " %"),
        f"extra       {tradeoff.extra(point)} FLOPs",
        f"            {extra:,} with functions by their weights, {extra / once:.2f} of a forward",
    ]
