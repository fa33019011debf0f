"""Counts broken on purpose: whatever a call is said to cost, some program holds it to it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache, partial

import pytest

from matderiv import api
from matderiv.program import counting, plan, tape
from matderiv.program.polynomial import ZERO, Polynomial
from matderiv.tensor.arena import Arena
from matderiv.tensor.dims import Shape
from matderiv.tensor.elementwise import ELEMENTWISE
from matderiv.tensor.primitives import PRIMITIVES
from tests.program import test_laws, test_tables

Law = Callable[[], None]
Counts = tuple[Polynomial, Polynomial]

COUNTED = {*counting.ARITHMETIC, *counting.REDUCTIONS, *counting.WEIGHTS, *counting.LINEAR_ALGEBRA}
COUNTED -= {"greater"}  # takes the place, and the count, of a heaviside
COUNTED -= {"arcsinh", "arccosh", "arctanh"}  # for a function that is yet to be declared
CASES = {case["id"]: case for case in test_laws.FORMULAS}
# What neither table's programs call, by formulas of the corpus.
FORMULAS_THAT_CALL = {
    "equal": "mse-2882762",
    "inverse_of_lower": "ll-mvn-mean",
    "linalg.solve": "cookbook-61",
    "reciprocal": "mse-2882762",
    "sqrt": "cos-sim",
}
CONTRACTIONS = {"matmul": "wiki-Ax", "tensordot": "kron-sum", "vdot": "cookbook-69"}
CONTRACTIONS["vecdot"] = "sympy-aAXBb"


def wrong_counts(made: Counts) -> list[Counts]:
    """Twice as many, one more, none; function values taken for FLOPs and the other way."""
    flops, evaluations = made
    return [
        (2 * flops, 2 * evaluations),
        (flops + 1, evaluations),
        (flops, evaluations + 1),
        (ZERO, ZERO),
        (evaluations, flops),
    ]


def predicted(case: str) -> None:
    """The law of a formula of the corpus, compiled anew, and for this law alone."""
    api._compiled.cache_clear()
    try:
        test_laws.test_predicted_flops_are_executed(CASES[case])
    finally:
        api._compiled.cache_clear()


@cache
def laws() -> dict[str, Law]:
    """For each function that is called, one law whose program calls it."""
    table: list[Law] = [partial(test_tables.test_elementwise, name) for name in ELEMENTWISE]
    table += [
        partial(test_tables.test_primitive, name, ())
        for name, entry in PRIMITIVES.items()
        if entry.infer is None and entry.arity
    ]
    table += [partial(predicted, k) for k in {*FORMULAS_THAT_CALL.values()}]
    found: dict[str, Law] = {}
    for law in table:

        def count(function: str, shapes: list[Shape], result: Shape, law: Law = law) -> Counts:
            found.setdefault(function, law)
            return counting.count(function, shapes, result)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tape, "count", count)
            law()
    return found


def test_every_function_that_has_a_count_is_called() -> None:
    assert set(laws()) >= COUNTED


@pytest.mark.parametrize("function", sorted(COUNTED))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_wrong_count_breaks_a_law(monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    law, noticed = laws()[function], []
    for place in range(5):

        def count(name: str, shapes: list[Shape], result: Shape, place: int = place) -> Counts:
            made = counting.count(name, shapes, result)
            return wrong_counts(made)[place] if name == function else made

        monkeypatch.setattr(tape, "count", count)
        try:
            law()
        except (AssertionError, KeyError):  # KeyError: it has no weight as a function
            noticed.append(place)
    # A plan does without a solve or a factor that seems to cost twice as much.
    assert noticed == [0, 1, 2, 3, 4] or (function in FORMULAS_THAT_CALL and len(noticed) > 2)


@pytest.mark.parametrize("function", CONTRACTIONS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_wrong_count_of_products_breaks_a_law(
    monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    """2 K and K for 2 K - 1, once more, and products alone."""
    right = counting.contraction_flops
    wrong: list[Callable[[Shape, Shape], Polynomial]] = [
        lambda result, summed: right(result, summed) + Polynomial.of(*result),
        lambda result, summed: Polynomial.of(*summed) * Polynomial.of(*result),
        lambda result, summed: right(result, summed) + 1,
        lambda result, summed: ZERO,
    ]
    for other in wrong:
        monkeypatch.setattr(tape, "contraction_flops", other)
        with pytest.raises(AssertionError):
            predicted(CONTRACTIONS[function])


@pytest.mark.parametrize("name", [n for n, p in PRIMITIVES.items() if p.infer is None and p.arity])
def test_declared_flops_are_those_of_the_program(name: str) -> None:
    """In leading terms, each value of a function counted once, for m ≥ n."""
    assert declared(name) == executed(name), (str(declared(name)), str(executed(name)))


def declared(name: str) -> Polynomial:
    terms = []
    for term in PRIMITIVES[name].flops.split(" + "):
        coefficient, *powers = term.split() if term[0].isdigit() else ("1", *term.split())
        dims = [
            base
            for power in powers
            for base, _, k in [power.partition("^")]
            for _ in range(int(k or 1))
        ]
        terms.append(Fraction(coefficient) * Polynomial.of(*dims))
    return Polynomial.total(terms).leading


def executed(name: str) -> Polynomial:
    entry, arena = PRIMITIVES[name], Arena()
    cores = entry.cores[:-1]
    arguments = [arena.variable("xzwvut"[k], core) for k, core in enumerate(cores)]
    made = plan(arena.apply(entry, *arguments), {}, inputs=arguments)
    total = Polynomial.total(s.flops + s.evaluations for s in made.forward).leading
    return Polynomial.total(
        coefficient * Polynomial.of(*("n" if name.startswith("min") else name for name in names))
        for names, coefficient in total.terms.items()
    )
