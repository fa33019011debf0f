"""Smooth functions: exponential and logarithm, trigonometric, hyperbolic, the normal law."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from matderiv.tensor.elementwise.base import elementwise, of

__all__ = ["EXPONENTIAL", "NORMAL", "TRIGONOMETRIC", "erf", "normal"]

_SQRT_2 = math.sqrt(2.0)


def erf(x: Any) -> Any:
    return np.vectorize(math.erf, otypes=[float])(x)


def normal(x: Any) -> Any:
    """Φ by erfc, whose left tail keeps its digits."""
    return 0.5 * np.vectorize(math.erfc, otypes=[float])(-x / _SQRT_2)


def _log_normal(x: float) -> float:
    """log Φ; far to the left Laplace's series of the tail (Abramowitz & Stegun 26.2.12)."""
    if x > -20.0:
        return math.log(0.5 * math.erfc(-x / _SQRT_2))
    series, term = 1.0, 1.0
    for k in range(1, 9):
        term *= (1 - 2 * k) / (x * x)
        series += term
    return -x * x / 2 - math.log(-x * math.sqrt(2 * math.pi)) + math.log(series)


def _inverse_mills(x: float) -> float:
    """φ/Φ; far to the left by the same series."""
    if x > -20.0:
        return math.exp(-x * x / 2) / (math.sqrt(2 * math.pi) * 0.5 * math.erfc(-x / _SQRT_2))
    series, term = 1.0, 1.0
    for k in range(1, 9):
        term *= (1 - 2 * k) / (x * x)
        series += term
    return -x / series


EXPONENTIAL = (
    elementwise("exp", lambda y, x: y, reference=np.exp, nonnegative=True),
    elementwise("log", lambda y, x: 1 / x, reference=np.log, aliases=("ln",), domain="positive"),
    elementwise(
        "log1p",
        lambda y, x: 1 / (1 + x),
        reference=np.log1p,
        domain="positive",
        latex=r"\operatorname{{log1p}}({x})",
    ),
    elementwise(
        "logaddexp",
        lambda y, x, z: of("sigmoid", x - z),
        lambda y, x, z: of("sigmoid", z - x),
        reference=np.logaddexp,
        numpy="logaddexp(x, z)",
        latex=r"\log\left(e^{{{x}}} + e^{{{z}}}\right)",
        weight=30,
    ),
    elementwise(
        "expm1",
        lambda y, x: 1 + y,
        reference=np.expm1,
        latex=r"\operatorname{{expm1}}({x})",
    ),
    elementwise(
        "pow",
        lambda y, x, z: z * of("pow", x, z - 1),
        lambda y, x, z: y * of("log", x),
        reference=np.power,
        numpy="power(x, z)",
        latex=r"{x}^{{{z}}}",
        domain="positive",
    ),
)

TRIGONOMETRIC = (
    elementwise("sin", lambda y, x: of("cos", x), reference=np.sin),
    elementwise("cos", lambda y, x: -of("sin", x), reference=np.cos),
    elementwise("tan", lambda y, x: 1 + y**2, reference=np.tan, domain="unit"),
    elementwise(
        "asin",
        lambda y, x: (1 - x**2) ** Fraction(-1, 2),
        reference=np.arcsin,
        aliases=("arcsin",),
        numpy="arcsin(x)",
        latex=r"\arcsin({x})",
        domain="unit",
    ),
    elementwise(
        "acos",
        lambda y, x: -((1 - x**2) ** Fraction(-1, 2)),
        reference=np.arccos,
        aliases=("arccos",),
        numpy="arccos(x)",
        latex=r"\arccos({x})",
        domain="unit",
    ),
    elementwise(
        "atan",
        lambda y, x: 1 / (1 + x**2),
        reference=np.arctan,
        aliases=("arctan",),
        numpy="arctan(x)",
        latex=r"\arctan({x})",
    ),
    elementwise("sinh", lambda y, x: of("cosh", x), reference=np.sinh),
    elementwise("cosh", lambda y, x: of("sinh", x), reference=np.cosh, nonnegative=True),
    elementwise("tanh", lambda y, x: 1 - y**2, reference=np.tanh),
    elementwise(
        "logcosh",
        lambda y, x: of("tanh", x),
        reference=lambda x: np.logaddexp(x, -x) - math.log(2.0),
        # log cosh x = |x| + log(1 + e^(-2|x|)) - log 2: cosh itself overflows at 711.
        numpy=(
            "a = abs(x); b = multiply(a, -2.0); c = exp(b); d = log1p(c); e = add(a, d); "
            f"subtract(e, {math.log(2.0)!r})"
        ),
        latex=r"\log \cosh({x})",
        nonnegative=True,
    ),
)

NORMAL = (
    elementwise(
        "erf",
        lambda y, x: 2 * x.arena.apply("pi") ** Fraction(-1, 2) * of("exp", -(x**2)),
        reference=erf,
        numpy="erf(x)",
        latex=r"\operatorname{{erf}}({x})",
    ),
    elementwise(
        "normcdf",
        lambda y, x: of("normpdf", x),
        reference=normal,
        numpy=f"a = multiply(x, {-1 / _SQRT_2!r}); b = erfc(a); multiply(b, 0.5)",
        latex=r"\Phi({x})",
        nonnegative=True,
        unit=True,
    ),
    elementwise(
        "lognormcdf",
        lambda y, x: of("inverse_mills", x),
        reference=np.vectorize(_log_normal, otypes=[float]),
        numpy="log_ndtr(x)",
        latex=r"\log \Phi({x})",
    ),
    elementwise(
        "inverse_mills",
        # φ/Φ; Greene, Econometric Analysis, on truncated distributions
        lambda y, x: -y * (x + y),
        reference=np.vectorize(_inverse_mills, otypes=[float]),
        # φ and Φ are 0 far to the left; Φ = φ sqrt(π/2) erfcx(-x/sqrt 2)
        numpy=(
            f"a = multiply(x, {-1 / _SQRT_2!r}); b = erfcx(a); "
            f"divide({math.sqrt(2 / math.pi)!r}, b)"
        ),
        latex=r"\frac{{\varphi({x})}}{{\Phi({x})}}",
        nonnegative=True,
    ),
    elementwise(
        "normpdf",
        lambda y, x: -x * y,
        reference=lambda x: np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi),
        numpy=(
            "a = multiply(x, x); b = multiply(a, -0.5); c = exp(b); "
            f"multiply(c, {1 / math.sqrt(2 * math.pi)!r})"
        ),
        latex=r"\varphi({x})",
        nonnegative=True,
    ),
)
