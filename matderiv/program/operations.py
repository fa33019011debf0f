"""The operations of a plan, each under the name of what it helps to compute.

A value of the user's is called by its name, its gradient as PyTorch calls it: `h1` and
`h1.grad`.  An operation that has no name of its own belongs to the first named value
that reads its result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from matderiv.program.emit_numpy import statement
from matderiv.program.names import Names, name_all
from matderiv.program.plan import Plan
from matderiv.program.polynomial import Polynomial
from matderiv.program.steps import Body, Ref, Step, executed, nested, operands_of
from matderiv.tensor.dims import Shape

__all__ = ["Row", "display_names", "labelled_steps", "operations", "phases"]

_DERIVATIVES = {1: "jacobian", 2: "hessian"}


@dataclass(frozen=True)
class Row:
    """One operation: its result, the call, and what it costs.

    phase         "forward", "backward" or "derivative"
    group         the named value that the operation helps to compute: "h1", "w1.grad"
    exact         FLOPs
    evaluations   values of the transcendental function it computes
    function      the NumPy function called
    """

    phase: str
    group: str
    name: str
    shape: Shape
    formula: str
    exact: Polynomial
    leading: Polynomial
    evaluations: Polynomial
    function: str


def phases(plan: Plan) -> dict[str, list[Step]]:
    """The steps of each phase that no earlier phase has computed."""
    known = {step.value for step in plan.forward}
    gradient = known | {step.value for step in plan.backward}
    return {
        "forward": list(plan.forward),
        "backward": [step for step in plan.backward if step.value not in known],
        "derivative": [step for step in plan.derivative if step.value not in gradient],
    }


def operations(plan: Plan) -> list[Row]:
    """One row for each operation that costs something, in order of execution."""
    names = display_names(plan)
    return [
        Row(
            phase=phase,
            group=group,
            name=names.values[step.value],
            shape=step.shape,
            formula=_formula(step, names),
            exact=step.flops,
            leading=step.flops.leading,
            evaluations=step.evaluations,
            function=step.function,
        )
        for phase, group, step in labelled_steps(plan)
        if step.flops or step.evaluations
    ]


def labelled_steps(plan: Plan) -> list[tuple[str, str, Step]]:
    """Each step with its phase and the named value that it helps to compute."""
    names, named = display_names(plan).values, _named(plan)
    found = []
    for phase, steps in phases(plan).items():
        steps = list(executed(steps))
        groups = _groups(steps, named, names)
        found += [(phase, groups[step.value], step) for step in steps]
    return found


def display_names(plan: Plan) -> Names:
    """The identifiers of the generated code, with gradients called as readers call them."""
    names = name_all(plan)
    forward = {step.value for step in plan.forward}
    shown: dict[str, str] = {}
    for number, name in plan.names.items():
        if number in names.values:
            cotangent = name.startswith("δ") and number not in forward
            shown[names.values[number]] = f"{name[1:]}.grad" if cotangent else name
    if plan.value.value in forward:
        shown.setdefault(names.values[plan.value.value], "value")
    for name, ref in plan.derivatives.items():
        order = len(plan.wrt.get(name, (name,)))
        kind = "diagonal" if plan.diagonal else _DERIVATIVES.get(order, "derivative")
        shown[names.values[ref.value]] = f"{name}.{kind}"
    for name, ref in plan.gradients.items():
        shown[names.values[ref.value]] = f"{name}.grad"
    values = {number: shown.get(name, name) for number, name in names.values.items()}
    for loop in nested(plan.steps):
        if loop.body is not None:
            values |= _layer_names(loop, loop.body, replace(names, values=values), shown)
            outputs = (shown.get(name, name) for name in names.outputs[loop.value])
            values[loop.value] = ", ".join(dict.fromkeys(outputs))
    return replace(names, values=values)


def _layer_names(
    loop: Step, body: Body, names: Names, results: Mapping[str, str]
) -> dict[int, str]:
    """The values of a layer: z[l], z[l+1], W[l], and W.grad for what is stacked as that."""
    letter, shown = names.layers[loop.value], dict[int, str]()
    here, there = (letter, f"{letter}+1")[:: body.direction]
    for argument, following in body.carries:
        shown[argument] = f"{names.values[argument]}[{here}]"
        shown[following.value] = f"{names.values[argument]}[{there}]"
    stacks = body.parts(loop.operands).stacks
    read = [
        (argument, stack.value, shift)
        for (argument, shift), stack in zip(body.slices, stacks, strict=True)
        if isinstance(stack, Ref)
    ]
    if body.again is not None:
        lists = body.again.lists
        read += [(argument, lists[place], shift) for argument, place, shift in body.again.slices]
    for argument, source, shift in read:
        shown[argument] = f"{names.values[source]}[{letter}{f'+{shift}' if shift else ''}]"
    for name, output in zip(names.outputs[loop.value], body.outputs, strict=True):
        if output.kind == "array":
            shown[output.source.value] = f"{results.get(name, name)}[{letter}]"
    return shown


def _named(plan: Plan) -> set[int]:
    """The values that stand for themselves in a report."""
    results = [plan.value, *plan.gradients.values(), *plan.derivatives.values()]
    return {*plan.names, *(ref.value for ref in results)}


def _groups(steps: Sequence[Step], named: set[int], values: Mapping[int, str]) -> dict[int, str]:
    """For each step the named value that it feeds first."""
    groups: dict[int, str] = {}
    reader: dict[int, int] = {}
    for step in reversed(steps):
        number = step.value
        if step.body is not None:
            starts = step.body.parts(step.operands).starts
            for (argument, _), start in zip(step.body.carries, starts, strict=True):
                groups[argument] = values[argument]
                if isinstance(start, Ref):
                    reader[start.value] = argument
            groups[number] = values[number]
            continue
        if number in named or number not in reader:
            groups[number] = values[number]
        else:
            groups[number] = groups[reader[number]]
        for operand in operands_of(step):
            reader[operand] = number  # the first reader is met last
    return groups


def _formula(step: Step, names: Names) -> str:
    line = statement(step, names).partition("  #")[0]
    call = line if step.writes else line.partition(" = ")[2]
    return call.replace("np.", "")
