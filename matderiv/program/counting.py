"""The counting rule: what one NumPy call costs.

One multiplication, addition, division, comparison or sign change of a number is one
FLOP; a matrix product of (M, K) and (K, N) is (2K - 1) M N; a reduction is size(in) -
size(out).  Factorisations are counted as in Golub & Van Loan, "Matrix Computations".
Values of exp, log, tanh, … and roots are counted apart, each worth `WEIGHTS` FLOPs to
those who want one number.  Views, copies and fills cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from matderiv.program.polynomial import ZERO, Polynomial
from matderiv.tensor.dims import Shape, least_dim

__all__ = ["REDUCTIONS", "UFUNCS", "WEIGHTS", "contraction_flops", "count"]

ARITHMETIC = frozenset(
    {
        *("add", "subtract", "multiply", "divide", "negative", "reciprocal"),
        *("abs", "sign", "maximum", "minimum", "heaviside", "equal", "greater", "kron"),
    }
)
REDUCTIONS = frozenset({"sum", "amax", "amin", "argmax"})

WEIGHTS: dict[str, int] = {
    "sqrt": 4,
    "power": 20,
    "logaddexp": 30,
    **dict.fromkeys(("exp", "expm1", "log", "log1p"), 10),
    **dict.fromkeys(("sin", "cos", "tan", "arcsin", "arccos", "arctan"), 15),
    **dict.fromkeys(("sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"), 15),
    **dict.fromkeys(("scipy.special.erf", "scipy.special.erfc"), 20),
    **dict.fromkeys(("scipy.special.erfcx", "scipy.special.log_ndtr"), 40),
}

UFUNCS = (ARITHMETIC | set(WEIGHTS)) - {"kron"}
"""Functions that work entry by entry and take `out=`."""


def _cubic(coefficient: Fraction | int) -> Callable[[Shape, Shape], Polynomial]:
    """coefficient · n³ for each matrix of the first operand."""
    return lambda first, last: coefficient * Polynomial.of(*first, first[-1])


def _solve(first: Shape, last: Shape) -> Polynomial:
    """LU 2/3 n³, then 2 n² for each right-hand side."""
    n = first[-1]
    sides = last[1:]
    return Fraction(2, 3) * Polynomial.of(n, n, n) + 2 * Polynomial.of(n, n, *sides)


def _sylvester(first: Shape, last: Shape) -> Polynomial:
    """Two real Schur forms, three products with them, back substitution."""
    m, n = last[-2:]
    cubes = 25 * Polynomial.of(m, m, m) + 25 * Polynomial.of(n, n, n)
    products = 5 * Polynomial.of(m, m, n) + 5 * Polynomial.of(m, n, n)
    return Polynomial.of(*last[:-2]) * (cubes + products)


def _singular(tall: int, square: int) -> Callable[[Shape, Shape], Polynomial]:
    """tall · m n r + square · r³ for an (m, n) matrix, r the smaller of m and n."""

    def flops(first: Shape, last: Shape) -> Polynomial:
        r = least_dim(*first[-2:])
        return tall * Polynomial.of(*first, r) + square * Polynomial.of(*first[:-2], r, r, r)

    return flops


LINEAR_ALGEBRA: dict[str, Callable[[Shape, Shape], Polynomial]] = {
    "linalg.inv": _cubic(2),
    "linalg.det": _cubic(Fraction(2, 3)),
    "linalg.slogdet": _cubic(Fraction(2, 3)),
    "linalg.cholesky": _cubic(Fraction(1, 3)),
    "inverse_of_lower": _cubic(Fraction(1, 3)),
    "linalg.solve": _solve,
    "linalg.svd": _singular(6, 20),
    "linalg.svdvals": _singular(2, 2),
    "linalg.pinv": _singular(8, 20),
    # Padé of degree 13, scaled and squared (Higham 2005); Schur forms (Björck & Hammarling).
    "scipy.linalg.expm": _cubic(Fraction(62, 3)),
    "scipy.linalg.expm_frechet": _cubic(62),
    "scipy.linalg.sqrtm": _cubic(Fraction(85, 3)),
    "scipy.linalg.solve_sylvester": _sylvester,
}


def count(function: str, shapes: list[Shape], result: Shape) -> tuple[Polynomial, Polynomial]:
    """Return (FLOPs, function evaluations) of one call that is no contraction.

    >>> [str(part) for part in count("add", [("m", "n"), ("n",)], ("m", "n"))]
    ['m n', '0']
    >>> [str(part) for part in count("linalg.solve", [("n", "n"), ("n", "k")], ("n", "k"))]
    ['2 k n^2 + 2/3 n^3', '0']
    """
    if function in ARITHMETIC:
        return Polynomial.of(*result), ZERO
    if function in WEIGHTS:
        return ZERO, Polynomial.of(*result)
    if function in REDUCTIONS:
        return Polynomial.of(*shapes[0]) - Polynomial.of(*result), ZERO
    if function in LINEAR_ALGEBRA:
        return LINEAR_ALGEBRA[function](shapes[0], shapes[-1]), ZERO
    return ZERO, ZERO


def contraction_flops(result: Shape, contracted: Shape) -> Polynomial:
    """(2K - 1) operations for each entry of the result, K the number of summands.

    >>> print(contraction_flops(("m", "n"), ("k",)))
    2 k m n - m n
    """
    return (2 * Polynomial.of(*contracted) - 1) * Polynomial.of(*result)
