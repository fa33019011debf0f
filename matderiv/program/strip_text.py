"""A loop over blocks of rows as lines of code: `for rows in _strips(n, m)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from matderiv.program.liveness import deaths
from matderiv.program.steps import Gathered, Step

if TYPE_CHECKING:
    from matderiv.program.writer import Writer

__all__ = ["strip_lines"]


def strip_lines(step: Step, writer: Writer) -> Iterator[str]:
    """The statements of a loop: what it fills or adds to, and the steps of a block."""
    strips, names = step.strips, writer.names
    assert strips is not None
    left = dict(zip((o.source for o in strips.outputs), names.outputs[step.value], strict=True))
    for name, output in zip(left.values(), strips.outputs, strict=True):
        if not output.summed:
            yield f"{name} = {writer.empty(output.shape)}"
        elif output.shape:
            yield f"{name} = {writer.zeros(output.shape)}"
        else:
            yield f"{name} = 0.0"
    widths = [writer.size(row) for row in strips.widths]
    width = widths[0] if len(widths) == 1 else f"max({', '.join(widths)})"
    rows = names.strips
    yield f"for {rows} in _strips({writer.size(strips.length)}, {width}):"
    dying = deaths(strips.steps, ())
    for inner, dead in zip(strips.steps, dying, strict=True):
        yield f"    {writer.statement(inner)}"
        if inner.value in left:
            output = next(o for o in strips.outputs if o.source == inner.value)
            yield f"    {_gathered(output, left[inner.value], names.values[inner.value], writer)}"
        yield from (f"    {line}" for line in writer.freed(dead))


def _gathered(output: Gathered, whole: str, block: str, writer: Writer) -> str:
    """What a block made is put into its place, or added."""
    if not output.summed:
        return f"{whole}[{writer.names.strips}] = {block}"
    if output.shape:
        return f"{writer.backend.function('add')}({whole}, {block}, out={whole})"
    return f"{whole} = {whole} + {block}"
