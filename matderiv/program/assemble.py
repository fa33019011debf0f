"""From recorded steps to a plan: what runs forward, what backward, what is kept between.

    forward      the steps that compute the value
    backward     the steps that only gradients need
    derivative   all steps of the other derivatives, from the inputs
    cache        the forward values that backward reads; views are made again instead

Steps that no result needs are dropped, and so are copies of arrays that nobody else
reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from matderiv.program.lower import Lowering
from matderiv.program.sizes import bound_sizes, sizes_read
from matderiv.program.steps import Callee, Ref, Step, operands_of
from matderiv.program.tape import Tape
from matderiv.tensor.dims import Shape
from matderiv.tensor.nodes import Node, Variable

__all__ = ["Plan", "assemble", "renumber"]


@dataclass(frozen=True)
class Plan:
    """What is computed; values are numbers, the inputs among them.

    names        the user's names of values
    functions    the abstract functions that the code takes as arguments
    free_sizes   dimension names that no input shows: the code takes them as arguments
    sizes        the numbers assumed where order of operations depends on them
    wrt          for each derivative the variables it is by, if not its name alone
    layout       of the derivatives
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
    layout: str = "mixed"

    @property
    def steps(self) -> list[Step]:
        return [*self.forward, *self.backward, *self.derivative]

    @property
    def value_shape(self) -> Shape:
        return self.shape(self.value)

    def shape(self, ref: Ref) -> Shape:
        shape = self.shapes[ref.value]
        if ref.axes is None:
            return shape
        return tuple(1 if axis is None else shape[axis] for axis in ref.axes)

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
    inner = _ancestors({step.value: step for step in tape.steps}, [value_ref.value])
    held = set(lowering.inputs.values()) | {step.value for step in tape.steps if step.is_view}
    taken: set[int] = set()
    value_ref = _own(tape, value_ref, taken, held)
    gradient_refs = {k: _own(tape, ref, taken, held | inner) for k, ref in gradient_refs.items()}
    taken = set()
    derivative_refs = {k: _own(tape, ref, taken, held) for k, ref in derivative_refs.items()}

    roots = [value_ref, *gradient_refs.values(), *derivative_refs.values()]
    results = {ref.value for ref in roots}
    steps = {s.value: s for s in _with_masks(_without_copies(tape.steps, results), results)}
    inner = _ancestors(steps, [value_ref.value])
    outer = _ancestors(steps, (ref.value for ref in gradient_refs.values())) - inner
    other = _ancestors(steps, (ref.value for ref in derivative_refs.values()))
    forward = [steps[k] for k in sorted(inner)]
    backward, cache = _split(steps, inner, [steps[k] for k in sorted(outer)])
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
        functions=list(dict.fromkeys(s.callee for s in every if s.callee is not None)),
        free_sizes=[name for name in sizes_read(every) if name not in bound],
        sizes=dict(tape.sizes),
    )


def _own(tape: Tape, ref: Ref, taken: set[int], held: set[int]) -> Ref:
    """A result that nobody else holds: a copy of inputs, kept values, repeated results."""
    if ref.value in held or ref.value in taken:
        ref = tape.fresh("copy", ref, shape=tape.shape(ref))
    taken.add(ref.value)
    return ref


def _ancestors(steps: Mapping[int, Step], roots: Iterable[int]) -> set[int]:
    """The values of steps that the roots depend on."""
    found: set[int] = set()
    stack = [root for root in roots if root in steps]
    while stack:
        number = stack.pop()
        if number not in found:
            found.add(number)
            stack += [k for k in operands_of(steps[number]) if k in steps and k not in found]
    return found


def _without_copies(steps: Sequence[Step], roots: set[int]) -> list[Step]:
    """Drop copies of arrays that nobody else reads: they may be written into themselves."""
    needed = _ancestors({step.value: step for step in steps}, roots)
    steps = [step for step in steps if step.value in needed]
    uses: dict[int, int] = {}
    own: set[int] = set()
    for step in steps:
        for number in operands_of(step):
            uses[number] = uses.get(number, 0) + 1
        if step.alias is None:
            own.add(step.value)
    renamed: dict[int, int] = {}
    kept: list[Step] = []
    for step in steps:
        source = step.operands[0] if step.operands else None
        if (
            step.function == "copy"
            and step.value not in roots
            and isinstance(source, Ref)
            and source.axes is None
            and source.value in own
            and source.value not in roots
            and uses[source.value] == 1
        ):
            renamed[step.value] = renamed.get(source.value, source.value)
        else:
            kept.append(renumber(step, renamed) if renamed else step)
    return kept


def renumber(step: Step, renamed: Mapping[int, int]) -> Step:
    """The step with other numbers for the values that it reads."""
    if not any(number in renamed for number in operands_of(step)) and step.alias not in renamed:
        return step

    def new(ref: Ref) -> Ref:
        return Ref(renamed.get(ref.value, ref.value), ref.axes)

    return replace(
        step,
        operands=tuple(new(o) if isinstance(o, Ref) else o for o in step.operands),
        options=tuple((k, new(o) if isinstance(o, Ref) else o) for k, o in step.options),
        alias=None if step.alias is None else renamed.get(step.alias, step.alias),
    )


def _with_masks(steps: Sequence[Step], roots: set[int]) -> list[Step]:
    """[x > 0] as an array of one byte an entry where it only ever multiplies other arrays.

    `heaviside` has no vector code in NumPy: a comparison takes a fortieth of its time.
    """
    masks = {
        step.value
        for step in steps
        if step.function == "heaviside" and step.operands[1] == 0.0 and step.value not in roots
    }
    for step in steps:
        used = [number for number in operands_of(step) if number in masks]
        if used and (
            step.function != "multiply"
            or len(used) == 2
            or not all(isinstance(operand, Ref) for operand in step.operands)
        ):
            masks.difference_update(used)
    return [replace(step, function="greater") if step.value in masks else step for step in steps]


def _split(
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
