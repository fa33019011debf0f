"""Compressed derivatives: equal to the dense ones, as small as their structure allows."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv.calculus.compress import compressed
from matderiv.calculus.derivative import reverse
from matderiv.language import canonical_name
from matderiv.program.compressed import Compressed
from matderiv.tensor.evaluate import evaluate
from tests.backends.programs import values_for
from tests.random_programs import random_program

FORMULAS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "corpus" / "formulas.json").read_text("utf-8")
)
DENSE = [case for case in FORMULAS if case["order"] > 1 or case["value_shape"]]
FACTORS = "U: (n, k), V: (m, k), T: (n, m)"
LAYER_NORM = "x: (n)\nc = x - mean(x)\nc / sqrt(mean(c .* c) + 1e-5)"

# A program, an input, the order, and the specs of the terms.
STRUCTURES: dict[str, tuple[str, str, int, list[str]]] = {
    "elementwise": ("tanh(x)", "x", 1, ["i->ii"]),
    "identity": ("x", "x", 1, ["->ii"]),
    "softmax": ("softmax(x)", "x", 1, ["i->ii", "i,j->ij"]),
    "layer norm": (LAYER_NORM, "x", 1, ["->ii", "->ij", "i,j->ij"]),
    "norm": ("norm(x)", "x", 2, ["->ii", "i,j->ij"]),
    "kronecker": ("A X B", "X", 1, ["ik,jl->ijkl"]),
    "factorisation": (f"||T - U V'||_F^2 where {FACTORS}", "U", 2, ["jk->ijik"]),
    "masked": (f"||M .* (T - U V')||_F^2 where {FACTORS}", "U", 2, ["ijk->ijik"]),
    "rows": ("softmax(X)", "X", 1, ["ij->ijij", "ijk->ijik"]),
    "dense": ("sum(exp(X w))", "w", 2, ["ij->ij"]),
    "zero": ("a' x", "x", 2, []),
}


def held(found: Compressed, dense: np.ndarray) -> None:
    """The terms are those of the dense array, and applied as it is."""
    assert found.shape == dense.shape
    scale = np.max(np.abs(dense), initial=1e-300)
    np.testing.assert_allclose(found.dense() / scale, dense / scale, rtol=1e-9, atol=1e-11)
    rng = np.random.default_rng(0)
    for count in range(1, dense.ndim + 1):
        v = rng.normal(size=dense.shape[dense.ndim - count :])
        want = np.tensordot(dense, v, axes=count)
        np.testing.assert_allclose(found.apply(v) / scale, want / scale, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("layout", ["mixed", "numerator", "denominator"])
def test_structure_is_kept(name: str, layout: str, tmp_path: Path) -> None:
    source, wrt, order, specs = STRUCTURES[name]
    options: dict[str, Any] = {"order": order, "layout": layout}
    small = md.compile(source, wrt, compressed=True, **options)
    full = md.compile(source, wrt, **options)
    values, _ = values_for(full)
    found, dense = small.derivative(values)[wrt], full.derivative(values)[wrt]
    held(found, dense)
    assert found.size <= dense.size
    with pytest.raises(SystemExit, match=r"^0$"):  # a script compares with differences
        runpy.run_path(str(small.save(tmp_path / "module.py")), run_name="__main__")
    if layout == "mixed":
        assert [spec for spec, _ in found.terms] == specs


@pytest.mark.parametrize("case", DENSE, ids=[case["id"] for case in DENSE])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_corpus(case: dict[str, Any]) -> None:
    if case["expected_derivative"] is None:
        pytest.skip("a formula of functions without numbers")
    function = md.compile(
        case["expr"],
        case["wrt"],
        order=case["order"],
        compressed=True,
        shapes=case["shapes"],
        attributes=case["attrs"] or None,
    )
    inputs = {canonical_name(name): value for name, value in case["inputs"].items()}
    (found,) = function.derivative({**case["dims"], **inputs}).values()
    held(found, np.array(case["expected_derivative"], float))


@pytest.mark.parametrize("seed", range(100))
def test_random_derivatives(seed: int) -> None:
    """On nodes: the outer products of the parts add up to the node."""
    made = random_program(seed, names=True)
    for node in reverse(made.root, made.variables):
        terms = compressed(node)
        assert compressed(made.arena.name("N", node)) == terms
        parts = [part for term in terms for part in term.parts]
        arrays = iter(evaluate(parts, made.arrays, made.sizes))
        filled = tuple((t.spec, tuple(next(arrays) for _ in t.parts)) for t in terms)
        dense = made.at(node)
        held(Compressed(dense.shape, filled), dense)


def test_the_hessian_of_a_factorisation_costs_no_more_than_its_block() -> None:
    source = f"||T - U V'||_F^2 where {FACTORS}"
    small = md.compile(source, "U", order=2, compressed=True)
    assert str(small.cost.derivative) == "2*k**2*m"
    rng = np.random.default_rng(0)
    values = {"U": rng.normal(size=(900, 4)), "V": rng.normal(size=(800, 4))}
    found = small.derivative({**values, "T": np.zeros((900, 800))})["U"]
    assert (found.shape, found.size) == ((900, 4, 900, 4), 16)
    direction = rng.normal(size=(900, 4))
    want = 2 * direction @ values["V"].T @ values["V"]
    np.testing.assert_allclose(found.apply(direction), want, rtol=1e-12)


def test_other_backends_return_the_same_terms() -> None:
    jax = pytest.importorskip("jax")
    source, wrt, order, _ = STRUCTURES["layer norm"]
    with jax.enable_x64(True):
        theirs = md.compile(source, wrt, order=order, compressed=True, backend="jax")
        values = {"x": np.arange(1.0, 6.0) ** 2}
        dense = md.compile(source, wrt, order=order).derivative(values)[wrt]
        held(theirs.derivative(values)[wrt], dense)
