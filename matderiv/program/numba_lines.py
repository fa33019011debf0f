"""Steps as code that Numba compiles: loops over entries, BLAS on whole matrices.

Numba knows arrays of one type laid out by rows, NumPy's linear algebra on matrices, and
loops.  So elementwise steps, sums over axes, diagonals and contractions that are no matrix
product are written as loops; products of matrices are `np.dot`, on contiguous operands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from matderiv.program.backend import Backend
from matderiv.program.fusion import Fused, fused, is_entrywise
from matderiv.program.names import Names
from matderiv.program.steps import Dims, Operand, Ref, Step, nested
from matderiv.program.writer import Writer, target
from matderiv.tensor.dims import Dim, Shape, shape_text

__all__ = ["NumbaWriter"]

_INDENT = "    "
_KINDS = {
    **dict.fromkeys(("greater", "equal"), "np.bool_"),
    "argmax": "np.int64",
}

# One entry of a result from entries of the operands; others are `np.f` of a number.
_ENTRIES = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "positive": "{0}",
    "copy": "{0}",
    "reciprocal": "1.0 / {0}",
    "power": "{0} ** {1}",
    "greater": "{0} > {1}",
    "equal": "{0} == {1}",
    "abs": "abs({0})",
    "heaviside": "1.0 if {0} > 0.0 else 0.0",
    "scipy.special.erf": "math.erf({0})",
    "scipy.special.erfc": "math.erfc({0})",
}

# Calls on whole arrays, which Numba wants contiguous.
_CALLS = {
    "linalg.solve": "np.linalg.solve({0}, {1})",
    "linalg.inv": "np.linalg.inv({0})",
    "inverse_of_lower": "_inverse_of_lower({0})",
    "linalg.cholesky": "np.linalg.cholesky({0})",
    "linalg.det": "np.linalg.det({0})",
    "linalg.slogdet": "np.linalg.slogdet({0})",
    "linalg.svd": "np.linalg.svd({0}, full_matrices=False)",
    "linalg.svdvals": "np.linalg.svd({0}, full_matrices=False)[1]",
    "linalg.pinv": "np.linalg.pinv({0}, {1})",
    "reshape": "np.reshape(np.ascontiguousarray({0}), {1})",
    "kron": "np.kron({0}, {1})",
    "tril": "np.tril({0}, {k})",
    "triu": "np.triu({0}, {k})",
}

_REDUCTIONS = ("sum", "amax", "amin", "argmax")


class NumbaWriter(Writer):
    """Writes the body of a function that Numba compiles."""

    def __init__(self, names: Names, backend: Backend, steps: Iterable[Step] = ()) -> None:
        super().__init__(names, backend, steps)
        used = {
            *names.inputs.values(),
            *names.values.values(),
            *names.sizes.values(),
            *names.functions.values(),
            *names.layers.values(),
            *(name for group in names.outputs.values() for name in group),
        }
        letters = ("i", "j", "k", "p", "q", "r", *(f"i{number}" for number in range(40)))
        self._free = [name for name in letters if name not in used]
        self._used = used
        # Arrays that do not lie by rows or by columns.
        self._strided: set[int] = set()
        steps = list(nested(steps))
        written = {target(step).value for step in steps if step.writes}
        self._targets = {step.value: step for step in steps if step.value in written}

    def lines(
        self, steps: Sequence[Step], kept: Collection[int], dying: Sequence[Sequence[int]]
    ) -> Iterator[str]:
        for part in fused(steps, kept):
            if isinstance(part, Fused):
                yield from self._loop(part)
            else:
                yield from self.statement(part).splitlines()

    def statement(self, step: Step) -> str:
        if step.writes:
            return "\n".join(self._written(step))
        if step.body is not None or step.value in self.names.numbers:
            return super().statement(step)
        if is_entrywise(step):
            return self._named(step, self._entry(step, [self._scalar(o) for o in step.operands]))
        if step.spec and not self._is_dot(step):
            return "\n".join(self._contraction(step))
        if step.function in _REDUCTIONS:
            return "\n".join(self._reduction(step))
        if step.function == "take":
            return "\n".join(self._taken(step))
        if step.function == "einsum" and not step.spec:  # a diagonal
            return "\n".join(self._diagonal(step))
        if step.value in self._targets:
            return ""  # a view that is written through
        return self._named(step, self._expression(step))

    def _named(self, step: Step, text: str) -> str:
        return f"{self.names.values[step.value]} = {text}  # {shape_text(step.shape)}"

    # ---- whole arrays ----------------------------------------------------------------

    def _expression(self, step: Step) -> str:
        function, options = step.function, dict(step.options)
        if function in ("zeros", "full") and not step.shape:
            return "0.0" if function == "zeros" else self.expression(step.operands[1])
        if function == "zeros":
            return f"np.zeros({self.expression(step.operands[0])}, kind)"
        if function == "full" and self._order(step.operands[1]):
            shape, source = map(self.expression, step.operands)
            return f"np.broadcast_to({source}, {shape}).copy()"
        if function == "full":
            return f"np.full({', '.join(map(self.expression, step.operands))}, kind)"
        if function == "eye":
            side = self.expression(step.operands[0]) if step.operands else str(options["N"])
            return f"np.eye({side}, {side}, {options.get('k', 0)}, kind)"
        if function in ("matmul", "vdot"):
            flat = ".ravel()" if function == "vdot" and self._order(step.operands[0]) > 1 else ""
            return f"np.dot({', '.join(f'{self._whole(o)}{flat}' for o in step.operands)})"
        if function in ("part", "getitem", "output"):
            if function == "getitem":
                self._strided.add(step.value)
            return self._call(step)
        if function in ("squeeze", "expand_dims", "matrix_transpose", "broadcast_to"):
            self._strided.add(step.value)
            return self._reshaped(step)
        operands = [
            self.expression(o) if isinstance(o, Dims) else self._whole(o) for o in step.operands
        ]
        return _CALLS[function].format(*operands, k=options.get("k", 0))

    def _is_dot(self, step: Step) -> bool:
        """Whether BLAS computes a contraction: of matrices and vectors as they lie."""
        if step.function == "vdot":
            refs = step.refs
            return all(ref.axes is None or len(ref.axes) == 1 for ref in refs)
        return step.function == "matmul" and max(map(self._order, step.operands)) <= 2

    def _whole(self, operand: Operand) -> str:
        """An operand laid out by rows or by columns."""
        text = self.expression(operand)
        if not isinstance(operand, Ref) or not self._order(operand):
            return text
        whole = operand.axes is None or (operand.axes == (1, 0) and self._depth(operand) == 2)
        return (
            text
            if whole and operand.value not in self._strided
            else f"np.ascontiguousarray({text})"
        )

    def _depth(self, ref: Ref) -> int:
        return len(self.names.shapes[ref.value])

    def _reshaped(self, step: Step) -> str:
        (base, *_), shape = step.operands, step.shape
        text = self.expression(base)
        if step.function == "broadcast_to":
            return f"np.broadcast_to({text}, {self.expression(Dims(shape))})"
        axis = dict(step.options).get("axis", 0)
        assert isinstance(axis, int)
        if step.function == "squeeze":
            return f"{text}[{', '.join([*[':'] * (axis % (len(shape) + 1)), '0'])}]"
        if step.function == "expand_dims":
            return f"{text}[{', '.join([*[':'] * (axis % len(shape)), 'None'])}]"
        *batch, rows, columns = range(len(shape))
        return f"np.transpose({text}, {(*batch, columns, rows)})"

    # ---- loops over entries ------------------------------------------------------------

    def _nest(self, shape: Sequence[Dim], start: int = 0) -> tuple[list[str], list[str], str]:
        """Indices, the lines of nested loops over a shape, and the indent inside."""
        indices = self._free[start : start + len(shape)]
        lines = [
            f"{_INDENT * depth}for {index} in range({self.size(dim)}):"
            for depth, (index, dim) in enumerate(zip(indices, shape, strict=True))
        ]
        return indices, lines, _INDENT * len(shape)

    def _at(self, operand: Operand, indices: Sequence[str], shape: Shape) -> str:
        """The entry of an operand that meets the entry of a result at these indices."""
        if not isinstance(operand, Ref):
            return self.expression(operand)
        own = self.names.shapes[operand.value]
        axes = tuple(range(len(own))) if operand.axes is None else operand.axes
        places = [""] * len(own)
        offset = len(indices) - len(axes)
        for k, axis in enumerate(axes):
            if axis is not None:
                stretched = own[axis] == 1 and shape[offset + k] != 1
                places[axis] = "0" if stretched else indices[offset + k]
        name = self.names.values[operand.value]
        return f"{name}[{', '.join(places)}]" if places else name

    def _scalar(self, operand: Operand) -> str:
        return self._at(operand, (), ())

    def _entry(self, step: Step, operands: Sequence[str]) -> str:
        operands = [f"({text})" if " " in text and "[" not in text else text for text in operands]
        template = _ENTRIES.get(step.function)
        if template is None:
            return f"np.{step.function}({', '.join(operands)})"
        return template.format(*operands)

    def _filled(self, name: str, step: Step) -> str:
        kind = _KINDS.get(step.function, "kind")
        shape = self.expression(Dims(step.shape))
        return f"{name} = np.empty({shape}, {kind})  # {shape_text(step.shape)}"

    def _loop(self, loop: Fused) -> Iterator[str]:
        """One loop for all steps; an array for each value that is read elsewhere."""
        names = self.names.values
        made: dict[int, str] = {}
        read = {o.value for s in loop.steps for o in s.operands if isinstance(o, Ref)}
        indices, heads, inside = self._nest(loop.shape)
        lines = []
        for step in loop.steps:
            operands = [
                made[o.value]
                if isinstance(o, Ref) and o.value in made
                else self._at(o, indices, loop.shape)
                for o in step.operands
            ]
            text, name = self._entry(step, operands), names[step.value]
            if step.value not in loop.stored:
                made[step.value] = name
                lines.append(f"{inside}{name} = {text}")
                continue
            if step.value in loop.overwritten:
                base = names[loop.overwritten[step.value]]
                yield f"{name} = {base}  # {shape_text(step.shape)}, overwritten"
            else:
                yield self._filled(name, step)
            at = f"{name}[{', '.join(indices)}]"
            if step.value in read:
                made[step.value] = self._other(f"{name}_entry")
                lines.append(f"{inside}{made[step.value]} = {text}")
                text = made[step.value]
            lines.append(f"{inside}{at} = {text}")
        yield from heads
        yield from lines

    def _other(self, name: str) -> str:
        while name in self._used:
            name += "_"
        return name

    # ---- sums --------------------------------------------------------------------------

    def _contraction(self, step: Step) -> Iterator[str]:
        """A sum of products that is no product of two matrices as they lie."""
        operands = step.refs
        if step.function == "matmul":
            yield from self._batched(step, operands)
            return
        inputs, out = step.spec.split("->")
        first, second = inputs.split(",")
        if step.function == "tensordot":
            yield self._named(step, self._unfolded(step, operands, (first, second), out))
            return
        sizes: dict[str, Dim] = {}
        for operand, labels in zip(operands, (first, second), strict=True):
            sizes.update(zip(labels, operand.shape(self.names.shapes), strict=True))
        summed = [letter for letter in sizes if letter not in out]
        kept, heads, inside = self._nest(step.shape)
        dropped, inner, deep = self._nest([sizes[k] for k in summed], len(kept))
        index = {**dict(zip(out, kept, strict=True)), **dict(zip(summed, dropped, strict=True))}
        factors = [
            self._at(operand, [index[k] for k in labels], operand.shape(self.names.shapes))
            for operand, labels in zip(operands, (first, second), strict=True)
        ]
        name, total = self.names.values[step.value], self._other("total")
        if kept:
            yield self._filled(name, step)
            yield from heads
        yield f"{inside}{total} = 0.0"
        yield from (inside + line for line in inner)
        yield f"{inside}{deep}{total} += {' * '.join(factors)}"
        if kept:
            yield f"{inside}{name}[{', '.join(kept)}] = {total}"
        else:
            yield self._named(step, total)

    def _batched(self, step: Step, operands: Sequence[Ref]) -> Iterator[str]:
        """A stack of matrix products, one after the other."""
        indices, heads, inside = self._nest(step.shape[:-2])
        yield self._filled(self.names.values[step.value], step)
        yield from heads
        factors = [self._matrix(operand, indices, step.shape) for operand in operands]
        at = ", ".join(indices)
        yield f"{inside}{self.names.values[step.value]}[{at}] = np.dot({', '.join(factors)})"

    def _matrix(self, ref: Ref, indices: Sequence[str], shape: Shape) -> str:
        """The matrix of a stack at these indices, contiguous."""
        own = self.names.shapes[ref.value]
        axes = tuple(range(len(own))) if ref.axes is None else ref.axes
        *batch, rows, columns = axes
        places = [":"] * len(own)
        offset = len(indices) - len(batch)
        for k, axis in enumerate(batch):
            if axis is not None:
                stretched = own[axis] == 1 and shape[offset + k] != 1
                places[axis] = "0" if stretched else indices[offset + k]
        text = self.names.values[ref.value]
        leading = places[-2:] == [":", ":"] and ref.value not in self._strided
        if len(own) > 2:
            text = f"{text}[{', '.join(places)}]"
        if rows is None or columns is None:
            text = f"{text}[{', '.join('None' if a is None else ':' for a in (rows, columns))}]"
            leading = False
        elif rows > columns:
            text = f"{text}.T"
        return text if leading else f"np.ascontiguousarray({text})"

    def _unfolded(
        self, step: Step, operands: Sequence[Ref], labels: tuple[str, str], out: str
    ) -> str:
        """Several summed axes as one: a product of two matrices."""
        summed = [letter for letter in labels[0] if letter not in out]
        sides = []
        for operand, own, first in zip(operands, labels, (False, True), strict=True):
            free = [letter for letter in own if letter in out]
            order = [*summed, *free] if first else [*free, *summed]
            sizes = dict(zip(own, operand.shape(self.names.shapes), strict=True))
            text = self.expression(operand)
            if order != list(own):
                text = f"np.transpose({text}, {tuple(map(own.index, order))})"
            lengths = [self._volume(sizes[k] for k in part) for part in (free, summed)]
            rows, columns = lengths[::-1] if first else lengths
            sides.append(f"np.reshape(np.ascontiguousarray({text}), ({rows}, {columns}))")
        return f"np.reshape(np.dot({', '.join(sides)}), {self.expression(Dims(step.shape))})"

    def _volume(self, dims: Iterable[Dim]) -> str:
        return " * ".join(self.size(dim) for dim in dims) or "1"

    def _reduction(self, step: Step) -> Iterator[str]:
        """A sum, an extreme entry or its index, over some axes of the operand."""
        (operand,), options = step.operands, dict(step.options)
        assert isinstance(operand, Ref)
        shape, name = operand.shape(self.names.shapes), self.names.values[step.value]
        axis = options.get("axis", tuple(range(len(shape))))
        axes = {k % len(shape) for k in (axis if isinstance(axis, tuple) else (axis,))}  # type: ignore[operator]
        whole = operand.axes is None and operand.value not in self._strided
        if step.function == "sum" and len(axes) == len(shape) and not step.shape and whole:
            yield self._named(step, f"_total({self.names.values[operand.value]})")
            return
        kept = [dim for k, dim in enumerate(shape) if k not in axes]
        outer, heads, inside = self._nest(kept)
        dropped, inner, deep = self._nest([shape[k] for k in sorted(axes)], len(outer))
        places, first = iter(outer), iter(dropped)
        index = [next(first) if k in axes else next(places) for k in range(len(shape))]
        entry = self._at(operand, index, shape)
        results = iter(outer)
        at = list(outer)
        if options.get("keepdims"):
            at = ["0" if k in axes else next(results) for k in range(len(shape))]
        found = self._other("total" if step.function == "sum" else "best")
        if step.shape:
            yield self._filled(name, step)
            yield from heads
        if step.function == "sum":
            yield f"{inside}{found} = 0.0"
            yield from (inside + line for line in inner)
            yield f"{inside}{deep}{found} += {entry}"
        else:
            yield from (inside + line for line in self._extreme(step, entry, dropped, found, inner))
        if step.shape:
            yield f"{inside}{name}[{', '.join(at)}] = {found}"
        else:
            yield self._named(step, found)

    def _extreme(
        self, step: Step, entry: str, dropped: Sequence[str], found: str, inner: Sequence[str]
    ) -> Iterator[str]:
        """The largest or least entry along one axis, or where it first stands."""
        (index,) = dropped
        if step.function in ("amax", "amin"):
            function = "np.maximum" if step.function == "amax" else "np.minimum"
            yield f"{index} = 0"
            yield f"{found} = {entry}"
            yield from inner
            yield f"{_INDENT}{found} = {function}({found}, {entry})"
            return
        sign = ">" if step.function == "argmax" else "<"
        at = self._other("at")
        yield f"{at} = 0"
        yield from inner
        here = entry.replace(f"[{index}", f"[{at}").replace(f", {index}]", f", {at}]")
        yield f"{_INDENT}if {entry} {sign} {here}:"
        yield f"{_INDENT * 2}{at} = {index}"
        yield f"{found} = {at}"

    # ---- diagonals, writes, rows taken -------------------------------------------------

    def _diagonal(self, step: Step) -> Iterator[str]:
        """Entries with equal labels, copied out; nothing where they are only written to."""
        if step.value in self._targets:
            return
        labels, out = str(step.operands[0]).split("->")
        indices, heads, inside = self._nest(step.shape)
        index = dict(zip(out, indices, strict=True))
        (base,), name = step.refs, self.names.values[step.value]
        yield self._filled(name, step)
        yield from heads
        entry = self._at(base, [index[k] for k in labels], base.shape(self.names.shapes))
        yield f"{inside}{name}[{', '.join(indices)}] = {entry}"

    def _written(self, step: Step) -> Iterator[str]:
        """A write into a view of an array, entry by entry."""
        into = target(step)
        view = self._targets[into.value]
        base = view.operands[-1]
        assert isinstance(base, Ref)
        shape = self.names.shapes[into.value]
        indices, heads, inside = self._nest(shape)
        if view.function == "getitem":
            places = [
                index if part is None or not part[0] else f"{index} + {part[0]}"
                for index, part in zip(indices, view.index, strict=True)
            ]
        else:
            labels, out = str(view.operands[0]).split("->")
            index = dict(zip(out, indices, strict=True))
            places = [index[k] for k in labels]
        sign = {"copyto": "=", "add": "+=", "subtract": "-="}[step.function]
        source = [o for o in step.operands if o != into][-1]
        yield from heads
        entry = self._at(source, indices, shape)
        yield f"{inside}{self.names.values[base.value]}[{', '.join(places)}] {sign} {entry}"

    def _taken(self, step: Step) -> Iterator[str]:
        """Rows by the index of each, or the first ones."""
        options, base = dict(step.options), step.operands[0]
        axis, rows = options["axis"], options.get("indices")
        assert isinstance(base, Ref)
        assert isinstance(axis, int)
        axis %= len(base.shape(self.names.shapes))
        indices, heads, inside = self._nest(step.shape)
        name, order = self.names.values[step.value], len(step.shape)
        if rows is not None:
            assert rows == (0,)
            place = [*indices[:axis], "0", *indices[axis + 1 :]]
        else:
            width = order - len(base.shape(self.names.shapes)) + 1
            chosen = self._at(step.operands[1], indices[axis : axis + width], step.shape[axis:])
            place = [*indices[:axis], chosen, *indices[axis + width :]]
        yield self._filled(name, step)
        yield from heads
        entry = self._at(base, place, base.shape(self.names.shapes))
        yield f"{inside}{name}[{', '.join(indices)}] = {entry}"

    # ---- loops over layers -------------------------------------------------------------

    def handed(self, start: Operand) -> str:
        """A copy by rows: what is carried has one type in all layers."""
        text = self.expression(start)
        return f"np.ascontiguousarray({text}).copy()" if self._order(start) else text

    def list_of(self, count: str, shape: Shape) -> str:
        inner = ", ".join(self.size(dim) for dim in shape[1:])
        return f"np.empty(({count}, {inner}), kind)"

    def empty(self, shape: Shape) -> str:
        return f"np.empty({self.expression(Dims(shape))}, kind)"
