"""Activations of neural networks."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from matderiv.tensor.elementwise.base import elementwise, of
from matderiv.tensor.elementwise.smooth import normal

__all__ = ["ACTIVATIONS"]

_SQRT_2 = math.sqrt(2.0)


def _sigmoid(x: Any) -> Any:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


ACTIVATIONS = (
    elementwise(
        "sigmoid",
        lambda y, x: y * (1 - y),
        reference=_sigmoid,
        aliases=("σ", "logistic", "expit"),
        numpy="a = multiply(x, 0.5); b = tanh(a); c = add(b, 1.0); multiply(c, 0.5)",
        latex=r"\sigma({x})",
        nonnegative=True,
        unit=True,
    ),
    elementwise(
        "softplus",
        lambda y, x: of("sigmoid", x),
        reference=partial(np.logaddexp, 0.0),
        numpy=(
            "a = abs(x); b = negative(a); c = exp(b); d = log1p(c); e = maximum(x, 0.0); add(d, e)"
        ),
        latex=r"\operatorname{{softplus}}({x})",
        nonnegative=True,
    ),
    elementwise(
        "relu",
        lambda y, x: of("step", x),
        reference=lambda x: np.maximum(x, 0.0),
        numpy="maximum(x, 0.0)",
        latex=r"\operatorname{{relu}}({x})",
        domain="nonzero",
        nonnegative=True,
        weight=1,
        kink="subdifferential [0, 1] at 0; 0 is taken",
    ),
    elementwise(
        "step",
        lambda y, x: 0,
        reference=lambda x: np.where(np.asarray(x) > 0, 1.0, 0.0),
        numpy="heaviside(x, 0.0)",
        latex=r"\mathbb{{1}}[{x} > 0]",
        domain="nonzero",
        nonnegative=True,
        unit=True,
        weight=1,
        kink="step(0) = 0",
        unchanged_by=("relu", "leaky_relu", "elu"),
    ),
    elementwise(
        "leaky_relu",
        lambda y, x: Fraction(1, 100) + Fraction(99, 100) * of("step", x),
        reference=lambda x: np.where(np.asarray(x) > 0, x, 0.01 * x),
        numpy="a = multiply(x, 0.01); maximum(x, a)",
        latex=r"\operatorname{{leaky\_relu}}({x})",
        domain="nonzero",
        weight=2,
        kink="slope 0.01 is taken at 0",
    ),
    elementwise(
        "elu",
        lambda y, x: of("exp", of("min", x, x.arena.constant(0, x.shape))),
        reference=lambda x: np.where(np.asarray(x) > 0, x, np.expm1(np.minimum(x, 0.0))),
        numpy="a = minimum(x, 0.0); b = expm1(a); c = maximum(x, 0.0); add(b, c)",
        latex=r"\operatorname{{elu}}({x})",
    ),
    elementwise(
        "gelu",
        lambda y, x: of("normcdf", x) + x * of("normpdf", x),
        reference=lambda x: x * normal(x),
        numpy=(
            f"a = multiply(x, {-1 / _SQRT_2!r}); b = erfc(a); c = multiply(b, 0.5); multiply(x, c)"
        ),
        latex=r"\operatorname{{gelu}}({x})",
    ),
    elementwise(
        "silu",
        lambda y, x: of("sigmoid", x) * (1 + x * (1 - of("sigmoid", x))),
        reference=lambda x: x * _sigmoid(x),
        aliases=("swish",),
        numpy=(
            "a = multiply(x, 0.5); b = tanh(a); c = add(b, 1.0); d = multiply(c, 0.5); "
            "multiply(x, d)"
        ),
        latex=r"\operatorname{{silu}}({x})",
    ),
)
