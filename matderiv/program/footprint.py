"""What each step takes from memory when it runs: its result, and what NumPy hides in the call.

    data        the elements of a new array; nothing for a view or a write in place
    header      the array object itself
    hidden      buffers and copies that live only during the call
    workspace   copies inside BLAS and LAPACK, which Python's accounting does not see

Rules are those of NumPy 2, measured with `tracemalloc`.  A function that the caller
supplies is taken to allocate its result alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from matderiv.program.polynomial import ZERO, Polynomial
from matderiv.program.steps import Ref, Step, Strips, operands_of
from matderiv.program.strides import (
    Layout,
    buffer_bytes,
    by_rows,
    contracted,
    elementwise,
    reshaped,
    seen,
)
from matderiv.tensor.dims import Dim, Shape, dim_value

__all__ = ["Footprint", "Footprints", "item_size"]

_MASKS = frozenset({"equal", "greater"})
_ITERATOR = 800  # the iterator of a call whose operands do not lie alike
_KRON = 1840  # the views in which a Kronecker product is one elementwise call
_DOUBLE = 8
_SCALAR = 104  # a Python number as an operand
_COPY = 100  # the array objects of a copy that is made flat
# What is kept beside a number: the tuple of a sign and a logarithm, and what det leaves.
_KEPT = {"linalg.slogdet": 300, "linalg.det": 100}
_TRIPLE = 500  # of U, s and V'
# Bytes hidden in a call, besides what depends on its operands.
_CALLS = {
    **dict.fromkeys(("amax", "amin", "argmax"), 740),
    **dict.fromkeys(("linalg.inv", "linalg.cholesky", "linalg.svdvals"), 680),
    "sum": 640,
    "inverse_of_lower": 700,
    "linalg.det": 360,
    "linalg.slogdet": 240,
    "vdot": 200,
    "vecdot": 300,
    "take": 450,
    "tensordot": 280,
    "linalg.solve": 910,
    "linalg.svd": 780,
    "einsum": 1440,
    "eye": 5280,
    "scipy.linalg.expm": 2500,
    "scipy.linalg.expm_frechet": 7500,
    "scipy.linalg.solve_sylvester": 4850,
}
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
# Results laid out row by row, whatever the operands are.
_BY_ROWS = frozenset(
    {
        *("matmul", "vecdot", "vdot", "kron", "take", "zeros", "full", "eye"),
        *("tensordot", "argmax", "tril", "triu"),
    }
)


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes, by the names of the module's docstring.

    polynomial   the data in symbols
    inside       what is hidden, as far as it is arrays of the code's own: a block of layers
    """

    data: int
    header: int
    hidden: int
    workspace: int
    polynomial: Polynomial
    inside: Polynomial = ZERO

    @property
    def kept(self) -> int:
        """What the value holds as long as it lives."""
        return self.data + self.header


def item_size(function: str, item: int) -> int:
    """Bytes of an element of the result: 1 for a mask, else those of the floats."""
    return 1 if function in _MASKS else item


class Footprints:
    """The footprint and the layout of each value of some steps, at some sizes.

    `given` are the shapes of arrays that the caller holds, laid out row by row; `item` are
    the bytes of a float.
    """

    def __init__(
        self,
        steps: Iterable[Step],
        given: Mapping[int, Shape],
        sizes: Mapping[str, int],
        item: int = 8,
    ) -> None:
        self.sizes = sizes
        self.item = item
        self.layouts: dict[int, Layout] = {}
        self._found: dict[int, Footprint] = {}
        self._arrays: dict[int, tuple[int, Shape]] = {}
        self._shapes = dict(given)
        self._loops: dict[int, Step] = {}
        for number, shape in given.items():
            self.layouts[number] = by_rows(self.numbers(shape), item)
            self._found[number] = Footprint(0, 0, 0, 0, Polynomial({}))
        self.measure(steps)

    def measure(self, steps: Iterable[Step]) -> None:
        """Find what these steps take, those known already left out."""
        for step in steps:
            if step.value not in self._found:
                self._found[step.value] = self._measure(step)
                self._arrays[step.value] = (item_size(step.function, self.item), step.shape)
                self._shapes[step.value] = step.shape

    def __getitem__(self, value: int) -> Footprint:
        """What the step that makes a value takes."""
        return self._found[value]

    def whole(self, value: int) -> Footprint:
        """What an array takes by itself, whoever made its buffer; nothing for an input."""
        if value not in self._arrays or self._found[value].data:
            return self._found[value]
        item, shape = self._arrays[value]
        layout = self.layouts[value]
        return Footprint(layout.data, _header(layout.shape), 0, 0, Polynomial.of(item, *shape))

    def numbers(self, shape: Shape) -> tuple[int, ...]:
        return tuple(dim_value(dim, self.sizes) for dim in shape)

    def seen(self, ref: Ref) -> Layout:
        """The layout of an operand, through its view."""
        return seen(self.layouts[ref.value], ref.axes)

    def _measure(self, step: Step) -> Footprint:
        if step.body is not None:
            from matderiv.program.loop_memory import loop_footprint  # which measures bodies

            self.layouts[step.value] = by_rows(())
            self._loops[step.value] = step
            return loop_footprint(step.body, self)
        if step.strips is not None:
            self.layouts[step.value] = by_rows(())
            self._loops[step.value] = step
            return self._of_strips(step.strips)
        refs = step.refs
        operands = [self.seen(ref) for ref in refs]
        item = item_size(step.function, self.item)
        layout, copied = self._laid_out(step, operands, item)
        self.layouts[step.value] = layout
        views = sum(
            _header(seen.shape) for ref, seen in zip(refs, operands, strict=True) if ref.axes
        )
        hidden, workspace = _inside(step, operands, layout, self.item)
        if step.function == "output":  # its arrays are in the tuple as long as that lives
            from matderiv.program.loop_memory import output_footprint

            assert step.alias is not None
            body = self._loops[step.alias].body
            if body is None:
                return self._whole(item, step.shape)
            return output_footprint(body, body.outputs[step.place], self)
        if step.function == "linalg.svd":  # a tuple, whose arrays the parts own
            polynomial = item * _three_factors(step.shape, self._width(refs[0]))
            whole = int(polynomial.at(self.sizes))
            hidden += whole * (item < _DOUBLE)
            return Footprint(whole, _TRIPLE, views + hidden, workspace, polynomial)
        if step.function.startswith("linalg.") and item < _DOUBLE:
            hidden += layout.data
        if step.buffer is not None:  # there before the call
            return Footprint(0, 0, views + hidden, workspace, Polynomial({}))
        if step.alias is not None and step.item is None and not copied:
            header = 0 if step.writes else _header(layout.shape)
            return Footprint(0, header, views + hidden, workspace, Polynomial({}))
        polynomial = Polynomial.of(item, *step.shape)
        header = _header(layout.shape) + _KEPT.get(step.function, 0)
        return Footprint(layout.data, header, views + hidden, workspace, polynomial)

    def _whole(self, item: int, shape: Shape) -> Footprint:
        """An array that lies row by row."""
        numbers = self.numbers(shape)
        data = by_rows(numbers, item).data
        return Footprint(data, _header(numbers), 0, 0, Polynomial.of(item, *shape))

    def _of_strips(self, strips: Strips) -> Footprint:
        """What a loop over blocks of rows leaves behind, and hides: the peak of one block."""
        from matderiv.program.liveness import peak  # which reads footprints itself

        left = [self._whole(self.item, output.shape) for output in strips.outputs]
        inner = self.inside(strips)
        most = peak(strips.steps, (), inner)
        return Footprint(
            data=sum(part.data for part in left),
            header=sum(part.header for part in left),
            hidden=most.bytes,
            workspace=max((inner[step.value].workspace for step in strips.steps), default=0),
            polynomial=Polynomial.total(part.polynomial for part in left),
            inside=most.polynomial.bind({strips.rows: inner.sizes[strips.rows]}),
        )

    def inside(self, strips: Strips) -> Footprints:
        """The footprints of the steps of a block of rows."""
        sizes = {**self.sizes, strips.rows: strips.at(self.sizes)}
        given = {
            k: self._shapes[k]
            for step in strips.steps
            for k in operands_of(step)
            if k in self._shapes
        }
        found = Footprints((), given, sizes, self.item)
        found.layouts |= {number: self.layouts[number] for number in given}
        found.measure(strips.steps)
        return found

    def _width(self, ref: Ref) -> Dim:
        """The size of the last axis of an operand, through its view."""
        last = -1 if ref.axes is None else ref.axes[-1]
        return 1 if last is None else self._shapes[ref.value][last]

    def _laid_out(self, step: Step, operands: Sequence[Layout], item: int) -> tuple[Layout, bool]:
        """The layout of a result, and whether a view turns out to be a copy."""
        shape = self.numbers(step.shape)
        function = step.function
        if step.alias is not None and not step.is_view:  # the array itself, written into
            return self.layouts[step.alias], False
        if function in ("getitem", "rows"):
            return Layout(shape, operands[0].strides, item), False
        if function in ("part", "output"):
            return by_rows(shape, item), False
        if function in ("reshape", "squeeze", "expand_dims"):
            return reshaped(operands[0], shape)
        if function == "matrix_transpose":
            *batch, rows, columns = operands[0].strides
            return Layout(shape, (*batch, columns, rows), item), False
        if function == "broadcast_to":
            base = operands[0]
            missing = len(shape) - len(base.shape)
            strides = [
                0 if length == 1 else stride
                for length, stride in zip(base.shape, base.strides, strict=True)
            ]
            return Layout(shape, (*[0] * missing, *strides), item), False
        if function == "einsum":
            spec = str(step.operands[0])
            if step.alias is not None:
                return _diagonal(spec, operands[0], shape), False
            return contracted(spec, operands, shape), False
        if function in ("sum", "amax", "amin"):
            return _reduced(step, operands[0], shape), False
        if function in _BY_ROWS or function.startswith(("linalg.", "scipy.linalg.")):
            return by_rows(shape, item), False
        return elementwise(operands, shape, item), False


def _header(shape: tuple[int, ...]) -> int:
    """The object of an array; a result without axes is a NumPy scalar."""
    return 96 + 16 * len(shape) if shape else 24


def _three_factors(left: Shape, n: Dim) -> Polynomial:
    """The elements of U (…, m, r), s (…, r) and V' (…, r, n) together."""
    *batch, _, r = left
    return Polynomial.of(*left) + Polynomial.of(*batch, r) + Polynomial.of(*batch, r, n)


def _diagonal(spec: str, base: Layout, shape: tuple[int, ...]) -> Layout:
    """The view "ii->i": the strides of equal letters add up."""
    inputs, output = spec.split("->")
    steps: dict[str, int] = {}
    for letter, stride in zip(inputs, base.strides, strict=True):
        steps[letter] = steps.get(letter, 0) + stride
    return Layout(shape, tuple(steps[letter] for letter in output), base.item)


def _reduced(step: Step, operand: Layout, shape: tuple[int, ...]) -> Layout:
    axes = {k % len(operand.shape) for k in _axes(dict(step.options).get("axis"), operand)}
    left = [k for k in range(len(operand.shape)) if k not in axes]
    lengths, strides = (tuple(own[k] for k in left) for own in (operand.shape, operand.strides))
    result = elementwise([Layout(lengths, strides)], lengths, operand.item)
    return result if result.shape == shape else reshaped(result, shape)[0]


def _axes(option: object, operand: Layout) -> tuple[int, ...]:
    """An `axis` option as a tuple; all axes if there is none."""
    if isinstance(option, tuple):
        return option
    return (option,) if isinstance(option, int) else tuple(range(len(operand.shape)))


def _inside(step: Step, operands: Sequence[Layout], result: Layout, item: int) -> tuple[int, int]:
    """Bytes hidden in a call, and those of its workspace."""
    function = step.function
    if step.callee is not None or step.is_view or function == "copyto":
        return 0, 0
    if function == "copy" and step.reuses:  # the array itself
        return 0, 0
    first = operands[0].data if operands else 0
    hidden = _CALLS.get(function, 0) + _COPIES.get(function, 0) * first
    workspace = _WORKSPACES[function] * _matrix(operands[0]) if function in _WORKSPACES else 0
    if function == "linalg.solve":
        workspace = sum(map(_matrix, operands))
    elif function in ("linalg.svd", "linalg.pinv"):
        workspace = _singular(operands[0])
        hidden += _pseudo_inverse(operands[0]) if function == "linalg.pinv" else 0
    if function.startswith("linalg.") and item < _DOUBLE:  # NumPy computes these in double
        hidden += 2 * sum(a.data for a in operands)
        workspace *= 2
    elif function == "matmul":
        workspace = sum(a.data for a in operands if not _for_blas(a))
    elif function == "vdot":
        hidden += sum(a.data + _COPY for a in operands if not a.is_by_rows)
    elif function == "tensordot":
        hidden += _unfolded(step, operands)
    elif function == "inverse_of_lower":
        hidden += _row_blocks(operands[0].shape[0], result.item)
    elif function in ("tril", "triu"):
        hidden += _masked(operands[0], item)
    elif function == "kron":
        hidden += _kron_buffers(operands, item)
    elif function not in _CALLS and function not in _BY_ROWS and "." not in function:
        axes = [a for a in operands if a.shape]
        whole = operands[0] if step.writes else result
        copied = buffer_bytes(axes, whole, item) if axes else 0
        hidden += copied + (_ITERATOR if copied else 0)
        hidden += _SCALAR if len(axes) < len(step.operands) else 0
    return hidden, workspace


def _for_blas(matrix: Layout) -> bool:
    """Whether BLAS can read a matrix where it lies: one of its last two axes has stride 1."""
    pairs = list(zip(matrix.shape, matrix.strides, strict=True))[-2:]
    return any(length == 1 or stride == 1 for length, stride in pairs)


def _row_blocks(n: int, item: int) -> int:
    """What `_inverse_of_lower` holds at most: inverses of blocks, and products with rows."""
    found = [0]
    for start in range(0, n, 64) if n > 64 else ():
        rows, last = min(64, n - start), 64 * max(0, start - 64)
        found.append(rows * rows + max(rows * (rows + start), last + rows * start))
    return item * max(found) + 600 * (n > 64)  # of slices


def _masked(operand: Layout, item: int) -> int:
    """The mask of a triangle, and the buffers in which rows meet an operand that lies otherwise."""
    rows = by_rows(operand.shape, item)
    return prod(operand.shape[-2:]) + 1900 + buffer_bytes([rows, operand], rows, item)


def _matrix(operand: Layout) -> int:
    """Bytes of one matrix: a stack is worked on one after the other."""
    return operand.item * prod(operand.shape[-2:])


def _singular(operand: Layout) -> int:
    """Copies of the matrix, of U and of V', and 5/2 r² numbers for divide and conquer."""
    m, n = operand.shape[-2:]
    r = min(m, n)
    return operand.item * (m * n + m * r + r * n + 5 * r * r // 2)


def _pseudo_inverse(operand: Layout) -> int:
    """U (m, r), V' (r, n) and U' over the singular values, whose product is the result."""
    *batch, m, n = operand.shape
    r = min(m, n)
    return prod(batch) * (operand.item * (2 * m * r + r * n) + 9 * r) + 2000


def _unfolded(step: Step, operands: Sequence[Layout]) -> int:
    """Copies that tensordot makes of operands which do not unfold into matrices as they lie."""
    total = 0
    sides = dict(step.options)["axes"]
    assert isinstance(sides, tuple)
    for side, (option, operand) in enumerate(zip(sides, operands, strict=True)):
        axes = _axes(option, operand)
        rest = tuple(k for k in range(len(operand.shape)) if k not in axes)
        order = (*axes, *rest) if side else (*rest, *axes)
        moved = seen(operand, order)
        summed = prod(operand.shape[k] for k in axes)
        free = operand.size // max(summed, 1)
        if reshaped(moved, (summed, free) if side else (free, summed))[1]:
            total += operand.data
    return total


def _kron_buffers(operands: Sequence[Layout], item: int) -> int:
    """A Kronecker product is an outer product of arrays with axes of size 1 put in."""
    order = max(len(a.shape) for a in operands)
    shapes = [(1,) * (order - len(a.shape)) + a.shape for a in operands]
    left = by_rows([n for length in shapes[0] for n in (length, 1)], item)
    right = by_rows([n for length in shapes[1] for n in (1, length)], item)
    pairs = zip(shapes[0], shapes[1], strict=True)
    full = by_rows([n for pair in pairs for n in pair], item)
    return _KRON + buffer_bytes([left, right], full, item)
