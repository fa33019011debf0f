"""A scalar program as what `scipy.optimize.minimize` asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matderiv.api import Source, compile, parse
from matderiv.errors import NameResolutionError, ShapeError, UnsupportedError
from matderiv.language import canonical_name
from matderiv.program.compiled import CompiledFunction
from matderiv.values import real_array
from matderiv.wrappers.hessian_product import compile_hessian_product

__all__ = ["Objective", "as_objective"]

Vector = NDArray[np.float64]


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
        given = {canonical_name(name): array for name, array in arrays.items()}
        for name in self.wrt:
            if name not in given:
                raise NameResolutionError(f"no starting value is given for {name}")
        parts = {name: real_array(name, given[name]) for name in self.wrt}
        self._shapes = {name: part.shape for name, part in parts.items()}
        return np.concatenate([part.ravel() for part in parts.values()])

    def unpack(self, x: Vector) -> dict[str, NDArray[Any]]:
        """The arrays of a vector, by name."""
        if not self._shapes:
            raise UnsupportedError("pack a starting point first: it gives the shapes")
        ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes.values()])
        x = real_array("x", x)
        if x.shape != (ends[-1],):
            raise ShapeError(f"x has shape {x.shape}, expected ({ends[-1]},), as it was packed")
        parts = np.split(x, ends[:-1])
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
