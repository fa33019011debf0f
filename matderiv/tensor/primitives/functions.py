"""Functions of matrices: exponential, square root, Cholesky factor; Sylvester equations.

The derivatives of the exponential are D^k exp(X)[E, F, …], symmetric and linear in the
directions; D^k exp is one block of the exponential of a matrix of 2^k blocks (Higham &
Relton 2014, "Higher order Fréchet derivatives of matrix functions", theorem 3.5).  With
<G, D^k exp(X)[…, E, …]> = <D^k exp(X')[…', G, …'], E> the family is closed: each order
is a primitive of its own, made when it is asked for.

Roberts (1980), Smith (1995) "Differentiation of the Cholesky algorithm", Murray (2016)
"Differentiation of the Cholesky decomposition".
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from matderiv.errors import UnsupportedError
from matderiv.tensor.primitives.base import (
    ARGUMENTS,
    Adjoint,
    Primitive,
    apply,
    einsum,
    transposed,
)

if TYPE_CHECKING:
    from matderiv.tensor.nodes import Apply, Node

__all__ = ["MATRIX_FUNCTIONS", "frechet"]


# ----- reference algorithms: plain, on batches, for small matrices --------------------
def _expm(x: Any) -> Any:
    """Taylor's series of x / 2^s to rounding, squared s times."""
    norm = np.max(np.sum(np.abs(x), axis=-1), initial=0.0)
    squarings = int(np.ceil(np.log2(max(norm, 0.25)))) + 2 if norm < np.inf else 0
    x = np.ldexp(x, -squarings)
    total = term = np.broadcast_to(np.eye(np.shape(x)[-1]), np.shape(x))
    for k in range(1, 16):
        term = term @ x / k
        total = total + term
    for _ in range(squarings):
        total = total @ total
    return total


def _blocks(x: Any, *directions: Any) -> Any:
    """[[X, E], [0, X]], and so on with each direction spread over the diagonal blocks."""
    for direction in directions:
        n, size = np.shape(direction)[-1], np.shape(x)[-1]
        spread = np.kron(np.eye(size // n), direction)
        x, spread = np.broadcast_arrays(x, spread)
        top = np.concatenate([x, spread], axis=-1)
        bottom = np.concatenate([np.zeros_like(x), x], axis=-1)
        x = np.concatenate([top, bottom], axis=-2)
    return x


def _frechet(x: Any, *directions: Any) -> Any:
    n = np.shape(x)[-1]
    return _expm(_blocks(x, *directions))[..., :n, -n:]


def _sqrtm(x: Any) -> Any:
    """Denman & Beavers (1976): Y ← (Y + Z⁻¹)/2, Z ← (Z + Y⁻¹)/2; NaN where it diverges.

    Of X by its largest entry c, times √c: 40 steps from the identity reach no 1e-30 X.
    """
    largest = np.max(np.abs(x), axis=(-2, -1), keepdims=True, initial=0.0)
    x = x / np.where(largest > 0, largest, 1.0)
    y, z = x, np.broadcast_to(np.eye(np.shape(x)[-1]), np.shape(x))
    try:
        for _ in range(40):
            y, z = (y + np.linalg.inv(z)) / 2, (z + np.linalg.inv(y)) / 2
    except np.linalg.LinAlgError:
        return np.full(np.shape(x), np.nan)
    converged = np.allclose(y @ y, x, rtol=1e-6)
    return np.sqrt(largest) * y if converged else np.full(np.shape(x), np.nan)


def _sylvester(a: Any, b: Any, c: Any) -> Any:
    """Solve (A ⊗ I + I ⊗ B') y = c, the rows of Y stacked."""
    m, n = np.shape(a)[-1], np.shape(b)[-1]
    system = np.kron(a, np.eye(n)) + np.kron(np.eye(m), np.swapaxes(b, -1, -2))
    stacked = np.reshape(c, (*np.shape(c)[:-2], m * n, 1))
    solution = np.linalg.solve(system, stacked)
    return np.reshape(solution, (*np.shape(solution)[:-2], m, n))


def _cholesky(x: Any) -> Any:
    return np.linalg.cholesky((x + np.swapaxes(x, -1, -2)) / 2)


# ----- the exponential ----------------------------------------------------------------
def _by_matrix(order: int) -> Adjoint:
    def rule(g: Node, y: Apply, x: Node, *directions: Node) -> Node:
        return apply(frechet(order + 1), transposed(x), g, *map(transposed, directions))

    return rule


def _by_direction(order: int, place: int) -> Adjoint:
    def rule(g: Node, y: Apply, x: Node, *directions: Node) -> Node:
        others = directions[:place] + directions[place + 1 :]
        return apply(frechet(order), transposed(x), g, *map(transposed, others))

    return rule


def _frechet_program(order: int) -> str:
    """The top right block of expm of the blocks of `_blocks`, built by Kronecker products."""
    if order == 1:
        return "expm_frechet(x, z, compute_expm=False)"
    count = 2**order
    steps = [f"identity = eye(N={count})", "blocks = kron(identity, x)"]
    for k, direction in enumerate(ARGUMENTS[1 : order + 1]):
        steps += [
            f"outside = eye(N={2 ** (order - 1 - k)})",
            "shift = eye(N=2, k=1)",
            f"inside = eye(N={2**k})",
            "outer = kron(outside, shift)",
            "place = kron(outer, inside)",
            f"spread = kron(place, {direction})",
            "blocks = add(blocks, spread)",
        ]
    steps += [
        "exponential = expm(blocks)",
        f"row = split(exponential, indices_or_sections={count}, axis=-2)[0]",
        f"split(row, indices_or_sections={count}, axis=-1)[{count - 1}]",
    ]
    return "; ".join(steps)


@cache
def frechet(order: int) -> Primitive:
    """The primitive D^order exp(X)[E, F, …]."""
    if order >= len(ARGUMENTS):
        raise UnsupportedError(f"derivatives of expm end at order {len(ARGUMENTS) - 1}")
    directions = ", ".join(f"{{{name}}}" for name in ARGUMENTS[1 : order + 1])
    power = "" if order == 1 else f"^{{{{{order}}}}}"
    return Primitive(
        name="frechet" if order == 1 else f"frechet{order}",
        signature=",".join(["(n,n)"] * (order + 1)) + "->(n,n)",
        adjoint=(_by_matrix(order), *(_by_direction(order, k) for k in range(order))),
        reference=_frechet,
        numpy=_frechet_program(order),
        flops="62 n^3" if order == 1 else f"{62 * 8**order}/3 n^3",
        latex=rf"D{power}\operatorname{{{{expm}}}}({{x}})[{directions}]",
        source="Higham & Relton (2014), theorem 3.5",
        linear_in=tuple(range(1, order + 1)),
        meaning="the derivative of expm at the first argument along the others",
    )


MATRIX_FUNCTIONS = (
    Primitive(
        name="expm",
        signature="(n,n)->(n,n)",
        adjoint=(lambda g, y, x: apply(frechet(1), transposed(x), g),),
        reference=_expm,
        numpy="expm(x)",
        flops="62/3 n^3",
        latex=r"\operatorname{{expm}}({x})",
        source="Higham, Functions of Matrices (2008), section 10.6",
        keeps_symmetry=True,
    ),
    frechet(1),
    frechet(2),
    Primitive(
        name="sqrtm",
        signature="(n,n)->(n,n)",
        adjoint=(
            lambda g, y, x: apply("sylvester", transposed(y), transposed(y), g),  # S dS + dS S = dX
        ),
        reference=_sqrtm,
        numpy="sqrtm(x)",
        flops="85/3 n^3",
        latex=r"\operatorname{{sqrtm}}({x})",
        source="Higham, Functions of Matrices (2008), section 6.1",
        domain="well_conditioned",
        keeps_symmetry=True,
    ),
    Primitive(
        name="sylvester",
        signature="(m,m),(n,n),(m,n)->(m,n)",
        adjoint=(
            lambda g, y, a, b, c: -einsum("...ik,...jk->...ij", _unsolve(g, a, b), y),
            lambda g, y, a, b, c: -einsum("...ki,...kj->...ij", y, _unsolve(g, a, b)),
            lambda g, y, a, b, c: _unsolve(g, a, b),
        ),
        reference=_sylvester,
        numpy="solve_sylvester(x, z, w)",
        flops="25 m^3 + 25 n^3 + 5 m^2 n + 5 m n^2",
        latex=r"\operatorname{{sylvester}}({x}, {z}, {w})",
        source="differentiate A Y + Y B = C; Golub & Van Loan, 7.6.3, for the count",
        domain="well_conditioned",
        linear_in=(2,),
        meaning="the solution Y of A Y + Y B = C",
    ),
    Primitive(
        name="chol",
        aliases=("cholesky",),
        signature="(n,n)->(n,n)",
        adjoint=(lambda g, y, x: _chol(g, y),),
        reference=_cholesky,
        numpy="a = matrix_transpose(x); b = add(x, a); c = multiply(b, 0.5); linalg.cholesky(c)",
        flops="1/3 n^3 + 2 n^2",
        latex=r"\operatorname{{chol}}({x})",
        source="Murray (2016), eq. 8, on the symmetric part of X",
        domain="posdef",
        meaning="the lower triangular L of (X + X')/2 = L L'",
    ),
)


def _unsolve(g: Node, a: Node, b: Node) -> Node:
    return apply("sylvester", transposed(a), transposed(b), g)


def _chol(g: Node, y: Apply) -> Node:
    """½ L⁻ᵀ (M + M') L⁻¹ with M = Φ(L'G), Φ the lower triangle with half the diagonal."""
    inverse = apply("inv", y)
    lower = apply("half_tril", einsum("...kp,...kq->...pq", y, g))
    both = lower + transposed(lower)
    return einsum("...pi,...pq,...qj->...ij", inverse, both, inverse) / 2
