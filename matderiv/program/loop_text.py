"""A loop as lines of code: `for l in range(N)`, its carries, its lists and arrays.

What is dead in the last layer stands under `if l != …`.  Nothing is unrolled, so the text
is as long as one layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from matderiv.program.liveness import deaths
from matderiv.program.naming import Namer
from matderiv.program.steps import Body, Dims, Length, Ref, Step, nested, operands_of

if TYPE_CHECKING:
    from matderiv.program.writer import Writer

__all__ = ["loop_homes", "loop_lines", "loop_names"]

_INDENT = "    "


def loop_lines(step: Step, writer: Writer) -> list[str]:
    """The statements of a loop step; the last one makes the tuple of its outputs."""
    body = step.body
    assert body is not None
    return list(_Loop(step, body, writer).lines())


class _Loop:
    def __init__(self, step: Step, body: Body, writer: Writer) -> None:
        self.step, self.body, self.writer = step, body, writer
        self.index = writer.names.layers[step.value]
        self.count = writer.expression(Length(body.count))
        outputs = writer.names.outputs[step.value]
        self.outputs = list(zip(outputs, body.outputs, strict=True))

    def lines(self) -> Iterator[str]:
        body, names = self.body, self.writer.names.values
        starts = self.step.operands[len(body.captured) :]
        for (argument, _), start in zip(body.carries, starts, strict=False):
            yield f"{names[argument]} = {self.writer.expression(start)}"
        yield from self._stores()
        backwards = "" if body.direction > 0 else ", -1, -1"
        first = self.count if body.direction > 0 else f"{self.count} - 1"
        yield f"for {self.index} in range({first}{backwards}):"
        yield from (_INDENT + line for line in self._layer())
        yield from self._arrays()
        results = [
            names[self._argument(output.source)] if output.kind == "last" else name
            for name, output in self.outputs
        ]
        comma = "," if len(results) == 1 else ""
        yield f"{names[self.step.value]} = ({', '.join(results)}{comma})"
        yield from self._freed({number for number, _ in (*body.carries, *body.slices)})

    # ---- what is kept of the layers ----------------------------------------------------

    def _stores(self) -> Iterator[str]:
        for name, output in self.outputs:
            if output.kind == "trail":
                assert output.argument is not None
                yield f"{name} = [None] * ({self.count} + 1)"
                first = "0" if self.body.direction > 0 else self.count
                yield f"{name}[{first}] = {self.writer.names.values[output.argument]}"
            elif output.kind == "array" and self.writer.backend.mutable:
                shape = self.writer.expression(Dims(output.shape))
                yield f"{name} = {self.writer.backend.module}.empty({shape}, kind)"
            elif output.kind != "last":
                yield f"{name} = [None] * {self.count}"

    def _kept(self) -> Iterator[str]:
        for name, output in self.outputs:
            source = self.writer.expression(output.source)
            if output.kind == "trail":
                at = f"{self.index} + 1" if self.body.direction > 0 else self.index
                yield f"{name}[{at}] = {source}"
            elif output.kind != "last":
                yield f"{name}[{self.index}] = {source}"

    def _arrays(self) -> Iterator[str]:
        if not self.writer.backend.mutable:
            for name, output in self.outputs:
                if output.kind == "array":
                    yield f"{name} = {self.writer.backend.module}.stack({name})"

    def _argument(self, source: Ref) -> int:
        return next(number for number, ref in self.body.carries if ref == source)

    # ---- one layer -----------------------------------------------------------------------

    def _layer(self) -> Iterator[str]:
        body, names = self.body, self.writer.names.values
        stacks = self.step.operands[len(body.captured) + len(body.carries) :]
        for (argument, shift), stack in zip(body.slices, stacks, strict=True):
            at = f"{self.index} + {shift}" if shift else self.index
            yield f"{names[argument]} = {self.writer.expression(stack)}[{at}]"
        always, rest = body.steps[: body.always], body.steps[body.always :]
        stored = {output.source.value for _, output in self.outputs}
        handed = {ref.value for _, ref in body.carries}
        dying = deaths(body.steps, stored | handed)
        yield from self._statements(always, dying)
        yield from self._kept()
        made = {step.value for step in always}
        later = {number for step in rest for number in operands_of(step)}
        yield from self._freed((stored - handed - later) & made)
        lasting = [carry for carry in body.carries if carry[1].value in made]
        passing = [carry for carry in body.carries if carry[1].value not in made]
        if rest or passing:
            final = f"{self.count} - 1" if body.direction > 0 else "0"
            yield f"if {self.index} != {final}:"
            inner = [*self._statements(rest, dying[len(always) :]), *self._handed(passing)]
            yield from (_INDENT + line for line in inner)
        yield from self._handed(lasting)

    def _statements(self, steps: Sequence[Step], dying: Sequence[list[int]]) -> Iterator[str]:
        for step, dead in zip(steps, dying, strict=False):
            line = self.writer.statement(step)
            yield from line.splitlines()
            yield from self._freed(dead)

    def _handed(self, carries: Sequence[tuple[int, Ref]]) -> Iterator[str]:
        """The carries take their next values, all at once."""
        if carries:
            names = self.writer.names.values
            left = ", ".join(names[argument] for argument, _ in carries)
            yield f"{left} = {', '.join(self.writer.expression(ref) for _, ref in carries)}"
            yield from self._freed({ref.value for _, ref in carries})

    def _freed(self, numbers: list[int] | set[int]) -> Iterator[str]:
        if numbers and self.writer.backend.frees:
            names = dict.fromkeys(self.writer.names.values[k] for k in sorted(numbers))
            yield f"del {', '.join(names)}"


# ---- names ---------------------------------------------------------------------------------


def loop_homes(loops: Iterable[Step]) -> Iterator[tuple[int, int]]:
    """What is captured in a loop is called as it is outside."""
    for loop in loops:
        assert loop.body is not None
        outside = dict(zip(loop.body.captured, loop.operands, strict=False))
        for number, _ in loop.body.inputs:
            operand = outside.get(number)
            yield number, operand.value if isinstance(operand, Ref) else number


def loop_names(
    steps: Iterable[Step], loops: Iterable[Step], values: Mapping[int, str], namer: Namer
) -> tuple[dict[int, str], dict[int, list[str]]]:
    """The index of each loop, by its depth, and the names of its outputs."""
    layers: dict[int, str] = {}
    level = [step for step in steps if step.body is not None]
    for letter in ("l", "k", "t", "s", *(f"l{depth}" for depth in range(5))):
        name = namer.unique(letter) if level else ""
        layers.update({step.value: name for step in level})
        level = [s for step in level if step.body for s in step.body.steps if s.body is not None]
    outputs: dict[int, list[str]] = {}
    parts = {s.operands: s.value for s in nested(steps) if s.function == "output"}
    for loop in loops:
        assert loop.body is not None
        numbers = [parts.get((Ref(loop.value), (k,))) for k in range(len(loop.body.outputs))]
        outputs[loop.value] = [namer.unique("t") if k is None else values[k] for k in numbers]
    return layers, outputs
