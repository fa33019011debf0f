"""Our generated modules, called as a user of the file would call them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import matderiv as md
from benchmarks.suite.case import Call, Case, Values, flat
from matderiv.program.compiled import CompiledFunction
from matderiv.wrappers import compile_hessian_product

__all__ = [
    "blocked_code",
    "checks",
    "compiled",
    "jax_code",
    "loading",
    "numba_code",
    "numpy_code",
    "torch_code",
    "torch_compiled_code",
]

Function = Callable[..., Any]


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


def _asked(case: Case, function: CompiledFunction) -> Function:
    """The function of the module that answers the case."""
    module = function.module
    return module.value_and_grad if case.asked == "gradient" else module.derivative


def _on_arrays(case: Case, values: Values, backend: str, blocked: bool = False) -> Call:
    function, arguments = compiled(case, values, backend, blocked=blocked)
    asked = _asked(case, function)
    return lambda: asked(*arguments)


def checks(case: Case, values: Values) -> Call:
    """What a function of the NumPy module does before it computes: it receives its inputs."""
    function, arguments = compiled(case, values, "numpy")
    receive = function.module._inputs
    return lambda: receive(*arguments)


def loading(case: Case, values: Values) -> Call:
    """What import does with the NumPy module: Python reads its text and runs it."""
    text = compiled(case, values, "numpy")[0].source
    return lambda: exec(compile(text, "<generated>", "exec"), {})


numpy_code = partial(_on_arrays, backend="numpy")
blocked_code = partial(_on_arrays, backend="numpy", blocked=True)
numba_code = partial(_on_arrays, backend="numba")


def jax_code(case: Case, values: Values) -> Call:
    import jax

    jax.config.update("jax_enable_x64", True)
    function, arguments = compiled(case, values, "jax")
    placed = jax.device_put(arguments)
    asked = _asked(case, function)

    def arrays(*given: Any) -> Any:  # the letters of compressed terms are no arrays
        return flat(asked(*given), case.wrt) if case.asked == "compressed" else asked(*given)

    jitted = jax.jit(arrays)
    return lambda: jax.block_until_ready(jitted(*placed))


def torch_code(case: Case, values: Values) -> Call:
    asked, arguments = _on_tensors(case, values)
    return lambda: asked(*arguments)


def torch_compiled_code(case: Case, values: Values) -> Call:
    import torch

    asked, arguments = _on_tensors(case, values)
    torch._dynamo.reset()
    jitted = torch.compile(asked, fullgraph=True, dynamic=False)
    return lambda: jitted(*arguments)


def _on_tensors(case: Case, values: Values) -> tuple[Function, list[Any]]:
    from benchmarks.suite.contestants.with_torch import as_tensor

    function, arguments = compiled(case, values, "torch")
    return _asked(case, function), [as_tensor(argument) for argument in arguments]
