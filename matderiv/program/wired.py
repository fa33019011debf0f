"""Arrays without their structure: what a node's value is before it is written out.

A `Wired` is an array and the pattern that spreads it over the axes of its node, so
that an identity, a diagonal, a broadcast or a transpose costs nothing until someone
needs the dense array:

    diag(v)     v, labels (0), out (0, 0)
    v 1'        v, labels (0), out (0, 1)
    A'          A, labels (1, 0), out (0, 1)
    3 I         3.0, labels (), out (0, 0)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matderiv.program.pieces import Piece, aligned
from matderiv.program.steps import Dims, Length, Ref
from matderiv.program.tape import Tape
from matderiv.tensor.dims import Shape

__all__ = ["Wired", "dense", "plain", "renumber", "write_diagonal"]

Source = Ref | Length | float


class Wired(NamedTuple):
    """node[out] = source[labels]; labels of `out` that the source lacks are broadcast."""

    source: Source
    labels: tuple[int, ...]
    out: tuple[int, ...]

    @property
    def is_dense(self) -> bool:
        """Whether the array is the node's value, axes in order."""
        return isinstance(self.source, Ref) and self.labels == self.out == tuple(
            range(len(self.out))
        )

    @property
    def has_delta(self) -> bool:
        return len(set(self.out)) < len(self.out)


def plain(ref: Ref, order: int) -> Wired:
    axes = tuple(range(order))
    return Wired(ref, axes, axes)


def renumber(source: Source, labels: Sequence[int], out: Sequence[int]) -> Wired:
    """A `Wired` with labels numbered as they appear in `out`."""
    numbers: dict[int, int] = {}
    for label in out:
        numbers.setdefault(label, len(numbers))
    return Wired(source, tuple(numbers[k] for k in labels), tuple(numbers[k] for k in out))


def dense(tape: Tape, wired: Wired, shape: Shape, fresh: bool = False) -> Ref:
    """The node's value as one array of its shape; `fresh`: one that may be written into."""
    if wired.is_dense and not fresh:
        assert isinstance(wired.source, Ref)
        return wired.source
    if wired.has_delta:
        array = tape.fresh("zeros", Dims(shape), shape=shape)
        return write_diagonal(tape, array, wired, "copyto")
    if not isinstance(wired.source, Ref):
        if wired.source == 0.0:
            return tape.fresh("zeros", Dims(shape), shape=shape)
        return tape.fresh("full", Dims(shape), wired.source, shape=shape)
    if tape.is_number(wired.source) and shape:
        return tape.fresh("full", Dims(shape), wired.source, shape=shape)
    ref = aligned(Piece(wired.source, wired.labels), wired.out)
    if len(wired.labels) < len(wired.out):
        if fresh:
            return tape.fresh("full", Dims(shape), ref, shape=shape)
        ref = tape.view("broadcast_to", ref, Dims(shape), base=ref, shape=shape)
    return tape.fresh("copy", ref, shape=shape) if fresh else ref


def write_diagonal(tape: Tape, array: Ref, wired: Wired, function: str) -> Ref:
    """Put a value with a delta on its diagonal of a fresh array, or add it there."""
    distinct = tuple(dict.fromkeys(wired.out))
    view = tape.diagonal(array, wired.out, distinct)
    source = wired.source
    if isinstance(source, Ref):
        source = aligned(Piece(source, wired.labels), distinct)
    operands = (source,) if function == "copyto" else (view, source)
    return tape.write(function, view, array, *operands)
