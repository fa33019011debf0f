"""Rewrites of elementwise functions that the constructors apply on the spot.

Each destroys its own pattern and leaves fewer functions or factors than it found, so
no order of application matters and all of them end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from matderiv.tensor.elementwise import ElementwiseFunction
from matderiv.tensor.nodes import Factor, Map, Node, Number, Product, Sum
from matderiv.tensor.properties import is_factor_nonnegative
from matderiv.tensor.stable import inside, stable_log

if TYPE_CHECKING:
    from matderiv.tensor.arena import Arena

__all__ = ["COMPLEMENTS", "merge_pointwise", "number_of", "rewrite_map"]

# ----- products of functions of one argument ----------------------------------------
# f(x)^k = …, and f(x) g(x) = …, as functions of x; None stands for x itself.
POWERS: dict[str, Callable[[int], str | int | None]] = {
    "step": lambda k: "step" if k > 1 else None,
    "sign": lambda k: "sign" if k > 1 and k % 2 else None,
    "abs": lambda k: k if k % 2 == 0 else None,
}
PAIRS: dict[tuple[str, str], str | None] = {
    ("relu", "step"): "relu",
    ("abs", "sign"): None,
}


# f(-x) = 1 - f(x)
COMPLEMENTS = frozenset({"sigmoid", "normcdf"})


def merge_pointwise(arena: Arena, factors: list[Factor]) -> list[Factor]:
    """step(x)² = step(x), relu(x) step(x) = relu(x), |x| sign(x) = x, sign(x)/|x| = 1/x.

    And x^k sign(x) = x^(k-1) |x|.  The same list if there is none.
    """
    if not any(isinstance(f.node, Map) and f.node.function.name in _RULED for f in factors):
        return factors
    for index, factor in enumerate(factors):
        node, labels, exponent = factor
        if not isinstance(node, Map) or not isinstance(exponent, int):
            continue
        power = POWERS.get(node.function.name)
        result = power(exponent) if power else None
        rest = factors[:index] + factors[index + 1 :]
        if isinstance(result, str):
            return [*rest, Factor(node, labels, 1)]
        if isinstance(result, int):
            return [*rest, Factor(node.arguments[0], labels, result)]
        if node.function.key == "pow" and exponent == 1:
            # x^z x^k = x^(z + k), and x^z (-x)^k is that with the sign of (-1)^k
            base, raised_to = node.arguments
            turned = arena.scale(-1, base)
            for other in rest:
                whole = other.node is turned and isinstance(other.exponent, int)
                if other.labels == labels and (other.node is base or whole):
                    rest.remove(other)
                    raised = arena.map("pow", base, raised_to + other.exponent)
                    odd = whole and other.exponent % 2
                    return [*rest, Factor(arena.scale(-1, raised) if odd else raised, labels, 1)]
        if node.function.name == "sign" and exponent == 1:
            for other in rest:
                whole = isinstance(other.exponent, int) and other.exponent > 0
                if other.node is node.arguments[0] and other.labels == labels and whole:
                    rest.remove(other)
                    left = other._replace(exponent=other.exponent - 1)
                    return [*rest, left, Factor(arena.map("abs", other.node), labels, 1)]
        for other in rest:
            if (
                other.labels != labels
                or not isinstance(other.node, Map)
                or other.node.arguments != node.arguments
            ):
                continue
            pair = node.function.name, other.node.function.name
            if pair == ("abs", "sign") and (exponent, other.exponent) == (-1, 1):
                rest.remove(other)
                return [*rest, Factor(node.arguments[0], labels, -1)]
            if exponent == other.exponent == 1 and pair in PAIRS:
                rest.remove(other)
                name = PAIRS[pair]
                merged = node.arguments[0] if name is None else arena.map(name, *node.arguments)
                return [*rest, Factor(merged, labels, 1)]
    return factors


_RULED = frozenset({"pow", *POWERS}) | {name for pair in PAIRS for name in pair}


# ----- functions of functions -------------------------------------------------------


def rewrite_map(
    arena: Arena, function: ElementwiseFunction, arguments: tuple[Node, ...]
) -> Node | None:
    rule = _MAP_RULES.get(function.name)
    return rule(arena, *arguments) if rule and isinstance(function.key, str) else None


def number_of(node: Node) -> Number | None:
    """The number that every entry of a node is, if it is one."""
    if isinstance(node, Sum) and not node.terms:
        return 0
    if isinstance(node, Product) and not node.factors and len(set(node.out)) == len(node.out):
        return node.coefficient
    return None


def _constant(arena: Arena, node: Node, values: dict[Number, Number]) -> Node | None:
    number = number_of(node)
    return arena.constant(values[number], node.shape) if number in values else None


def _is_turned(node: Node) -> bool:
    """Whether the leading coefficient of a node is negative."""
    return isinstance(node, Product) and node.coefficient < 0


def _exp(arena: Arena, x: Node) -> Node | None:
    return inside(x, "log") or _constant(arena, x, {0: 1})


def _log(arena: Arena, x: Node) -> Node | None:
    return inside(x, "exp") or _constant(arena, x, {1: 0}) or _stable_log(arena, x)


def _stable_log(arena: Arena, x: Node) -> Node | None:
    return stable_log(arena, x) or _log_of_product(arena, x)


def _log_of_product(arena: Arena, x: Node) -> Node | None:
    """log(c fᵖ gᵠ) = log c + p log f + q log g for a scalar c, the others in stable forms.

    Of c and f g one is known to be no less than 0, so that both sides exist for the same inputs.
    """
    if not isinstance(x, Product) or x.coefficient <= 0 or len(set(x.out)) != len(x.out):
        return None
    total: Node = arena.constant(0, x.shape)
    scalars: list[Factor] = []
    rest: list[Factor] = []
    for factor in x.factors:
        log = _stable_log(arena, factor.node) if factor.labels == x.out else None
        if log is not None:
            total += factor.exponent * log
        else:
            (rest if factor.labels else scalars).append(factor)
    if rest:
        log = stable_log(arena, arena.product(1, rest, x.out, dict(enumerate(x.sizes))))
        if log is None:
            return None
        total += log
    signed = [f for f in scalars if not is_factor_nonnegative(f)]
    others = [f for f in x.factors if f not in scalars]
    if not others or (signed and not all(is_factor_nonnegative(f) for f in others)):
        return None
    number = x.coefficient
    known: list[tuple[Node, Number]] = [
        (arena.constant(number.numerator, ()), 1),
        (arena.constant(number.denominator, ()), -1),
        (arena.product(1, signed, ()), 1),
        *((f.node, f.exponent) for f in scalars if f not in signed),
    ]
    for node, exponent in known:
        total += arena.broadcast(exponent * arena.map("log", node), x.shape, ())
    return total


def _even(name: str) -> Callable[[Arena, Node], Node | None]:
    return lambda arena, x: arena.map(name, -x) if _is_turned(x) else None


def _odd(name: str) -> Callable[[Arena, Node], Node | None]:
    def rule(arena: Arena, x: Node) -> Node | None:
        if number_of(x) == 0:
            return arena.zero(x.shape)
        return -arena.map(name, -x) if _is_turned(x) else None

    return rule


def _step(arena: Arena, x: Node) -> Node | None:
    return arena.map("step", inner) if (inner := inside(x, "relu")) else None


def _relu(arena: Arena, x: Node) -> Node | None:
    return x if inside(x, "relu") else _constant(arena, x, {0: 0})


def _max(arena: Arena, x: Node, z: Node) -> Node | None:
    for value, other in ((x, z), (z, x)):
        if number_of(other) == 0:
            return arena.map("relu", value)
    return None


def _pow(arena: Arena, x: Node, z: Node) -> Node | None:
    exponent = number_of(z)
    return None if exponent is None else arena.power(x, exponent)


_MAP_RULES: dict[str, Callable[..., Node | None]] = {
    "exp": _exp,
    "log": _log,
    "cos": lambda arena, x: _constant(arena, x, {0: 1}) or _even("cos")(arena, x),
    "cosh": lambda arena, x: _constant(arena, x, {0: 1}) or _even("cosh")(arena, x),
    "logcosh": lambda arena, x: _constant(arena, x, {0: 0}) or _even("logcosh")(arena, x),
    "abs": _even("abs"),
    "step": _step,
    "relu": _relu,
    "max": _max,
    "pow": _pow,
    **{name: _odd(name) for name in ("sin", "tan", "asin", "atan", "sinh", "tanh", "erf", "sign")},
}
