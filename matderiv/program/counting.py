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
from matderiv.tensor.dims import Shape

__all__ = ["WEIGHTS", "contraction_flops", "count"]

ARITHMETIC = frozenset(
    "add subtract multiply divide negative reciprocal abs absolute sign maximum minimum "
    "heaviside equal greater less square".split()
)
REDUCTIONS = frozenset("sum amax amin argmax argmin".split())

WEIGHTS: dict[str, int] = {
    "sqrt": 4,
    "power": 20,
    **dict.fromkeys("exp expm1 log log1p".split(), 10),
    **dict.fromkeys("sin cos tan arcsin arccos arctan".split(), 15),
    **dict.fromkeys("sinh cosh tanh arcsinh arccosh arctanh".split(), 15),
    "special.erf": 20,
}


def _cubic(coefficient: Fraction | int) -> Callable[[Shape, Shape], Polynomial]:
    """coefficient · n³ for each matrix of the first operand."""
    return lambda first, last: coefficient * Polynomial.of(*first, first[-1])


def _solve(first: Shape, last: Shape) -> Polynomial:
    """LU 2/3 n³, then 2 n² for each right-hand side."""
    n = first[-1]
    sides = last[1:]
    return Fraction(2, 3) * Polynomial.of(n, n, n) + 2 * Polynomial.of(n, n, *sides)


LINEAR_ALGEBRA: dict[str, Callable[[Shape, Shape], Polynomial]] = {
    "linalg.inv": _cubic(2),
    "linalg.det": _cubic(Fraction(2, 3)),
    "linalg.slogdet": _cubic(Fraction(2, 3)),
    "linalg.cholesky": _cubic(Fraction(1, 3)),
    "linalg.solve": _solve,
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
