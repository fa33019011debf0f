"""The instructions of a plan: one NumPy call each, in three-address form.

A value is a number; each step defines one.  Operands are values seen through a view
(axes permuted, axes of size 1 put in), which costs nothing, or literals.  Steps are
data: liveness, costs, memory and every emitter read them, none parses text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import accumulate, pairwise
from math import isqrt
from typing import NamedTuple

from matderiv.program.polynomial import ZERO, Polynomial
from matderiv.tensor.dims import ROOT, Dim, Shape, dim_value
from matderiv.tensor.elementwise import AbstractElementwise
from matderiv.tensor.primitives import AbstractFunction

__all__ = [
    "LEAST_ROWS",
    "MOST_ENTRIES",
    "NUMBER_FUNCTIONS",
    "Again",
    "Blocks",
    "Body",
    "Callee",
    "Dims",
    "Gathered",
    "Length",
    "Operand",
    "Option",
    "Output",
    "Ref",
    "Step",
    "Strips",
    "column_slices",
    "executed",
    "is_number",
    "nested",
    "number_values",
    "operands_of",
]


MOST_ENTRIES = 1 << 17
"""Entries of a block of rows: 1 MiB, half of the second cache of a core."""

LEAST_ROWS = 128
"""Rows of a block, below which products of matrices are slower."""


class Ref(NamedTuple):
    """A value seen through a view: axis k of the view is axis axes[k] of the value.

    None in `axes` is a new axis of size 1; `axes` itself None is the value as it is.
    """

    value: int
    axes: tuple[int | None, ...] | None = None

    def shape(self, shapes: Sequence[Shape] | Mapping[int, Shape]) -> Shape:
        """The shape of the view, given those of all values."""
        own = shapes[self.value]
        return own if self.axes is None else tuple(1 if a is None else own[a] for a in self.axes)


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
    starts  what it carried in `argument` before each block of layers: a list
    """

    kind: str
    source: Ref
    shape: Shape
    argument: int | None = None


@dataclass(frozen=True, slots=True)
class Blocks:
    """The layers of a loop in `count` blocks of one length, the last one shorter if need be.

    Without a count there are as many as a block is long, √N; either may be one less.
    """

    layers: int | str
    count: int | None = None

    @property
    def number(self) -> Polynomial:
        """How many blocks, in symbols."""
        return Polynomial.of(self._root if self.count is None else self.count)

    @property
    def length(self) -> Polynomial:
        """Layers of a block, in symbols."""
        if self.count is None:
            return Polynomial.of(self._root)
        return Fraction(1, self.count) * Polynomial.of(self.layers)

    @property
    def takes_root(self) -> bool:
        """Whether the code computes √N."""
        return self.count is None and isinstance(self.layers, str)

    @property
    def _root(self) -> Dim:
        if isinstance(self.layers, int):
            return isqrt(self.layers - 1) + 1
        return f"{ROOT}{self.layers}"

    def at(self, sizes: Mapping[str, int]) -> tuple[int, int]:
        """(how many blocks, layers of a block) at some sizes."""
        layers = dim_value(self.layers, sizes)
        length = isqrt(layers - 1) + 1 if self.count is None else -(-layers // self.count)
        return -(-layers // length), length


@dataclass(frozen=True, slots=True)
class Again:
    """What a loop that runs back computes again before each block of its layers.

    body     the loop that ran forward, from `starts`; its operands come after those of the
             loop itself, its outputs are lists of one block and its steps run in every layer
    lists    the numbers of these outputs
    slices   (argument, place, shift): the loop's own argument is lists[place][l + shift]
    blocks   of layers
    """

    body: Body
    lists: tuple[int, ...]
    slices: tuple[tuple[int, int, int], ...]
    blocks: Blocks


class Parts(NamedTuple):
    """The operands of a loop, by what they are to it."""

    captured: tuple[Operand, ...]
    starts: tuple[Operand, ...]
    stacks: tuple[Operand, ...]
    again: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Body:
    """What a loop does in each of its layers, on values of its own.

    captured   one value for each of the first operands of the loop
    carries    (argument, next) for each of the operands after them, where they start
    slices     (argument, shift) for each of the rest: operand[l + shift]
    inputs     all of these values with their shapes
    steps      those of every layer, then those that are dead in the last one computed
    always     how many are of the first kind
    blocks     of layers, before each of which some outputs keep what is carried
    again      what is computed again before each block of layers
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
    blocks: Blocks | None = None
    again: Again | None = None

    def parts(self, operands: tuple[Operand, ...]) -> Parts:
        ends = list(accumulate(map(len, (self.captured, self.carries, self.slices))))
        cut = pairwise([0, *ends, len(operands)])
        return Parts(*(operands[start:stop] for start, stop in cut))

    def holds(self, output: Output) -> int | None:
        """The carry, by its argument, whose start is the first array of a list; None if none."""
        if output.kind == "list" and output.source.value in dict(self.carries):
            return output.source.value
        return output.argument

    @property
    def any_blocks(self) -> Blocks | None:
        return self.again.blocks if self.again else self.blocks

    def turns(self) -> Iterator[tuple[Step, Polynomial]]:
        """Each step, and how often it runs."""
        layers = Polynomial.of(self.count)
        for step in self.again.body.steps if self.again else ():
            yield step, layers
        for place, step in enumerate(self.steps):
            yield step, layers if place < self.always else layers - 1


class Gathered(NamedTuple):
    """What a loop over blocks of rows leaves behind of `source`, a value of one block.

    summed   whether the blocks add up; else they are rows, one block after the other
    """

    source: int
    shape: Shape
    summed: bool


@dataclass(frozen=True, slots=True)
class Strips:
    """A loop over blocks of rows of the arrays that are read in it.

    length    of the axis that is cut into blocks
    rows      the name of the length of a block
    widths    the numbers of entries of rows, the longest among them
    steps     those of a block; their FLOPs are those of all blocks together
    outputs   what is left behind
    """

    length: Dim
    rows: str
    widths: tuple[Dim, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Gathered, ...]

    def at(self, sizes: Mapping[str, int]) -> int:
        """The rows of a block.

        >>> Strips("n", "rows", ("m", "k"), (), ()).at({"n": 5000, "m": 1000, "k": 9})
        131
        """
        width = max(dim_value(row, sizes) for row in self.widths)
        return min(max(LEAST_ROWS, MOST_ENTRIES // width), dim_value(self.length, sizes))


@dataclass(frozen=True, slots=True)
class Step:
    """value = np.function(*operands, **options)

    function     a path below `np` ("matmul", "linalg.solve"), or one that starts with
                 "scipy."; "getitem" is slicing by `index`, "part" is item `item` of a
                 tuple; "loop" runs `body`, its value is the tuple of its outputs, and
                 "output" is one of them; "strips" is a loop over blocks of rows, "rows"
                 those of one block
    shape        of the value
    alias        the value whose buffer this one shares: a view of it, or, where `writes`
                 is true, the same array after this step wrote into it through a view;
                 where `reuses` is true, an operand that nobody reads again, into which
                 the result goes (`out=`)
    buffer       the place in a workspace that the result is written into (`out=`)
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
    buffer: int | None = None
    item: int | None = None
    index: tuple[tuple[int, int] | None, ...] = ()
    callee: Callee | None = None
    body: Body | None = None
    strips: Strips | None = None
    spec: str = ""
    flops: Polynomial = field(default=ZERO)
    evaluations: Polynomial = field(default=ZERO)

    @property
    def is_view(self) -> bool:
        return self.alias is not None and not self.writes and not self.reuses

    @property
    def refs(self) -> list[Ref]:
        """The operands that are values."""
        return [operand for operand in self.operands if isinstance(operand, Ref)]

    @property
    def outputs(self) -> Sequence[Output | Gathered]:
        """What a loop leaves behind."""
        loop = self.body or self.strips
        return loop.outputs if loop else ()

    @property
    def place(self) -> int:
        """Which output of a loop the step is; -1 if it is none."""
        if self.function != "output":
            return -1
        _, place = self.operands
        assert isinstance(place, tuple)
        return int(str(place[0]))

    @property
    def leading(self) -> Polynomial:
        return self.flops.leading


def operands_of(step: Step) -> list[int]:
    """The values that a step reads, repeats included."""
    used = [operand.value for operand in step.operands if isinstance(operand, Ref)]
    if step.options:
        used += [option.value for _, option in step.options if isinstance(option, Ref)]
    if step.writes and step.alias is not None:
        used.append(step.alias)
    return used


def column_slices(steps: Iterable[Step]) -> frozenset[int]:
    """The values that leave out columns of a matrix: `np.dot` would copy them, `np.matmul` not."""
    return frozenset(s.value for s in steps if s.function == "getitem" and any(s.index[1:]))


def nested(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps, and before each loop those that run in it."""
    for step in steps:
        if step.body is not None:
            yield from nested(inner for inner, _ in step.body.turns())
        if step.strips is not None:
            yield from step.strips.steps
        yield step


def executed(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps with the costs of those in loops taken as often as they run."""
    for step in steps:
        if step.body is not None:
            for inner, times in step.body.turns():
                for part in executed([inner]):
                    yield replace(
                        part, flops=part.flops * times, evaluations=part.evaluations * times
                    )
        if step.strips is not None:
            yield from step.strips.steps
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
