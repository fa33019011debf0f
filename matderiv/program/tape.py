"""The tape: steps in order of execution, equal ones recorded once.

A tape gives each value a number and a symbolic shape and returns the known value when
a call is repeated, so sharing needs no pass of its own.  What depends on the sizes is
decided by `decide` alone: at sizes where every decision comes out the same, the steps are
the same, and up to the first that does not, too.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from math import prod
from string import ascii_letters
from typing import Any, NamedTuple, TypeVar

from matderiv.program.counting import REDUCTIONS, contraction_flops, count
from matderiv.program.polynomial import ZERO, Polynomial
from matderiv.program.steps import (
    NUMBER_FUNCTIONS,
    Body,
    Callee,
    Dims,
    Operand,
    Option,
    Ref,
    Step,
    is_number,
)
from matderiv.tensor.dims import Shape, dim_value

__all__ = ["Mark", "Numbers", "Tape", "broadcast", "letters", "volume"]

Numbers = Mapping[str, int]
"""For each name of a size the number assumed."""

_Answer = TypeVar("_Answer")

_VIEWS = frozenset(
    {"reshape", "squeeze", "expand_dims", "matrix_transpose", "split"}
)  # a reshape copies only what is not contiguous


class Mark(NamedTuple):
    """How much a tape held at some moment: decisions, steps, values."""

    decisions: int
    steps: int
    values: int


class Tape:
    """Records steps; `sizes` are the numbers that decisions about order are based on."""

    def __init__(self, sizes: Numbers) -> None:
        self.sizes = sizes
        self._decisions: list[tuple[Callable[[Numbers], Any], Any]] = []
        self.steps: list[Step] = []
        self.shapes: list[Shape] = []
        self._inputs: set[int] = set()
        self._known: dict[Hashable, int] = {}
        self._numbers: set[int] = set()  # known from sizes and literals alone

    def inside(self) -> Tape:
        """A tape for the body of a loop: other steps, the same numbering."""
        tape = Tape(self.sizes)
        tape.shapes, tape._inputs, tape._decisions = self.shapes, self._inputs, self._decisions
        return tape

    # ---- decisions -----------------------------------------------------------------

    def decide(self, question: Callable[[Numbers], _Answer]) -> _Answer:
        """The answer at the sizes assumed; `question` depends on nothing else that changes."""
        answer = question(self.sizes)
        self._decisions.append((question, answer))
        return answer

    @property
    def decisions(self) -> int:
        return len(self._decisions)

    def agreed(self, sizes: Numbers) -> int:
        """How many decisions come out the same at other sizes, before the first that does not."""
        for place, (question, answer) in enumerate(self._decisions):
            if question(sizes) != answer:
                return place
        return len(self._decisions)

    def mark(self) -> Mark:
        return Mark(len(self._decisions), len(self.steps), len(self.shapes))

    def until(self, mark: Mark, sizes: Numbers) -> Tape:
        """A tape for other sizes that holds what this one held then."""
        tape = Tape(sizes)
        tape._decisions = self._decisions[: mark.decisions]
        tape.steps = self.steps[: mark.steps]
        tape.shapes = self.shapes[: mark.values]
        tape._inputs = {value for value in self._inputs if value < mark.values}
        tape._known = {call: value for call, value in self._known.items() if value < mark.values}
        tape._numbers = {value for value in self._numbers if value < mark.values}
        return tape

    # ---- values --------------------------------------------------------------------

    def input(self, shape: Shape) -> int:
        self._inputs.add(len(self.shapes))
        self.shapes.append(shape)
        return len(self.shapes) - 1

    def is_input(self, ref: Ref) -> bool:
        return ref.value in self._inputs

    def is_number(self, ref: Ref) -> bool:
        """Whether sizes and literals alone determine a value."""
        return ref.value in self._numbers

    def shape(self, operand: Operand) -> Shape:
        """The shape of an operand as seen through its view."""
        if not isinstance(operand, Ref):
            return ()
        return operand.shape(self.shapes)

    # ---- calls ---------------------------------------------------------------------

    def call(
        self,
        function: str,
        *operands: Operand,
        shape: Shape | None = None,
        callee: Callee | None = None,
        **options: Option,
    ) -> Ref:
        """Record np.function(*operands, **options); an elementwise call needs no shape."""
        shapes = [self.shape(operand) for operand in operands if not isinstance(operand, Dims)]
        result = broadcast(shapes) if shape is None else shape
        flops, evaluations = count(function, shapes, result)
        number = (
            function in NUMBER_FUNCTIONS
            and not options
            and all(is_number(operand, self._numbers) for operand in operands)
        )
        if number:
            flops = evaluations = ZERO  # 2/n is no work on arrays
        if function in REDUCTIONS:
            operand, options = _as_it_lies(operands[0], options)
            operands = (operand, *operands[1:])
        first = operands[0] if operands else None
        made = self._record(
            Step(
                value=len(self.shapes),
                function=function,
                operands=operands,
                shape=result,
                options=tuple(options.items()),
                alias=first.value if function in _VIEWS and isinstance(first, Ref) else None,
                callee=callee,
                flops=flops,
                evaluations=evaluations,
            )
        )
        if number:
            self._numbers.add(made.value)  # an earlier one, if the call was made before
        return made

    def contract(
        self,
        function: str,
        *operands: Operand,
        shape: Shape,
        contracted: Shape,
        spec: str,
        **options: Option,
    ) -> Ref:
        """Record a sum of products over axes of these sizes."""
        return self._record(
            Step(
                value=len(self.shapes),
                function=function,
                operands=operands,
                shape=shape,
                options=tuple(options.items()),
                spec=spec,
                flops=contraction_flops(shape, contracted),
            )
        )

    def view(self, function: str, *operands: Operand, base: Ref, shape: Shape) -> Ref:
        """Record a call whose result shares the buffer of `base`."""
        return self._record(Step(len(self.shapes), function, operands, shape, alias=base.value))

    def part(self, base: Ref, item: int, shape: Shape) -> Ref:
        """One part of a value that is a tuple of arrays."""
        return self._record(
            Step(len(self.shapes), "part", (base,), shape, alias=base.value, item=item)
        )

    def slice(self, base: Ref, index: tuple[tuple[int, int] | None, ...], shape: Shape) -> Ref:
        """base[start:stop, :, …]."""
        return self._record(
            Step(len(self.shapes), "getitem", (base,), shape, alias=base.value, index=index)
        )

    def diagonal(self, base: Ref, labels: tuple[int, ...], out: tuple[int, ...]) -> Ref:
        """The view of `base` with equal labels merged: "ii->i"."""
        full = self.shape(base)
        shape = tuple(full[labels.index(label)] for label in out)
        spec = f"{letters(labels)}->{letters(out)}"
        return self.view("einsum", spec, base, base=base, shape=shape)

    def write(self, function: str, target: Ref, base: Ref, *operands: Operand) -> Ref:
        """Write into `target`, a view of the fresh array `base`; return that array after it.

        `copyto` overwrites, any other function computes with `out=target`.
        """
        shape = self.shape(target)
        plain = function == "copyto"
        flops = ZERO if plain else Polynomial.of(*shape)
        step = Step(
            value=len(self.shapes),
            function=function,
            operands=(target, *operands) if plain else operands,
            shape=self.shapes[base.value],
            options=() if plain else (("out", target),),
            alias=base.value,
            writes=True,
            flops=flops,
        )
        self.shapes.append(step.shape)
        self.steps.append(step)
        return Ref(step.value)

    def loop(self, body: Body, operands: Sequence[Ref]) -> Ref:
        """Record a loop; its value is the tuple of its outputs."""
        step = Step(len(self.shapes), "loop", tuple(operands), (), body=body)
        self.shapes.append(())
        self.steps.append(step)
        return Ref(step.value)

    def output(self, loop: Ref, place: int) -> Ref:
        """One output of a loop."""
        body = next(step.body for step in reversed(self.steps) if step.value == loop.value)
        assert body is not None
        shape = body.outputs[place].shape
        return self._record(
            Step(len(self.shapes), "output", (loop, (place,)), shape, alias=loop.value)
        )

    def fresh(self, function: str, *operands: Operand, shape: Shape) -> Ref:
        """Record a call whose result will be written into: never shared."""
        step = Step(len(self.shapes), function, operands, shape)
        self.shapes.append(shape)
        self.steps.append(step)
        return Ref(step.value)

    def copy(self, ref: Ref) -> Ref:
        """Record an array of its own with these entries; what is stretched is filled in."""
        shape = self.shape(ref)
        made = next((step for step in reversed(self.steps) if step.value == ref.value), None)
        if made is not None and made.function == "broadcast_to" and ref.axes is None:
            source, dims = made.operands
            return self.fresh("full", dims, source, shape=shape)
        return self.fresh("copy", ref, shape=shape)

    def _record(self, step: Step) -> Ref:
        key = (
            step.function,
            step.operands,
            step.options,
            step.item,
            step.index,
            step.callee,
            step.shape,
            tuple(type(operand) for operand in step.operands),
        )
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = step.value
            self.shapes.append(step.shape)
            self.steps.append(step)
        return Ref(known)


def _as_it_lies(operand: Operand, options: dict[str, Option]) -> tuple[Operand, dict[str, Option]]:
    """A reduction of an array seen in another order as one of the array itself.

    Sums of the rows of x' are sums of the columns of x; the axes that are left keep their
    order.

    >>> _as_it_lies(Ref(3, (1, 0)), {"axis": -1})
    (Ref(value=3, axes=None), {'axis': 0})
    """
    if not isinstance(operand, Ref) or operand.axes is None or options.get("keepdims"):
        return operand, options
    axes = [axis for axis in operand.axes if axis is not None]
    named = options.get("axis", tuple(range(len(axes))))
    places = named if isinstance(named, tuple) else (named,)
    reduced = sorted(axes[place] for place in places if isinstance(place, int))
    left = [axis for axis in axes if axis not in reduced]
    if len(axes) < len(operand.axes) or left != sorted(left):
        return operand, options
    if "axis" in options:
        options = {**options, "axis": reduced[0] if len(reduced) == 1 else tuple(reduced)}
    return Ref(operand.value), options


def volume(shape: Shape, sizes: Numbers) -> int:
    """The number of elements.

    >>> volume(("m", 2), {"m": 3})
    6
    """
    return prod([dim_value(dim, sizes) for dim in shape])


def broadcast(shapes: list[Shape]) -> Shape:
    """The shape of an elementwise result.

    >>> broadcast([("m", 1), ("n",), ()])
    ('m', 'n')
    """
    order = max(map(len, shapes), default=0)
    result: Shape = ()
    for axis in range(-order, 0):
        dims = [shape[axis] for shape in shapes if len(shape) >= -axis]
        result += (next((dim for dim in dims if dim != 1), 1),)
    return result


def letters(labels: Sequence[int]) -> str:
    """Labels as einsum writes them."""
    return "".join([ascii_letters[k] for k in labels])
