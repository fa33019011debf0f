"""Arrays with labelled axes, and the NumPy call that joins two of them.

A piece is a value whose axes carry labels, as in einsum.  Joining two multiplies them
and sums over the labels that nobody else needs:

    nothing summed                    multiply / divide, broadcasting
    everything summed                 vdot
    one label summed, none shared     matmul, on transposed views
    one label summed, some shared     vecdot, or matmul with leading axes
    several summed, none shared       tensordot
    otherwise                         einsum
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from matderiv.program.steps import Ref
from matderiv.program.tape import Tape, letters
from matderiv.tensor.dims import Dim, Shape

__all__ = ["Piece", "aligned", "as_plain", "join", "product_spec", "seen", "sum_out"]


class Piece(NamedTuple):
    """A value with a label for each axis.

    inverted   the piece stands for 1/value, entry by entry
    inverse    the piece stands for the matrix inverse of value, not computed yet
    nonnegative, symmetric   what is known of the entries
    """

    ref: Ref
    labels: tuple[int, ...]
    inverted: bool = False
    inverse: bool = False
    nonnegative: bool = False
    symmetric: bool = False


Sizes = Mapping[int, Dim]


def aligned(piece: Piece, order: Sequence[int]) -> Ref:
    """The view of a piece with axes in this order, size 1 where it lacks one."""
    axes: list[int | None] = [
        piece.labels.index(label) if label in piece.labels else None for label in order
    ]
    while axes and axes[0] is None:  # NumPy broadcasts leading axes by itself
        axes.pop(0)
    if piece.symmetric and axes in ([1, 0], [0, 1]):
        axes = [0, 1]
    return seen(piece.ref, axes)


def seen(ref: Ref, axes: Sequence[int | None]) -> Ref:
    """A view of a view."""
    if ref.axes is not None:
        axes = [None if axis is None else ref.axes[axis] for axis in axes]
        plain = False
    else:
        plain = list(axes) == list(range(len(axes)))
    return Ref(ref.value) if plain else Ref(ref.value, tuple(axes))


def as_plain(tape: Tape, piece: Piece) -> Piece:
    """Compute 1/value or the matrix inverse where the piece only stands for it."""
    ref = piece.ref
    shape = tape.shape(ref)
    if piece.inverse:
        return piece._replace(ref=tape.call("linalg.inv", ref, shape=shape), inverse=False)
    if piece.inverted:
        return Piece(tape.call("reciprocal", ref), piece.labels)
    return piece


def sum_out(tape: Tape, piece: Piece, dropped: Collection[int]) -> Piece:
    """Sum over the labels that no other piece carries."""
    piece = as_plain(tape, piece)
    kept = tuple(label for label in piece.labels if label not in dropped)
    shape = tape.shape(piece.ref)
    result = tuple(dim for dim, k in zip(shape, piece.labels, strict=True) if k in kept)
    axes = tuple(axis for axis, label in enumerate(piece.labels) if label in dropped)
    if not kept:
        return Piece(tape.call("sum", piece.ref, shape=()), ())
    axis = axes[0] if len(axes) == 1 else axes
    return Piece(tape.call("sum", piece.ref, shape=result, axis=axis), kept)


def join(
    tape: Tape, a: Piece, b: Piece, keep: Collection[int], orders: Sequence[tuple[int, ...]]
) -> Piece:
    """Multiply two pieces and sum over the labels not in `keep`.

    `orders` are the axes of the arrays that the result meets later, most important
    first: its axes follow them where that costs nothing.
    """
    both = [label for label in a.labels if label in b.labels]
    summed = [label for label in both if label not in keep]
    if not summed:
        return _multiply(tape, a, b, orders)
    if a.inverse != b.inverse:
        solved = _solve(tape, a, b, summed) if a.inverse else _solve(tape, b, a, summed)
        if solved is not None:
            return solved
    a, b = as_plain(tape, a), as_plain(tape, b)
    batch = [label for label in both if label in keep]
    left = [label for label in a.labels if label not in both]
    right = [label for label in b.labels if label not in both]
    if not batch and not left and not right:
        return _vdot(tape, a, b)
    if _follows(left, right, orders) or (not left and len(right) == 1):
        a, b, left, right = b, a, right, left
    if not batch and len(summed) == 1 and len(left) < 2 and len(right) < 2:
        product = _matmul(tape, a, b, [], left, right, summed)
        # A matrix times its own transpose.
        twice = a.ref == b.ref and a.labels.index(summed[0]) == b.labels.index(summed[0])
        return product._replace(symmetric=True) if twice and len(product.labels) == 2 else product
    if not batch:
        return _tensordot(tape, a, b, left, right, summed)
    rank = list(dict.fromkeys(label for order in orders for label in order))
    batch.sort(key=rank.index)
    if len(summed) == 1 and not left and not right:
        order = (*batch, *summed)
        return _contraction(tape, "vecdot", a, b, order, order, tuple(batch), summed)
    if len(summed) == 1 and len(left) == 1 and len(right) == 1:
        return _matmul(tape, a, b, batch, left, right, summed)
    return _einsum(tape, a, b, sorted([*batch, *left, *right], key=rank.index))


def _follows(left: Sequence[int], right: Sequence[int], orders: Sequence[tuple[int, ...]]) -> bool:
    """Whether the labels on the left come after those on the right in an array they share."""
    for order in orders:
        places = [[order.index(k) for k in labels if k in order] for labels in (left, right)]
        if places[0] and places[1]:
            return places[0][0] > places[1][0]
    return False


def _multiply(tape: Tape, a: Piece, b: Piece, orders: Sequence[tuple[int, ...]]) -> Piece:
    a, b = (as_plain(tape, p) if p.inverse else p for p in (a, b))
    big, small = (b, a) if set(a.labels) < set(b.labels) else (a, b)
    extra = [label for label in small.labels if label not in big.labels]
    labels = (*big.labels, *extra)
    if extra or len(labels) > 2:
        rank = list(dict.fromkeys(label for order in orders for label in order))
        labels = tuple(sorted(labels, key=rank.index))
    if a.inverted and not b.inverted:
        a, b = b, a
    function = "divide" if b.inverted and not a.inverted else "multiply"
    if function == "multiply" and a.ref.value > b.ref.value:
        a, b = b, a  # so that a·b and b·a are one step
    ref = tape.call(function, aligned(a, labels), aligned(b, labels))
    return Piece(ref, labels, inverted=a.inverted and b.inverted)


def _solve(tape: Tape, inverse: Piece, side: Piece, summed: Sequence[int]) -> Piece | None:
    """X⁻¹ B by solving X Z = B; None where this is no such product."""
    if len(summed) != 1 or len(inverse.labels) != 2:
        return None
    (label,) = summed
    free = inverse.labels[1 - inverse.labels.index(label)]
    if free in side.labels or free == label or len(side.labels) > 2:
        return None
    side = as_plain(tape, side)
    matrix = aligned(inverse, (free, label))
    # Σ_j X⁻¹_ij b_j solves X z = b; Σ_i X⁻¹_ij b_i solves X' z = b.
    rest = tuple(k for k in side.labels if k != label)
    sides = aligned(side, (label, *rest))
    return Piece(tape.call("linalg.solve", matrix, sides, shape=tape.shape(sides)), (free, *rest))


def _vdot(tape: Tape, a: Piece, b: Piece) -> Piece:
    a, b = (b, a) if a.ref.value > b.ref.value else (a, b)
    order = a.labels
    contracted = tape.shape(a.ref)
    spec = product_spec(order, order, ())
    ref = tape.contract(
        "vdot", a.ref, aligned(b, order), shape=(), contracted=contracted, spec=spec
    )
    return Piece(ref, ())


def _matmul(
    tape: Tape,
    a: Piece,
    b: Piece,
    batch: list[int],
    left: list[int],
    right: list[int],
    summed: list[int],
) -> Piece:
    out = (*batch, *left, *right)
    return _contraction(
        tape, "matmul", a, b, (*batch, *left, *summed), (*batch, *summed, *right), out, summed
    )


def _contraction(
    tape: Tape,
    function: str,
    a: Piece,
    b: Piece,
    order_a: tuple[int, ...],
    order_b: tuple[int, ...],
    out: tuple[int, ...],
    summed: Sequence[int],
) -> Piece:
    sizes = _sizes(tape, a, b)
    ref = tape.contract(
        function,
        aligned(a, order_a),
        aligned(b, order_b),
        shape=tuple(sizes[label] for label in out),
        contracted=tuple(sizes[label] for label in summed),
        spec=product_spec(order_a, order_b, out),
    )
    return Piece(ref, out)


def _tensordot(
    tape: Tape, a: Piece, b: Piece, left: list[int], right: list[int], summed: list[int]
) -> Piece:
    sizes = _sizes(tape, a, b)
    out = (*left, *right)
    ref = tape.contract(
        "tensordot",
        a.ref,
        b.ref,
        shape=tuple(sizes[label] for label in out),
        contracted=tuple(sizes[label] for label in summed),
        spec=product_spec(a.labels, b.labels, out),
        axes=(
            tuple(a.labels.index(label) for label in summed),
            tuple(b.labels.index(label) for label in summed),
        ),
    )
    return Piece(ref, out)


def _einsum(tape: Tape, a: Piece, b: Piece, out: Sequence[int]) -> Piece:
    sizes = _sizes(tape, a, b)
    spec = product_spec(a.labels, b.labels, out)
    ref = tape.contract(
        "einsum",
        spec,
        a.ref,
        b.ref,
        shape=tuple(sizes[label] for label in out),
        contracted=tuple(dim for label, dim in sizes.items() if label not in out),
        spec=spec,
    )
    return Piece(ref, tuple(out))


def _sizes(tape: Tape, *pieces: Piece) -> dict[int, Dim]:
    sizes: dict[int, Dim] = {}
    for piece in pieces:
        shape: Shape = tape.shape(piece.ref)
        sizes.update(zip(piece.labels, shape, strict=True))
    return sizes


def product_spec(a: Sequence[int], b: Sequence[int], out: Sequence[int]) -> str:
    """Einsum text with letters in order of appearance.

    >>> product_spec((7, 3), (3, 9), (7, 9))
    'ab,bc->ac'
    """
    numbers: dict[int, int] = {}
    for label in (*a, *b, *out):
        numbers.setdefault(label, len(numbers))
    first, second, last = (letters([numbers[k] for k in labels]) for labels in (a, b, out))
    return f"{first},{second}->{last}"
