"""Rewrites of primitives that the constructors apply on the spot.

Each destroys its own pattern and leaves fewer functions, transposes or factors inside
one than it found, so no order of application matters and all of them end.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from matderiv.tensor.dims import Shape
from matderiv.tensor.nodes import Apply, Factor, Node, Number, Product, Sum, Variable
from matderiv.tensor.primitives import PrimitiveFunction
from matderiv.tensor.properties import bends_up, is_nonnegative, is_symmetric
from matderiv.tensor.reshapes import (
    is_outer,
    kronecker_factors,
    split_identity,
    split_product,
    unfused,
)
from matderiv.tensor.roots import root_of
from matderiv.tensor.stable import inside

if TYPE_CHECKING:
    from matderiv.tensor.arena import Arena

__all__ = ["rewrite_apply"]


def rewrite_apply(
    arena: Arena,
    primitive: PrimitiveFunction,
    arguments: tuple[Node, ...],
    parameters: tuple[Any, ...],
) -> Node | None:
    """What stands in the place of a primitive of these arguments, if a rule says so."""
    if primitive.linear_in:
        moved = _number_outside(arena, primitive, arguments, parameters)
        if moved is not None:
            return moved
    if not isinstance(primitive.key, str):
        return None
    if primitive.name == "reshape":
        axes, dims = parameters
        return _reshape(arena, arguments[0], axes, dims)
    rule = _MATRIX_RULES.get(primitive.name)
    if rule is None or any(argument.order != 2 for argument in arguments):
        return None
    return rule(arena, **dict(zip(("x", "e", "c"), arguments, strict=False)))


def _number_outside(
    arena: Arena,
    primitive: PrimitiveFunction,
    arguments: tuple[Node, ...],
    parameters: tuple[Any, ...],
) -> Node | None:
    """f(c E) = c f(E) and f(0) = 0 in the arguments in which f is linear."""
    for place in primitive.linear_in:
        x = arguments[place]
        if isinstance(x, Sum) and not x.terms:
            return arena.zero(primitive.shape(tuple(a.shape for a in arguments), parameters))
        if isinstance(x, Product) and x.coefficient != 1:
            core = arena.product(1, x.factors, x.out, dict(enumerate(x.sizes)))
            rest = (*arguments[:place], core, *arguments[place + 1 :])
            return arena.scale(x.coefficient, arena.apply(primitive, *rest, parameters=parameters))
    return None


# ----- inverses and determinants ----------------------------------------------------


def _scalars_apart(x: Product) -> tuple[Number, list[Factor], list[Factor]]:
    """coefficient, scalar factors, matrix factors."""
    scalars = [f for f in x.factors if not f.labels]
    return x.coefficient, scalars, [f for f in x.factors if f.labels]


def _inv(arena: Arena, x: Node) -> Node | None:
    """(X⁻¹)⁻¹ = X; (s X)⁻¹ = X⁻¹/s; (X')⁻¹ = (X⁻¹)'; diag(v)⁻¹ = diag(1/v); Q⁻¹ = Q'."""
    if (inner := inside(x, "inv")) is not None:
        return inner
    if isinstance(x, Variable) and "orthogonal" in x.attributes:
        return arena.transpose(x)
    if not isinstance(x, Product):
        return _of_kronecker(arena, "inv", x)
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


def _of_kronecker(arena: Arena, name: str, x: Node) -> Node | None:
    """(A ⊗ B)⁻¹ = A⁻¹ ⊗ B⁻¹ for square A and B, and pinv(A ⊗ B) = pinv(A) ⊗ pinv(B)."""
    parts = kronecker_factors(x)
    if parts is None:
        return None
    square = name == "inv"
    if any(part.order != 2 or (square and part.shape != part.shape[::-1]) for part in parts):
        return None
    left, right = (arena.apply(name, part) for part in parts)
    return arena.reshape(arena.einsum("ij,kl->ikjl", left, right), 4, x.shape[::-1])


def _split_inverse(arena: Arena, x: Product) -> Node | None:
    """(A⁻¹ M)⁻¹ = M⁻¹ A and (M A⁻¹)⁻¹ = A M⁻¹, also for an orthogonal A⁻¹; M may be diagonal."""
    for factor in x.factors:
        if factor.exponent != 1 or len(factor.labels) != 2:
            continue
        inverse = arena.apply("inv", factor.node) if _invertible_for_free(factor.node) else None
        if inverse is None:
            continue
        for side in (0, 1):
            end = x.out[side]
            if sum(f.labels.count(end) for f in x.factors) != 1 or end not in factor.labels:
                continue
            inner = factor.labels[1 - factor.labels.index(end)]
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
    """det(X⁻¹) = 1/det(X), det(expm X) = exp(tr X), det(X') = det(X), det(L) = √det(L L')."""
    if (inner := inside(x, "inv")) is not None:
        return arena.power(arena.apply("det", inner), -1)
    if (inner := inside(x, "expm")) is not None:
        return arena.map("exp", arena.einsum("ii->", inner))
    if (whole := root_of(x)) is not None:
        return arena.power(arena.apply("det", whole), Fraction(1, 2))
    return _of_transpose(arena, "det", x)


def _logdet(arena: Arena, x: Node) -> Node | None:
    """logdet(X⁻¹) = -logdet(X), logdet(expm X) = tr X, logdet(X') = logdet(X),
    logdet(diag v) = Σ log |v|, logdet(L) = ½ logdet(L L').
    """
    if (inner := inside(x, "inv")) is not None:
        return -arena.apply("logdet", inner)
    if (inner := inside(x, "expm")) is not None:
        return arena.einsum("ii->", inner)
    if (whole := root_of(x)) is not None:
        return arena.apply("logdet", whole) / 2
    if isinstance(x, Product) and x.out[0] == x.out[1]:
        diagonal = arena.einsum("ii->i", x)
        if not is_nonnegative(diagonal):
            diagonal = arena.map("abs", diagonal)
        return arena.sum_axes(arena.map("log", diagonal), (0,))
    return _of_transpose(arena, "logdet", x)


def _of_transpose(arena: Arena, name: str, x: Node) -> Node | None:
    """f(X') = f(X), for scalar functions of singular or eigenvalues."""
    inner = _untransposed(x)
    return None if inner is None else arena.apply(name, inner)


def _untransposed(x: Node) -> Node | None:
    """s X where a node is s X'; diag(diag(X)) carries its labels in either order."""
    if not isinstance(x, Product):
        return None
    matrices = [f for f in x.factors if f.labels]
    if len(matrices) != 1:
        return None
    return x.arena.transpose(x) if matrices[0].labels == x.out[::-1] != x.out else None


# ----- functions of matrices --------------------------------------------------------


def _transpose_outside(arena: Arena, name: str, x: Node) -> Node | None:
    """f(X') = f(X)'"""
    inner = _untransposed(x)
    return None if inner is None else arena.transpose(arena.apply(name, inner))


def _pinv(arena: Arena, x: Node) -> Node | None:
    """(X⁺)⁺ = X; (A ⊗ B)⁺ = A⁺ ⊗ B⁺"""
    return (
        inside(x, "pinv") or _of_kronecker(arena, "pinv", x) or _transpose_outside(arena, "pinv", x)
    )


def _expm(arena: Arena, x: Node) -> Node | None:
    """expm(diag v) = diag(exp v), so expm(0) = I"""
    if isinstance(x, Sum) and not x.terms:
        return arena.identity(x.shape[0])
    if isinstance(x, Product) and x.out[0] == x.out[1]:
        return arena.einsum("i->ii", arena.map("exp", arena.einsum("ii->i", x)))
    return _transpose_outside(arena, "expm", x)


def _frechet(arena: Arena, x: Node, e: Node) -> Node | None:
    """L(X, I) = expm(X) and L(s E, E) = E expm(s E), for an X and an E that commute."""
    if (scalars := _times_identity(e)) is not None:
        total = Factor(arena.apply("expm", x), (0, 1), 1)
        return arena.product(1, [total, *scalars], (0, 1))
    if _core(arena, x) is _core(arena, e):
        return arena.einsum("ij,jk->ik", e, arena.apply("expm", x))
    return None


def _sylvester(arena: Arena, x: Node, e: Node, c: Node) -> Node | None:
    """Y X + X Y = s I is solved by s X⁻¹/2."""
    if x is not e or (scalars := _times_identity(c)) is None:
        return None
    inverse = Factor(arena.apply("inv", x), (0, 1), 1)
    return arena.product(Fraction(1, 2), [inverse, *scalars], (0, 1))


def _times_identity(x: Node) -> list[Factor] | None:
    """The scalars s where a linear argument is s I; numbers are outside by now."""
    if not isinstance(x, Product) or x.out[0] != x.out[1]:
        return None
    return None if any(f.labels for f in x.factors) else list(x.factors)


def _core(arena: Arena, x: Node) -> Node:
    """A matrix without its scalar factors."""
    if not isinstance(x, Product):
        return x
    return arena.product(1, _scalars_apart(x)[2], x.out, dict(enumerate(x.sizes)))


def _sqrtm(arena: Arena, x: Node) -> Node | None:
    """sqrtm(diag v) = diag(sqrt v)"""
    if isinstance(x, Product) and x.out[0] == x.out[1]:
        return arena.einsum("i->ii", arena.power(arena.einsum("ii->i", x), Fraction(1, 2)))
    return _transpose_outside(arena, "sqrtm", x)


def _chol(arena: Arena, x: Node) -> Node | None:
    """chol(X) = chol((X + X')/2), which is semidefinite where x'X x ≥ 0."""
    if is_symmetric(arena, x) or not bends_up(x):
        return None
    return arena.apply("chol", (x + arena.transpose(x)) / 2)


def _reshape(arena: Arena, x: Node, axes: int, dims: Shape) -> Node | None:
    """Reshapes compose; one that changes nothing is no reshape."""
    if x.shape[x.order - axes :] == dims:
        return x
    if isinstance(x, Apply) and x.primitive.key == "reshape":
        inner_axes, inner_dims = x.parameters
        assert isinstance(inner_axes, int)
        assert isinstance(inner_dims, tuple)
        outside = axes - len(inner_dims)
        if outside < 0:
            dims = inner_dims[:-outside] + dims
        return arena.reshape(x.arguments[0], inner_axes + max(outside, 0), dims)
    if isinstance(x, Sum) and any(is_outer(term.node) for term in x.terms):
        # dX ⊗ X + X ⊗ dX: outer products, each fused on its own
        parts = [(c, arena.reshape(node, axes, dims)) for c, node in x.terms]
        return arena.sum(parts, x.shape[: x.order - axes] + dims)
    opened, made_of = unfused(x)
    if any(len(part) > 1 for part in made_of):  # a reshape that was turned
        return arena.reshape(opened, opened.order, x.shape[: x.order - axes] + dims)
    if (joined := split_identity(arena, x, axes, dims)) is not None:
        return joined
    return split_product(arena, x, axes, dims) if isinstance(x, Product) else None


def _idempotent(arena: Arena, name: str, x: Node) -> Node | None:
    """f(f(X)) = f(X)"""
    return x if inside(x, name) is not None else None


# Of one matrix: a batch of matrices is left alone.
_MATRIX_RULES: dict[str, Callable[..., Node | None]] = {
    "inv": _inv,
    "det": _det,
    "logdet": _logdet,
    "pinv": _pinv,
    "expm": _expm,
    "frechet": _frechet,
    "sqrtm": _sqrtm,
    "sylvester": _sylvester,
    "chol": _chol,
    **{
        name: partial(rule, name=name)
        for rule, names in {
            _of_transpose: ("norm_nuclear", "norm_op"),
            _transpose_outside: ("polar", "leading_dyad"),
            _idempotent: ("tril", "triu"),
        }.items()
        for name in names
    },
}
