"""The variables and arrays on which the rules are tried."""

from __future__ import annotations

import numpy as np

from matderiv.tensor.arena import Arena
from matderiv.tensor.nodes import Node
from tests.numerics import Array, lengths

__all__ = ["SIZES", "Setting"]

SIZES = {"n": 3, "m": 2, "k": 4}


class Setting:
    """Variables by letter, with arrays; e(spec, …), f(name, …) as the arena builds them."""

    def __init__(self, seed: int = 0) -> None:
        self.arena = arena = Arena()
        self.x, self.z = arena.variable("x", ("n",)), arena.variable("z", ("n",))
        self.p = arena.variable("p", ("n",), ["positive"])
        self.A, self.B = arena.variable("A", ("n", "n")), arena.variable("B", ("n", "n"))
        self.S = arena.variable("S", ("n", "n"), ["symmetric"])
        self.Q = arena.variable("Q", ("n", "n"), ["orthogonal"])
        self.X = arena.variable("X", ("n", "m"))
        self.P = arena.variable("P", ("n", "m"), ["stochastic"])
        self.W = arena.variable("W", ("k", "n", "n"))
        random = np.random.default_rng(seed)
        self.arrays: dict[Node, Array] = {
            node: random.normal(size=lengths(node.shape, SIZES))
            for node in (self.x, self.z, self.p, self.A, self.B, self.S, self.Q, self.X, self.P)
        }
        arrays = self.arrays
        arrays[self.p] = np.abs(arrays[self.p]) + 0.1
        arrays[self.A] = arrays[self.A] + 4 * np.eye(3)
        arrays[self.B] = arrays[self.B] + 4 * np.eye(3)
        arrays[self.S] = arrays[self.S] + arrays[self.S].T + 8 * np.eye(3)
        arrays[self.Q] = np.linalg.qr(arrays[self.Q])[0]
        arrays[self.P] = np.abs(arrays[self.P]) / np.abs(arrays[self.P]).sum(1, keepdims=True)
        self.C = arena.variable("C", ("n", "n"), ["posdef"])
        self.D = arena.variable("D", ("n", "n"), ["definite"])
        arrays[self.D] = arrays[self.A]
        arrays[self.C] = arrays[self.B] @ arrays[self.B].T
        arrays[self.W] = random.normal(size=(4, 3, 3)) + 4 * np.eye(3)

    def e(self, spec: str, *nodes: Node) -> Node:
        return self.arena.einsum(spec, *nodes)

    def f(self, name: str, *nodes: Node) -> Node:
        return self.arena.apply(name, *nodes)

    def m(self, name: str, *nodes: Node) -> Node:
        return self.arena.map(name, *nodes)

    def inv(self, node: Node) -> Node:
        return self.f("inv", node)

    def t(self, node: Node) -> Node:
        return self.arena.transpose(node)

    def array(self, name: str) -> Array:
        return self.arrays[getattr(self, name)]
