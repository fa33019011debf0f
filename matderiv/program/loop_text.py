"""A loop as lines of code: `for l in range(N)`, its carries, its lists and arrays.

What is dead in the last layer stands under `if l != …`.  Nothing is unrolled, so the text
is as long as one layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from matderiv.program.liveness import deaths
from matderiv.program.naming import Namer
from matderiv.program.steps import Again, Blocks, Body, Length, Ref, Step, nested, operands_of

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
    """A loop over all layers, or over those of one block, with which its lists begin."""

    def __init__(self, step: Step, body: Body, writer: Writer, block: Again | None = None) -> None:
        self.step, self.body, self.writer = step, body, writer
        names = writer.names
        self.index = names.layers[step.value]
        self.count = writer.expression(Length(body.count))
        self.first, self.stop = names.blocks[1:] if block else ("0", self.count)
        outputs = names.outputs[step.value]
        if block is not None and block.body is body:
            outputs = [names.values[number] for number in block.lists]
        self.outputs = list(zip(outputs, body.outputs, strict=True))

    def lines(self) -> Iterator[str]:
        body, names = self.body, self.writer.names.values
        starts = body.parts(self.step.operands).starts
        for (argument, _), start in zip(body.carries, starts, strict=True):
            yield f"{names[argument]} = {self.writer.handed(start)}"
        yield from self._stores()
        if body.again is None:
            yield from self._turns()
        else:
            yield from self._blocks(body.again)
        yield from self._arrays()
        results = [
            names[self._argument(output.source)] if output.kind == "last" else name
            for name, output in self.outputs
        ]
        comma = "," if len(results) == 1 else ""
        yield f"{names[self.step.value]} = ({', '.join(results)}{comma})"
        yield from self.writer.freed({number for number, _ in (*body.carries, *body.slices)})

    def _turns(self) -> Iterator[str]:
        if self.body.direction > 0:
            layers = self.stop if self.first == "0" else f"{self.first}, {self.stop}"
        else:
            end = "-1" if self.first == "0" else f"{self.first} - 1"
            layers = f"{self.stop} - 1, {end}, -1"
        yield f"for {self.index} in range({layers}):"
        yield from (_INDENT + line for line in self._layer())

    # ---- blocks of layers --------------------------------------------------------------

    def _block_length(self, blocks: Blocks) -> str:
        length = self.writer.names.blocks[0]
        if isinstance(blocks.layers, int):
            return f"{length} = {blocks.at({})[1]}"
        if blocks.count is None:
            return f"{length} = math.isqrt({self.count} - 1) + 1"
        return f"{length} = -(-{self.count} // {blocks.count})"

    def _blocks(self, again: Again) -> Iterator[str]:
        """Each block of layers forward, then back."""
        length, first, _ = self.writer.names.blocks
        yield self._block_length(again.blocks)
        yield f"for {first} in range(({self.count} - 1) // {length} * {length}, -1, -{length}):"
        yield from (_INDENT + line for line in self._block(again))

    def _block(self, again: Again) -> Iterator[str]:
        body, names = again.body, self.writer.names.values
        length, first, stop = self.writer.names.blocks
        yield f"{stop} = min({first} + {length}, {self.count})"
        step = replace(self.step, operands=self.body.parts(self.step.operands).again)
        forward = _Loop(step, body, self.writer, again)
        starts = body.parts(step.operands).starts
        for (argument, _), start in zip(body.carries, starts, strict=True):
            yield f"{names[argument]} = {self.writer.expression(start)}[{first} // {length}]"
        yield from forward._stores()
        yield from forward._turns()
        yield from self.writer.freed({number for number, _ in (*body.carries, *body.slices)})
        yield from _Loop(self.step, self.body, self.writer, again)._turns()
        yield from self.writer.freed({*again.lists, *(number for number, _, _ in again.slices)})

    # ---- what is kept of the layers ----------------------------------------------------

    def _stores(self) -> Iterator[str]:
        layers = self.stop if self.first == "0" else f"{self.stop} - {self.first}"
        for name, output in self.outputs:
            if output.kind == "trail":
                assert output.argument is not None
                yield f"{name} = {self.writer.list_of(f'({layers} + 1)', output.shape)}"
                first = "0" if self.body.direction > 0 else layers
                yield f"{name}[{first}] = {self.writer.names.values[output.argument]}"
            elif output.kind == "array" and self.writer.backend.mutable:
                yield f"{name} = {self.writer.empty(output.shape)}"
            elif output.kind == "starts":
                yield f"{name} = []"
            elif output.kind != "last":
                count = layers if self.first == "0" else f"({layers})"
                yield f"{name} = {self.writer.list_of(count, output.shape)}"
        if self.body.blocks is not None:
            yield self._block_length(self.body.blocks)

    def _at(self, shift: int) -> str:
        """The place in a list of what belongs to layer l + shift."""
        offset = "" if self.first == "0" else f" - {self.first}"
        return f"{self.index}{offset}{f' + {shift}' if shift else ''}"

    def _kept(self) -> Iterator[str]:
        for name, output in self.outputs:
            source = self.writer.expression(output.source)
            if output.kind == "trail":
                yield f"{name}[{self._at(1 if self.body.direction > 0 else 0)}] = {source}"
            elif output.kind == "list":
                yield f"{name}[{self._at(0)}] = {source}"
            elif output.kind == "array":
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
        starts = [(name, output) for name, output in self.outputs if output.kind == "starts"]
        if starts:
            yield f"if {self.index} % {self.writer.names.blocks[0]} == 0:"
            for name, output in starts:
                assert output.argument is not None
                yield f"{_INDENT}{name}.append({names[output.argument]})"
        stacks = body.parts(self.step.operands).stacks
        for (argument, shift), stack in zip(body.slices, stacks, strict=True):
            at = f"{self.index} + {shift}" if shift else self.index
            yield f"{names[argument]} = {self.writer.expression(stack)}[{at}]"
        if body.again is not None:
            for argument, place, shift in body.again.slices:
                yield f"{names[argument]} = {names[body.again.lists[place]]}[{self._at(shift)}]"
        always, rest = body.steps[: body.always], body.steps[body.always :]
        stored = {output.source.value for _, output in self.outputs}
        handed = {ref.value for _, ref in body.carries}
        dying = deaths(body.steps, stored | handed)
        made = {step.value for step in always}
        later = {number for step in rest for number in operands_of(step)}
        yield from self.writer.lines(always, stored | handed | later, dying[: len(always)])
        yield from self._kept()
        yield from self.writer.freed((stored - handed - later) & made)
        lasting = [carry for carry in body.carries if carry[1].value in made]
        passing = [carry for carry in body.carries if carry[1].value not in made]
        if rest or passing:
            final = f"{self.count} - 1" if body.direction > 0 else "0"
            yield f"if {self.index} != {final}:"
            inner = [
                *self.writer.lines(rest, handed, dying[len(always) :]),
                *self._handed(passing),
            ]
            yield from (_INDENT + line for line in inner)
        yield from self._handed(lasting)

    def _handed(self, carries: Sequence[tuple[int, Ref]]) -> Iterator[str]:
        """The carries take their next values, all at once."""
        if carries:
            names = self.writer.names.values
            left = ", ".join(names[argument] for argument, _ in carries)
            yield f"{left} = {', '.join(self.writer.expression(ref) for _, ref in carries)}"
            yield from self.writer.freed({ref.value for _, ref in carries})


# ---- names ---------------------------------------------------------------------------------


def loop_homes(loops: Iterable[Step]) -> Iterator[tuple[int, int]]:
    """What is captured in a loop is called as it is outside."""
    for loop in loops:
        if loop.body is None:
            continue
        bodies = [(loop.body, loop.operands)]
        if (again := loop.body.again) is not None:
            bodies.append((again.body, loop.body.parts(loop.operands).again))
            yield from ((number, number) for number in again.lists)
        for body, operands in bodies:
            outside = dict(zip(body.captured, operands, strict=False))
            for number, _ in body.inputs:
                operand = outside.get(number)
                yield number, operand.value if isinstance(operand, Ref) else number


def loop_names(
    steps: Iterable[Step], loops: Sequence[Step], values: Mapping[int, str], namer: Namer
) -> tuple[dict[int, str], dict[int, list[str]], tuple[str, str, str]]:
    """The index of each loop, by its depth, the names of its outputs, and those of blocks."""
    layers: dict[int, str] = {}
    level = [step for step in steps if step.body is not None]
    for letter in ("l", "k", "t", "s", *(f"l{depth}" for depth in range(5))):
        name = namer.unique(letter) if level else ""
        layers.update({step.value: name for step in level})
        level = [s for step in level if step.body for s, _ in step.body.turns() if s.body]
    outputs: dict[int, list[str]] = {}
    parts = {s.operands: s.value for s in nested(steps) if s.function == "output"}
    for loop in loops:
        numbers = [parts.get((Ref(loop.value), (k,))) for k in range(len(loop.outputs))]
        outputs[loop.value] = [namer.unique("t") if k is None else values[k] for k in numbers]
    blocks = ("", "", "")
    if any(loop.body and loop.body.any_blocks for loop in loops):
        blocks = (namer.unique("layers"), namer.unique("first"), namer.unique("stop"))
    return layers, outputs, blocks
