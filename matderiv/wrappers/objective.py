"""A scalar program as what `scipy.optimize.minimize` asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matderiv.api import Source, compile, parse
from matderiv.errors import NameResolutionError, ShapeError, UnsupportedError
from matderiv.generate import compile_program
from matderiv.language import canonical_name
from matderiv.program.compiled import CompiledFunction
from matderiv.tensor.dims import shape_text
from matderiv.values import bind, by_name, real_array
from matderiv.wrappers.hessian_product import compile_hessian_product

__all__ = ["Objective", "as_objective"]

Vector = NDArray[np.float64]


class Objective:
    """A scalar program as functions of one flat vector, ready for `scipy.optimize.minimize`.

        f = as_objective("||X w - y||^2", "w", {"X": X, "y": y})
        minimize(f.fun, f.pack(w=w0), jac=f.jac, hessp=f.hessp, method="trust-ncg")

    fun, jac   the value and its gradient, computed together
    hess       the dense Hessian, of several variables in blocks
    hessp      the Hessian times a vector, without forming it
    pack       arrays by name as one vector; `unpack` is its inverse

    Where the fixed values leave the shape of a variable open, `pack` says it; a vector that is
    the only variable needs none.  Raises ShapeError for a value that is no number, and for
    fixed values that do not fit.
    """

    def __init__(
        self, source: Source, wrt: str | Sequence[str], values: Mapping[str, Any], **options: Any
    ) -> None:
        self._program = parse(source, **options)
        self.wrt = self._program.names_of(wrt)
        if self._program.shape:
            shape = shape_text(self._program.shape)
            raise ShapeError(f"an objective is a number; this value has shape {shape}")
        self._values = dict(by_name(values))
        self._compiled = compile(self._program, self.wrt)
        self._shapes = self._known_shapes()
        self._last: tuple[Vector, float, Vector] | None = None

    def __repr__(self) -> str:
        return f"<Objective of {', '.join(self.wrt)}>"

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
        x = real_array("x", x)
        shapes = self._shapes or self._only_vector(x)
        ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
        if x.shape != (ends[-1],):
            packed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise ShapeError(f"x has shape {x.shape}, expected ({ends[-1]},) for {packed}")
        parts = np.split(x, ends[:-1])
        return {name: part.reshape(shapes[name]) for name, part in zip(shapes, parts, strict=True)}

    def _known_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the variables if the fixed values give all of them, else none."""
        inputs, variables = self._program.inputs, {*self.wrt, *self._program.computed}
        fixed = {name: entry for name, entry in inputs.items() if name not in variables}
        named = {canonical_name(name): value for name, value in self._values.items()}
        given = {name: value for name, value in named.items() if name in fixed}
        _, sizes = bind(fixed, given)
        found = {}
        for name in self.wrt:
            dims = inputs[name].shape if name in inputs else (None,)
            known = [dim if isinstance(dim, int) else sizes.get(str(dim)) for dim in dims]
            found[name] = tuple(size for size in known if size is not None)
            if None in known:
                return {}
        return found

    def _only_vector(self, x: Vector) -> dict[str, tuple[int, ...]]:
        """The shape of the only variable, if it is a vector: that of x."""
        entries = [self._program.inputs.get(name) for name in self.wrt]
        if len(entries) == 1 and entries[0] is not None and len(entries[0].shape) == 1:
            return {self.wrt[0]: (x.size,)}
        raise UnsupportedError("pack a starting point first: it gives the shapes")

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
    def _second(self) -> dict[tuple[str, str], CompiledFunction]:
        """The modules of the blocks on and above the diagonal."""
        return {
            (row, column): compile_program(self._program, [row], then=[column])
            for row, column in combinations_with_replacement(self.wrt, 2)
        }

    def hess(self, x: Vector) -> NDArray[Any]:
        parts = self.unpack(x)
        values = {**self._values, **parts}
        ends = np.cumsum([part.size for part in parts.values()])
        places = {
            name: slice(end - part.size, end)
            for (name, part), end in zip(parts.items(), ends, strict=True)
        }
        hessian = np.empty((len(x), len(x)))
        for (row, column), module in self._second.items():
            (entries,) = module.derivative(values).values()
            block = np.reshape(entries, (parts[row].size, parts[column].size))
            hessian[places[row], places[column]] = block
            hessian[places[column], places[row]] = block.T
        return hessian

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
