"""From recorded steps to a plan: what runs forward, what backward, what is kept between.

    forward      the steps that compute the value
    backward     the steps that only gradients need
    derivative   all steps of the other derivatives, from the inputs
    cache        the forward values that backward reads; views are made again instead

Steps that no result needs are dropped, and so are copies of arrays that nobody else
reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from matderiv.program.cleanup import ancestors, with_masks, without_copies
from matderiv.program.compressed import Terms
from matderiv.program.lower import Lowering
from matderiv.program.scales import merged_scales
from matderiv.program.sizes import bound_sizes, names_in, sizes_read
from matderiv.program.steps import Callee, Ref, Step, nested, operands_of
from matderiv.program.tape import Tape
from matderiv.tensor.dims import Shape
from matderiv.tensor.nodes import Node, Variable

__all__ = ["Plan", "assemble", "split"]


@dataclass(frozen=True)
class Plan:
    """What is computed; values are numbers, the inputs among them.

    names        the user's names of values
    functions    the abstract functions that the code takes as arguments
    free_sizes   dimension names that no input shows: the code takes them as arguments
    sizes        the numbers assumed where order of operations depends on them
    wrt          for each derivative the variables it is by, if not its name alone
    along        for products with the Hessian: each variable and the input that is its direction
    terms        for compressed derivatives: of which of `derivatives` each is made
    layout       of the derivatives
    diagonal     whether the derivatives are diagonals, in the shape of their variables
    joint        the steps of value and gradients in one pass, where they differ from
                 forward and then backward
    item         bytes of a float, by which memory is planned
    """

    inputs: Mapping[Variable, int]
    cotangent: Variable | None
    shapes: Sequence[Shape]
    names: Mapping[int, str]
    forward: Sequence[Step]
    backward: Sequence[Step]
    derivative: Sequence[Step]
    value: Ref
    gradients: Mapping[str, Ref]
    derivatives: Mapping[str, Ref]
    cache: Sequence[int]
    functions: Sequence[Callee]
    free_sizes: Sequence[str]
    sizes: Mapping[str, int]
    wrt: Mapping[str, Sequence[str]] = field(default_factory=dict)
    along: Mapping[str, str] = field(default_factory=dict)
    terms: Mapping[str, Terms] = field(default_factory=dict)
    layout: str = "mixed"
    diagonal: bool = False
    joint: Sequence[Step] = ()
    item: int = 8

    @property
    def in_one_pass(self) -> Sequence[Step]:
        """The steps of value and gradients together."""
        made = {step.value for step in self.forward}
        both = [*self.forward, *(step for step in self.backward if step.value not in made)]
        return self.joint or both

    @property
    def steps(self) -> list[Step]:
        return [*self.forward, *self.backward, *self.derivative]

    @property
    def is_derived(self) -> bool:
        """Whether there is a function `derivative`; compressed, zeros are made of no array."""
        return bool(self.derivatives or self.terms)

    @property
    def every(self) -> list[Step]:
        """The steps of all functions, of which a value may be made by several."""
        return [*self.steps, *self.joint]

    @property
    def size_names(self) -> list[str]:
        """The names of sizes, those of inputs first."""
        named = names_in(dim for shape in self.shapes for dim in shape)
        return list(dict.fromkeys([*named, *sizes_read(self.steps)]))

    @property
    def value_shape(self) -> Shape:
        return self.shape(self.value)

    def shape(self, ref: Ref) -> Shape:
        return ref.shape(self.shapes)

    @property
    def cached_inputs(self) -> list[int]:
        """Inputs that backward reads."""
        known = {v for variable, v in self.inputs.items() if variable is not self.cotangent}
        return sorted({v for step in self.backward for v in operands_of(step)} & known)


def assemble(
    lowering: Lowering,
    value: Node,
    gradients: Mapping[str, Node],
    derivatives: Mapping[str, Node],
    cotangent: Variable | None,
) -> Plan:
    """The plan of roots that have been lowered."""
    tape = lowering.tape
    value_ref = lowering.array(value)
    gradient_refs = {name: lowering.array(node) for name, node in gradients.items()}
    derivative_refs = {name: lowering.array(node) for name, node in derivatives.items()}
    inner = ancestors({step.value: step for step in tape.steps}, [value_ref.value])
    views = {s.value for s in tape.steps if s.is_view and not _is_own(s)}
    held = set(lowering.inputs.values()) | views
    taken: set[int] = set()
    value_ref = _own(tape, value_ref, taken, held)
    gradient_refs = {k: _own(tape, ref, taken, held | inner) for k, ref in gradient_refs.items()}
    taken = set()
    derivative_refs = {k: _own(tape, ref, taken, held) for k, ref in derivative_refs.items()}

    roots = [value_ref, *gradient_refs.values(), *derivative_refs.values()]
    results = {ref.value for ref in roots}
    recorded = merged_scales(without_copies(tape.steps, results), results | set(lowering.names))
    steps = {s.value: s for s in with_masks(recorded, results)}
    inner = ancestors(steps, [value_ref.value])
    outer = ancestors(steps, (ref.value for ref in gradient_refs.values())) - inner
    other = ancestors(steps, (ref.value for ref in derivative_refs.values()))
    forward = [steps[k] for k in sorted(inner)]
    backward, cache = split(steps, inner, [steps[k] for k in sorted(outer)])
    derivative = [steps[k] for k in sorted(other)]
    every = [*forward, *backward, *derivative]
    # The value is computed before there is a cotangent.
    bound = bound_sizes({v: k for v, k in lowering.inputs.items() if v is not cotangent})
    return Plan(
        inputs=lowering.inputs,
        cotangent=cotangent,
        shapes=tape.shapes,
        names=lowering.names,
        forward=forward,
        backward=backward,
        derivative=derivative,
        value=value_ref,
        gradients=gradient_refs,
        derivatives=derivative_refs,
        cache=cache,
        functions=list(dict.fromkeys(s.callee for s in nested(every) if s.callee is not None)),
        free_sizes=[name for name in sizes_read(every) if name not in bound],
        sizes=dict(tape.sizes),
    )


def _is_own(step: Step) -> bool:
    """Whether nobody else holds a part of a tuple: an output of a loop, or a number."""
    return step.function == "output" or (step.function == "part" and not step.shape)


def _own(tape: Tape, ref: Ref, taken: set[int], held: set[int]) -> Ref:
    """A result that nobody else holds: a copy of inputs, kept values, repeated results."""
    if ref.value in held or ref.value in taken:
        ref = tape.copy(ref)
    taken.add(ref.value)
    return ref


def split(
    steps: Mapping[int, Step], inner: set[int], backward: Sequence[Step]
) -> tuple[list[Step], list[int]]:
    """Backward steps with the forward views they use made again, and the cache."""
    made: set[int] = set()
    cache: dict[int, None] = {}
    result: list[Step] = []

    def need(number: int) -> None:
        pending = [number]
        chain: list[Step] = []
        while pending:
            number = pending.pop()
            if number not in inner or number in made:
                continue
            if steps[number].is_view:
                made.add(number)
                chain.append(steps[number])
                pending += operands_of(steps[number])
            else:
                cache[number] = None
        result.extend(sorted(chain, key=lambda step: step.value))

    for step in backward:
        for number in operands_of(step):
            need(number)
        result.append(step)
    return result, sorted(cache)
