"""The table of elementwise functions: each declared once, here.

A declaration carries the derivative (in terms of the value `y` where it can be, so
that backward code need not keep `x`), a reference implementation for the evaluator,
a stable program of NumPy ufuncs for generated code, and what tests and printing need.
Nothing else in matderiv names a function of this table, except the rewrite rules
about it in `rules.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from matderiv.tensor.nodes import Node

__all__ = ["ELEMENTWISE", "AbstractElementwise", "Elementwise", "ElementwiseFunction"]

Derivative = Callable[..., "Node | int | Fraction"]


class ElementwiseFunction(Protocol):
    """What a `Map` needs of its function."""

    @property
    def key(self) -> Hashable: ...
    @property
    def name(self) -> str: ...
    @property
    def arity(self) -> int: ...
    @property
    def nonnegative(self) -> bool: ...

    def differentiate(self, argument: int, y: Node, x: tuple[Node, ...]) -> Node:
        """∂y/∂x[argument], a node of the shape of y."""


@dataclass(frozen=True, kw_only=True)
class Elementwise:
    """One elementwise function y = f(x, …).

    derivative   for each argument, (y, x, …) ↦ ∂y/∂x
    reference    arrays ↦ array, the evaluator's
    numpy        the stable program for generated code: ufunc calls separated by ";",
                 `x`, `z` the arguments, earlier results by the name assigned to them;
                 the last call is the value
    domain       where tests sample: "real", "positive", "unit" (-1, 1), "above_one",
                 "nonzero" (away from a kink at 0)
    latex        a template over {x} (and {z})
    weight       scalar operations to evaluate it once, for those who count functions
    unchanged_by functions g with f(g(x)) = f(x): code may read g(x) and forget x
    """

    name: str
    derivative: tuple[Derivative, ...]
    reference: Callable[..., Any]
    numpy: str
    latex: str
    aliases: tuple[str, ...] = ()
    domain: str = "real"
    nonnegative: bool = False
    weight: int = 10
    kink: str = ""
    unchanged_by: tuple[str, ...] = ()

    @property
    def key(self) -> Hashable:
        return self.name

    @property
    def arity(self) -> int:
        return len(self.derivative)

    def differentiate(self, argument: int, y: Node, x: tuple[Node, ...]) -> Node:
        value = self.derivative[argument](y, *x)
        return y.arena.constant(value, y.shape) if isinstance(value, int | Fraction) else value


@dataclass(frozen=True)
class AbstractElementwise:
    """A function that stays a name: φ, φ', φ'' …; `orders` counts derivatives by argument."""

    name: str
    orders: tuple[int, ...]
    nonnegative: bool = False

    @property
    def key(self) -> Hashable:
        return ("abstract", self.name, self.orders)

    @property
    def arity(self) -> int:
        return len(self.orders)

    def differentiate(self, argument: int, y: Node, x: tuple[Node, ...]) -> Node:
        orders = tuple(n + (k == argument) for k, n in enumerate(self.orders))
        return y.arena.map(AbstractElementwise(self.name, orders), *x)


_TABLE: list[Elementwise] = []


def elementwise(name: str, *derivative: Derivative, **fields: Any) -> None:
    fields.setdefault("latex", rf"\{name}({{x}})")
    fields.setdefault("numpy", f"{name}(x)")
    _TABLE.append(Elementwise(name=name, derivative=derivative, **fields))


def _m(function: str, *arguments: Node) -> Node:
    return arguments[0].arena.map(function, *arguments)


def _erf(x: Any) -> Any:
    return np.vectorize(math.erf, otypes=[float])(x)


def _stable_sigmoid(x: Any) -> Any:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def _softplus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


# ----- exponential and logarithm ----------------------------------------------------
elementwise("exp", lambda y, x: y, reference=np.exp, nonnegative=True)
elementwise("log", lambda y, x: 1 / x, reference=np.log, aliases=("ln",), domain="positive")
elementwise(
    "log1p",
    lambda y, x: 1 / (1 + x),
    reference=np.log1p,
    domain="positive",
    latex=r"\operatorname{{log1p}}({x})",
)
elementwise(
    "expm1",
    lambda y, x: 1 + y,
    reference=np.expm1,
    latex=r"\operatorname{{expm1}}({x})",
)

# ----- trigonometric and hyperbolic -------------------------------------------------
elementwise("sin", lambda y, x: _m("cos", x), reference=np.sin)
elementwise("cos", lambda y, x: -_m("sin", x), reference=np.cos)
elementwise("tan", lambda y, x: 1 + y**2, reference=np.tan, domain="unit")
elementwise(
    "asin",
    lambda y, x: (1 - x**2) ** Fraction(-1, 2),
    reference=np.arcsin,
    aliases=("arcsin",),
    numpy="arcsin(x)",
    latex=r"\arcsin({x})",
    domain="unit",
)
elementwise(
    "acos",
    lambda y, x: -((1 - x**2) ** Fraction(-1, 2)),
    reference=np.arccos,
    aliases=("arccos",),
    numpy="arccos(x)",
    latex=r"\arccos({x})",
    domain="unit",
)
elementwise(
    "atan",
    lambda y, x: 1 / (1 + x**2),
    reference=np.arctan,
    aliases=("arctan",),
    numpy="arctan(x)",
    latex=r"\arctan({x})",
)
elementwise("sinh", lambda y, x: _m("cosh", x), reference=np.sinh)
elementwise("cosh", lambda y, x: _m("sinh", x), reference=np.cosh, nonnegative=True)
elementwise("tanh", lambda y, x: 1 - y**2, reference=np.tanh)

# ----- the normal distribution ------------------------------------------------------
_SQRT_2 = math.sqrt(2.0)
elementwise(
    "erf",
    lambda y, x: 2 * x.arena.apply("pi") ** Fraction(-1, 2) * _m("exp", -(x**2)),
    reference=_erf,
    numpy="erf(x)",
    latex=r"\operatorname{{erf}}({x})",
)
elementwise(
    "normcdf",
    lambda y, x: _m("normpdf", x),
    reference=lambda x: 0.5 * (1 + _erf(x / _SQRT_2)),
    numpy=f"a = multiply(x, {1 / _SQRT_2!r}); b = erf(a); c = add(b, 1.0); multiply(c, 0.5)",
    latex=r"\Phi({x})",
    nonnegative=True,
)
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
)

# ----- activations ------------------------------------------------------------------
elementwise(
    "sigmoid",
    lambda y, x: y * (1 - y),
    reference=_stable_sigmoid,
    aliases=("σ", "logistic"),
    numpy="a = multiply(x, 0.5); b = tanh(a); c = add(b, 1.0); multiply(c, 0.5)",
    latex=r"\sigma({x})",
    nonnegative=True,
)
elementwise(
    "softplus",
    lambda y, x: _m("sigmoid", x),
    reference=_softplus,
    numpy=("a = abs(x); b = negative(a); c = exp(b); d = log1p(c); e = maximum(x, 0.0); add(d, e)"),
    latex=r"\operatorname{{softplus}}({x})",
    nonnegative=True,
)
elementwise(
    "relu",
    lambda y, x: _m("step", x),
    reference=lambda x: np.maximum(x, 0.0),
    numpy="maximum(x, 0.0)",
    latex=r"\operatorname{{relu}}({x})",
    domain="nonzero",
    nonnegative=True,
    weight=1,
    kink="subdifferential [0, 1] at 0; 0 is taken",
)
elementwise(
    "step",
    lambda y, x: 0,
    reference=lambda x: np.where(np.asarray(x) > 0, 1.0, 0.0),
    numpy="heaviside(x, 0.0)",
    latex=r"\mathbb{{1}}[{x} > 0]",
    domain="nonzero",
    nonnegative=True,
    weight=1,
    kink="step(0) = 0",
    unchanged_by=("relu", "leaky_relu", "elu"),
)
elementwise(
    "leaky_relu",
    lambda y, x: Fraction(1, 100) + Fraction(99, 100) * _m("step", x),
    reference=lambda x: np.where(np.asarray(x) > 0, x, 0.01 * x),
    numpy="a = multiply(x, 0.01); maximum(x, a)",
    latex=r"\operatorname{{leaky\_relu}}({x})",
    domain="nonzero",
    weight=2,
    kink="slope 0.01 is taken at 0",
)
elementwise(
    "elu",
    lambda y, x: _m("min", _m("exp", x), x.arena.ones(*x.shape)),
    reference=lambda x: np.where(np.asarray(x) > 0, x, np.expm1(np.minimum(x, 0.0))),
    numpy="a = minimum(x, 0.0); b = expm1(a); c = maximum(x, 0.0); add(b, c)",
    latex=r"\operatorname{{elu}}({x})",
)
elementwise(
    "gelu",
    lambda y, x: _m("normcdf", x) + x * _m("normpdf", x),
    reference=lambda x: x * 0.5 * (1 + _erf(x / _SQRT_2)),
    numpy=(
        f"a = multiply(x, {1 / _SQRT_2!r}); b = erf(a); c = add(b, 1.0); "
        "d = multiply(c, 0.5); multiply(x, d)"
    ),
    latex=r"\operatorname{{gelu}}({x})",
)
elementwise(
    "silu",
    lambda y, x: _m("sigmoid", x) * (1 + x * (1 - _m("sigmoid", x))),
    reference=lambda x: x * _stable_sigmoid(x),
    aliases=("swish",),
    numpy=(
        "a = multiply(x, 0.5); b = tanh(a); c = add(b, 1.0); d = multiply(c, 0.5); multiply(x, d)"
    ),
    latex=r"\operatorname{{silu}}({x})",
)

# ----- absolute value, sign, two arguments ------------------------------------------
elementwise(
    "abs",
    lambda y, x: _m("sign", x),
    reference=np.abs,
    latex=r"\left|{x}\right|",
    domain="nonzero",
    nonnegative=True,
    weight=1,
    kink="subdifferential [-1, 1] at 0; 0 is taken",
)
elementwise(
    "sign",
    lambda y, x: 0,
    reference=np.sign,
    latex=r"\operatorname{{sign}}({x})",
    domain="nonzero",
    weight=1,
    kink="sign(0) = 0",
)
elementwise(
    "max",
    lambda y, x, z: 1 - _m("step", z - x),
    lambda y, x, z: _m("step", z - x),
    reference=np.maximum,
    aliases=("maximum",),
    numpy="maximum(x, z)",
    latex=r"\max({x}, {z})",
    weight=1,
    kink="at a tie the gradient goes to the first argument",
)
elementwise(
    "min",
    lambda y, x, z: 1 - _m("step", x - z),
    lambda y, x, z: _m("step", x - z),
    reference=np.minimum,
    aliases=("minimum",),
    numpy="minimum(x, z)",
    latex=r"\min({x}, {z})",
    weight=1,
    kink="at a tie the gradient goes to the first argument",
)
elementwise(
    "pow",
    lambda y, x, z: z * _m("pow", x, z - 1),
    lambda y, x, z: y * _m("log", x),
    reference=np.power,
    numpy="power(x, z)",
    latex=r"{x}^{{{z}}}",
    domain="positive",
)

ELEMENTWISE: dict[str, Elementwise] = {function.name: function for function in _TABLE}
if len(ELEMENTWISE) != len(_TABLE):
    raise ValueError("an elementwise function is declared twice")
