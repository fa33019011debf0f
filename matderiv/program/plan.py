"""From nodes to a plan: what to compute, in which order, what to keep for backward.

A plan is data that every emitter and every cost reads:

    forward      the steps that compute the value
    backward     the steps that only gradients need
    derivative   all steps of the other derivatives, from the inputs
    cache        the forward values that backward reads; views are made again instead

Which inverses are computed and which are solved with, and which of several equal
graphs is used, is decided by FLOPs at the sizes assumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from matderiv.program.counting import WEIGHTS
from matderiv.program.flatten import flatten
from matderiv.program.lower import Lowering
from matderiv.program.steps import Callee, Dims, Length, Ref, Step, operands_of
from matderiv.tensor.dims import Composite, Dim, Shape
from matderiv.tensor.nodes import Node, Product, Size, Variable
from matderiv.tensor.traverse import reachable

__all__ = ["Graph", "Plan", "least_sizes", "plan", "sizes_read"]

_MOST_INVERSES = 6  # each decided on its own; beyond that all alike


@dataclass(frozen=True)
class Graph:
    """Roots that are computed together."""

    value: Node
    gradients: Mapping[str, Node] = field(default_factory=dict)
    derivatives: Mapping[str, Node] = field(default_factory=dict)

    @property
    def roots(self) -> list[Node]:
        return [self.value, *self.gradients.values(), *self.derivatives.values()]

    def flattened(self) -> Graph:
        value, *rest = flatten(self.roots)
        count = len(self.gradients)
        return Graph(
            value,
            dict(zip(self.gradients, rest[:count], strict=True)),
            dict(zip(self.derivatives, rest[count:], strict=True)),
        )


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
        known = set(self.inputs.values()) - self._seed
        return sorted({v for step in self.backward for v in operands_of(step)} & known)

    @property
    def _seed(self) -> set[int]:
        return {v for variable, v in self.inputs.items() if variable is self.cotangent}


def plan(
    value: Node,
    gradients: Mapping[str, Node],
    derivatives: Mapping[str, Node] | None = None,
    *,
    inputs: Sequence[Variable],
    sizes: Mapping[str, int] | None = None,
    cotangent: Variable | None = None,
    alternatives: Iterable[Graph] = (),
    wrt: Mapping[str, Sequence[str]] | None = None,
    layout: str = "mixed",
) -> Plan:
    """Plan a value with its gradients and derivatives.

    For a value that is no scalar the gradients are written with the seed `cotangent`,
    of the value's shape.  `sizes` are the numbers of dimension names for which the
    order of operations is chosen.  `alternatives` are graphs equal to the first in
    value; the one of fewest FLOPs is taken.  `wrt` gives for each of `derivatives` the
    variables it is by, one for each order, where that is not its name alone; `layout` is
    that of the derivatives.
    """
    graphs = [Graph(value, gradients, derivatives or {}), *alternatives]
    graphs = [graph.flattened() for graph in graphs]
    numbers = _sample_sizes(graphs[0], inputs, sizes or {})
    plans = [_best(graph, inputs, numbers, cotangent) for graph in graphs]
    best = min(plans, key=lambda p: _weight((*p.forward, *p.backward, *p.derivative), p.sizes))
    return replace(best, wrt=wrt or {}, layout=layout)


def _weight(steps: Iterable[Step], sizes: Mapping[str, int]) -> float:
    total = 0.0
    for step in steps:
        total += float(step.flops.at(sizes))
        if step.evaluations:
            total += WEIGHTS[step.function] * float(step.evaluations.at(sizes))
    return total


def _sample_sizes(
    graph: Graph, inputs: Sequence[Variable], given: Mapping[str, int]
) -> dict[str, int]:
    """Distinct numbers, larger for names that appear earlier: data come before features."""
    numbers = dict(given)
    for name in _dimension_names([v.shape for v in inputs], graph.roots):
        if name not in numbers:
            size = 100 - 10 * len(numbers) if len(numbers) < 8 else 20 + len(numbers)
            while size in numbers.values():
                size += 1
            numbers[name] = size
    return numbers


def _dimension_names(shapes: Iterable[Shape], roots: Iterable[Node]) -> list[str]:
    names: dict[str, None] = {}

    def visit(dims: Iterable[Dim]) -> None:
        for dim in dims:
            if isinstance(dim, str):
                names[dim] = None
            elif isinstance(dim, Composite):
                names.update(dict.fromkeys(dim.names))

    for shape in shapes:
        visit(shape)
    for node in reachable(roots):
        visit(node.sizes if isinstance(node, Product) else node.shape)
        if isinstance(node, Size):
            visit((node.dim,))
    return list(names)


def _best(
    graph: Graph, inputs: Sequence[Variable], sizes: Mapping[str, int], cotangent: Variable | None
) -> Plan:
    """Solve with every inverse, then compute those that thereby cost fewer FLOPs."""
    leaves = (*inputs, cotangent) if cotangent is not None else tuple(inputs)

    def attempt(computed: frozenset[int]) -> tuple[float, Lowering, Plan]:
        lowering = Lowering(graph.roots, leaves, sizes, computed)
        lowering.run()
        made = _assemble(lowering, graph, sizes, cotangent)
        return _weight((*made.forward, *made.backward, *made.derivative), sizes), lowering, made

    best = attempt(frozenset())
    solvable = sorted(best[1].solvable)
    trials = [[k] for k in solvable] if len(solvable) <= _MOST_INVERSES else [solvable]
    for trial in trials:
        other = attempt(best[1].computed | frozenset(trial))
        best = min(best, other, key=lambda outcome: outcome[0])
    return best[2]


# ---- assembling ----------------------------------------------------------------------


def _assemble(
    lowering: Lowering, graph: Graph, sizes: Mapping[str, int], cotangent: Variable | None
) -> Plan:
    value = lowering.array(graph.value)
    taken: set[int] = set()
    forward_roots = {value.value} if value.value not in lowering.inputs.values() else set()
    gradients = {k: lowering.array(node) for k, node in graph.gradients.items()}
    derivatives = {k: lowering.array(node) for k, node in graph.derivatives.items()}
    steps = {step.value: step for step in lowering.tape.steps}
    inner = _ancestors(steps, forward_roots)
    held = set(lowering.inputs.values()) | {s.value for s in steps.values() if s.is_view}
    value = _own(lowering, value, taken, held)
    gradients = {k: _own(lowering, ref, taken, held | inner) for k, ref in gradients.items()}
    taken = set()
    derivatives = {k: _own(lowering, ref, taken, held) for k, ref in derivatives.items()}

    roots = [value, *gradients.values(), *derivatives.values()]
    steps = {
        step.value: step
        for step in _without_copies(lowering.tape.steps, {ref.value for ref in roots})
    }
    inner = _ancestors(steps, {value.value})
    outer = _ancestors(steps, {ref.value for ref in gradients.values()}) - inner
    other = _ancestors(steps, {ref.value for ref in derivatives.values()})
    forward = [steps[k] for k in sorted(inner)]
    backward, cache = _split(steps, inner, [steps[k] for k in sorted(outer)])
    derivative = [steps[k] for k in sorted(other)]
    bound = _bound_sizes(lowering.inputs)
    every = [*forward, *backward, *derivative]
    return Plan(
        inputs=lowering.inputs,
        cotangent=cotangent,
        shapes=lowering.tape.shapes,
        names=lowering.names,
        forward=forward,
        backward=backward,
        derivative=derivative,
        value=value,
        gradients=gradients,
        derivatives=derivatives,
        cache=cache,
        functions=list(dict.fromkeys(s.callee for s in every if s.callee is not None)),
        free_sizes=[name for name in sizes_read(every) if name not in bound],
        sizes={k: n for k, n in sizes.items()},
    )


def _own(lowering: Lowering, ref: Ref, taken: set[int], held: set[int]) -> Ref:
    """A result that nobody else holds: a copy of inputs, kept values, repeated results."""
    if ref.value in held or ref.value in taken:
        ref = lowering.tape.fresh("copy", ref, shape=lowering.tape.shape(ref))
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
            kept.append(_rename(step, renamed) if renamed else step)
    return kept


def _rename(step: Step, renamed: Mapping[int, int]) -> Step:
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


# ---- sizes ---------------------------------------------------------------------------


def sizes_read(steps: Iterable[Step]) -> list[str]:
    """The dimension names whose numbers the steps read, in order of first use."""
    names: dict[str, None] = {}
    for step in steps:
        for operand in step.operands:
            dims: tuple[Dim, ...] = ()
            if isinstance(operand, Length):
                dims = (operand.dim,)
            elif isinstance(operand, Dims):
                dims = operand.shape
            for dim in dims:
                if isinstance(dim, str):
                    names[dim] = None
                elif isinstance(dim, Composite):
                    names.update(dict.fromkeys(dim.names))
    return list(names)


def _bound_sizes(inputs: Iterable[Variable]) -> set[str]:
    """The names that the shapes of inputs determine."""
    bound = {dim for variable in inputs for dim in variable.shape if isinstance(dim, str)}
    composites = [d for v in inputs for d in v.shape if isinstance(d, Composite)]
    for dim in composites:
        missing = [name for name in dim.names if name not in bound]
        if len(missing) == 1:
            bound.add(missing[0])
    return bound


def least_sizes(plan: Plan) -> dict[str, int]:
    """The least numbers for which every slice lies inside its array."""
    least: dict[str, int] = {}
    for step in (*plan.forward, *plan.backward, *plan.derivative):
        if step.function == "getitem" and isinstance(step.operands[0], Ref):
            shape = plan.shape(step.operands[0])
            for dim, part in zip(shape, step.index, strict=True):
                if part is not None and isinstance(dim, str):
                    least[dim] = max(least.get(dim, 0), part[1])
    return least
