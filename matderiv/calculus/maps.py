"""Derivatives as linear maps, without forming their tensors.

    differential   dX ↦ dY = ∂Y/∂X [dX]; of order 2 the quadratic form d²Y, and so on
    adjoint        G ↦ X̄, the transpose: <G, dY> = <X̄, dX>
    hessian_map    V ↦ H V, the derivative of the gradient along V

Each is one sweep with a seed variable in place of an identity, so the order never grows.
"""

from __future__ import annotations

from collections.abc import Sequence

from matderiv.calculus.derivative import pull_back, push_forward, reverse
from matderiv.calculus.simplify import simplify
from matderiv.tensor.nodes import Node, Variable

__all__ = ["adjoint", "differential", "hessian_map", "seed"]


def seed(variable: Node, name: str) -> Variable:
    """A variable of the shape of another value, kept apart from the inputs."""
    return variable.arena.variable(name, variable.shape, role="seed")


def differential(root: Node, directions: Sequence[tuple[Variable, Variable]]) -> Node:
    """The differential of the root along each (variable, seed) in turn, of the root's shape."""
    for variable, direction in directions:
        root = simplify(push_forward([root], {variable: direction}))[0]
    return root


def adjoint(root: Node, variable: Variable, cotangent: Node) -> Node:
    """The cotangent of `variable`, of its shape, for a cotangent of the root."""
    return simplify(pull_back(root, [variable], cotangent))[0]


def hessian_map(root: Node, variable: Variable, direction: Node) -> Node:
    """H V for the Hessian H of a scalar root: forward over reverse."""
    gradient = simplify(reverse(root, [variable]))[0]
    return simplify(push_forward([gradient], {variable: direction}))[0]
