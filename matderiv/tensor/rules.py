"""Rewrites that the constructors apply on the spot.

Each destroys its own pattern and leaves fewer functions or factors than it found, so
no order of application matters and all of them end.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from matderiv.tensor.dims import Shape
from matderiv.tensor.elementwise import ElementwiseFunction
from matderiv.tensor.nodes import Apply, Factor, Map, Node, Number, Product, Sum, Variable
from matderiv.tensor.primitives import PrimitiveFunction
from matderiv.tensor.reshapes import split_product
from matderiv.tensor.stable import stable_log

if TYPE_CHECKING:
    from matderiv.tensor.arena import Arena

__all__ = ["COMPLEMENTS", "merge_pointwise", "rewrite_apply", "rewrite_map"]

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
    """step(x)² = step(x), relu(x) step(x) = relu(x), |x| sign(x) = x; the same list if none."""
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
        for other in rest:
            if (
                exponent == 1
                and other.exponent == 1
                and other.labels == labels
                and isinstance(other.node, Map)
                and other.node.arguments == node.arguments
                and (pair := (node.function.name, other.node.function.name)) in PAIRS
            ):
                rest.remove(other)
                name = PAIRS[pair]
                merged = node.arguments[0] if name is None else arena.map(name, *node.arguments)
                return [*rest, Factor(merged, labels, 1)]
    return factors


_RULED = frozenset(POWERS) | {name for pair in PAIRS for name in pair}


# ----- functions of functions -------------------------------------------------------


def rewrite_map(
    arena: Arena, function: ElementwiseFunction, arguments: tuple[Node, ...]
) -> Node | None:
    rule = _MAP_RULES.get(function.name)
    return rule(arena, *arguments) if rule and isinstance(function.key, str) else None


def rewrite_apply(
    arena: Arena,
    primitive: PrimitiveFunction,
    arguments: tuple[Node, ...],
    parameters: tuple[object, ...],
) -> Node | None:
    rule = _APPLY_RULES.get(primitive.name)
    return rule(arena, *arguments, *parameters) if rule and isinstance(primitive.key, str) else None


def _inside(node: Node, name: str) -> Node | None:
    """x where node is f(x)."""
    if isinstance(node, Map) and node.function.key == name:
        return node.arguments[0]
    if isinstance(node, Apply) and node.primitive.key == name:
        return node.arguments[0]
    return None


def _number(node: Node) -> Number | None:
    """The number that every entry of a node is, if it is one."""
    if isinstance(node, Sum) and not node.terms:
        return 0
    if isinstance(node, Product) and not node.factors and len(set(node.out)) == len(node.out):
        return node.coefficient
    return None


def _constant(arena: Arena, node: Node, values: dict[Number, Number]) -> Node | None:
    number = _number(node)
    return arena.constant(values[number], node.shape) if number in values else None


def _sign(node: Node) -> int:
    """-1 where the leading coefficient of a node is negative."""
    return -1 if isinstance(node, Product) and node.coefficient < 0 else 1


def _exp(arena: Arena, x: Node) -> Node | None:
    return _inside(x, "log") or _constant(arena, x, {0: 1})


def _log(arena: Arena, x: Node) -> Node | None:
    return _inside(x, "exp") or _constant(arena, x, {1: 0}) or stable_log(arena, x)


def _even(name: str) -> Callable[[Arena, Node], Node | None]:
    return lambda arena, x: arena.map(name, -x) if _sign(x) < 0 else None


def _odd(name: str) -> Callable[[Arena, Node], Node | None]:
    def rule(arena: Arena, x: Node) -> Node | None:
        if _number(x) == 0:
            return arena.zero(x.shape)
        return -arena.map(name, -x) if _sign(x) < 0 else None

    return rule


def _step(arena: Arena, x: Node) -> Node | None:
    return arena.map("step", inner) if (inner := _inside(x, "relu")) else None


def _relu(arena: Arena, x: Node) -> Node | None:
    return x if _inside(x, "relu") else _constant(arena, x, {0: 0})


def _max(arena: Arena, x: Node, z: Node) -> Node | None:
    for value, other in ((x, z), (z, x)):
        if _number(other) == 0:
            return arena.map("relu", value)
    return None


def _pow(arena: Arena, x: Node, z: Node) -> Node | None:
    exponent = _number(z)
    return None if exponent is None else arena.power(x, exponent)


_MAP_RULES: dict[str, Callable[..., Node | None]] = {
    "exp": _exp,
    "log": _log,
    "cos": lambda arena, x: _constant(arena, x, {0: 1}) or _even("cos")(arena, x),
    "cosh": lambda arena, x: _constant(arena, x, {0: 1}) or _even("cosh")(arena, x),
    "abs": _even("abs"),
    "step": _step,
    "relu": _relu,
    "max": _max,
    "pow": _pow,
    **{name: _odd(name) for name in ("sin", "tan", "asin", "atan", "sinh", "tanh", "erf", "sign")},
}


# ----- inverses and determinants ----------------------------------------------------


def _scalars_apart(x: Node) -> tuple[Number, list[Factor], list[Factor]]:
    """coefficient, scalar factors, matrix factors of a Product (or of a bare node)."""
    if not isinstance(x, Product):
        return 1, [], [Factor(x, tuple(range(x.order)), 1)]
    scalars = [f for f in x.factors if not f.labels]
    return x.coefficient, scalars, [f for f in x.factors if f.labels]


def _inv(arena: Arena, x: Node) -> Node | None:
    """(X⁻¹)⁻¹ = X; (s X)⁻¹ = X⁻¹/s; (X')⁻¹ = (X⁻¹)'; diag(v)⁻¹ = diag(1/v); Q⁻¹ = Q'."""
    if (inner := _inside(x, "inv")) is not None:
        return inner
    if isinstance(x, Variable) and "orthogonal" in x.attributes:
        return arena.transpose(x)
    if not isinstance(x, Product):
        return None
    coefficient, scalars, matrices = _scalars_apart(x)
    a, b = x.out
    if a == b:
        return arena.einsum("i->ii", arena.power(arena.einsum("ii->i", x), -1))
    if coefficient != 1 or scalars:
        core = arena.product(1, matrices, x.out, dict(enumerate(x.sizes)))
        inverse = Factor(arena.apply("inv", core), (0, 1), 1)
        return arena.product(
            Fraction(1) / coefficient,
            [inverse, *(f._replace(exponent=-f.exponent) for f in scalars)],
            (0, 1),
        )
    if len(matrices) == 1:
        node, labels, exponent = matrices[0]
        if exponent == 1 and labels == (b, a):
            return arena.transpose(arena.apply("inv", node))
        return None
    return _split_inverse(arena, x)


def _split_inverse(arena: Arena, x: Product) -> Node | None:
    """(A⁻¹ M)⁻¹ = M⁻¹ A and (M A⁻¹)⁻¹ = A M⁻¹, also for an orthogonal A⁻¹."""
    for factor in x.factors:
        if factor.exponent != 1 or len(factor.labels) != 2 or factor.labels[0] == factor.labels[1]:
            continue
        inverse = arena.apply("inv", factor.node) if _invertible_for_free(factor.node) else None
        if inverse is None:
            continue
        for side in (0, 1):
            end = x.out[side]
            if end not in factor.labels:
                continue
            inner = factor.labels[1 - factor.labels.index(end)]
            uses = sum(f.labels.count(inner) for f in x.factors)
            ends = sum(f.labels.count(end) for f in x.factors)
            if uses != 2 or ends != 1 or x.sizes[inner] != x.sizes[end] or inner in x.out:
                continue
            rest = [f for f in x.factors if f is not factor]
            out = (inner, x.out[1]) if side == 0 else (x.out[0], inner)
            middle = arena.apply("inv", arena.product(1, rest, out, dict(enumerate(x.sizes))))
            upright = factor.labels.index(end) == side
            link = arena.transpose(inverse) if not upright else inverse
            spec = "ij,jk->ik"
            return (
                arena.einsum(spec, middle, link) if side == 0 else arena.einsum(spec, link, middle)
            )
    return None


def _invertible_for_free(node: Node) -> bool:
    if isinstance(node, Variable):
        return "orthogonal" in node.attributes
    return isinstance(node, Apply) and node.primitive.is_inverse


def _det(arena: Arena, x: Node) -> Node | None:
    """det(X⁻¹) = 1/det(X), det(X') = det(X), det(diag v) = … is left to logdet."""
    if (inner := _inside(x, "inv")) is not None:
        return arena.power(arena.apply("det", inner), -1)
    return _of_transpose(arena, "det", x)


def _logdet(arena: Arena, x: Node) -> Node | None:
    """logdet(X⁻¹) = -logdet(X), logdet(X') = logdet(X), logdet(diag v) = Σ log |v|."""
    if (inner := _inside(x, "inv")) is not None:
        return -arena.apply("logdet", inner)
    if isinstance(x, Product) and x.out[0] == x.out[1]:
        diagonal = arena.einsum("ii->i", x)
        return arena.sum_axes(arena.map("log", diagonal), (0,))
    return _of_transpose(arena, "logdet", x)


def _of_transpose(arena: Arena, name: str, x: Node) -> Node | None:
    if isinstance(x, Product) and x.coefficient == 1 and len(x.factors) == 1:
        node, labels, exponent = x.factors[0]
        if exponent == 1 and labels == x.out[::-1]:
            return arena.apply(name, node)
    return None


def _reshape(arena: Arena, x: Node, axes: int, dims: Shape) -> Node | None:
    """Reshapes compose; one that changes nothing is no reshape; numbers move outside."""
    if x.shape[x.order - axes :] == dims:
        return x
    if isinstance(x, Apply) and x.primitive.key == "reshape":
        inner_axes, inner_dims = x.parameters
        assert isinstance(inner_axes, int) and isinstance(inner_dims, tuple)
        if len(inner_dims) == axes:
            return arena.apply("reshape", x.arguments[0], parameters=(inner_axes, dims))
    if isinstance(x, Product) and x.coefficient != 1:
        core = arena.product(1, x.factors, x.out, dict(enumerate(x.sizes)))
        return arena.scale(x.coefficient, arena.apply("reshape", core, parameters=(axes, dims)))
    return split_product(arena, x, axes, dims) if isinstance(x, Product) else None


_APPLY_RULES: dict[str, Callable[..., Node | None]] = {
    "inv": _inv,
    "det": _det,
    "logdet": _logdet,
    "reshape": _reshape,
}
