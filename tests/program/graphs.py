"""Random graphs of nodes: products with deltas, ones, repeated labels and powers, sums,
elementwise functions, primitives."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np

from matderiv.errors import DomainError
from matderiv.tensor.arena import Arena
from matderiv.tensor.nodes import Node, Sum, Variable

SIZES = {"m": 3, "n": 4, "k": 5, "p": 2}
EXPONENTS = [1] * 6 + [2, 3, -1, -2, Fraction(1, 2), Fraction(-1, 2)]
MAPS = ["tanh", "sigmoid", "relu", "step", "softplus", "sin", "abs"]
PRIMITIVES = ["softmax", "logsumexp", "log_softmax", "max"]


def random_graph(seed: int, steps: int = 6) -> tuple[list[Variable], list[Node]]:
    """Inputs of orders 0 to 3, and nodes built on them."""
    rng = random.Random(seed)
    arena = Arena()
    inputs = [
        arena.variable(f"v{i}", tuple(rng.choice(list(SIZES)) for _ in range(order)))
        for i, order in enumerate((0, 1, 1, 2, 2, 2, 3))
    ]
    pool: list[Node] = list(inputs)
    for _ in range(steps):
        node = _random_node(rng, arena, pool)
        if node is not None and node.order <= 4 and not (isinstance(node, Sum) and not node.terms):
            pool.append(node)
    return inputs, pool[len(inputs) :]


def _random_node(rng: random.Random, arena: Arena, pool: list[Node]) -> Node | None:
    kind = rng.random()
    if kind < 0.6:
        return _random_product(rng, arena, pool)
    if kind < 0.85:
        return _random_sum(rng, arena, pool)
    if kind < 0.93:
        return arena.map(rng.choice(MAPS), rng.choice(pool))
    return arena.apply(rng.choice(PRIMITIVES), rng.choice([n for n in pool if n.order]))


def _random_product(rng: random.Random, arena: Arena, pool: list[Node]) -> Node | None:
    dims: dict[int, str] = {}
    factors = []
    for _ in range(rng.randint(0, 4)):
        node = rng.choice(pool)
        labels = []
        for dim in node.shape:
            known = [label for label in dims if dims[label] == dim]
            if known and rng.random() < 0.65:
                labels.append(rng.choice(known))
            else:
                labels.append(len(dims))
                dims[len(dims)] = dim
        factors.append((node, labels, rng.choice(EXPONENTS)))
    while len(dims) < 2 or rng.random() < 0.15:
        dims[len(dims)] = rng.choice(list(SIZES))
    carried = {label for _, labels, _ in factors for label in labels}
    out: list[int] = []
    for label in dims:
        if rng.random() < (0.45 if label in carried else 0.3):
            out += [label] * (2 if rng.random() < 0.15 else 1)
    rng.shuffle(out)
    coefficient = rng.choice([1, 2, -1, Fraction(1, 3)])
    try:
        return arena.product(coefficient, factors, out[:4], dims)
    except DomainError:
        return None


def _random_sum(rng: random.Random, arena: Arena, pool: list[Node]) -> Node:
    base = rng.choice(pool)
    same = [node for node in pool if node.shape == base.shape]
    terms = [
        (rng.choice([1, -1, 2, Fraction(-1, 2)]), rng.choice(same))
        for _ in range(rng.randint(1, 4))
    ]
    if len(set(base.shape)) < len(base.shape) and rng.random() < 0.5:
        labels = {dim: label for label, dim in enumerate(dict.fromkeys(base.shape))}
        out = [labels[dim] for dim in base.shape]
        terms.append((3, arena.product(1, (), out, {v: k for k, v in labels.items()})))
    return arena.sum(terms, base.shape)


def random_values(seed: int, inputs: list[Variable]) -> dict[Variable, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {v: rng.uniform(0.5, 1.5, [SIZES[str(d)] for d in v.shape]) for v in inputs}
