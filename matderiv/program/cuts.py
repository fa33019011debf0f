"""What may be computed in blocks of rows of an array: the steps of a loop, and its worth.

A step is cut along an axis of what it reads.  Where its result has that axis it is made
block by block, and so is what reads it; where the axis is summed over, the sums of the
blocks add up.  Arrays that are there as a whole are read and filled by rows, never by
columns, which lie apart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from matderiv.program.counting import UFUNCS
from matderiv.program.liveness import homes
from matderiv.program.steps import Ref, Step, Strips, operands_of
from matderiv.program.tape import Numbers, volume
from matderiv.tensor.dims import Dim, Shape, dim_value, multiply_dims

__all__ = ["Cut", "best_cut"]

_SUMMED = frozenset({"sum", "matmul", "vdot", "vecdot", "einsum"})


# ---- one step ------------------------------------------------------------------------


class _Placed(NamedTuple):
    """A step of a loop over blocks.

    axis     of its result that is cut; None: the blocks add up
    slices   for each operand whether it is read in blocks, else as a whole
    """

    axis: int | None
    slices: tuple[bool, ...]


class _Lines(NamedTuple):
    """For each operand and for the result the label of each axis; 0 for one of size 1."""

    operands: list[tuple[int, ...]]
    result: tuple[int, ...]


def _lines(step: Step, shapes: Sequence[Shape]) -> _Lines | None:
    """How the axes of operands and result of a step belong together."""
    if step.alias is not None or step.callee is not None:
        return None
    seen = [ref.shape(shapes) for ref in step.refs]
    if step.spec and step.function in _SUMMED:
        inputs, _, result = step.spec.partition("->")
        operands = [tuple(map(ord, part)) for part in inputs.split(",")]
        same = list(map(len, operands)) == list(map(len, seen))
        return _Lines(operands, tuple(map(ord, result))) if same else None
    if step.function in UFUNCS and not step.options:
        order = len(step.shape)
        labels = range(order, 0, -1)
        operands = [
            tuple(
                label if length != 1 or step.shape[order - label] == 1 else 0
                for label, length in zip(labels[order - len(shape) :], shape, strict=True)
            )
            for shape in seen
        ]
        return _Lines(operands, tuple(labels))
    if step.function in ("sum", "amax", "amin"):
        options, order = dict(step.options), len(seen[0])
        axis = options.get("axis", tuple(range(order)))
        given = axis if isinstance(axis, tuple) else (axis,)
        reduced = {k % order for k in given if isinstance(k, int)}
        left = [0 if k in reduced else k + 1 for k in range(order)]
        result_labels = left if options.get("keepdims") else [k for k in left if k]
        return _Lines([tuple(range(1, order + 1))], tuple(result_labels))
    return None


def _axis(ref: Ref, place: int) -> int | None:
    """The axis of the value that an axis of its view is."""
    return place if ref.axes is None else ref.axes[place]


# ---- a cut ---------------------------------------------------------------------------


@dataclass
class Cut:
    """The steps in a loop over blocks of rows of `seed`, and what follows it.

    pulled   values made outside that are read in blocks, so that they are made in blocks
    banned   steps that are not put into the loop
    inside   the steps of a block
    late     the values that are computed after the loop
    stored   those made block by block that somebody reads whole
    """

    seed: int
    shapes: Sequence[Shape]
    pulled: Collection[int]
    banned: Collection[int]
    inside: dict[int, tuple[Step, _Placed]] = field(default_factory=dict)
    late: set[int] = field(default_factory=set)
    stored: set[int] = field(default_factory=set)

    @property
    def length(self) -> Dim:
        return self.shapes[self.seed][0]

    def add(self, step: Step) -> None:
        """Put a step before the loop, into it, or after it."""
        read = operands_of(step)
        follows = any(k in self.inside for k in read)
        if any(k in self.late or (k in self.inside and self.axis(k) is None) for k in read):
            self.late.add(step.value)
        elif follows or self.seed in (*read, step.value) or step.value in self.pulled:
            placed = None if step.value in self.banned else self._placed(step)
            if placed is not None:
                self.inside[step.value] = step, placed
            elif follows:
                self.late.add(step.value)

    def axis(self, number: int) -> int | None:
        """The axis of a value of the loop that is cut."""
        return self.inside[number][1].axis

    def _placed(self, step: Step) -> _Placed | None:
        lines = _lines(step, self.shapes)
        if lines is None:
            return None
        refs = step.refs
        pairs = list(zip(refs, lines.operands, strict=True))
        made = step.value == self.seed or step.value in self.pulled
        label = lines.result[0] if made else self._label(pairs)
        if not label:
            return None
        slices = []
        for ref, labels in pairs:
            places = [k for k, other in enumerate(labels) if other == label]
            axis = _axis(ref, places[0]) if places else None
            wanted = self.axis(ref.value) if ref.value in self.inside else 0
            if len(places) > 1 or (ref.value in self.inside and axis != wanted):
                return None
            if axis is not None and (axis != wanted or self.shapes[ref.value][axis] != self.length):
                return None
            slices.append(axis is not None)
        if not all(slices) and len({ref.value for ref in refs}) < len(refs):
            return None  # half of X X' is computed where all of it is
        if label in lines.result:
            return _Placed(lines.result.index(label), tuple(slices))
        return _Placed(None, tuple(slices)) if step.function in _SUMMED else None

    def _label(self, pairs: Sequence[tuple[Ref, tuple[int, ...]]]) -> int:
        """The label that is cut; 0 if there is none."""
        for ref, labels in sorted(pairs, key=lambda pair: pair[0].value not in self.inside):
            if ref.value in self.inside or ref.value == self.seed:
                axis = self.axis(ref.value) if ref.value in self.inside else 0
                return next((n for k, n in enumerate(labels) if _axis(ref, k) == axis), 0)
        return 0

    # ---- what it is worth --------------------------------------------------------------

    @property
    def slices(self) -> list[int]:
        """What is made outside and read in blocks, as often as it is read."""
        return [
            ref.value
            for step, placed in self.inside.values()
            for ref, cut in zip(step.refs, placed.slices, strict=True)
            if cut and ref.value not in self.inside
        ]

    @property
    def rows(self) -> list[int]:
        """What is made in blocks."""
        return [k for k in self.inside if self.axis(k) is not None]

    @property
    def sums(self) -> list[int]:
        return [k for k in self.inside if self.axis(k) is None]

    @property
    def widths(self) -> tuple[Dim, ...]:
        """The entries of the rows of what lies in the cache."""
        axes = [(k, 0) for k in self.slices] + [(k, self.axis(k) or 0) for k in self.rows]
        rows = [self.shapes[k][:axis] + self.shapes[k][axis + 1 :] for k, axis in axes]
        found = dict.fromkeys(multiply_dims(*row) for row in rows)
        most = max((row for row in found if isinstance(row, int)), default=1)
        named = [row for row in found if not isinstance(row, int)]
        return (*named, most) if most > 1 or not named else tuple(named)

    def saved(self, sizes: Numbers) -> int:
        """Entries that are never written to memory, or read once instead of again and again.

        Less those of the sums: each block writes its own, and reads and writes the total.
        """
        entries = {k: volume(self.shapes[k], sizes) for k in (*self.inside, *self.slices)}
        found = 2 * sum(entries[k] for k in self.rows if k not in self.stored)
        found += sum(map(entries.__getitem__, self.slices))
        found -= sum(entries[k] for k in set(self.slices))
        strips = Strips(self.length, "", self.widths, (), ())
        blocks = -(-dim_value(self.length, sizes) // strips.at(sizes))
        return found - 4 * (blocks - 1) * sum(entries[k] for k in self.sums)


def best_cut(
    steps: Sequence[Step],
    given: Iterable[int],
    kept: Collection[int],
    shapes: Sequence[Shape],
    sizes: Numbers,
) -> Cut | None:
    """The loop that saves most; None if none saves anything.

    `given` are the inputs of the steps, `kept` their results.
    """
    cuts: list[Cut] = []
    for seed in [*given, *(step.value for step in steps if not step.is_view)]:
        if shapes[seed] and not any(seed in cut.rows for cut in cuts):
            cut = _largest(steps, seed, shapes, kept)
            cuts += [cut] if cut.inside and not _is_written_later(steps, cut) else []
    best = max(cuts, key=lambda cut: cut.saved(sizes), default=None)
    return best if best is not None and best.saved(sizes) > 0 else None


def _largest(
    steps: Sequence[Step], seed: int, shapes: Sequence[Shape], kept: Collection[int]
) -> Cut:
    """The largest loop over blocks of rows of one value."""
    by_value = {step.value: step for step in steps}
    pulled: set[int] = set()
    banned: set[int] = set()
    while True:
        found = Cut(seed, shapes, pulled, banned)
        for step in steps:
            found.add(step)
        more = {k for k in found.slices if k in by_value} - pulled - banned
        whole = {number for k in found.late for number in operands_of(by_value[k])} | set(kept)
        found.stored = {k for k in found.rows if k in whole}
        columns = {k for k in found.stored if found.axis(k) != 0}
        if not more and not columns:
            return found
        pulled |= more
        banned |= columns


def _is_written_later(steps: Sequence[Step], cut: Cut) -> bool:
    """Whether an array that is read in the loop is written into after it was read."""
    home = homes(steps)
    last = {home[s.value]: s.value for s in steps if s.writes}
    read = {k for step, _ in cut.inside.values() for k in operands_of(step)}
    return any(last.get(home.get(k, k), k) > k for k in read)
