"""The instructions of a plan: one NumPy call each, in three-address form.

A value is a number; each step defines one.  Operands are values seen through a view
(axes permuted, axes of size 1 put in), which costs nothing, or literals.  Steps are
data: liveness, costs, memory and every emitter read them, none parses text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from matderiv.program.polynomial import ZERO, Polynomial
from matderiv.tensor.dims import Dim, Shape
from matderiv.tensor.elementwise import AbstractElementwise
from matderiv.tensor.primitives import AbstractFunction

__all__ = [
    "NUMBER_FUNCTIONS",
    "Body",
    "Callee",
    "Dims",
    "Length",
    "Operand",
    "Option",
    "Output",
    "Ref",
    "Step",
    "executed",
    "is_number",
    "nested",
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


class Output(NamedTuple):
    """What a loop leaves behind of `source`, a value of its body.

    last    the value that the last layer made
    array   the value of each layer, along the first axis of one array
    list    the same as a list of arrays
    trail   all that it carried in `argument`, the start among it: a list of count + 1
    """

    kind: str
    source: Ref
    shape: Shape
    argument: int | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """What a loop does in each of its layers, on values of its own.

    captured   one value for each of the first operands of the loop
    carries    (argument, next) for each of the operands after them, where they start
    slices     (argument, shift) for each of the rest: operand[l + shift]
    inputs     all of these values with their shapes
    steps      those of every layer, then those that are dead in the last one computed
    always     how many are of the first kind
    """

    count: Dim
    direction: int
    captured: tuple[int, ...]
    carries: tuple[tuple[int, Ref], ...]
    slices: tuple[tuple[int, int], ...]
    inputs: tuple[tuple[int, Shape], ...]
    steps: tuple[Step, ...]
    always: int
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """value = np.function(*operands, **options)

    function     a path below `np` ("matmul", "linalg.solve"), or one that starts with
                 "scipy."; "getitem" is slicing by `index`, "part" is item `item` of a
                 tuple; "loop" runs `body`, its value is the tuple of its outputs, and
                 "output" is one of them
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
    body: Body | None = None
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


def nested(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps, and before each loop those of its body."""
    for step in steps:
        if step.body is not None:
            yield from nested(step.body.steps)
        yield step


def executed(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps with the costs of those in loops taken as often as they run."""
    for step in steps:
        if step.body is not None:
            turns = Polynomial.of(step.body.count)
            for place, inner in enumerate(step.body.steps):
                times = turns if place < step.body.always else turns - 1
                for part in executed([inner]):
                    yield replace(
                        part, flops=part.flops * times, evaluations=part.evaluations * times
                    )
        yield step


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
    for step in nested(steps):
        if (
            step.function in NUMBER_FUNCTIONS
            and not step.options
            and all(is_number(operand, found) for operand in step.operands)
        ):
            found.add(step.value)
    return frozenset(found)
