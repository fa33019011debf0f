"""A stand-in for `np` that counts what a generated module executes.

Counts come from the arrays that are passed, not from the plan: an independent reading
of the counting rule.
"""

from __future__ import annotations

from math import prod
from types import ModuleType
from typing import Any

import numpy as np

EVALUATED = {
    *(
        "exp",
        "expm1",
        "log",
        "log1p",
        "sqrt",
        "power",
        "logaddexp",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
    ),
    *("tanh", "arcsin", "arccos", "arctan"),
}
REDUCTIONS = {"reduce", "argmax", "argmin"}
CUBIC = {
    "inv": 2,
    "det": 2 / 3,
    "slogdet": 2 / 3,
    "cholesky": 1 / 3,
    "_inverse_of_lower": 1 / 3,
    "expm": 62 / 3,
    "expm_frechet": 62,
    "sqrtm": 85 / 3,
}
SINGULAR = {"svd": (6, 20), "svdvals": (2, 2), "pinv": (8, 20)}


class CountingNumpy:
    """Forwards every call to a module and adds its cost to `flops` or `evaluations`."""

    def __init__(self, module: Any = np, total: CountingNumpy | None = None) -> None:
        self._module = module
        self._total = total or self
        self.flops = 0.0
        self.evaluations = 0

    def __getattr__(self, name: str) -> Any:
        target = getattr(self._module, name)
        if name in ("linalg", "special"):
            return CountingNumpy(target, self._total)
        if isinstance(target, type) or not callable(target):
            return target
        if isinstance(target, np.ufunc):
            return CountingUfunc(name, target, self._total)
        return self._counted(name, target)

    def _counted(self, name: str, target: Any) -> Any:

        def call(*args: Any, **kwargs: Any) -> Any:
            args = tuple(float(a) if isinstance(a, CountedScalar) else a for a in args)
            result = target(*args, **kwargs)
            flops, evaluations = cost(name, target, args, kwargs, result)
            self._total.flops += flops
            self._total.evaluations += evaluations
            return self._watched(result)

        return call

    def _uncounted(self, function: Any) -> Any:
        """A function of the caller's: what it computes inside does not count."""
        return lambda *args: self._watched(
            function(*(float(a) if isinstance(a, CountedScalar) else a for a in args))
        )

    def _uncounted_inside(self, function: Any) -> Any:
        """A function of the module that counts as one operation, as those of LAPACK do."""

        def call(*args: Any) -> Any:
            before = self.flops, self.evaluations
            result = function(*args)
            self.flops, self.evaluations = before
            return result

        return call

    def _watched(self, result: Any) -> Any:
        """A result without axes counts the operators applied to it."""
        if isinstance(result, tuple):
            return tuple(map(self._watched, result))
        if isinstance(result, float):
            return CountedScalar(result, self._total)
        return result


class CountedScalar(float):
    """A number that counts one FLOP for each operation on it."""

    total: CountingNumpy
    __array_ufunc__ = None  # numbers of NumPy's leave operations to this class

    def __new__(cls, value: float, total: CountingNumpy) -> CountedScalar:
        made = super().__new__(cls, value)
        made.total = total
        return made

    def _count(self, value: float) -> CountedScalar:
        self.total.flops += 1
        return CountedScalar(value, self.total)

    def __neg__(self) -> CountedScalar:
        return self._count(-float(self))

    def __add__(self, other: float) -> CountedScalar:
        return self._count(float(self) + float(other))

    def __sub__(self, other: float) -> CountedScalar:
        return self._count(float(self) - float(other))

    def __rsub__(self, other: float) -> CountedScalar:
        return self._count(float(other) - float(self))

    def __mul__(self, other: float) -> CountedScalar:
        return self._count(float(self) * float(other))

    def __truediv__(self, other: float) -> CountedScalar:
        return self._count(float(np.divide(float(self), float(other))))

    def __rtruediv__(self, other: float) -> CountedScalar:
        return self._count(float(np.divide(float(other), float(self))))

    __radd__ = __add__
    __rmul__ = __mul__


class CountingUfunc:
    """A ufunc that is called, or reduces an array."""

    def __init__(self, name: str, ufunc: np.ufunc, total: CountingNumpy) -> None:
        self._call = total._counted(name, ufunc)
        self.reduce = total._counted("reduce", ufunc.reduce)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)


def cost(name: str, target: Any, args: Any, kwargs: Any, result: Any) -> tuple[float, int]:
    size = np.size(result) if not isinstance(result, tuple) else 0
    if name in EVALUATED or name in ("erf", "erfc", "erfcx", "log_ndtr"):
        return 0, size
    if name in ("matmul", "dot", "vecdot"):
        return (2 * np.shape(args[0])[-1] - 1) * size, 0
    if name == "vdot":
        return 2 * np.size(args[0]) - 1, 0
    if name == "tensordot":
        summed = prod(np.shape(args[0])[axis] for axis in kwargs["axes"][0])
        return (2 * summed - 1) * size, 0
    if name == "einsum":
        if len(args) == 2:
            return 0, 0  # a view of a diagonal
        inputs, output = args[0].split("->")
        lengths = {
            k: n
            for term, array in zip(inputs.split(","), args[1:], strict=True)
            for k, n in zip(term, np.shape(array), strict=True)
        }
        summed = prod(n for k, n in lengths.items() if k not in output)
        return (2 * summed - 1) * size, 0
    if name in REDUCTIONS:
        return np.size(args[0]) - size, 0
    if name in CUBIC:
        return CUBIC[name] * np.size(args[0]) * np.shape(args[0])[-1], 0
    if name in SINGULAR:
        *batch, m, n = np.shape(args[0])
        least = min(m, n)
        tall, square = SINGULAR[name]
        return tall * np.size(args[0]) * least + square * least**3 * prod(batch), 0
    if name == "solve_sylvester":
        *batch, m, n = np.shape(args[2])
        return prod(batch) * (25 * m**3 + 25 * n**3 + 5 * m**2 * n + 5 * m * n**2), 0
    if name == "kron":
        return size, 0
    if name == "solve":
        n = len(args[0])
        return 2 / 3 * n**3 + 2 * n * np.size(args[1]), 0
    if isinstance(target, np.ufunc) and name != "positive":
        return size, 0
    return 0, 0


def count(module: ModuleType, function: str, *args: Any, **kwargs: Any) -> tuple[float, int]:
    """FLOPs and evaluations of one call of a generated module."""
    counter = CountingNumpy()
    # Numbers in the cache count as those that the function computes.
    kwargs = {k: counter._uncounted(v) if callable(v) else v for k, v in kwargs.items()}
    args = tuple([counter._watched(v) for v in a] if isinstance(a, list) else a for a in args)
    helpers = [name for name in module.__dict__ if name in CUBIC]
    kept = {
        name: module.__dict__[name] for name in ("np", "scipy", *helpers) if name in module.__dict__
    }
    try:
        for name in helpers:
            module.__dict__[name] = counter._counted(name, counter._uncounted_inside(kept[name]))
        module.__dict__["np"] = counter
        if "scipy" in kept:
            module.__dict__["scipy"] = CountingNumpy(kept["scipy"], counter)
        getattr(module, function)(*args, **kwargs)
    finally:
        module.__dict__.update(kept)
    return counter.flops, counter.evaluations
