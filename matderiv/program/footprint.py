"""What each step takes from memory when it runs: its result, and what NumPy hides in the call.

    data        the elements of a new array; nothing for a view or a write in place
    header      the array object itself
    hidden      buffers and copies that live only during the call
    workspace   copies inside BLAS and LAPACK, which Python's accounting does not see

What is hidden is found by the rules of `inside.py`, how results lie by those of `strides.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from matderiv.program.folding import folds
from matderiv.program.inside import (
    COPY,
    DOUBLE,
    axes_of,
    dot_copies,
    kronecker,
    masked,
    taken_inside,
)
from matderiv.program.polynomial import ZERO, Polynomial
from matderiv.program.steps import Ref, Step, Strips, column_slices, operands_of
from matderiv.program.strides import (
    Layout,
    by_rows,
    contracted,
    copied,
    elementwise,
    reduced,
    reshaped,
    seen,
    stacked,
)
from matderiv.tensor.dims import Dim, Shape, dim_value

__all__ = ["Footprint", "Footprints", "item_size"]

_MASKS = frozenset({"equal", "greater"})
# What is kept beside a number: the tuple of a sign and a logarithm, and what det leaves.
_KEPT = {"linalg.slogdet": 300, "linalg.det": 100}
_TRIPLE = 500  # of U, s and V'
# Results laid out row by row, whatever the operands are.
_BY_ROWS = frozenset({"vdot", "take", "zeros", "full", "eye", "tensordot", "argmax"})
# Functions of stacks of matrices or vectors: how many axes one of the operands has.
_STACKED = {"matmul": 2, "vecdot": 1}


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
        self._slices: frozenset[int] = frozenset()
        for number, shape in given.items():
            self.layouts[number] = by_rows(self.numbers(shape), item)
            self._found[number] = Footprint(0, 0, 0, 0, Polynomial({}))
        self.measure(steps)

    def measure(self, steps: Iterable[Step]) -> None:
        """Find what these steps take, those known already left out."""
        steps = list(steps)
        self._slices |= column_slices(steps)
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
        layout, is_copy = self._laid_out(step, operands, item)
        self.layouts[step.value] = layout
        views = sum(
            _header(seen.shape) for ref, seen in zip(refs, operands, strict=True) if ref.axes
        )
        hidden, workspace = taken_inside(step, operands, layout, self.item, self._slices)
        if step.function == "tensordot":
            hidden += self._folded(step)
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
            hidden += whole * (item < DOUBLE)
            return Footprint(whole, _TRIPLE, views + hidden, workspace, polynomial)
        if step.function.startswith("linalg.") and item < DOUBLE:
            hidden += layout.data
        if step.buffer is not None:  # there before the call
            return Footprint(0, 0, views + hidden, workspace, Polynomial({}))
        if step.alias is not None and step.item is None and not is_copy:
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
        found._slices = self._slices
        found.layouts |= {number: self.layouts[number] for number in given}
        found.measure(strips.steps)
        return found

    def _folded(self, step: Step) -> int:
        """What a sum over some axes copies of operands that do not fold as they lie."""
        total, matrices = 0, []
        for fold in folds(step, self._shapes):
            matrix = self.seen(fold.ref)
            if fold.groups:
                shape = tuple(prod(self.numbers(lengths)) for lengths, _ in fold.groups)
                matrix, copies = reshaped(matrix, shape)
                total += (matrix.data + COPY) * copies
            matrices.append(seen(matrix, (1, 0)) if fold.turned else matrix)
        return total + dot_copies(matrices)

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
            summed = axes_of(dict(step.options).get("axis"), operands[0])
            return reshaped(reduced(operands[0], summed), shape)[0], False
        if function == "copy":
            return copied(operands[0], item), False
        if function in ("tril", "triu"):
            return masked(operands[0]), False
        if function == "kron":
            return reshaped(kronecker(operands)[2], shape)[0], False
        if function in _BY_ROWS or function.startswith("scipy.linalg."):
            return by_rows(shape, item), False
        core = _STACKED.get(function, 2 if function.startswith("linalg.") else 0)
        if core:
            cores = [min(core, len(operand.shape)) for operand in operands]
            outer = max(len(a.shape) - own for a, own in zip(operands, cores, strict=True))
            if not outer:
                return by_rows(shape, item), False
            return stacked(operands, cores, shape, len(shape) - outer), False
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
