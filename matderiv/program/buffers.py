"""What NumPy's iterator gathers before it computes: operands that do not lie as the rest.

Axes that every operand runs through in one stride count as one.  A call then runs over some
of the fastest axes at a time, and operands that change their stride among these are copied
into buffers first, as are those of another type: as many axes are taken as make
(1 + operands to be copied) / (elements at a time) least.  A sum runs over the same axes, its
result standing still along those that are summed: the slowest axis of a stretch may be one
where it begins or ends to stand still, and needs no buffer for that.
(NumPy 2.3 and later: `npyiter_find_buffering_setup` of its `nditer_constr.c`.)
"""

from __future__ import annotations

from collections.abc import Sequence

from matderiv.program.strides import Layout, axis_order, broadcast

__all__ = ["BUFFER", "buffer_bytes", "lie_alike"]

BUFFER = 8192  # elements of one buffer


def lie_alike(operands: Sequence[Layout], result: Layout, item: int = 8) -> bool:
    """Whether a call needs no iterator: it runs through all arrays in one stride.

    >>> rows, columns = Layout((3, 4), (4, 1)), Layout((3, 4), (1, 3))
    >>> lie_alike([rows, rows], rows), lie_alike([rows, columns], rows)
    (True, False)
    """
    arrays = [operand for operand in operands if operand.shape]
    if any(a.item != item or a.shape != result.shape for a in arrays):
        return False
    return (
        len(result.shape) == 1
        or all(a.is_by_rows for a in [*arrays, result])
        or all(a.is_by_columns for a in [*arrays, result])
    )


def buffer_bytes(operands: Sequence[Layout], result: Layout, item: int | None = None) -> int:
    """Bytes of the buffers of an elementwise call, or of a reduction.

    The result of a reduction is given over all axes, with stride 0 along those reduced;
    `item` are the bytes of what is computed with, none where each operand is read as it is.

    >>> matrix = Layout((300, 200), (200, 1))
    >>> row, sums = Layout((200,), (1,)), Layout((300, 200), (1, 0))
    >>> [buffer_bytes(given, matrix) for given in ([matrix, row], [matrix, matrix])]
    [64000, 0]
    >>> buffer_bytes([matrix], sums)
    0
    """
    arrays = [operand for operand in operands if operand.shape]
    own = [broadcast(array, result.shape) for array in [*arrays, result]]
    items = [array.item if item is None else item for array in [*arrays, result]]
    cast = [*(array.item != own for array, own in zip(arrays, items, strict=False)), False]
    loops = _loops(result.shape, own)
    if len(loops) < 2 and not any(cast):
        return 0
    cost, size = 1 + sum(cast), loops[0][0] if loops else 1
    together = [1] * len(own)  # loops through which an operand runs in one stride
    still = 0  # the loop at which the result of a reduction begins or ends to stand still
    best, best_cost, best_size, core = 0, cost, size, 1
    for at in range(1, len(loops)):
        if still or (size >= BUFFER and cost > 1):
            break
        (inner, before), (length, steps) = loops[at - 1], loops[at]
        for k, (last, step) in enumerate(zip(before, steps, strict=True)):
            if together[k] == at:
                if last * inner == step:
                    together[k] += 1
                    continue
                cost += not cast[k]
            if k == len(arrays) and 0 in (last, step):
                still = at
        stretch, size = size, size * length
        if cost * best_size <= best_cost * (min(size, BUFFER) if cost > 1 else size):
            best, best_cost, best_size, core = at, cost, size, stretch
    stands = still if still == best else 0
    bytes_of_each = 0
    for k in range(len(own)):
        turns = together[k] == best and not cast[k]
        rests = bool(loops) and loops[stands][1][k] == 0 and together[k] <= best
        free = bool(stands) and (k == len(arrays) or turns or rests)
        bytes_of_each += items[k] * (cast[k] or together[k] + free <= best)
    if bytes_of_each and best_size > BUFFER:
        best_size = core * (BUFFER // core)
    return bytes_of_each * best_size


def _loops(
    shape: Sequence[int], strides: Sequence[Sequence[int]]
) -> list[tuple[int, tuple[int, ...]]]:
    """Lengths and strides of the axes from fastest to slowest, those that go on made one."""
    loops: list[tuple[int, tuple[int, ...]]] = []
    for axis in reversed(axis_order(strides, len(shape))):
        length, steps = shape[axis], tuple(own[axis] for own in strides)
        if length == 1:
            continue
        if loops and all(s == t * loops[-1][0] for s, t in zip(steps, loops[-1][1], strict=True)):
            loops[-1] = (loops[-1][0] * length, loops[-1][1])
        else:
            loops.append((length, steps))
    return loops
