"""Exact polynomials in dimension names: what counts of operations and bytes are made of.

A monomial is a sorted tuple of names, `("m", "n", "n")` for m n²; a polynomial maps
monomials to rational coefficients.  Dictionaries add three orders of magnitude faster
than SymPy's expressions, so SymPy is met once, at the end (`to_sympy`).

>>> n, m = Polynomial.of("n"), Polynomial.of("m")
>>> print((2 * n - 1) * m * n)
2 m n^2 - m n
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import reduce
from math import gcd, lcm
from typing import TYPE_CHECKING, Any

from matderiv.tensor.dims import (
    ROOT,
    Composite,
    Dim,
    bound_name,
    dimension_names,
    name_value,
    smaller_of,
)
from matderiv.tensor.nodes import Number, rational

if TYPE_CHECKING:
    import sympy

__all__ = ["ONE", "ZERO", "Monomial", "Polynomial", "monomials", "quotient", "without_content"]

Monomial = tuple[str, ...]


class Polynomial:
    """An immutable polynomial with rational coefficients in dimension names."""

    __slots__ = ("terms",)

    def __init__(self, terms: Mapping[Monomial, Number]) -> None:
        self.terms: dict[Monomial, Number] = {k: c for k, c in terms.items() if c != 0}

    @staticmethod
    def of(*dims: Dim) -> Polynomial:
        """The product of sizes; 1 for none.

        >>> print(Polynomial.of("n", 3, "n"))
        3 n^2
        """
        coefficient, names = 1, list[str]()
        for dim in dims:
            if isinstance(dim, int):
                coefficient *= dim
            elif isinstance(dim, Composite):
                coefficient *= dim.coefficient
                names += dim.names
            else:
                names.append(dim)
        return Polynomial({tuple(sorted(names)): coefficient})

    @staticmethod
    def total(polynomials: Iterable[Polynomial]) -> Polynomial:
        terms: dict[Monomial, Number] = {}
        for polynomial in polynomials:
            for monomial, coefficient in polynomial.terms.items():
                terms[monomial] = terms.get(monomial, 0) + coefficient
        return Polynomial(terms)

    def __add__(self, other: Polynomial | Number) -> Polynomial:
        return Polynomial.total((self, _polynomial(other)))

    __radd__ = __add__

    def __neg__(self) -> Polynomial:
        return self * -1

    def __sub__(self, other: Polynomial | Number) -> Polynomial:
        return self + -_polynomial(other)

    def __mul__(self, other: Polynomial | Number) -> Polynomial:
        if not isinstance(other, Polynomial):
            return Polynomial({k: c * other for k, c in self.terms.items()})
        terms: dict[Monomial, Number] = {}
        for names, coefficient in self.terms.items():
            for more, factor in other.terms.items():
                key = tuple(sorted(names + more)) if names and more else names or more
                terms[key] = terms.get(key, 0) + coefficient * factor
        return Polynomial(terms)

    __rmul__ = __mul__

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Polynomial) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(frozenset(self.terms.items()))

    @property
    def leading(self) -> Polynomial:
        """The terms of the highest total degree.

        >>> print(((2 * Polynomial.of("k") - 1) * Polynomial.of("m", "n")).leading)
        2 k m n
        """
        top = max(map(_degree, self.terms), default=0)
        return Polynomial({k: c for k, c in self.terms.items() if _degree(k) == top})

    def at(self, sizes: Mapping[str, int]) -> Number:
        """The number for these sizes.

        >>> Polynomial.of("m", "n").at({"m": 3, "n": 4})
        12
        """
        value: Number = 0
        for monomial, coefficient in self.terms.items():
            for name in monomial:
                coefficient *= name_value(name, sizes)
            value += coefficient
        return rational(value)

    def bind(self, sizes: Mapping[str, int]) -> Polynomial:
        """The polynomial with numbers in the place of some names.

        >>> print(Polynomial.of("m", "n", "n").bind({"m": 3}))
        3 n^2
        """
        terms: dict[Monomial, Number] = {}
        for monomial, coefficient in self.terms.items():
            ((rest, factor),) = Polynomial.of(
                *(bound_name(k, sizes) for k in monomial)
            ).terms.items()
            terms[rest] = terms.get(rest, 0) + coefficient * factor
        return Polynomial(terms)

    @property
    def names(self) -> list[str]:
        """The dimension names that occur, sorted."""
        return sorted(set(dimension_names(name for monomial in self.terms for name in monomial)))

    def to_sympy(self) -> sympy.Expr:
        import sympy

        symbols = {name: _symbol(name) for k in self.terms for name in k}
        terms: list[Any] = [
            sympy.Mul(_sympy_rational(c), *(symbols[name] for name in k))
            for k, c in self.terms.items()
        ]
        return sympy.Add(*terms)

    def __str__(self) -> str:
        text = ""
        for coefficient, powers in monomials(self):
            if text:
                text += " - " if coefficient < 0 else " + "
            elif coefficient < 0:
                text = "-"
            names = [name if k == 1 else f"{name}^{k}" for name, k in powers.items()]
            size = abs(coefficient)
            text += " ".join([*([] if size == 1 and names else [str(size)]), *names])
        return text or "0"

    def __repr__(self) -> str:
        return f"<{self}>"


def _degree(monomial: Monomial) -> float:
    """How fast a term grows with all sizes; min(3, n) does not."""
    total = 0.0
    for name in monomial:
        if (sides := smaller_of(name)) is not None:
            total += min(_degree(key) for dim in sides for key in Polynomial.of(dim).terms)
        else:
            total += 0.5 if name.startswith(ROOT) else 1
    return total


def _symbol(name: str) -> Any:
    import sympy

    if (sides := smaller_of(name)) is not None:
        return sympy.Min(*(Polynomial.of(dim).to_sympy() for dim in sides))
    symbol = sympy.Symbol(name.removeprefix(ROOT), positive=True)
    return sympy.sqrt(symbol) if name.startswith(ROOT) else symbol


def monomials(polynomial: Polynomial) -> list[tuple[Number, Counter[str]]]:
    """Coefficients and powers of names, the highest degree first; in each a min(m, n) last."""
    ordered = sorted(polynomial.terms.items(), key=lambda item: (-_degree(item[0]), item[0]))
    return [
        (coefficient, Counter(sorted(monomial, key=lambda name: smaller_of(name) is not None)))
        for monomial, coefficient in ordered
    ]


def quotient(above: Polynomial, below: Polynomial) -> tuple[Polynomial, Polynomial]:
    """Both divided by what all their terms share; a denominator of 1 where they are in proportion.

    >>> n, m = Polynomial.of("n"), Polynomial.of("m")
    >>> quotient(2 * n * m + 4 * n * n, 2 * n * m)
    (<m + 2 n>, <m>)
    >>> quotient(3 * n + 3, 2 * n + 2)
    (<3/2>, <1>)
    """
    key = next(iter(below.terms))
    multiple = Fraction(above.terms.get(key, 0)) / Fraction(below.terms[key])
    if not above - multiple * below:
        return Polynomial({(): multiple}), ONE
    above, below = without_content(above, below)
    return above, below


def without_content(*polynomials: Polynomial) -> list[Polynomial]:
    """Polynomials divided by the largest monomial and number that divide all their terms.

    >>> n, k = Polynomial.of("n"), Polynomial.of("k")
    >>> without_content(2 * n * n * n - 6 * k * n * n)
    [<-3 k + n>]
    """
    terms = [item for polynomial in polynomials for item in polynomial.terms.items()]
    powers = [Counter(monomial) for monomial, _ in terms]
    shared = reduce(lambda one, other: one & other, powers, powers[0])
    numbers = [Fraction(coefficient) for _, coefficient in terms]
    whole = lcm(*(number.denominator for number in numbers))
    factor = Fraction(gcd(*(int(number * whole) for number in numbers)), whole)
    return [
        Polynomial(
            {
                tuple(sorted((Counter(monomial) - shared).elements())): Fraction(c) / factor
                for monomial, c in polynomial.terms.items()
            }
        )
        for polynomial in polynomials
    ]


def _polynomial(value: Polynomial | Number) -> Polynomial:
    return value if isinstance(value, Polynomial) else Polynomial({(): value})


def _sympy_rational(value: Number) -> Any:
    import sympy

    fraction = Fraction(value)
    return sympy.Rational(fraction.numerator, fraction.denominator)


ZERO = Polynomial({})
ONE = Polynomial({(): 1})
