"""A plan as a NumPy module that needs nothing else of matderiv.

One call a line, results named as the user named them, `del` after the last use.  Only
calls `np.f(…)` and views are written, no operators and no methods on arrays, so that a
stand-in for `np` sees every operation.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from matderiv.program.liveness import deaths
from matderiv.program.module_text import docstring, module_docstring, shape_check, shape_text
from matderiv.program.naming import Namer, function_name
from matderiv.program.plan import Plan
from matderiv.program.self_check import self_check
from matderiv.program.sizes import least_sizes, names_in, sizes_read
from matderiv.program.steps import Callee, Dims, Length, Operand, Option, Ref, Step
from matderiv.tensor.dims import Composite, Dim, Shape
from matderiv.tensor.nodes import Variable

__all__ = ["Names", "emit", "name_all"]

_WIDTH = 88


@dataclass(frozen=True)
class Names:
    """The identifiers of a module."""

    inputs: Mapping[Variable, str]
    values: Mapping[int, str]
    sizes: Mapping[str, str]
    functions: Mapping[Callee, str]
    free_sizes: Sequence[str] = field(default=())


def name_all(plan: Plan) -> Names:
    """Name inputs, functions, sizes, then values: gradients, the user's names, t0, t1 …"""
    namer = Namer()
    inputs = {v: namer.unique(v.name) for v in plan.inputs if v is not plan.cotangent}
    if plan.cotangent is not None:
        inputs[plan.cotangent] = "cotangent"
    functions = {f: namer.unique(function_name(f)) for f in plan.functions}
    every = plan.steps
    dims = sizes_read(every) + [d for v in plan.inputs for d in v.shape if isinstance(d, str)]
    sizes = {dim: namer.unique(dim) for dim in dict.fromkeys([*plan.free_sizes, *dims])}
    values = {number: inputs[variable] for variable, number in plan.inputs.items()}
    home = {step.value: step.value for step in every}
    for step in every:
        if step.writes and step.alias is not None:  # the same array, written into
            home[step.value] = home.get(step.alias, step.alias)
    for name, ref in plan.gradients.items():
        values.setdefault(home.get(ref.value, ref.value), namer.unique(f"d_{name}"))
    for number, name in plan.names.items():
        if number in home and home[number] not in values:
            values[home[number]] = namer.unique(name)
    count = 0
    for step in every:
        owner = home[step.value]
        if owner not in values:
            values[owner] = namer.unique(f"t{count}")
            count += 1
        values.setdefault(step.value, values[owner])
    return Names(inputs, values, sizes, functions, [sizes[d] for d in plan.free_sizes])


def emit(plan: Plan, *, title: str, equations: Sequence[str]) -> str:
    """Return the source of a module.

    `title` and `equations` are text for its docstring; they are escaped.
    """
    names = name_all(plan)
    parts = [module_docstring(plan, names.inputs, title, equations), _imports(plan)]
    parts.append(_forward(plan, names))
    if plan.gradients:
        parts += [_backward(plan, names), _value_and_grad(plan, names)]
    if plan.derivatives:
        parts.append(_derivative(plan, names))
    parts.append(shape_check(any(isinstance(d, Composite) for v in plan.inputs for d in v.shape)))
    parts.append(self_check(plan, names.inputs, names.functions, names.sizes))
    return "\n\n\n".join(part.strip("\n") for part in parts) + "\n"


def _imports(plan: Plan) -> str:
    lines = ["import numpy as np"]
    paths = {step.function.rpartition(".")[0] for step in plan.steps}
    lines += [f"import {path}" for path in sorted(paths) if path.startswith("scipy.")]
    return "\n".join(lines)


# ---- functions -----------------------------------------------------------------------


def _forward(plan: Plan, names: Names) -> str:
    kept = [*plan.cached_inputs, *plan.cache]
    sizes = _backward_sizes(plan, names)
    items = [*(names.values[k] for k in kept), *sizes]
    lines = [
        f"def forward({_parameters(plan, names, plan.forward)}):",
        _indent(docstring(f"Return the value, {_described(plan.value_shape)}, and the cache.")),
        *_prologue(plan, names, plan.forward, sizes),
        *_body(plan, names, plan.forward, {plan.value.value, *plan.cache}),
        *_wrapped(f"return {_expression(plan.value, names)}, [", items, "]"),
    ]
    return "\n".join(lines)


def _backward(plan: Plan, names: Names) -> str:
    kept = [*plan.cached_inputs, *plan.cache]
    sizes = _backward_sizes(plan, names)
    items = [*(names.values[k] for k in kept), *sizes]
    scalar = plan.cotangent is None
    functions = _functions(names, plan.backward)
    options = "".join(f", {name}" for name in functions)
    what = "times `cotangent` if it is given" if scalar else "the cotangent pulled back"
    lines = [
        f"def backward(cache, cotangent{'=None' if scalar else ''}, *{options}, release=False):",
        _indent(
            docstring(
                f"Return the gradients by input, {what}.\n\n"
                "release: empty the cache, so that its arrays are freed as they are used.\n"
            )
        ),
        *(_wrapped("[", items, "] = cache") if items else []),
        "    if release:",
        "        cache.clear()",
    ]
    if plan.cotangent is not None:
        shape = plan.cotangent.shape
        bound = ", ".join(f"{d!r}: {names.sizes[d]}" for d in names_in(shape))
        lines.append(
            f'    cotangent = _array("cotangent", cotangent, {_pattern(shape)}, {{{bound}}})'
        )
    kept_results = {ref.value for ref in plan.gradients.values()}
    lines += _body(plan, names, plan.backward, kept_results, plan.cache)
    lines += _results("gradients", plan.gradients, names)
    if scalar:
        lines += [
            "    if cotangent is not None:",
            "        gradients = {k: np.multiply(g, cotangent) for k, g in gradients.items()}",
        ]
    return "\n".join([*lines, "    return gradients"])


def _value_and_grad(plan: Plan, names: Names) -> str:
    steps = [*plan.forward, *plan.backward]
    scalar = plan.cotangent is None
    extra = "" if scalar else "cotangent, "
    forward = _arguments(plan, names, plan.forward)
    backward = "".join(f"{f}={f}, " for f in _functions(names, plan.backward))
    lines = [
        f"def value_and_grad({_parameters(plan, names, steps, not scalar)}):",
        _indent(docstring("Return the value and the gradients by input.")),
        f"    value, cache = forward({forward})",
        f"    return value, backward(cache, {extra}{backward}release=True)",
    ]
    return "\n".join(lines)


def _derivative(plan: Plan, names: Names) -> str:
    text = "Return the derivatives by input."
    lines = [
        f"def derivative({_parameters(plan, names, plan.derivative)}):",
        _indent(docstring(text)),
        *_prologue(plan, names, plan.derivative, []),
        *_body(plan, names, plan.derivative, {r.value for r in plan.derivatives.values()}),
        *_results("derivatives", plan.derivatives, names),
        "    return derivatives",
    ]
    return "\n".join(lines)


def _results(variable: str, results: Mapping[str, Ref], names: Names) -> list[str]:
    items = [f"{name!r}: {_expression(ref, names)}" for name, ref in results.items()]
    return _wrapped(f"{variable} = {{", items, "}")


def _parameters(plan: Plan, names: Names, steps: Iterable[Step], cotangent: bool = False) -> str:
    inputs = [name for v, name in names.inputs.items() if v is not plan.cotangent]
    rest = [*_functions(names, steps), *names.free_sizes, *(["cotangent"] if cotangent else [])]
    return ", ".join([*inputs, *(["*", *rest] if rest else [])])


def _arguments(plan: Plan, names: Names, steps: Iterable[Step]) -> str:
    inputs = [name for v, name in names.inputs.items() if v is not plan.cotangent]
    rest = [*_functions(names, steps), *names.free_sizes]
    return ", ".join([*inputs, *(f"{name}={name}" for name in rest)])


def _functions(names: Names, steps: Iterable[Step]) -> list[str]:
    called = {step.callee for step in steps}
    return [name for function, name in names.functions.items() if function in called]


def _backward_sizes(plan: Plan, names: Names) -> list[str]:
    dims = sizes_read(plan.backward)
    if plan.cotangent is not None and plan.gradients:
        dims = list(dict.fromkeys([*dims, *names_in(plan.cotangent.shape)]))
    return [names.sizes[dim] for dim in dims]


def _prologue(plan: Plan, names: Names, steps: Sequence[Step], also: Sequence[str]) -> list[str]:
    """Check the inputs and bind the sizes that are read."""
    given = {d: names.sizes[d] for d in plan.free_sizes}
    bound = ", ".join(f"{dim!r}: {name}" for dim, name in given.items())
    lines = [f"    sizes = {{{bound}}}"]
    variables = [v for v in plan.inputs if v is not plan.cotangent]
    # Products of sizes last: their parts are known by then.
    variables.sort(key=lambda v: any(isinstance(d, Composite) for d in v.shape))
    for variable in variables:
        name = names.inputs[variable]
        arguments = f"{variable.name!r}, {name}, {_pattern(variable.shape)}, sizes"
        lines.append(f"    {name} = _array({arguments})")
    read = set(sizes_read(steps))
    for dim, name in names.sizes.items():
        if dim not in given and (dim in read or name in also):
            lines.append(f"    {name} = sizes[{dim!r}]")
    for dim, length in least_sizes(plan.steps, plan.shapes).items():
        lines += [
            f"    if sizes[{dim!r}] < {length}:",
            f'        raise ValueError(f"{dim} must be at least {length}, not {{sizes[{dim!r}]}}")',
        ]
    return lines if variables else []


def _pattern(shape: Shape) -> str:
    """A shape as the module's shape check reads it."""
    parts = [
        repr((dim.coefficient, *dim.names)) if isinstance(dim, Composite) else repr(dim)
        for dim in shape
    ]
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


# ---- statements ----------------------------------------------------------------------


def _body(
    plan: Plan,
    names: Names,
    steps: Sequence[Step],
    kept: Iterable[int],
    given: Iterable[int] = (),
) -> list[str]:
    lines = []
    for step, dying in zip(steps, deaths(steps, kept, given), strict=True):
        lines.append(f"    {statement(step, names)}")
        if dying:
            lines.append(f"    del {', '.join(names.values[number] for number in dying)}")
    return lines


def statement(step: Step, names: Names) -> str:
    """One line of code."""
    operands = [_expression(operand, names) for operand in step.operands]
    if step.function == "getitem":
        call = f"{operands[0]}[{_index(step.index)}]"
    elif step.function == "part":
        call = f"{operands[0]}[{step.item}]"
    else:
        operands += [f"{name}={_option(option, names)}" for name, option in step.options]
        if step.function == "full":
            operands.append("dtype=float")  # a size is an integer
        function = step.function if step.function.startswith("scipy.") else f"np.{step.function}"
        if step.callee is not None:
            function = names.functions[step.callee]
        call = f"{function}({', '.join(operands)})"
    if step.writes:
        return call
    return f"{names.values[step.value]} = {call}  # {shape_text(step.shape)}"


def _expression(operand: Operand, names: Names) -> str:
    if isinstance(operand, Ref):
        return _seen(names.values[operand.value], operand.axes)
    if isinstance(operand, Length):
        return _size(operand.dim, names)
    if isinstance(operand, Dims):
        parts = [_size(dim, names) for dim in operand.shape]
        return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
    if isinstance(operand, float) and not math.isfinite(operand):
        return {"inf": "np.inf", "-inf": "-np.inf"}.get(str(operand), "np.nan")
    return repr(operand)


def _option(option: Option, names: Names) -> str:
    return _expression(option, names) if isinstance(option, Ref) else repr(option)


def _seen(name: str, axes: tuple[int | None, ...] | None) -> str:
    """A view: `.T`, `np.transpose`, `[:, None]`."""
    if axes is None:
        return name
    order = tuple(axis for axis in axes if axis is not None)
    if order != tuple(sorted(order)):
        reverse = order == tuple(range(len(order)))[::-1]
        name = f"{name}.T" if reverse else f"np.transpose({name}, {order})"
    if None not in axes:
        return name
    return f"{name}[{', '.join('None' if axis is None else ':' for axis in axes)}]"


def _index(index: tuple[tuple[int, int] | None, ...]) -> str:
    return ", ".join(":" if part is None else f"{part[0]}:{part[1]}" for part in index)


def _size(dim: Dim, names: Names) -> str:
    if isinstance(dim, int):
        return str(dim)
    if isinstance(dim, str):
        return names.sizes[dim]
    parts = [] if dim.coefficient == 1 else [str(dim.coefficient)]
    return " * ".join([*parts, *(names.sizes[name] for name in dim.names)])


def _wrapped(head: str, items: Sequence[str], tail: str) -> list[str]:
    """head items tail on one line if it fits, else filled over several."""
    line = f"    {head}{', '.join(items)}{tail}"
    if len(line) <= _WIDTH:
        return [line]
    indent = " " * 8
    filled = textwrap.wrap(
        ", ".join(items) + ",",
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [f"    {head}", *filled, f"    {tail}"]


def _indent(text: str) -> str:
    return textwrap.indent(text, "    ")


def _described(shape: Shape) -> str:
    return f"of shape {shape_text(shape)}" if shape else "a scalar"
