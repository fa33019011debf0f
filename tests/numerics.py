"""Numbers for the laws: directional derivatives, random arrays, programs run as NumPy.

Arrays are general on purpose: symmetric draws let a missing transpose pass, equal sizes
a transposed shape.  Every axis name has a size of its own.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.linalg
import scipy.special

from matderiv.tensor.dims import Dim, dim_value
from matderiv.tensor.evaluate import evaluate
from matderiv.tensor.nodes import Node

Array = np.ndarray

SIZES = {"m": 3, "n": 2, "b": 4, "r": 5, "t": 6, "k": 7}

_SCIPY = {
    **{name: getattr(scipy.special, name) for name in ("erf", "erfc", "erfcx", "log_ndtr")},
    "expm": scipy.linalg.expm,
    "expm_frechet": scipy.linalg.expm_frechet,
    "sqrtm": scipy.linalg.sqrtm,
    "solve_sylvester": scipy.linalg.solve_sylvester,
}


def directional(function: Callable[[Array], Any], point: Array, direction: Array) -> Array:
    """d/ds function(point + s direction) at 0, extrapolated from central differences."""
    slopes = []
    for h in (1e-3, 5e-4, 2.5e-4):
        ahead = np.asarray(function(point + h * direction), float)
        behind = np.asarray(function(point - h * direction), float)
        slopes.append((ahead - behind) / (2 * h))
    coarse, fine = (4 * slopes[1] - slopes[0]) / 3, (4 * slopes[2] - slopes[1]) / 3
    return np.asarray((16 * fine - coarse) / 15)


def relative_error(got: Any, want: Any) -> float:
    """The largest difference over the largest entry; 0 for two zeros."""
    got, want = np.asarray(got, float), np.asarray(want, float)
    assert got.shape == want.shape, (got.shape, want.shape)
    assert np.all(np.isfinite(want))
    scale = max(np.max(np.abs(want), initial=0.0), np.max(np.abs(got), initial=0.0))
    return float(np.max(np.abs(got - want), initial=0.0) / scale) if scale else 0.0


def lengths(shape: Sequence[Dim], sizes: Mapping[str, int] = SIZES) -> tuple[int, ...]:
    return tuple(dim_value(dim, sizes) for dim in shape)


def value(node: Node, values: Mapping[Node, Array], sizes: Mapping[str, int] = SIZES) -> Array:
    return evaluate([node], values, sizes)[0]


def run_program(program: str, names: Mapping[str, Any]) -> Any:
    """The value of a `numpy` program of the tables, call by call."""
    known = dict(names)
    result: Any = None
    for statement in ast.parse(program).body:
        assert isinstance(statement, ast.Assign | ast.Expr)
        expression = statement.value
        call = expression.value if isinstance(expression, ast.Subscript) else expression
        if isinstance(call, ast.Call):
            path = ast.unparse(call.func)
            function: Any = _SCIPY.get(path) or np
            for attribute in () if path in _SCIPY else path.split("."):
                function = getattr(function, attribute)
            positional = [
                known[a.id] if isinstance(a, ast.Name) else ast.literal_eval(a) for a in call.args
            ]
            result = function(
                *positional, **{str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
            )
            if isinstance(expression, ast.Subscript):
                result = result[ast.literal_eval(expression.slice)]
        else:
            result = ast.literal_eval(call)
        if isinstance(statement, ast.Assign):
            (target,) = statement.targets
            assert isinstance(target, ast.Name)
            known[target.id] = result
    return result
