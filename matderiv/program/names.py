"""The identifiers of a generated module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from matderiv.program.loop_text import loop_homes, loop_names
from matderiv.program.naming import Namer, function_name
from matderiv.program.plan import Plan
from matderiv.program.sizes import sizes_read
from matderiv.program.steps import Callee, nested, number_values
from matderiv.tensor.dims import Shape
from matderiv.tensor.nodes import Variable

__all__ = ["Names", "name_all"]


@dataclass(frozen=True)
class Names:
    """The identifiers of a module.

    numbers  the values that sizes alone determine
    layers   the index of each loop
    outputs  what each loop collects its outputs in
    blocks   the length of a block of layers, the first layer in it, and where it stops
    strips   the slice of a block of rows
    """

    inputs: Mapping[Variable, str]
    values: Mapping[int, str]
    sizes: Mapping[str, str]
    functions: Mapping[Callee, str]
    free_sizes: Sequence[str] = field(default=())
    shapes: Sequence[Shape] = field(default=())
    numbers: frozenset[int] = field(default=frozenset())
    layers: Mapping[int, str] = field(default_factory=dict)
    outputs: Mapping[int, Sequence[str]] = field(default_factory=dict)
    blocks: tuple[str, str, str] = ("", "", "")
    strips: str = ""


def name_all(plan: Plan) -> Names:
    """Name inputs, functions, sizes, then values: gradients, the user's names, t0, t1 …"""
    namer = Namer()
    inputs = {v: namer.unique(v.name) for v in plan.inputs if v is not plan.cotangent}
    if plan.cotangent is not None:
        inputs[plan.cotangent] = "cotangent"
    functions = {f: namer.unique(function_name(f)) for f in plan.functions}
    every = list(nested(plan.every))
    loops = [step for step in every if step.outputs]
    dims = sizes_read(plan.every) + [d for v in plan.inputs for d in v.shape if isinstance(d, str)]
    sizes = {dim: namer.unique(dim) for dim in dict.fromkeys([*plan.free_sizes, *dims])}
    values = {number: inputs[variable] for variable, number in plan.inputs.items()}
    home = {s.value: s.value for s in every if s.strips is None} | dict(loop_homes(loops))
    for step in every:
        if step.writes and step.alias is not None:  # the same array, written into
            home[step.value] = home.get(step.alias, step.alias)
    for name, ref in plan.gradients.items():
        values.setdefault(home.get(ref.value, ref.value), namer.unique(f"d_{name}"))
    for number, name in plan.names.items():
        if number in home and home[number] not in values:
            values[home[number]] = namer.unique(name)
    count = 0
    for number in home:
        owner = number
        while home.get(owner, owner) != owner:
            owner = home[owner]
        if owner not in values:
            values[owner] = namer.unique(f"t{count}")
            count += 1
        values.setdefault(number, values[owner])
    return Names(
        inputs,
        values,
        sizes,
        functions,
        [sizes[d] for d in plan.free_sizes],
        plan.shapes,
        number_values(plan.every),
        *loop_names(plan.every, loops, values, namer),
        namer.unique("rows") if any(step.strips for step in loops) else "",
    )
