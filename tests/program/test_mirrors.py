"""A product that is a half times its image: the half is computed once, however long."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest

import matderiv as md
from matderiv.tensor.canonical import connected

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


class _Draw(NamedTuple):
    """Pairs of one array with labels and with mirrored labels, and arrays without a twin."""

    spec: str
    operands: list[str]
    shapes: dict[str, list[str]]


def _draw(seed: int) -> _Draw:
    rng = random.Random(seed)
    size = {label: rng.choice("abcd") for label in "ijkl"[: rng.randint(1, 3)]}
    mirror = {label: rng.choice([label, label.upper()]) for label in size}
    mirror |= {image: label for label, image in mirror.items()}
    size |= {image: size[mirror[image]] for image in mirror if image.isupper()}
    terms: list[tuple[str, list[str]]] = []
    shapes: dict[str, list[str]] = {}

    def array(labels: list[str]) -> str:
        name = f"{'vA'[len(labels) - 1]}{len(shapes)}"
        shapes[name] = [size[label] for label in labels]
        return name

    lower = [label for label in size if label.islower()]
    for _ in range(rng.randint(2, 3)):
        picked = rng.sample(lower, min(len(lower), rng.randint(1, 2)))
        labels = [rng.choice([label, mirror[label]]) for label in picked]
        name = array(labels)
        terms += [(name, labels), (name, [mirror[label] for label in labels])]
    used = sorted({label for _, labels in terms for label in labels})
    for _ in range(rng.randint(0, 2)):
        labels = rng.sample(used, min(len(used), rng.randint(1, 2)))
        terms.append((array(labels), labels))
    out = rng.sample(used, min(len(used), rng.randint(0, 2)))
    if rng.random() < 0.5 and out:  # what is mapped to itself
        out = list(dict.fromkeys([out[0], mirror[out[0]]]))
    rng.shuffle(terms)
    letters = {label: chr(ord("a") + place) for place, label in enumerate(used)}
    specs = ["".join(letters[label] for label in labels) for _, labels in [*terms, ("", out)]]
    return _Draw(f"{','.join(specs[:-1])}->{specs[-1]}", [name for name, _ in terms], shapes)


@pytest.mark.parametrize("seed", range(150))
def test_a_product_with_an_image_in_it_is_the_product(seed: int) -> None:
    """What stands between may touch one side alone: Σ_ik t_i p_i A_ij p_k A_kj."""
    spec, operands, shapes = _draw(seed)
    text = "; ".join(f"{name}: ({', '.join(shape)})" for name, shape in shapes.items())
    text += f'\neinsum("{spec}", {", ".join(operands)})'
    lengths = {"a": 2, "b": 3, "c": 4, "d": 5}
    rng = np.random.default_rng(seed)
    values = {name: rng.normal(size=[lengths[d] for d in s]) for name, s in shapes.items()}
    got, _ = md.compile(text, []).forward(values)
    want = np.einsum(spec, *(values[name] for name in operands))
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
