"""Steps as lines of code: operands, calls and statements in the spelling of a `Backend`."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Iterable, Iterator, Sequence

from matderiv.program.backend import Backend
from matderiv.program.counting import UFUNCS
from matderiv.program.folding import folds, unfolds
from matderiv.program.loop_text import loop_lines
from matderiv.program.names import Names
from matderiv.program.steps import (
    Dims,
    Length,
    Operand,
    Option,
    Ref,
    Step,
    column_slices,
    is_number,
    nested,
)
from matderiv.program.strip_text import strip_lines
from matderiv.tensor.dims import Dim, Shape, shape_text, smaller_of

__all__ = ["Writer", "indented", "size_text", "target", "wrapped"]

_WIDTH = 88

_SCALAR = frozenset({"add", "subtract", "multiply", "divide", "negative"})
_WHOLE = UFUNCS | {"matmul", "zeros", "full", "eye", "copy"}  # their results have no gaps
_MARKED = ("keepdims", "k", "indices", "N")  # options that make another call of it

# Arithmetic on Python numbers: sizes and literals, before any array is touched.
_NUMBERS = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "positive": "{0}",
    "reciprocal": "1.0 / {0}",
    "sqrt": "{0} ** 0.5",
    "power": "{0} ** {1}",
}


class Writer:
    """Writes the statements of a plan whose things are called `names`."""

    def __init__(self, names: Names, backend: Backend, steps: Iterable[Step] = ()) -> None:
        self.names = names
        self.backend = backend
        given = set(names.inputs.values())
        self._given = {number for number, name in names.values.items() if name in given}
        # Views that are only written through, where arrays cannot be written into.
        self.views: dict[int, Step] = {}
        steps = list(nested(steps))
        targets = {target(step).value for step in steps if step.writes}
        if not backend.mutable:
            self.views = {step.value: step for step in steps if step.value in targets}
        self._diagonals = _diagonals(steps, targets)
        loops = {step.value for step in steps if step.strips is not None}
        self._slices = column_slices(steps)
        self._gathered = {step.value for step in steps if step.alias in loops}

    # ---- statements ------------------------------------------------------------------

    def lines(
        self, steps: Sequence[Step], kept: Collection[int], dying: Sequence[Sequence[int]]
    ) -> Iterator[str]:
        """The code of steps, after each what dies with it freed; `kept` is read later."""
        for step, dead in zip(steps, dying, strict=True):
            yield from self.statement(step).splitlines()
            yield from self.freed(dead)

    def freed(self, numbers: Iterable[int]) -> Iterator[str]:
        """The line that frees these values, if any."""
        known = self.names.values
        names = dict.fromkeys(known[k] for k in sorted(numbers) if k in known)
        if names and self.backend.frees:
            yield f"del {', '.join(names)}"

    def statement(self, step: Step) -> str:
        """One line of code; the empty text where nothing is to be done."""
        if step.value in self.views or step.value in self._gathered:
            return ""
        if step.body is not None:
            return "\n".join(loop_lines(step, self))
        if step.strips is not None:
            return "\n".join(strip_lines(step, self))
        if step.writes and not self.backend.mutable:
            return f"{self.names.values[step.value]} = {self._updated(step)}"
        call = self._call(step)
        if step.writes:
            return call
        return f"{self.names.values[step.value]} = {call}  # {shape_text(step.shape)}"

    def _call(self, step: Step) -> str:
        operands = [self.expression(operand) for operand in self._turned(step)]
        if step.function == "getitem":
            return f"{operands[0]}[{_index(step.index)}]"
        if step.function == "rows":
            return f"{operands[0]}[{self.names.strips}]"
        if step.function == "copy" and step.reuses and self.backend.reuses:
            return operands[0]
        if step.function == "part":
            return f"{operands[0]}[{step.item}]"
        if step.function == "output":
            return f"{operands[0]}[{operands[1].strip('(,)')}]"
        if step.function == "tensordot" and self.backend.folds:
            return self._folded(step)
        if step.value in self.names.numbers or self._is_scalar(step):
            return _NUMBERS[step.function].format(*map(_bracketed, operands))
        if step.function in UFUNCS and self.backend.lifted and self._of_numbers(step):
            operands = [self.backend.lifted.format(operand) for operand in operands]
        options = {name: self._option(option) for name, option in step.options}
        if step.reuses and self.backend.reuses and step.alias is not None:
            options["out"] = self.names.values[step.alias]
        if step.buffer is not None:
            options["out"] = f"held[{step.buffer}]"
        if step.function in self.backend.helpers:
            return f"_{step.function.rpartition('.')[2]}({', '.join(operands)})"
        if step.callee is not None:
            return f"{self.names.functions[step.callee]}({', '.join(operands)})"
        listed = [*operands, *(f"{name}={value}" for name, value in options.items())]
        for key in self._keys(step):
            template = self.backend.spellings.get(key)
            whole = template is not None and "{call}" in template
            if template is not None and (step.writes or whole or "out" not in options):
                return template.format(
                    *(_bracketed(o) if _infix(template) else o for o in operands),
                    call=", ".join(listed),
                    options="".join(f", {name}={value}" for name, value in options.items()),
                    **options,
                )
            if key in self.backend.functions:
                return f"{self.backend.functions[key]}({', '.join(listed)})"
        return f"{self.backend.function(step.function)}({', '.join(listed)})"

    def _turned(self, step: Step) -> Sequence[Operand]:
        """The operands, those of X' v as v and X where the library wants it so."""
        if step.function == "matmul" and self.backend.vector_first:
            matrix, vector = step.operands
            if isinstance(matrix, Ref) and matrix.axes == (1, 0) and self._order(vector) == 1:
                return vector, Ref(matrix.value)
        return step.operands

    def _folded(self, step: Step) -> str:
        """A sum over some axes as a product of matrices, into which the operands fold."""
        shapes = self.names.shapes
        matrices = []
        for fold in folds(step, shapes):
            text = self.expression(fold.ref)
            if fold.groups:
                parts = [
                    "-1" if summed else " * ".join(map(self.size, lengths))
                    for lengths, summed in fold.groups
                ]
                text = f"{text}.reshape({', '.join(parts)})"
            matrices.append(f"{text}.T" if fold.turned else text)
        product = f"{self.backend.module}.dot({', '.join(matrices)})"
        if not unfolds(step, shapes):
            return product
        return f"{product}.reshape({', '.join(map(self.size, step.shape))})"

    def _of_numbers(self, step: Step) -> bool:
        return all(is_number(operand, self.names.numbers) for operand in step.operands)

    def _is_scalar(self, step: Step) -> bool:
        """Whether a step is arithmetic on results without axes, where a call costs tenfold.

        An input may be a number of Python's, whose division by zero raises.
        """
        refs = step.refs
        return (
            step.function in _SCALAR
            and bool(refs)
            and all(self._order(ref) == 0 for ref in refs)
            and any(ref.value not in self.names.numbers | self._given for ref in refs)
        )

    def _keys(self, step: Step) -> list[str]:
        """The names under which a call may be spelled, the most special first."""
        if step.writes:
            return [f"write_{step.function}"]
        options = dict(step.options)
        marks = [name for name in _MARKED if options.get(name)]
        keys = [*(f"{step.function}_{mark}" for mark in marks), step.function]
        if step.value in self._diagonals:
            keys.insert(0, "written_diagonal")
        flat = step.function == "matmul" and all(self._order(o) <= 2 for o in step.operands)
        if flat and self._slices.isdisjoint(ref.value for ref in step.refs):
            keys.insert(0, "dot")
        if step.function == "sum" and not step.options:
            keys.insert(0, "total")
        if len(step.operands) == 2:
            first, second = (is_number(o, self.names.numbers) for o in step.operands)
            if second and not first:
                keys.insert(0, f"{step.function}_number")
            elif first and not second:
                keys.insert(0, f"number_{step.function}")
        return keys

    def _order(self, operand: Operand) -> int:
        if not isinstance(operand, Ref):
            return 0
        axes = operand.axes
        return len(self.names.shapes[operand.value] if axes is None else axes)

    def size(self, dim: Dim) -> str:
        return size_text(dim, self.names)

    # ---- what loops keep ---------------------------------------------------------------

    def handed(self, start: Operand) -> str:
        """What a value that a loop carries starts as."""
        return self.expression(start)

    def list_of(self, count: str, shape: Shape) -> str:
        """An empty list of `count` arrays; `shape` is that of all of them together."""
        return f"[None] * {count}"

    def empty(self, shape: Shape) -> str:
        """An array to be filled."""
        return self.backend.spellings["empty"].format(self.expression(Dims(shape)))

    def zeros(self, shape: Shape) -> str:
        """An array to be added to."""
        return self.backend.spellings["zeros"].format(self.expression(Dims(shape)))

    # ---- writes as updates -----------------------------------------------------------

    def _updated(self, step: Step) -> str:
        """base.at[index].add(source): a new array in place of a write into a view."""
        into = target(step)
        view = self.views[into.value]
        base = self.expression(view.operands[-1])
        source = [o for o in step.operands if o != into][-1]
        method = {"copyto": "set", "add": "add", "subtract": "subtract"}[step.function]
        return f"{base}.at[{self._place(view)}].{method}({self.expression(source)})"

    def _place(self, view: Step) -> str:
        if view.function == "getitem":
            return _index(view.index)
        inputs, _, output = str(view.operands[0]).partition("->")
        grids = []
        for letter in inputs:
            axes = "".join(", None" for _ in output[output.index(letter) + 1 :])
            length = f"{self.expression(view.operands[-1])}.shape[{inputs.index(letter)}]"
            grid = f"{self.backend.module}.arange({length})"
            grids.append(f"{grid}[:{axes}]" if axes else grid)
        return ", ".join(grids)

    # ---- operands --------------------------------------------------------------------

    def expression(self, operand: Operand) -> str:
        names = self.names
        if isinstance(operand, Ref):
            return self._seen(names.values[operand.value], operand.axes)
        if isinstance(operand, Length):
            return size_text(operand.dim, names)
        if isinstance(operand, Dims):
            parts = [size_text(dim, names) for dim in operand.shape]
            return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
        if isinstance(operand, float) and not math.isfinite(operand):
            return f"float({str(operand)!r})"
        return repr(operand)

    def _option(self, option: Option) -> str:
        return self.expression(option) if isinstance(option, Ref) else repr(option)

    def _seen(self, name: str, axes: tuple[int | None, ...] | None) -> str:
        """A view: `.T`, `np.transpose`, `[:, None]`."""
        if axes is None:
            return name
        order = tuple(axis for axis in axes if axis is not None)
        if order != tuple(sorted(order)):
            if order == (1, 0):
                name = f"{name}.T"
            elif "transpose" in self.backend.spellings:
                name = self.backend.spellings["transpose"].format(name, order)
            else:
                name = f"{self.backend.function('transpose')}({name}, {order})"
        if None not in axes:
            return name
        return f"{name}[{', '.join('None' if axis is None else ':' for axis in axes)}]"


def target(step: Step) -> Ref:
    """The view that a step writes through."""
    target = dict(step.options).get("out", step.operands[0])
    assert isinstance(target, Ref)
    return target


def _diagonals(steps: Sequence[Step], targets: Collection[int]) -> set[int]:
    """The views of diagonals that are written into, of square arrays without gaps."""
    whole: set[int] = set()
    found = set()
    for step in steps:
        own = step.alias is None and step.function in _WHOLE
        if own or (step.alias in whole and not step.is_view):
            whole.add(step.value)
        if step.value in targets and step.alias in whole and step.operands[0] == "aa->a":
            found.add(step.value)
    return found


def _infix(template: str) -> bool:
    return not template.endswith(")")


def _bracketed(text: str) -> str:
    """An operand beside an operator: a product of sizes gets brackets."""
    return f"({text})" if " * " in text else text


def _index(index: tuple[tuple[int, int] | None, ...]) -> str:
    return ", ".join(":" if part is None else f"{part[0]}:{part[1]}" for part in index)


def size_text(dim: Dim, names: Names) -> str:
    if isinstance(dim, int):
        return str(dim)
    if isinstance(dim, str):
        sides = smaller_of(dim)
        if sides is None:
            return names.sizes[dim]
        return f"min({', '.join(size_text(side, names) for side in sides)})"
    parts = [] if dim.coefficient == 1 else [str(dim.coefficient)]
    return " * ".join([*parts, *(size_text(name, names) for name in dim.names)])


# ---- layout of text ------------------------------------------------------------------


def wrapped(head: str, items: Sequence[str], tail: str) -> list[str]:
    """head items tail on one line if it fits, else filled over several."""
    line = f"    {head}{', '.join(items)}{tail}"
    if len(line) <= _WIDTH:
        return [line]
    indent = " " * 8
    filled = textwrap.wrap(
        ", ".join(items) + ",",
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [f"    {head}", *filled, f"    {tail}"]


def indented(text: str) -> str:
    return textwrap.indent(text, "    ")
