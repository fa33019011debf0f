"""Diagonals are written into arrays of any layout."""

from __future__ import annotations

import numpy as np
import pytest

import matderiv as md

# Sums whose array lies by rows, by columns, or is a result of a product or a solver.
SUMS = {
    "rows": ("A, B: (n, n); x: (n)\nA + B + diag(x)", lambda A, B, x: A + B + np.diag(x)),
    "columns": ("A, B: (n, n); x: (n)\nA' + B' + diag(x)", lambda A, B, x: (A + B).T + np.diag(x)),
    "product": ("A, B: (n, n); x: (n)\nA' B' + diag(x)", lambda A, B, x: A.T @ B.T + np.diag(x)),
    "outer": (
        "A: (n, n); x, y: (n)\n(A x) y' - 3 I",
        lambda A, x, y: np.outer(A @ x, y) - 3 * np.eye(5),
    ),
    "inverse": (
        "A: (n, n); x: (n)\nA^-1 + diag(x) + I",
        lambda A, x: np.linalg.inv(A) + np.diag(x) + np.eye(5),
    ),
    "slice": (
        "A: (8, 9); x: (5)\nA[1:6, 2:7] + diag(x)",
        lambda A, x: A[1:6, 2:7] + np.diag(x),
    ),
}


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("order", "CF")
def test_a_diagonal_is_added_where_it_stands(name: str, order: str) -> None:
    source, want = SUMS[name]
    function = md.compile(source, [])
    rng = np.random.default_rng(0)
    given = {}
    for variable in function.plan.inputs:
        if variable is not function.plan.cotangent:
            shape = [d if isinstance(d, int) else 5 for d in variable.shape]
            given[variable.name] = np.asarray(rng.normal(size=shape), order=order)
    value, _ = function.module.forward(**given)
    ordered = [given[k] for k in want.__code__.co_varnames]
    np.testing.assert_allclose(value, want(*ordered), rtol=1e-12, atol=1e-12)
