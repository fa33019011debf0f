"""Functions and primitives in matrix notation.

A function is a call of its name, its LaTeX the template of its declaration.  What
notation writes otherwise is in the one table `SPECIAL`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from fractions import Fraction
from functools import cache

from matderiv.notation.forms import chain, inverse, multiply_number, transpose
from matderiv.notation.signs import add
from matderiv.notation.slices import selection
from matderiv.notation.sums import without_broadcast
from matderiv.notation.terms import Bars, Call, Kronecker, Partial, Power, Symbol, Term
from matderiv.tensor.arena import Arena
from matderiv.tensor.dims import multiply_dims
from matderiv.tensor.elementwise import AbstractElementwise, Elementwise
from matderiv.tensor.nodes import Apply, Factor, Map, Node, Product, Sum
from matderiv.tensor.primitives import AbstractFunction, Primitive
from matderiv.tensor.reshapes import dyad_factors, kronecker_factors

__all__ = ["lift_apply", "lift_map"]

Lift = Callable[[Node], Term]


def lift_map(node: Map, lift: Lift) -> Term:
    """f(x, …), elementwise; a scalar argument is not repeated to the shape of the others."""
    function = node.function
    children = node.arguments
    stripped = [without_broadcast(child) for child in children]
    if len(children) > 1 and any(s is c for s, c in zip(stripped, children, strict=True)):
        children = tuple(s if s.order == 0 else c for s, c in zip(stripped, children, strict=True))
    arguments = tuple(lift(child) for child in children)
    symmetric = node.arena.is_symmetric(node)
    if isinstance(function, AbstractElementwise):
        if len(function.orders) == 1:
            return Call(
                function.name,
                arguments,
                order=node.order,
                primes=function.orders[0],
                declaration=_ELEMENTWISE,
                symmetric=symmetric,
                elementwise=True,
            )
        slots = tuple(k for k, count in enumerate(function.orders) for _ in range(count))
        return _abstract(function.name, _ELEMENTWISE, arguments, slots, node.order)
    if function.key == "pow":
        base, exponent = arguments
        return Power(base, exponent, node.order > 0, order=node.order)
    latex = function.latex if isinstance(function, Elementwise) else None
    odd = isinstance(function, Elementwise) and len(arguments) == 1 and _is_odd(function)
    return Call(
        function.name,
        arguments,
        order=node.order,
        latex=latex,
        symmetric=symmetric,
        odd=odd,
        elementwise=True,
    )


@cache
def _is_odd(function: Elementwise) -> bool:
    """Whether the constructors know f(-x) = -f(x), so that a sign may be moved inside.

    >>> from matderiv.tensor.elementwise import ELEMENTWISE
    >>> [_is_odd(ELEMENTWISE[name]) for name in ("tanh", "sign", "exp")]
    [True, True, False]
    """
    arena = Arena()
    x = arena.variable("x", ())
    return arena.map(function, -x) is -arena.map(function, x)


def lift_apply(node: Apply, lift: Lift) -> Term:
    primitive = node.primitive
    special = SPECIAL.get(primitive.key)
    if special is not None:
        return special(node, lift)
    arguments = tuple(lift(argument) for argument in node.arguments)
    if isinstance(primitive, AbstractFunction):
        return _abstract(primitive.name, _SCALAR, arguments, primitive.slots, node.order)
    if isinstance(primitive, Primitive) and primitive.bars:
        return Bars(arguments[0], primitive.bars, order=node.order)
    latex = primitive.latex if isinstance(primitive, Primitive) else None
    symmetric = node.arena.is_symmetric(node)
    name = "π" if primitive.key == "pi" else primitive.name
    if not arguments:
        return Symbol(name, order=node.order)
    return Call(name, arguments, order=node.order, latex=latex, symmetric=symmetric)


_ELEMENTWISE, _SCALAR = "elementwise", "scalar function"


def _abstract(
    name: str, declaration: str, arguments: tuple[Term, ...], slots: tuple[int, ...], order: int
) -> Term:
    if slots:
        return Partial(name, arguments, slots, declaration, order=order)
    return Call(name, arguments, order=order, declaration=declaration)


# ----- notation that is no call -------------------------------------------------------
def _inverse(node: Apply, lift: Lift) -> Term:
    return inverse(lift(node.arguments[0]))


def _along_last(node: Apply, lift: Lift) -> Term:
    """max(x) of a vector, max(X) of all entries; max(X, axis=1) of the rows of a matrix."""
    assert isinstance(node.primitive, Primitive)
    (argument,) = node.arguments
    if isinstance(argument, Apply) and argument.primitive.key == "reshape" and argument.order == 1:
        (inner,) = argument.arguments
        if inner.order == 2:
            latex = node.primitive.latex
            return Call(node.primitive.name, (lift(inner),), order=0, latex=latex)
    x = lift(argument)
    axis = x.order - 1 if x.order > 1 else None
    return Call(node.primitive.name, (x,), axis=axis, order=node.order, latex=node.primitive.latex)


def _reshape(node: Apply, lift: Lift) -> Term:
    """A ⊗ B; vec(X) vec(Y)'; K; vec(X') for the entries row by row; else reshape(x, m, n)."""
    known = _kronecker(node, lift) or _kronecker_sum(node, lift) or _dyad(node, lift)
    if known is not None:
        return known
    (inner,) = node.arguments
    if node.order == 1 and inner.order == 4 and (kron := _stacked(inner, lift)) is not None:
        return Call("vec", (kron,), order=1, latex=r"\operatorname{{vec}}({x})", odd=True)
    if isinstance(inner, Product) and not inner.factors and inner.out == (0, 1, 1, 0):
        m, n = inner.sizes
        grouped = multiply_dims(m, n)
        if node.shape == (grouped, grouped) and inner.coefficient == 1:
            return Call("commutation", (), sizes=(m, n), order=2, latex=r"K_{{{x}}}")
    x, (axes, dims) = lift(inner), node.parameters
    assert isinstance(dims, tuple)
    if len(dims) == 1 and axes == 2 and x.order == 2:
        latex = r"\operatorname{{vec}}({x})"
        return Call("vec", (transpose(x),), order=node.order, latex=latex, odd=True)
    latex = r"\operatorname{{reshape}}({x})"
    return Call("reshape", (x,), order=node.order, sizes=node.shape, latex=latex, odd=True)


def _kronecker_sum(node: Apply, lift: Lift) -> Term | None:
    """x ⊗ I + I ⊗ x, where each term of the reshaped sum is a Kronecker product."""
    (total,) = node.arguments
    if not isinstance(total, Sum) or not total.terms:
        return None
    axes, dims = node.parameters
    members = []
    for coefficient, child in total.terms:
        part = node.arena.reshape(child, axes, dims)  # type: ignore[arg-type]
        if not isinstance(part, Apply) or _kronecker(part, lift) is None:
            return None
        term = multiply_number(abs(Fraction(coefficient)), lift(part))
        members.append((1 if coefficient > 0 else -1, term))
    return add(members, node.order)


def _kronecker(node: Apply, lift: Lift) -> Term | None:
    """A ⊗ B, where the reshaped value is one; a vector is a row or a column of its own."""
    factors = kronecker_factors(node)
    if factors is None:
        return None
    left, right = (lift(factor) for factor in factors)
    if node.shape[0] == node.arguments[0].shape[0]:  # a vector is a row
        left = left if left.order == node.order else transpose(left)
        right = right if right.order == node.order else transpose(right)
    return Kronecker(left, right, order=node.order)


def _dyad(node: Apply, lift: Lift) -> Term | None:
    """vec(X) vec(Y)'"""
    factors = dyad_factors(node)
    if factors is None:
        return None
    arena = node.arena
    left, right = (
        lift(arena.reshape(factor, 2, (dim,)))
        for factor, dim in zip(factors, node.shape, strict=True)
    )
    return chain((left, transpose(right)))


def _stacked(inner: Node, lift: Lift) -> Term | None:
    """A ⊗ B where a value of four axes holds its entries, one column after the other."""
    whole, once = [Factor(inner, (0, 1, 2, 3), 1)], frozenset({inner.id})
    matrix = inner.arena.product(1, whole, (2, 3, 0, 1), inline=once)
    rows, columns = multiply_dims(*matrix.shape[:2]), multiply_dims(*matrix.shape[2:])
    joined = inner.arena.reshape(matrix, 4, (rows, columns))
    return _kronecker(joined, lift) if isinstance(joined, Apply) else None


def _select(node: Apply, lift: Lift) -> Term:
    dim, start, stop = node.parameters
    return selection(dim, start, stop)  # type: ignore[arg-type]


SPECIAL: dict[Hashable, Callable[[Apply, Lift], Term]] = {
    "inv": _inverse,
    "max": _along_last,
    "min": _along_last,
    "reshape": _reshape,
    "select": _select,
}
