"""Generated code as a function of other libraries: PyTorch, JAX, scipy.optimize.

as_torch       a function of tensors that autograd differentiates by our gradients
as_jax         a function of arrays with our gradients as its custom_vjp
as_objective   fun, jac, hess and hessp of a flat vector, for `scipy.optimize.minimize`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matderiv.api import Source, compile, parse
from matderiv.errors import UnsupportedError
from matderiv.program.compiled import CompiledFunction

__all__ = ["Objective", "as_jax", "as_objective", "as_torch"]

Vector = NDArray[np.float64]


def as_torch(source: Source, wrt: str | Sequence[str], **options: Any) -> Callable[..., Any]:
    """The value as a function of tensors, in the order of `md.parse(source).inputs`.

    Autograd differentiates it by the names in `wrt`, once; a gradient by any other input
    is refused.
    """
    import torch

    compiled = _positional(compile(source, wrt, backend="torch", **options))
    names, module = _arguments(compiled), compiled.module

    class Generated(torch.autograd.Function):  # type: ignore[misc,name-defined,unused-ignore]
        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            value, cache = module.forward(*tensors)
            ctx.kept = [index for index, item in enumerate(cache) if torch.is_tensor(item)]
            ctx.others = {k: item for k, item in enumerate(cache) if k not in ctx.kept}
            ctx.save_for_backward(*(cache[index] for index in ctx.kept))
            return value

        @staticmethod
        @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator,unused-ignore]
        def backward(ctx: Any, cotangent: Any) -> tuple[Any, ...]:
            items = {**ctx.others, **dict(zip(ctx.kept, ctx.saved_tensors, strict=True))}
            cache = [items[index] for index in range(len(items))]
            gradients = module.backward(cache, cotangent)
            for name, needed in zip(names, ctx.needs_input_grad, strict=True):
                if needed and name not in gradients:
                    raise UnsupportedError(f"no gradient by {name} was generated")
            return tuple(gradients.get(name) for name in names)

    return _described(Generated.apply, compiled)


def as_jax(source: Source, wrt: str | Sequence[str], **options: Any) -> Callable[..., Any]:
    """The value as a function of arrays, in the order of `md.parse(source).inputs`.

    `jax.grad` and `jax.vjp` give our gradients by the names in `wrt`, and NaN by any
    other input, so that nobody takes a missing derivative for a zero.
    """
    import jax
    import jax.numpy as jnp

    compiled = _positional(compile(source, wrt, backend="jax", **options))
    names, module = _arguments(compiled), compiled.module

    @jax.custom_vjp
    def function(*arrays: Any) -> Any:
        return module.forward(*arrays)[0]

    def forward(*arrays: Any) -> tuple[Any, Any]:
        value, cache = module.forward(*arrays)
        return value, (cache, arrays)

    def backward(kept: Any, cotangent: Any) -> tuple[Any, ...]:
        cache, arrays = kept
        gradients = module.backward(list(cache), cotangent)
        return tuple(
            jnp.asarray(gradients[name], jnp.result_type(array))
            if name in gradients
            else jnp.full_like(jnp.asarray(array, float), jnp.nan)
            for name, array in zip(names, arrays, strict=True)
        )

    function.defvjp(forward, backward)
    return _described(function, compiled)


def _positional(compiled: CompiledFunction) -> CompiledFunction:
    if compiled.plan.functions or compiled.plan.free_sizes:
        raise UnsupportedError("a wrapped program has arrays for inputs, no functions or sizes")
    return compiled


def _arguments(compiled: CompiledFunction) -> list[str]:
    plan = compiled.plan
    return [variable.name for variable in plan.inputs if variable is not plan.cotangent]


def _described(function: Callable[..., Any], compiled: CompiledFunction) -> Callable[..., Any]:
    def call(*arrays: Any) -> Any:
        return function(*arrays)

    call.__doc__ = compiled.source.split('"""')[1]
    call.__name__ = "value"
    return call


class Objective:
    """A scalar program as functions of one flat vector, ready for `scipy.optimize.minimize`.

        f = as_objective("||X w - y||^2", "w", {"X": X, "y": y})
        minimize(f.fun, f.pack(w=w0), jac=f.jac, hessp=f.hessp, method="trust-ncg")

    fun, jac   the value and its gradient, computed together
    hess       the dense Hessian, where there is one variable
    hessp      the Hessian times a vector, without forming it
    pack       arrays by name as one vector; `unpack` is its inverse
    """

    def __init__(
        self, source: Source, wrt: str | Sequence[str], values: Mapping[str, Any], **options: Any
    ) -> None:
        self._program = parse(source, **options)
        self.wrt = self._program.names_of(wrt)
        self._values = dict(values)
        self._compiled = compile(self._program, self.wrt)
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._last: tuple[Vector, float, Vector] | None = None

    def pack(self, **arrays: Any) -> Vector:
        """The arrays of all variables as one vector; their shapes are kept for `unpack`."""
        parts = {name: np.asarray(arrays[name], dtype=float) for name in self.wrt}
        self._shapes = {name: part.shape for name, part in parts.items()}
        return np.concatenate([part.ravel() for part in parts.values()])

    def unpack(self, x: Vector) -> dict[str, NDArray[Any]]:
        """The arrays of a vector, by name."""
        if not self._shapes:
            raise UnsupportedError("pack a starting point first: it gives the shapes")
        ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes.values()])
        parts = np.split(np.asarray(x, dtype=float), ends[:-1])
        shaped = zip(self._shapes.items(), parts, strict=True)
        return {name: part.reshape(shape) for (name, shape), part in shaped}

    def fun(self, x: Vector) -> float:
        return self._both(x)[0]

    def jac(self, x: Vector) -> Vector:
        return self._both(x)[1]

    def _both(self, x: Vector) -> tuple[float, Vector]:
        if self._last is None or not np.array_equal(self._last[0], x):
            value, gradients = self._compiled.value_and_grad({**self._values, **self.unpack(x)})
            flat = np.concatenate([np.ravel(gradients[name]) for name in self.wrt])
            self._last = (np.array(x, copy=True), float(value), flat)
        return self._last[1], self._last[2].copy()

    @cached_property
    def _second(self) -> CompiledFunction:
        if len(self.wrt) > 1:
            raise UnsupportedError("hess is of one variable; hessp is of any number")
        return compile(self._program, self.wrt, order=2)

    def hess(self, x: Vector) -> NDArray[Any]:
        values = {**self._values, **self.unpack(x)}
        (dense,) = self._second.derivative(values).values()
        return np.reshape(dense, (len(x), len(x)))

    @cached_property
    def _product(self) -> CompiledFunction:
        from matderiv.second_order import compile_hessian_product

        return compile_hessian_product(self._program, self.wrt)

    def hessp(self, x: Vector, p: Vector) -> Vector:
        plan = self._product.plan
        directions = list(plan.inputs)[-len(self.wrt) :]
        along = zip(directions, self.unpack(p).values(), strict=True)
        values = {**self._values, **self.unpack(x), **{d.name: part for d, part in along}}
        products = self._product.derivative(values)
        return np.concatenate([np.ravel(products[name]) for name in self.wrt])


def as_objective(
    source: Source, wrt: str | Sequence[str], values: Mapping[str, Any], **options: Any
) -> Objective:
    """An `Objective`; `values` are the inputs that stay fixed."""
    return Objective(source, wrt, values, **options)
