"""How arrays lie in memory, without arrays: shapes and strides as NumPy chooses them.

An elementwise result takes the order of axes of its operands ("K" order), a stack that of
the stacks it is made of, a view shares its base's strides, everything else is laid out row by
row.  Strides count elements.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from math import prod
from typing import NamedTuple

__all__ = [
    *("Layout", "axis_order", "broadcast", "by_rows", "contracted", "copied", "elementwise"),
    *("reduced", "reshaped", "seen", "stacked"),
]


class Layout(NamedTuple):
    """Axes of an array: lengths, strides, and bytes of an element."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    item: int = 8

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def data(self) -> int:
        """Bytes of the elements."""
        return self.item * self.size

    @property
    def is_by_rows(self) -> bool:
        return _is_dense(self.shape[::-1], self.strides[::-1])

    @property
    def is_by_columns(self) -> bool:
        return _is_dense(self.shape, self.strides)


def _is_dense(shape: Sequence[int], strides: Sequence[int]) -> bool:
    expected = 1
    for length, stride in zip(shape, strides, strict=True):
        if length != 1:
            if stride != expected:
                return False
            expected *= length
    return True


def by_rows(shape: Sequence[int], item: int = 8) -> Layout:
    """Row by row, as `np.empty` lays it out.

    >>> by_rows((3, 4)).strides
    (4, 1)
    """
    return _filled(shape, range(len(shape)), item)


def _filled(shape: Sequence[int], order: Sequence[int], item: int) -> Layout:
    """Dense, the axes in `order` from slowest to fastest."""
    strides, step = [0] * len(shape), 1
    for axis in reversed(order):
        strides[axis] = step
        step *= shape[axis]
    return Layout(tuple(shape), tuple(strides), item)


def seen(layout: Layout, axes: Sequence[int | None] | None) -> Layout:
    """Axes permuted, axes of size 1 put in where `axes` says None."""
    if axes is None:
        return layout
    return Layout(
        tuple(1 if axis is None else layout.shape[axis] for axis in axes),
        tuple(0 if axis is None else layout.strides[axis] for axis in axes),
        layout.item,
    )


def reshaped(layout: Layout, shape: tuple[int, ...]) -> tuple[Layout, bool]:
    """The array in a new shape, and whether that takes a copy.

    >>> columns = Layout((3, 4), (1, 3))
    >>> reshaped(columns, (12,))[1], reshaped(columns, (3, 2, 2))[1]
    (True, False)
    """
    if layout.is_by_rows:
        return by_rows(shape, layout.item), False
    strides: list[int] = []
    old = [(n, s) for n, s in zip(layout.shape, layout.strides, strict=True) if n != 1]
    new = list(shape)
    while new:
        length = new.pop(0)
        group = [length]
        if length == 1:
            strides.append(0)
            continue
        parts = [old.pop(0)]
        while prod(group) != prod(n for n, _ in parts):
            if prod(group) < prod(n for n, _ in parts):
                group.append(new.pop(0))
            else:
                parts.append(old.pop(0))
        for (_, outer), (length, inner) in pairwise(parts):
            if outer != length * inner:
                return by_rows(shape, layout.item), True
        step = parts[-1][1]
        strides += [step * prod(group[k + 1 :]) for k in range(len(group))]
    return Layout(tuple(shape), tuple(strides), layout.item), False


def broadcast(layout: Layout, shape: Sequence[int]) -> tuple[int, ...]:
    """Strides over the axes of a larger shape: 0 where the array repeats."""
    missing = len(shape) - len(layout.shape)
    own = [
        0 if length == 1 else stride
        for length, stride in zip(layout.shape, layout.strides, strict=True)
    ]
    return (*[0] * missing, *own)


def axis_order(strides: Sequence[Sequence[int]], count: int) -> list[int]:
    """The axes from slowest to fastest, by the rule of NumPy's iterator.

    An axis moves outside another if some operand steps further along it and no operand
    disagrees; where operands disagree, the order of rows stands.
    """
    order = list(range(count))[::-1]  # fastest first
    for at in range(1, count):
        axis, place = order[at], at
        for other in range(at - 1, -1, -1):
            undecided, swap = True, False
            for own in strides:
                outer, inner = own[axis], own[order[other]]
                if outer and inner:
                    if inner <= outer:
                        swap = False
                    elif undecided:
                        swap = True
                    undecided = False
            if not undecided:
                if not swap:
                    break
                place = other
        order.insert(place, order.pop(at))
    return order[::-1]


def elementwise(operands: Sequence[Layout], shape: tuple[int, ...], item: int) -> Layout:
    """The layout of the result of an elementwise call.

    >>> columns, row = Layout((3, 4), (1, 3)), by_rows((4,))
    >>> elementwise([columns, row], (3, 4), 8).strides
    (1, 3)
    """
    strides = [broadcast(operand, shape) for operand in operands if operand.shape]
    return _filled(shape, axis_order(strides, len(shape)), item)


def copied(layout: Layout, item: int) -> Layout:
    """The layout of a copy: axes from the longest stride to the shortest.

    >>> row, columns = Layout((3, 4), (0, 1)), Layout((3, 4), (1, 3))
    >>> copied(row, 8).strides, copied(columns, 8).strides
    ((1, 3), (1, 3))
    """
    if layout.is_by_rows:
        return by_rows(layout.shape, item)
    order = range(len(layout.shape))
    if not layout.is_by_columns:
        return _filled(layout.shape, sorted(order, key=lambda k: -layout.strides[k]), item)
    return _filled(layout.shape, order[::-1], item)


def reduced(layout: Layout, axes: Collection[int]) -> Layout:
    """The layout of a sum over some axes: the others keep their order.

    >>> reduced(Layout((2, 3, 4), (1, 2, 6)), [0]).strides
    (1, 3)
    """
    order = axis_order([broadcast(layout, layout.shape)], len(layout.shape))
    left = [axis for axis in order if axis not in axes]
    kept = sorted(left)
    places = [kept.index(axis) for axis in left]
    return _filled([layout.shape[axis] for axis in kept], places, layout.item)


def stacked(
    operands: Sequence[Layout], cores: Sequence[int], shape: tuple[int, ...], core: int
) -> Layout:
    """The layout of a stack of results, of one for each matrix or vector in the operands.

    `cores` and `core` are how many axes one of the operands and one of the results has: the
    axes before them lie as in the operands, those of a result row by row.

    >>> first = Layout((2, 3, 5, 7), (35, 70, 7, 1))
    >>> stacked([first], [2], (2, 3), 0).strides
    (1, 2)
    """
    batch = shape[: len(shape) - core]
    strides = []
    for operand, own in zip(operands, cores, strict=True):
        end = len(operand.shape) - own
        outer = Layout(operand.shape[:end], operand.strides[:end])
        strides.append([*broadcast(outer, batch), *[0] * core])
    return _filled(shape, axis_order(strides, len(shape)), operands[0].item)


def contracted(spec: str, operands: Sequence[Layout], shape: tuple[int, ...]) -> Layout:
    """The layout of the result of an einsum: its iterator runs over all letters.

    >>> columns = Layout((3, 4), (1, 3))
    >>> contracted("ij,j->ij", [columns, by_rows((4,))], (3, 4)).strides
    (1, 3)
    """
    inputs, output = spec.split("->")
    terms = inputs.split(",")
    letters = output + "".join(sorted(set("".join(terms)) - set(output)))
    strides = []
    for term, operand in zip(terms, operands, strict=True):
        own = dict.fromkeys(letters, 0)
        for letter, stride in zip(term, broadcast(operand, operand.shape), strict=True):
            own[letter] += stride
        strides.append(list(own.values()))
    order = [axis for axis in axis_order(strides, len(letters)) if axis < len(output)]
    return _filled(shape, order, operands[0].item)
