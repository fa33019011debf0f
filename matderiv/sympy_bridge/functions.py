"""Elementwise functions: the language's names and SymPy's expressions.

>>> import sympy
>>> t = sympy.Symbol("t")
>>> FUNCTIONS["sigmoid"](t)
1/(1 + exp(-t))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

__all__ = ["FAULTS", "FUNCTIONS", "NAMES"]

FAULTS = (ArithmeticError, AttributeError, NotImplementedError, TypeError, ValueError)
"""What SymPy's own classes raise where they do not fit one another."""


def _normal_density(t: Any) -> Any:
    return sp.exp(-(t**2) / 2) / sp.sqrt(2 * sp.pi)


def _normal(t: Any) -> Any:
    return (1 + sp.erf(t / sp.sqrt(2))) / 2


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "exp": sp.exp,
    "log": sp.log,
    "sin": sp.sin,
    "cos": sp.cos,
    "tan": sp.tan,
    "asin": sp.asin,
    "acos": sp.acos,
    "atan": sp.atan,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
    "erf": sp.erf,
    "abs": sp.Abs,
    "sign": sp.sign,
    "log1p": lambda t: sp.log(1 + t),
    "expm1": lambda t: sp.exp(t) - 1,
    "sigmoid": lambda t: 1 / (1 + sp.exp(-t)),
    "softplus": lambda t: sp.log(1 + sp.exp(t)),
    "relu": lambda t: sp.Max(t, 0),
    "step": lambda t: sp.Heaviside(t, 0),
    "leaky_relu": lambda t: sp.Piecewise((t, t > 0), (t / 100, True)),
    "elu": lambda t: sp.Piecewise((t, t > 0), (sp.exp(t) - 1, True)),
    "gelu": lambda t: t * _normal(t),
    "silu": lambda t: t / (1 + sp.exp(-t)),
    "logcosh": lambda t: sp.log(sp.cosh(t)),
    "normcdf": _normal,
    "lognormcdf": lambda t: sp.log(_normal(t)),
    "inverse_mills": lambda t: _normal_density(t) / _normal(t),
    "normpdf": _normal_density,
}
"""A function of the language -> what it is of one SymPy expression."""

NAMES: dict[type, str] = {
    function: name for name, function in FUNCTIONS.items() if isinstance(function, type)
}
"""SymPy's own functions -> their names in the language."""
