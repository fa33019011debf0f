"""A product that is a half times its image: the half is computed once, however long."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv.program.mirrors import connected

DEPTHS = [2, 3, 4, 6, 9]


def _network(depth: int) -> str:
    """‖relu(W_d … relu(W_1 x))‖² of layers whose widths all differ."""
    weights = [f"W{k}: (n{k + 1}, n{k})" for k in range(depth)]
    lines = ["x: (n0)", *weights, "z_0 = relu(W0 x)"]
    lines += [f"z_{k} = relu(W{k} z_{k - 1})" for k in range(1, depth)]
    return "\n".join([*lines, f"||z_{depth - 1}||^2"])


def _jacobian(weights: list[Any], x: Any) -> Any:
    J = np.eye(len(x))
    for W in weights:
        x = W @ x
        J = (x > 0)[:, None] * (W @ J)
        x = np.maximum(x, 0)
    return J


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_hessian_of_a_network_multiplies_each_weight_once(depth: int) -> None:
    """2 J'J costs what J costs and one product."""
    sizes = {f"n{k}": 20 + k for k in range(depth + 1)}
    function = md.compile(_network(depth), ["x"], order=2, sizes=sizes)
    products = [
        step
        for step in function.plan.derivative
        if step.function == "matmul" and len(step.shape) == 2
    ]
    assert len(products) == depth
    rng = np.random.default_rng(depth)
    x = np.abs(rng.normal(size=20))
    weights = [rng.normal(size=(b, a)) for a, b in pairwise(sizes.values())]
    given = {f"W{k}": W for k, W in enumerate(weights)}
    got = function.module.derivative(**{"x": x, **given})["x"]
    J = _jacobian(weights, x)
    np.testing.assert_allclose(got, 2 * J.T @ J, rtol=1e-9, atol=1e-9 * np.max(np.abs(got)))


SANDWICHES = [
    # source, products of matrices, the value
    ("A: (n, m); B: (m, k)\nB' A' A B", 2, lambda A, B: (A @ B).T @ (A @ B)),
    (
        "A: (n, m); B: (m, k); S: (n, n) symmetric\nB' A' S A B",
        3,
        lambda A, B, S: (A @ B).T @ S @ (A @ B),
    ),
    (
        "A: (n, m); B: (m, k); N: (n, n)\nB' A' N A B",
        3,
        lambda A, B, N: (A @ B).T @ N @ (A @ B),
    ),
    (
        "A: (n, m); B: (m, k); w: (n)\nB' A' diag(w) A B",
        2,
        lambda A, B, w: (A @ B).T @ np.diag(w) @ (A @ B),
    ),
    (
        "A: (n, m); B: (m, k); C: (k, l)\nC' B' A' A B C",
        3,
        lambda A, B, C: (A @ B @ C).T @ (A @ B @ C),
    ),
    (  # no image: the outer matrices differ
        "A: (n, m); B, C: (m, k)\nC' A' A B",
        3,
        lambda A, B, C: C.T @ A.T @ A @ B,
    ),
]
SIZES = {"n": 40, "m": 30, "k": 35, "l": 32}


@pytest.mark.parametrize(("source", "count", "want"), SANDWICHES)
def test_what_stands_between_the_halves_is_multiplied_on(
    source: str, count: int, want: Any
) -> None:
    function = md.compile(source, [], sizes={k: SIZES[k] for k in SIZES if k in source})
    steps = [step for step in function.plan.forward if step.function == "matmul"]
    assert len(steps) == count
    rng = np.random.default_rng(0)
    given = {}
    for variable in function.plan.inputs:
        if variable is function.plan.cotangent:
            continue
        array = rng.normal(size=[SIZES[str(d)] for d in variable.shape])
        given[variable.name] = array + array.T if variable.name == "S" else array
    value, _ = function.module.forward(**given)
    ordered = {name: given[name] for name in want.__code__.co_varnames}
    np.testing.assert_allclose(value, want(**ordered), rtol=1e-10, atol=1e-8)


@pytest.mark.parametrize("seed", range(20))
def test_connected_parts_share_no_label_and_none_falls_apart(seed: int) -> None:
    rng = random.Random(seed)
    groups = [rng.sample(range(12), rng.randint(0, 3)) for _ in range(rng.randint(1, 9))]
    parts = connected(groups)
    assert sorted(place for part in parts for place in part) == list(range(len(groups)))
    labels = [{label for place in part for label in groups[place]} for part in parts]
    assert sum(map(len, labels)) == len(set().union(*labels))
    for part in parts:
        reached = {part[0]}
        for _ in part:
            seen = {label for place in reached for label in groups[place]}
            reached |= {place for place in part if seen & set(groups[place])}
        assert reached == set(part)
