"""What NumPy hides in a call: buffers and copies, and what BLAS and LAPACK copy.

Rules are those of NumPy 2, measured with `tracemalloc`.  A function that the caller
supplies is taken to allocate its result alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import prod

from matderiv.program.buffers import buffer_bytes, lie_alike
from matderiv.program.counting import UFUNCS
from matderiv.program.steps import Step
from matderiv.program.strides import Layout, by_rows, elementwise, reshaped, seen

__all__ = ["COPY", "DOUBLE", "axes_of", "dot_copies", "kronecker", "masked", "taken_inside"]

DOUBLE = 8
"""Bytes of the numbers that LAPACK computes with."""

COPY = 100
"""The array object of a copy that is made inside."""

_ITERATOR = 800  # the iterator of a call whose operands do not lie alike
_KRON = 1840  # the views in which a Kronecker product is one elementwise call
_RESHAPED = 240  # one of an operand that does not lie row by row
_SCALAR = 104  # a Python number as an operand
# Bytes hidden in a call, besides what depends on its operands.
_CALLS = {
    **dict.fromkeys(("sum", "amax", "amin", "argmax"), 740),
    **dict.fromkeys(("linalg.inv", "linalg.cholesky"), 680),
    "linalg.svdvals": 720,
    "inverse_of_lower": 700,
    "linalg.det": 360,
    "linalg.slogdet": 240,
    "vdot": 200,
    "vecdot": 300,
    "take": 450,
    "linalg.solve": 910,
    "linalg.svd": 780,
    "einsum": 1440,
    "eye": 5280,
    "scipy.linalg.expm": 2500,
    "scipy.linalg.expm_frechet": 7500,
    "scipy.linalg.solve_sylvester": 4330,
}
_STACKS = 460  # of matrix products
# Copies of the first operand's size that a function makes inside; of an exponential that is
# scaled and squared, as its FLOPs are counted, and of a Sylvester equation of equal sides.
_COPIES = {
    "scipy.linalg.expm": 7,
    "scipy.linalg.expm_frechet": 28,
    "scipy.linalg.solve_sylvester": 7,
}
# Copies of a matrix, the first operand, made where tracemalloc does not look.
_WORKSPACES = {
    "linalg.inv": 2,
    "linalg.det": 1,
    "linalg.slogdet": 1,
    "linalg.cholesky": 1,
    "linalg.svdvals": 1,
    "scipy.linalg.sqrtm": 3,
}


def taken_inside(
    step: Step,
    operands: Sequence[Layout],
    result: Layout,
    item: int,
    slices: Collection[int] = (),
) -> tuple[int, int]:
    """Bytes hidden in a call, and those of its workspace; `slices` leave out columns."""
    function = step.function
    if step.callee is not None or step.is_view or function in ("copy", "copyto"):
        return 0, 0
    first = operands[0].data if operands else 0
    hidden = _CALLS.get(function, 0) + _COPIES.get(function, 0) * first
    workspace = _WORKSPACES[function] * _matrix(operands[0]) if function in _WORKSPACES else 0
    if function == "linalg.solve":
        workspace = sum(map(_matrix, operands))
    elif function in ("linalg.svd", "linalg.pinv"):
        workspace = _singular(operands[0])
        hidden += _pseudo_inverse(operands[0], result) if function == "linalg.pinv" else 0
    if function.startswith("linalg.") and item < DOUBLE:  # NumPy computes these in double
        hidden += 2 * sum(a.data for a in operands)
        workspace *= 2
    elif function in UFUNCS:
        whole = operands[0] if step.writes else result
        if not lie_alike(operands, whole, item):
            hidden += _ITERATOR + buffer_bytes(operands, whole, item)
        hidden += _SCALAR * (sum(bool(a.shape) for a in operands) < len(step.operands))
    elif function == "matmul":
        if _is_dot(step, operands, slices):
            hidden += dot_copies(operands)
        else:
            hidden += _STACKS
            workspace = sum(a.data for a in operands if not _for_blas(a))
    elif function in ("sum", "amax", "amin"):
        hidden += _reduced_buffers(step, operands[0], result)
    elif function in ("argmax", "take"):
        hidden += _made_whole(step, operands[0])
    elif function == "vdot":
        hidden += sum(a.data + COPY for a in operands if reshaped(a, (a.size,))[1])
    elif function == "inverse_of_lower":
        hidden += _row_blocks(operands[0].shape[0], result.item)
    elif function in ("tril", "triu"):
        hidden += _masked_buffers(operands[0], result)
    elif function == "kron":
        hidden += _kron_buffers(operands, result)
    return hidden, workspace


def axes_of(option: object, operand: Layout) -> tuple[int, ...]:
    """The axes that an option `axis` names, counted from the first; all if there is none."""
    order = len(operand.shape)
    if option is None:
        return tuple(range(order))
    named = option if isinstance(option, tuple) else (option,)
    return tuple(axis % order for axis in named)


def _is_dot(step: Step, operands: Sequence[Layout], slices: Collection[int]) -> bool:
    """Whether a product is written `np.dot`."""
    return all(len(a.shape) <= 2 for a in operands) and not any(
        ref.value in slices for ref in step.refs
    )


def dot_copies(operands: Sequence[Layout]) -> int:
    """What `np.dot` copies: matrices with gaps, vectors that repeat one number."""
    return sum(a.data + COPY for a in operands if not _is_whole(a))


def _is_whole(operand: Layout) -> bool:
    if len(operand.shape) == 1:
        return operand.strides[0] != 0 or operand.shape[0] == 1
    return operand.is_by_rows or operand.is_by_columns


def _for_blas(matrix: Layout) -> bool:
    """Whether BLAS can read a matrix where it lies: one of its last two axes has stride 1."""
    pairs = list(zip(matrix.shape, matrix.strides, strict=True))[-2:]
    return any(length == 1 or stride == 1 for length, stride in pairs)


def _reduced_buffers(step: Step, operand: Layout, result: Layout) -> int:
    """The buffers of a reduction, whose result stands still along what is reduced."""
    if operand.is_by_rows or operand.is_by_columns:  # one stride through all of it
        return 0
    options = dict(step.options)
    reduced = axes_of(options.get("axis"), operand)
    own = iter(result.strides)
    strides = []
    for axis in range(len(operand.shape)):
        if axis in reduced and options.get("keepdims"):
            next(own)
        strides.append(0 if axis in reduced else next(own))
    return buffer_bytes([operand], Layout(operand.shape, tuple(strides), operand.item))


def _made_whole(step: Step, operand: Layout) -> int:
    """A copy in which the entries of the axis that a search runs along are neighbours."""
    if step.function == "argmax":
        (axis,) = axes_of(dict(step.options).get("axis"), operand)
        rest = [k for k in range(len(operand.shape)) if k != axis]
        operand = seen(operand, [*rest, axis])
    return 0 if operand.is_by_rows else operand.data + COPY


def _row_blocks(n: int, item: int) -> int:
    """What `_inverse_of_lower` holds at most: inverses of blocks, and products with rows."""
    found = [0]
    for start in range(0, n, 64) if n > 64 else ():
        rows, last = min(64, n - start), 64 * max(0, start - 64)
        found.append(rows * rows + max(rows * (rows + start), last + rows * start))
    return item * max(found) + 600 * (n > 64)  # of slices


def masked(operand: Layout) -> Layout:
    """A triangle, chosen by a mask of one matrix that lies row by row."""
    mask = by_rows(operand.shape[-2:], operand.item)
    return elementwise([mask, operand], operand.shape, operand.item)


def _masked_buffers(operand: Layout, result: Layout) -> int:
    """The mask of a triangle, and the buffers in which rows meet an operand that lies otherwise."""
    mask = by_rows(operand.shape[-2:], 1)
    return mask.data + 1900 + buffer_bytes([mask, operand], result)


def _matrix(operand: Layout) -> int:
    """Bytes of one matrix: a stack is worked on one after the other."""
    return operand.item * prod(operand.shape[-2:])


def _singular(operand: Layout) -> int:
    """Copies of the matrix, of U and of V', and 5/2 r² numbers for divide and conquer."""
    m, n = operand.shape[-2:]
    r = min(m, n)
    return operand.item * (m * n + m * r + r * n + 5 * r * r // 2)


def _pseudo_inverse(operand: Layout, result: Layout) -> int:
    """U (m, r), V' (r, n) and U' over the singular values, whose product is the result.

    What gathers the values beside U' is there before the result is, and may be more.
    """
    *batch, m, n = operand.shape
    r = min(m, n)
    order = range(len(batch))
    values = seen(by_rows((*batch, r), operand.item), [*order, len(batch), None])
    left = seen(by_rows((*batch, m, r), operand.item), [*order, len(batch) + 1, len(batch)])
    gathered = _ITERATOR + buffer_bytes([values, left], elementwise([left], left.shape, left.item))
    held = prod(batch) * (operand.item * (2 * m * r + r * n) + 9 * r) + 2000
    return held + max(0, gathered - result.data)


def kronecker(operands: Sequence[Layout]) -> tuple[Layout, Layout, Layout]:
    """The arrays with axes of size 1 put in whose product a Kronecker product is, and that."""
    order = max(len(a.shape) for a in operands)
    left, right = (
        seen(a, [None] * (order - len(a.shape)) + [*range(len(a.shape))]) for a in operands
    )
    first = seen(left, [k for axis in range(order) for k in (axis, None)])
    second = seen(right, [k for axis in range(order) for k in (None, axis)])
    full = tuple(n for pair in zip(left.shape, right.shape, strict=True) for n in pair)
    return first, second, elementwise([first, second], full, left.item)


def _kron_buffers(operands: Sequence[Layout], result: Layout) -> int:
    """Those of an outer product, which is copied if its axes do not become one where they lie."""
    left, right, outer = kronecker(operands)
    views = _RESHAPED * sum(not operand.is_by_rows for operand in operands)
    copied = reshaped(outer, result.shape)[1]
    return _KRON + max(buffer_bytes([left, right], outer) + views, outer.data * copied)
