"""What an elementwise function is: the dataclass of a declaration, and functions that stay names.

A declaration carries the derivative (in terms of the value `y` where it can be, so
that backward code need not keep `x`), a reference implementation for the evaluator,
a stable program of NumPy ufuncs for generated code, and what tests and printing need.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from matderiv.tensor.nodes import Node

__all__ = ["AbstractElementwise", "Elementwise", "ElementwiseFunction", "elementwise", "of"]

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
    @property
    def unit(self) -> bool: ...

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
    unit         values lie in [0, 1]
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
    unit: bool = False
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
    unit: bool = False

    @property
    def key(self) -> Hashable:
        return ("abstract", self.name, self.orders)

    @property
    def arity(self) -> int:
        return len(self.orders)

    def differentiate(self, argument: int, y: Node, x: tuple[Node, ...]) -> Node:
        orders = tuple(n + (k == argument) for k, n in enumerate(self.orders))
        return y.arena.map(AbstractElementwise(self.name, orders), *x)


# ----- words for declarations -------------------------------------------------------
def elementwise(name: str, *derivative: Derivative, **fields: Any) -> Elementwise:
    """A declaration; a function that NumPy and LaTeX know by its name needs no more."""
    fields.setdefault("latex", rf"\{name}({{x}})")
    fields.setdefault("numpy", f"{name}(x)")
    return Elementwise(name=name, derivative=derivative, **fields)


def of(function: str, *arguments: Node) -> Node:
    return arguments[0].arena.map(function, *arguments)
