"""Every way to shorten a formula is needed: some formula is longer without it."""

from __future__ import annotations

import inspect
import re
from fractions import Fraction
from itertools import permutations
from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv.calculus import shorten
from matderiv.calculus.divide import quotients
from matderiv.calculus.expand import as_product, expand
from matderiv.calculus.weight import Weights
from matderiv.tensor.arena import Arena
from matderiv.tensor.nodes import Factor, Map, Node, Number, Sum, Term
from matderiv.tensor.rules import COMPLEMENTS
from matderiv.tensor.traverse import reachable
from tests.numerics import value

LOGISTIC = "-sum(y .* log(sigmoid(X w)) + (1 - y) .* log(1 - sigmoid(X w)))"

# What yields candidates -> a formula, an input, the order, and the derivative as it is printed.
CANDIDATES: dict[str, tuple[str, str, int, str]] = {
    "_pulled": ("x' A x + x' B x", "x", 1, "(A + B + (A + B)') x"),
    "_common_denominator": (
        *("s^2 / (1 + s) where s: ()", "s", 1),
        "s (s + 2)/(s + 1)^2",
    ),
    "_collected_diagonals": ("sum(exp(x)) + sum(sin(x))", "x", 2, "diag(exp(x) - sin(x))"),
    "_complemented": (LOGISTIC, "w", 1, "X' (sigmoid(X w) - y)"),
    "_through_names": ("c = x - mean(x)\nsum(c .* c)", "x", 1, "2 c where c = x - mean(x)"),
    "_multiplied_in": ("log(s + x'x/s) where s: ()", "x", 1, "2/(s^2 + x' x) x"),
    "without_square": ("logdet(X^3)", "X", 1, "3 X^-T"),
    "quotients": (
        *("-sum(log(sigmoid(a - X w) - sigmoid(c - X w)))", "w", 1),
        "X' (1 - sigmoid(a - X w) - sigmoid(c - X w))",
    ),
    "_raised": (
        *("sum(x.^p / p - y .* x.^(p - 1) / (p - 1)) where p: ()", "x", 1),
        "x.^(p - 2) .* (x - y)",
    ),
    "expand": ("logdet(X X' A^-1)", "X", 1, "2 (X X')^-1 X"),
}


def printed(name: str) -> str:
    formula, wrt, order, _ = CANDIDATES[name]
    return str(md.diff(formula, wrt, order=order).to("ascii"))


def test_the_table_has_every_candidate() -> None:
    source = inspect.getsource(shorten.Shortener._candidates)
    named = set(re.findall(r"yield from (?:self\.)?(\w+)\(", source))
    assert named | {"expand"} == set(CANDIDATES)


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_candidate_shortens(name: str) -> None:
    assert printed(name) == CANDIDATES[name][-1]


@pytest.mark.parametrize("name", CANDIDATES)
def test_without_a_candidate_a_formula_is_longer(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner: Any = shorten.Shortener if hasattr(shorten.Shortener, name) else shorten
    nothing = (lambda node, weight: node) if name == "expand" else (lambda *nodes: iter(()))
    monkeypatch.setattr(owner, name, nothing)
    assert len(printed(name)) > len(CANDIDATES[name][-1])


@pytest.mark.parametrize(
    "formula, wrt, found",
    [
        # σ(-t) = 1 - σ(t) as a whole term, and inside one
        ("sum(softplus(x) + softplus(-x))", "x", "2 sigmoid(x) - 1"),
        ("sum(x .* (sigmoid(x) + sigmoid(-x)))", "x", "ones(n)"),
        ("sum(x .* (normcdf(x) + normcdf(-x)))", "x", "ones(n)"),
    ],
)
def test_complements(formula: str, wrt: str, found: str) -> None:
    assert md.diff(formula, wrt).to("ascii") == found


@pytest.mark.parametrize("name", sorted(COMPLEMENTS))
@pytest.mark.parametrize("order", list(permutations(["x", "-x", "w"])))
def test_the_complement_of_the_longer_argument_is_replaced(
    name: str, order: tuple[str, ...]
) -> None:
    """z f(x) + y f(-x) + z f(w) = z f(x) + y (1 - f(x)) + z f(w), in whatever order."""
    arena = Arena()
    x, y, z, w = (arena.variable(v, ("n",)) for v in "xyzw")
    made = {key: arena.map(name, {"x": x, "-x": -x, "w": w}[key]) for key in order}
    terms = [{"x": z, "-x": y, "w": z}[key] * made[key] for key in order]
    total = arena.sum([Term(1, term) for term in terms], ("n",))
    assert isinstance(total, Sum)
    (replaced,) = shorten.Shortener()._complemented(total)
    left = {node.arguments[0] for node in reachable([replaced]) if isinstance(node, Map)}
    assert left == {x, w}


@pytest.mark.parametrize(
    "formula, wrt, found",
    [
        # a difference that the function's argument holds too is opened, and cancels
        (
            "exp(||a - b||^2 - ||a - c||^2)",
            *("a", "2 exp(||a - b||^2 - ||a - c||^2) (c - b)"),
        ),
        # 1 / (a / b) is b / a
        ("sum(x ./ y - log(x ./ y))", "y", "(y - x) ./ y.^2"),
        ("sum(X ./ (W H) - log(X ./ (W H)))", "W", "((W H - X) ./ (W H).^2) H'"),
    ],
)
def test_what_cancels_is_opened(formula: str, wrt: str, found: str) -> None:
    assert md.diff(formula, wrt).to("ascii") == found


@pytest.mark.parametrize(
    "formula, wrt, found",
    [
        ("sum(log(1 + x.^2 / s^2)) where s: ()", "x", "2 x ./ (x.^2 + s^2)"),
        ("logdet(I + X X' / s^2) where s: ()", "X", "2 (X X' + s^2 eye(n))^-1 X"),
        ("sum(log(1 + x ./ y)) where x, y: (n) positive", "x", "1 ./ (y + x)"),
        # ν s^2 + x.^2 may cancel no more than 1 + x.^2/(ν s^2), of which it is a multiple
        (
            "(ν + 1) sum(log(1 + x.^2 / (ν s^2))) where s: ()",
            *("x", "2 (nu + 1) x ./ (nu s^2 + x.^2)"),
        ),
        # the root of s^2 is s for s ≥ 0 alone
        (
            "sum(sqrt(1 + x.^2 / s^2)) where s: ()",
            *("x", "(x ./ sqrt(x.^2/s^2 + 1))/s^2"),
        ),
        (
            "sum(sqrt(1 + x.^2 / s^2)) where s: () positive",
            *("x", "(x ./ sqrt(x.^2 + s^2))/s"),
        ),
    ],
)
def test_what_divides_within_a_divisor_is_multiplied_in(formula: str, wrt: str, found: str) -> None:
    assert md.diff(formula, wrt).to("ascii") == found


@pytest.mark.parametrize(
    "formula, found",
    [
        (
            "x' A x / (x' x)",
            "(A + A' - 2/(x' x) ((x' A x) eye(n) + (T_0 - 4 (x' A x)/(x' x) x) x' + x T_0'))"
            "/(x' x) where T_0 = (A + A') x",
        ),
        (
            "(x' y)^3 / ||x||^2",
            "2 T_0/(x' x) (3 (y - T_1) y' - T_0/(x' x) ((3 y - 4 T_1) x' + T_0 eye(n))) "
            "where T_0 = x' y; T_1 = T_0/(x' x) x",
        ),
    ],
)
def test_what_divides_an_identity_and_others_is_taken_out(formula: str, found: str) -> None:
    """And what multiplies them is not."""
    hessian = md.diff(formula, "x", order=2)
    assert hessian.check()
    assert hessian.to("ascii") == found


@pytest.mark.parametrize("power", [-2, -1, Fraction(-1, 2), Fraction(1, 2), 1, 2])
def test_an_identity_shares_with_other_terms_what_divides_it(power: Number) -> None:
    arena = Arena()
    s = arena.variable("s", ())
    x, A, B = (
        arena.variable(name, ("n",) * order) for name, order in (("x", 1), ("A", 2), ("B", 2))
    )
    terms = [s**power * arena.einsum("i->ii", x), s**power * A, B]
    total = arena.sum([Term(1, term) for term in terms], ("n", "n"))
    assert isinstance(total, Sum)
    shared = [factor for _, factor, _ in shorten._common_factors(total)]
    assert shared == ([Factor(s, (), power)] if power < 0 else [])


def test_divisors_meet_that_are_multiples_of_one_another() -> None:
    """1/(x²/c² + 1) - 2 c² x²/(c² + x²)² has the divisor (c² + x²)²."""
    formula = "sum(log(1 + ((X w - y)/c).^2)) where c: ()"
    hessian = md.diff(formula, "w", order=2)
    assert hessian.check()
    want = "2 X' diag((1 - 2 (X w - y).^2 ./ T_0) ./ T_0) X where T_0 = (X w - y).^2 + c^2"
    assert hessian.to("ascii") == want


@pytest.mark.parametrize(
    "formula, found",
    [
        ("logdet(A X B)", "X^-T"),
        ("det(A X B)", "det(A X B) X^-T"),
        ("logdet(X' A X)", "2 X^-T"),
        ("logdet(X S X)", "2 X^-T"),
        ("logdet(S X S)", "X^-T"),
        ("logdet(S X' S)", "X^-T"),
        ("tr((A X)^-1 B)", "-X^-T B'(A X)^-T"),
        ("tr((X A)^-1 B)", "-(X A)^-T B' X^-T"),
        # C and D are not square: (C D)⁻¹ C is no inverse, and none of C can be left out
        ("tr((C D)^-1 X)", "(C D)^-T"),
        ("logdet(C X D)", "(D (C X D)^-1 C)'"),
        ("logdet(X C D)", "X^-T"),
    ],
)
def test_a_square_factor_meets_the_inverse_of_a_product(formula: str, found: str) -> None:
    declared = " where A, B, X: (n, n), S: (n, n) symmetric, C: (n, k), D: (k, n)"
    if formula == "logdet(C X D)":
        declared = " where X: (n, n), C: (k, n), D: (n, k)"
    derivative = md.diff(formula + declared, "X")
    assert derivative.to("ascii").replace("' (", "'(") == found
    assert derivative.check()


@pytest.mark.parametrize("seed", range(40))
def test_a_sum_divides_its_multiples_and_nothing_else(seed: int) -> None:
    random = np.random.default_rng(seed)
    arena = Arena()
    x, y, z = (arena.variable(name, ("n",)) for name in "xyz")

    def polynomial(count: int) -> Node:
        """Terms of different degrees, so none cancels."""
        total = arena.zero(("n",))
        for degree in range(count):
            powers = [(base, int(random.integers(3))) for base in (x, y)]
            factors = [Factor(base, (0,), power) for base, power in [*powers, (z, degree)]]
            coefficient = Fraction(int(random.choice([-3, -1, 2, 5])), int(random.integers(1, 4)))
            total = total + arena.product(coefficient, factors, (0,), {0: "n"})
        return total

    weight = Weights()
    divisor, quotient = polynomial(2), polynomial(int(random.integers(1, 4)))
    multiple = expand(divisor * quotient, weight)
    other = multiple + arena.map("exp", x)
    for above, found in ((multiple, 1), (other, 0)):
        below = Factor(divisor, (0,), -1)
        fraction = as_product(arena.product(1, [Factor(above, (0,), 1), below], (0,)))
        below_stays = isinstance(divisor, Sum) and any(f == below for f in fraction.factors)
        made = list(quotients(fraction, weight)) if below_stays else []
        assert len(made) == (found if below_stays else 0)
        for node in made:
            assert expand(node - quotient, weight) is arena.zero(("n",))
    for exponent in (-2, Fraction(-1, 2), Fraction(1, 2), 1):  # N D^k is (N/D) D^(k + 1)
        factors = [Factor(multiple, (0,), 1), Factor(divisor, (0,), exponent)]
        fraction = as_product(arena.product(1, factors, (0,)))
        factors = [Factor(quotient, (0,), 1), Factor(divisor, (0,), exponent + 1)]
        want = expand(arena.product(1, factors, (0,)), weight)
        made = [expand(node, weight) for node in quotients(fraction, weight)]
        assert want in made or not isinstance(divisor, Sum) or not isinstance(multiple, Sum)
    apart = arena.product(1, [Factor(multiple, (0,), 1), Factor(divisor, (1,), -1)], (0, 1))
    assert not list(quotients(as_product(apart), weight))  # no entry of one by one of the other


@pytest.mark.parametrize("less", [Fraction(-3, 2), -1, Fraction(-1, 2), Fraction(1, 2), 1, 2])
@pytest.mark.parametrize("more", [Fraction(1, 2), 1, Fraction(3, 2)])
def test_of_a_factor_in_two_powers_the_one_nearest_to_0_is_pulled_out(
    less: Number, more: Number
) -> None:
    arena = Arena()
    x, y, z = (arena.variable(name, ("n",)) for name in "xyz")
    sign = 1 if less > 0 else -1
    total = x**less * y + x ** (less + sign * more) * z
    assert isinstance(total, Sum)
    pulled = x**less * (y + x ** (sign * more) * z)
    assert pulled in list(shorten.Shortener()._pulled(total))


def test_sums_are_divided_as_what_they_expand_to() -> None:
    """2 x² + 4 x y is x + 2 y times (x + 1)² - x² - 1, which is the one term 2 x."""
    arena, weight = Arena(), Weights()
    x, y = arena.variable("x", ("n",)), arena.variable("y", ("n",))
    above, below = 2 * x * x + 4 * x * y, (x + 1) ** 2 - x * x - 1
    factors = [Factor(above, (0,), 1), Factor(below, (0,), -1)]
    fraction = arena.product(1, factors, (0,))
    assert x + 2 * y in list(quotients(as_product(fraction), weight))


@pytest.mark.parametrize("scalar_first", [True, False])
def test_a_quotient_of_what_expands_to_a_product_keeps_the_value(scalar_first: bool) -> None:
    """Σ, s Σ and Σ^k are values of their own, though each holds the one sum Σ = x + y."""
    arena, weight = Arena(), Weights()
    x, y = arena.variable("x", ("n",)), arena.variable("y", ("n",))
    before = arena.variable("s", ()) if scalar_first else x
    total = x + y
    s, t = arena.variable("s", ()), arena.variable("t", ())
    assert before in (s, x)
    random = np.random.default_rng(3)
    arrays: dict[Node, Any] = {
        v: random.uniform(1, 2, size=3 if v.order else ()) for v in (x, y, s, t)
    }
    found = 0
    forms = [total, *((k + t) * total**e - t * total**e for k in (1, s) for e in (1, 2, 3))]
    for above in (x * x - y * y, *forms):
        for below in forms:
            for power in (-1, -2):
                factors = [Factor(above, (0,), 1), Factor(below, (0,), power)]
                fraction = as_product(arena.product(1, factors, (0,)))
                want = value(fraction, arrays, {"n": 3})
                for made in quotients(fraction, weight):
                    found += 1
                    np.testing.assert_allclose(value(made, arrays, {"n": 3}), want, rtol=1e-12)
    assert found > 10


def test_a_difference_of_roots_divides_that_of_the_values() -> None:
    """(x - y)/(x^½ - y^½) = x^½ + y^½, and (x y - y)/(x^½ y - y) = x^½ + 1."""
    arena, weight = Arena(), Weights()
    x, y = arena.variable("x", ("n",)), arena.variable("y", ("n",))
    half = Fraction(1, 2)
    for above, below, want in (
        (x - y, x**half - y**half, x**half + y**half),
        (x * y - y, x**half * y - y, x**half + 1),
        (x * (x - 1) + y * (1 - y), x - y, x + y - 1),  # expanded it is minus a sum
    ):
        made = list(quotients(as_product(above / below), weight))
        assert any(expand(found - want, weight) is arena.zero(("n",)) for found in made)
