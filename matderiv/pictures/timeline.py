"""The pebble picture: what forward keeps, until which step of backward, and when each
gradient is ready.

A moment is the computation of one named value.  A cached value is a pebble that lies
from the moment in which it is computed to that of its last use; its buffer is free
after it.

>>> import matderiv as md
>>> layers = "x: (B, D); w1: (D, D); w2: (D, K); h = tanh(x w1); ||h w2||^2"
>>> print(timeline(md.compile(layers, ["w1", "w2"]).plan).to("text"))
step               h  t1
forward   h        ●
          value    │  ●
backward  h.grad   │  ○
          w2.grad  │      w2.grad is ready
          w1.grad  ○      w1.grad is ready
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matderiv.errors import MatderivError
from matderiv.pictures.svg import Drawing, text_width
from matderiv.program.assemble import Plan
from matderiv.program.liveness import homes
from matderiv.program.memory import Memory
from matderiv.program.operations import display_names, labelled_steps
from matderiv.program.steps import operands_of

__all__ = ["TIMELINE_FORMATS", "Life", "Moment", "Timeline", "timeline"]

TIMELINE_FORMATS = ("text", "svg")


@dataclass(frozen=True)
class Moment:
    """The computation of one named value."""

    phase: str
    name: str


@dataclass(frozen=True)
class Life:
    """A value that is kept from one moment to another, both by their place.

    bytes   of its array, at the sizes of the timeline
    """

    name: str
    start: int
    end: int
    bytes: int


@dataclass(frozen=True)
class Timeline:
    """Moments in order, the lives of cached values, and of gradients once they are ready."""

    moments: Sequence[Moment]
    cached: Sequence[Life]
    gradients: Sequence[Life]

    def kept(self, moment: int) -> int:
        """Bytes of cached values that are alive at a moment."""
        return sum(life.bytes for life in self.cached if life.start <= moment <= life.end)

    def to(self, format: str) -> str:
        """The timeline as "text" or "svg"."""
        if format not in TIMELINE_FORMATS:
            raise MatderivError(
                f"a timeline has no format {format!r}; the formats are "
                f"{', '.join(TIMELINE_FORMATS)}"
            )
        return self._text() if format == "text" else self._svg()

    def _repr_svg_(self) -> str:
        return self.to("svg")

    # ---- text ------------------------------------------------------------------------

    def _text(self) -> str:
        width = max(len(moment.name) for moment in self.moments)
        phases = max(len(moment.phase) for moment in self.moments)
        columns = [len(life.name) for life in self.cached]
        head = ["step".ljust(phases), " " * width, *(life.name for life in self.cached)]
        lines = ["  ".join(head)]
        previous = ""
        for place, moment in enumerate(self.moments):
            cells = [
                _pebble(life, place).ljust(n) for life, n in zip(self.cached, columns, strict=True)
            ]
            phase = moment.phase if moment.phase != previous else ""
            ready = [f"{life.name} is ready" for life in self.gradients if life.start == place]
            lines.append("  ".join([phase.ljust(phases), moment.name.ljust(width), *cells, *ready]))
            previous = moment.phase
        return "\n".join(line.rstrip() for line in lines)

    # ---- picture ---------------------------------------------------------------------

    def _svg(self) -> str:
        lives = [*self.cached, *self.gradients]
        left = _MARGIN + max((text_width(life.name) for life in lives), default=0) + 10
        names = [moment.name for moment in self.moments]
        bottom = _HEAD + _ROW * len(lives) + 8
        below = max(text_width(name, 10) for name in names) * 0.71 + 14
        width = left + _COLUMN * len(names) + _MARGIN
        drawing = Drawing(width, bottom + below + _MARGIN, "The life of cached values")

        def x(moment: float) -> float:
            return left + _COLUMN * (moment + 0.5)

        for place, name in enumerate(names):
            drawing.line([(x(place), _HEAD - 4), (x(place), bottom)], "grid")
            drawing.text(x(place) + 4, bottom + 8, name, "small right", turn=-45)
        turn = sum(moment.phase == "forward" for moment in self.moments)
        drawing.text((x(-0.5) + x(turn - 0.5)) / 2, _HEAD - 18, "forward")
        if turn < len(names):
            drawing.line([(x(turn - 0.5), _HEAD - 28), (x(turn - 0.5), bottom)], "turn")
            drawing.text((x(turn - 0.5) + x(len(names) - 0.5)) / 2, _HEAD - 18, "backward")
        for row, life in enumerate(lives):
            y = _HEAD + _ROW * (row + 0.5)
            kind = "life" if life in self.cached else "ready"
            drawing.text(left - 8, y, life.name, "right")
            start, end = x(life.start), x(life.end)
            title = f"{life.name}: {life.bytes:,} bytes"
            drawing.rectangle((start + end) / 2, y, end - start + 16, 12, kind, title)
            drawing.circle(start, y, 8, kind, title)
        return drawing.to_text()


_MARGIN, _HEAD, _ROW, _COLUMN = 16.0, 46.0, 26.0, 44.0


def _pebble(life: Life, place: int) -> str:
    if not life.start <= place <= life.end:
        return ""
    if place == life.start:
        return "●"
    return "○" if place == life.end else "│"


def timeline(plan: Plan, sizes: Mapping[str, int] | None = None) -> Timeline:
    """The timeline of `value_and_grad`; bytes at the sizes given or else planned for."""
    moments: list[Moment] = []
    when: dict[int, int] = {}
    for phase, name, step in labelled_steps(plan):
        if phase != "derivative" and not step.is_view:
            if not moments or moments[-1] != Moment(phase, name):
                moments.append(Moment(phase, name))
            when[step.value] = len(moments) - 1
    home = homes([*plan.forward, *plan.backward])
    last: dict[int, int] = {}
    for step in plan.backward:
        for operand in operands_of(step):
            if step.value in when:
                last[home.get(operand, operand)] = when[step.value]
    names = display_names(plan).values
    footprints = Memory(plan, sizes).footprints

    def life(number: int, start: int, end: int) -> Life:
        return Life(names[number], start, end, footprints.whole(number).data)

    for number, owner in home.items():
        if owner in when:
            when.setdefault(number, when[owner])  # a view, or what a loop leaves behind
    end = len(moments) - 1
    made = {ref.value for ref in plan.gradients.values() if ref.value in when}
    return Timeline(
        moments,
        [life(k, when[k], last.get(home[k], end)) for k in plan.cache if k in when],
        [life(k, when[k], end) for k in sorted(made, key=when.__getitem__)],
    )
