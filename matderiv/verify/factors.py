"""The factor between a claim and a derivative: a number times powers of named scalars.

claim = c · n^a · λ^b · derivative,   c a small fraction, at most two powers
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product
from math import isclose, isnan, prod

import numpy as np

from matderiv.values import Array

__all__ = ["MINUS_ONE", "Factor", "common_ratio", "find_factor"]

_TOLERANCE = 1e-8
_LARGEST = 144  # of the denominators of the fractions that are tried
_EXPONENTS = tuple(Fraction(k, 2) for k in (-2, 2, -1, 1, -4, 4))

Powers = tuple[tuple[str, Fraction], ...]


@dataclass(frozen=True)
class Factor:
    """`coefficient` times `powers` of names.

    >>> print(Factor(Fraction(2, 3), (("n", Fraction(-1)), ("λ", Fraction(1)))))
    2 λ/(3 n)
    """

    coefficient: Fraction
    powers: Powers = ()

    def __str__(self) -> str:
        size = abs(self.coefficient)
        above = [str(size.numerator)] if size.numerator != 1 else []
        below = [str(size.denominator)] if size.denominator != 1 else []
        above += [_power(name, power) for name, power in self.powers if power > 0]
        below += [_power(name, -power) for name, power in self.powers if power < 0]
        text = " ".join(above) or "1"
        if below:
            bottom = " ".join(below)
            text += f"/({bottom})" if len(below) > 1 else f"/{bottom}"
        return "-" * (self.coefficient < 0) + text


MINUS_ONE = Factor(Fraction(-1))


def _power(name: str, power: Fraction) -> str:
    if power == 1:
        return name
    return f"√{name}" if power == Fraction(1, 2) else f"{name}^{power}"


def common_ratio(claim: Array, derivative: Array) -> float | None:
    """c with claim = c · derivative; NaN where both are 0, None where there is none."""
    square = float(np.sum(derivative * derivative))
    if not square:
        return None if np.any(claim) else np.nan
    ratio = float(np.sum(claim * derivative)) / square
    error = np.max(np.abs(claim - ratio * derivative), initial=0.0)
    scale = np.max(np.abs(claim), initial=0.0)
    return ratio if ratio and error <= _TOLERANCE * scale else None


def find_factor(ratios: Sequence[float], scalars: Mapping[str, Sequence[float]]) -> Factor | None:
    """What the ratios at several points are, given the named scalars at each of them.

    A point at which the ratio is NaN says nothing.

    >>> print(find_factor([2 / 3, 2 / 5], {"n": [3, 5]}))
    2/n
    """
    known = [k for k, ratio in enumerate(ratios) if not isnan(ratio)]
    for powers in _powers([name for name, values in scalars.items() if all(values)]):
        rest = [
            ratios[k] / prod(_raised(scalars[name][k], power) for name, power in powers)
            for k in known
        ]
        if not np.all(np.isfinite(rest)):
            continue
        number = Fraction(rest[0]).limit_denominator(_LARGEST)
        if number and all(isclose(r, float(number), rel_tol=_TOLERANCE) for r in rest):
            return Factor(number, powers)
    return None


def _raised(base: float, power: Fraction) -> float:
    """base^power; not a number where that is not real."""
    with np.errstate(invalid="ignore"):
        return float(np.float64(base) ** float(power))


def _powers(names: Sequence[str]) -> Iterator[Powers]:
    """No powers, those of one name, those of two."""
    for count in range(3):
        for chosen in combinations(names, count):
            for exponents in product(_EXPONENTS, repeat=count):
                yield tuple(zip(chosen, exponents, strict=True))
