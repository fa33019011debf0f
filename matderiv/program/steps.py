"""The instructions of a plan: one NumPy call each, in three-address form.

A value is a number; each step defines one.  Operands are values seen through a view
(axes permuted, axes of size 1 put in), which costs nothing, or literals.  Steps are
data: liveness, costs, memory and every emitter read them, none parses text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from matderiv.program.polynomial import ZERO, Polynomial
from matderiv.tensor.dims import Dim, Shape
from matderiv.tensor.elementwise import AbstractElementwise
from matderiv.tensor.primitives import AbstractFunction

__all__ = [
    "NUMBER_FUNCTIONS",
    "Callee",
    "Dims",
    "Length",
    "Operand",
    "Option",
    "Ref",
    "Step",
    "is_number",
    "number_values",
    "operands_of",
]


class Ref(NamedTuple):
    """A value seen through a view: axis k of the view is axis axes[k] of the value.

    None in `axes` is a new axis of size 1; `axes` itself None is the value as it is.
    """

    value: int
    axes: tuple[int | None, ...] | None = None


class Length(NamedTuple):
    """The number of a dimension, as a scalar."""

    dim: Dim


class Dims(NamedTuple):
    """A shape given to a function such as `zeros`."""

    shape: Shape


Callee = AbstractElementwise | AbstractFunction
Operand = Ref | Length | Dims | float | str | tuple[int, ...]
Option = Ref | int | bool | tuple[int, ...] | tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Step:
    """value = np.function(*operands, **options)

    function     a path below `np` ("matmul", "linalg.solve"), or one that starts with
                 "scipy."; "getitem" is slicing by `index`, "part" is item `item` of a
                 tuple
    shape        of the value
    alias        the value whose buffer this one shares: a view of it, or, where `writes`
                 is true, the same array after this step wrote into it through a view;
                 where `reuses` is true, an operand that nobody reads again, into which
                 the result goes (`out=`)
    callee       the abstract function called, which the caller of the code supplies
    spec         einsum labels, where the step is a contraction
    flops        multiplications, additions and comparisons, exactly
    evaluations  how many values of a transcendental function are computed
    """

    value: int
    function: str
    operands: tuple[Operand, ...]
    shape: Shape
    options: tuple[tuple[str, Option], ...] = ()
    alias: int | None = None
    writes: bool = False
    reuses: bool = False
    item: int | None = None
    index: tuple[tuple[int, int] | None, ...] = ()
    callee: Callee | None = None
    spec: str = ""
    flops: Polynomial = field(default=ZERO)
    evaluations: Polynomial = field(default=ZERO)

    @property
    def is_view(self) -> bool:
        return self.alias is not None and not self.writes and not self.reuses

    @property
    def leading(self) -> Polynomial:
        return self.flops.leading


def operands_of(step: Step) -> list[int]:
    """The values that a step reads, repeats included."""
    used = [operand.value for operand in step.operands if isinstance(operand, Ref)]
    used += [option.value for _, option in step.options if isinstance(option, Ref)]
    if step.writes and step.alias is not None:
        used.append(step.alias)
    return used


NUMBER_FUNCTIONS = frozenset(
    {
        *("add", "subtract", "multiply", "divide", "negative", "positive", "reciprocal"),
        *("sqrt", "power"),
    }
)
"""What is computed with Python's numbers where sizes and literals are the operands."""


def is_number(operand: Operand, numbers: Collection[int]) -> bool:
    """Whether sizes and literals alone determine an operand; `numbers` are such values."""
    if isinstance(operand, Ref):
        return operand.value in numbers
    return isinstance(operand, Length | float)


def number_values(steps: Iterable[Step]) -> frozenset[int]:
    """The values that sizes and literals alone determine, known before any array is."""
    found: set[int] = set()
    for step in steps:
        if (
            step.function in NUMBER_FUNCTIONS
            and not step.options
            and all(is_number(operand, found) for operand in step.operands)
        ):
            found.add(step.value)
    return frozenset(found)
