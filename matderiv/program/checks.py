"""The function of a generated module that receives its inputs.

`_inputs` returns the inputs as float arrays of the right shapes, then the sizes that the
module reads.  NumPy arrays that need nothing done pass in a few comparisons; everything
else is converted, or refused with a message that names the input, its shape and the one
expected.
"""

from __future__ import annotations

from collections.abc import Sequence

from matderiv.program.backend import Backend
from matderiv.program.module_text import filled
from matderiv.program.names import Names
from matderiv.program.plan import Plan
from matderiv.program.sizes import least_sizes, names_in, sizes_read
from matderiv.program.steps import Step, nested
from matderiv.tensor.dims import Composite, Shape
from matderiv.tensor.nodes import Variable

__all__ = ["KIND", "given_inputs", "input_check", "makes_arrays", "shape_pattern"]

KIND = "kind"
"""What the code calls the type of the arrays that it makes."""

_MAKERS = frozenset({"zeros", "full", "eye"})

_MISMATCH = '''
def _fit(name, array, shape, sizes):
    """Raise ValueError unless an array has this shape; sizes are bound as they are met."""
    known = dict(sizes)
    found = tuple(array.shape)
    fits = len(found) == len(shape)
    for dim, length in zip(shape, found):
        expected = dim if isinstance(dim, int) else sizes.setdefault(dim, length)
        fits = fits and expected == length
    if not fits:
        expected = f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"
        bound = "".join(f"; {dim} = {length}" for dim, length in known.items() if dim in shape)
        raise ValueError(f"{name} has shape {found}, expected {expected}{bound}")
'''

_PRODUCTS = '''
def _length(dim, length, sizes):
    """Return the length that an axis must have; a size not known yet follows from it."""
    if isinstance(dim, int):
        return dim
    if isinstance(dim, str):
        return sizes.setdefault(dim, length)
    total, missing = 1, None
    for part in dim:  # a product of sizes
        if isinstance(part, str) and part not in sizes:
            missing = part
        else:
            total *= sizes.get(part, part)
    if missing is not None:
        total *= sizes.setdefault(missing, length // total)
    return total
'''


def makes_arrays(steps: Sequence[Step]) -> bool:
    """Whether steps make arrays from nothing, whose type must be said."""
    return any(
        step.function in _MAKERS
        or (step.body and any(o.kind == "array" for o in step.body.outputs))
        or (step.strips and any(o.shape for o in step.outputs))
        for step in nested(steps)
    )


def _variables(plan: Plan) -> list[Variable]:
    return [v for v in plan.inputs if v is not plan.cotangent]


def sizes_given(plan: Plan, names: Names, backend: Backend) -> list[str]:
    """The identifiers of what `_inputs` returns after the inputs."""
    dims = sizes_read(plan.every, backend.folds)
    if plan.cotangent is not None and plan.gradients:
        dims += names_in(plan.cotangent.shape)
    found = [names.sizes[dim] for dim in dict.fromkeys(dims) if dim not in plan.free_sizes]
    return [*found, *([KIND] if backend.kind and makes_arrays(plan.every) else [])]


def given_inputs(plan: Plan, names: Names, backend: Backend) -> list[str]:
    """The line that receives the inputs."""
    inputs = [names.inputs[v] for v in _variables(plan)]
    if not inputs:
        makes = backend.kind and makes_arrays(plan.every)
        return [f"    {KIND} = {backend.kind}"] if makes else []
    arguments = ", ".join([*inputs, *names.free_sizes])
    received = ", ".join([*inputs, *sizes_given(plan, names, backend)])
    return [f"    {received} = _inputs({arguments})"]


def shape_pattern(shape: Shape) -> str:
    """A shape as the module's shape check reads it."""
    parts = [
        repr((dim.coefficient, *dim.names)) if isinstance(dim, Composite) else repr(dim)
        for dim in shape
    ]
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def input_check(plan: Plan, names: Names, backend: Backend) -> str:
    """The source of `_inputs` and of the functions that it calls."""
    variables = _variables(plan)
    products = any(isinstance(d, Composite) for v in plan.inputs for d in v.shape)
    fit = _MISMATCH
    if products:
        plain = "dim if isinstance(dim, int) else sizes.setdefault(dim, length)"
        fit = fit.replace(plain, "_length(dim, length, sizes)") + "\n" + _PRODUCTS
    parts = [backend.array_check, fit]
    if variables:
        parts.insert(0, _inputs(plan, names, backend, fast=backend.fast_check and not products))
    return "\n\n\n".join(part.strip("\n") for part in parts)


def _inputs(plan: Plan, names: Names, backend: Backend, fast: bool) -> str:
    variables = _variables(plan)
    inputs = [names.inputs[v] for v in variables]
    given = {d: names.sizes[d] for d in plan.free_sizes}
    lines = [
        f"def _inputs({', '.join([*inputs, *given.values()])}):",
        '    """Return the inputs as arrays of one float type, then the sizes that are read."""',
    ]
    least = least_sizes(plan.steps, plan.shapes)
    if fast and not least:
        lines += _fast(plan, names, backend, variables)
    lines.append(f"    sizes = {{{', '.join(f'{dim!r}: {name}' for dim, name in given.items())}}}")
    # Products of sizes last: their parts are known by then.
    variables = sorted(variables, key=lambda v: any(isinstance(d, Composite) for d in v.shape))
    for variable in variables:
        name = names.inputs[variable]
        pattern = shape_pattern(variable.shape)
        lines.append(f"    {name} = _array({variable.name!r}, {name}, {pattern}, sizes)")
    arrays = [names.inputs[v] for v in variables if v.shape]
    if len(arrays) > 1 and "def _alike" in backend.array_check:
        lines.append(f"    {', '.join(arrays)} = _alike({', '.join(arrays)})")
    if arrays and backend.fast_check:
        scalars = [names.inputs[v] for v in variables if not v.shape]
        lines += [f"    {name} = {arrays[0]}.dtype.type({name})" for name in scalars]
    for dim, length in least.items():
        lines += [
            f"    if sizes[{dim!r}] < {length}:",
            f'        raise ValueError(f"{dim} must be at least {length}, not {{sizes[{dim!r}]}}")',
        ]
    by_name = {name: dim for dim, name in names.sizes.items()}
    kind = backend.kind_of.format(arrays[0]) if arrays else backend.kind
    results = [
        kind if name == KIND else f"sizes[{by_name[name]!r}]"
        for name in sizes_given(plan, names, backend)
    ]
    return "\n".join([*lines, f"    return {', '.join([*inputs, *results])}"])


def _fast(plan: Plan, names: Names, backend: Backend, variables: Sequence[Variable]) -> list[str]:
    """Lines that return at once where all inputs are float64 arrays that fit."""
    bound = {dim: name for dim, name in names.sizes.items() if dim in plan.free_sizes}
    taken = {*names.inputs.values(), *names.sizes.values()}
    unpacked, conditions = [], []
    alike: dict[str, list[str]] = {}  # inputs by a shape whose sizes are all known
    for variable in variables:
        name, shape = names.inputs[variable], variable.shape
        if not shape:
            conditions.append(f"isinstance({name}, float)")
            continue
        if all(isinstance(d, int) or d in bound for d in shape):
            parts = ", ".join(bound[d] if isinstance(d, str) else str(d) for d in shape)
            pattern = f"({parts}{',' * (len(shape) == 1)})"
            alike.setdefault(pattern, []).append(f"{name}.shape")
            continue
        targets = []
        for axis, dim in enumerate(shape):
            if isinstance(dim, str) and dim not in bound:
                targets.append(bound.setdefault(dim, names.sizes[dim]))
                continue
            target = f"{name}_{axis}"
            while target in taken:
                target += "_"
            targets.append(target)
            conditions.append(f"{target} == {bound[dim] if isinstance(dim, str) else dim}")
        unpacked.append(f"{', '.join(targets)}{',' * (len(shape) == 1)} = {name}.shape")
    conditions += [" == ".join([*found, pattern]) for pattern, found in alike.items()]
    arrays = [names.inputs[v] for v in variables if v.shape]
    if arrays:
        kinds = [f"type({name})" for name in arrays]
        conditions.insert(0, f"{' is '.join([*kinds, 'np.ndarray'])}")
        types = [f"{name}.dtype" for name in arrays]
        conditions.insert(1, f"{' is '.join([*types, '_FLOAT'])}")
        if backend.by_rows:
            conditions += [f"{name}.flags.c_contiguous" for name in arrays]
    inputs = [names.inputs[v] for v in variables]
    results = ["_FLOAT" if name == KIND else name for name in sizes_given(plan, names, backend)]
    body = [
        *unpacked,
        "if (",
        *(line for k, text in enumerate(conditions) for line in _condition(text, k)),
        "):",
        f"    return {', '.join([*inputs, *results])}",
    ]
    return [
        "    try:",
        *(f"        {line}" for line in body),
        "    except (AttributeError, ValueError):",
        "        pass  # no arrays, or of another number of axes",
    ]


def _condition(text: str, index: int) -> list[str]:
    """One part of a condition that goes over several lines."""
    start = "    and " if index else "    "
    return filled(text, 76, start, " " * 8)
