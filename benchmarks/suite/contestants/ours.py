"""Our generated modules, called as a user of the file would call them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import matderiv as md
from benchmarks.suite.case import Call, Case, Values
from matderiv.program.compiled import CompiledFunction
from matderiv.wrappers import compile_hessian_product

__all__ = ["blocked_code", "compiled", "jax_code", "numba_code", "numpy_code", "torch_code"]


def compiled(
    case: Case, values: Values, backend: str, sized: bool = True, blocked: bool = False
) -> tuple[CompiledFunction, list[Any]]:
    """The module for these sizes or for any, and its arguments, nothing remembered from before."""
    md.api._compiled.cache_clear()
    sizes: dict[str, int] = {}
    for name, shape in case.shapes.items() if sized else ():
        sizes.update(zip(shape, getattr(values[name], "shape", ()), strict=True))
    if case.asked == "product":
        program = md.parse(case.source)
        options: dict[str, Any] = {"backend": backend, "sizes": sizes, "blocked": blocked}
        function = compile_hessian_product(program, list(case.wrt), **options)
    else:
        options = {"order": case.order, "backend": backend, "sizes": sizes, "blocked": blocked}
        options["compressed"] = case.asked == "compressed"
        function = md.compile(case.source, list(case.wrt), **options)
    plan = function.plan
    return function, [values[v.name] for v in plan.inputs if v is not plan.cotangent]


def _call(case: Case, function: CompiledFunction, arguments: list[Any]) -> Call:
    module = function.module
    if case.asked == "compressed":
        return lambda: _arrays(module.derivative(*arguments))
    if case.asked != "gradient":
        dense = module.derivative
        return lambda: tuple(dense(*arguments).values())
    both = module.value_and_grad

    def call() -> tuple[Any, ...]:
        value, gradients = both(*arguments)
        return (value, *gradients.values())

    return call


def _arrays(derivatives: Mapping[str, Any]) -> tuple[Any, ...]:
    """What compressed derivatives are made of, without the letters of their axes."""
    return tuple(a for terms in derivatives.values() for _, *arrays in terms for a in arrays)


def _on_arrays(case: Case, values: Values, backend: str, blocked: bool = False) -> Call:
    return _call(case, *compiled(case, values, backend, blocked=blocked))


numpy_code = partial(_on_arrays, backend="numpy")
blocked_code = partial(_on_arrays, backend="numpy", blocked=True)
numba_code = partial(_on_arrays, backend="numba")


def jax_code(case: Case, values: Values) -> Call:
    import jax

    jax.config.update("jax_enable_x64", True)
    function, arguments = compiled(case, values, "jax")
    placed = jax.device_put(arguments)
    if case.asked == "compressed":  # the letters are no arrays, so they stay outside

        def arrays(*given: Any) -> tuple[Any, ...]:
            return _arrays(function.module.derivative(*given))

        jitted = jax.jit(arrays)
        return lambda: tuple(jax.block_until_ready(jitted(*placed)))
    if case.asked != "gradient":
        dense = jax.jit(function.module.derivative)
        return lambda: tuple(jax.block_until_ready(dense(*placed)).values())
    both = jax.jit(function.module.value_and_grad)

    def call() -> tuple[Any, ...]:
        value, gradients = jax.block_until_ready(both(*placed))
        return (value, *(gradients[name] for name in case.wrt))  # jit sorts the keys

    return call


def torch_code(case: Case, values: Values) -> Call:
    from benchmarks.suite.contestants.with_torch import as_tensor

    function, arguments = compiled(case, values, "torch")
    return _call(case, function, [as_tensor(argument) for argument in arguments])
