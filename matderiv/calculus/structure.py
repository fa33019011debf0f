"""The gradient inside a structured space: the free-entry gradient projected onto it.

    symmetric    (G + G')/2
    diagonal     diag(diag(G))
    lower        tril(G)
    upper        tril(G')'
    orthogonal   (G - X G' X)/2, on the tangent space at X

Projections are orthogonal, so <projection, V> = <G, V> for every structured V: the check
takes its directions from the same space.

Source for the orthogonal group: Edelman, Arias, Smith, "The geometry of algorithms with
orthogonality constraints" (1998), equation 2.53.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from matderiv.errors import UnsupportedError
from matderiv.tensor.evaluate import Array
from matderiv.tensor.nodes import Factor, Node

__all__ = ["STRUCTURED", "project", "structure_of", "structured_direction"]

STRUCTURED = ("diagonal", "symmetric", "posdef", "lower", "upper", "orthogonal")


def structure_of(attributes: frozenset[str]) -> str | None:
    """The attribute that restricts the directions of a variable, the narrowest first."""
    return next((name for name in STRUCTURED if name in attributes), None)


def project(node: Node, first: int, variable: Node, attributes: frozenset[str]) -> Node:
    """Project axes `first`, `first + 1` of a derivative by `variable` onto its structure."""
    structure = structure_of(attributes)
    if structure is None:
        return node
    arena = node.arena
    axes = list(range(node.order))
    swapped = axes.copy()
    swapped[first], swapped[first + 1] = first + 1, first
    rest = [axis for axis in axes if axis not in (first, first + 1)]
    if structure in ("symmetric", "posdef"):
        return arena.scale(Fraction(1, 2), node + arena.transpose(node, swapped))
    if structure == "diagonal":
        labels = axes.copy()
        labels[first + 1] = labels[first]
        return arena.product(1, [Factor(node, tuple(labels), 1)], labels)
    if structure in ("lower", "upper"):
        last = [*rest, first, first + 1] if structure == "lower" else [*rest, first + 1, first]
        masked = arena.apply("tril", arena.transpose(node, last))
        return arena.transpose(masked, np.argsort(last).tolist())
    if node.order != 2:
        raise UnsupportedError("the gradient on the orthogonal group is of a scalar, order 1")
    turned = arena.einsum("ij,kj,kl->il", variable, node, variable)
    return arena.scale(Fraction(1, 2), node - turned)


def structured_direction(direction: Array, point: Array, attributes: frozenset[str]) -> Array:
    """A direction in which a point with a structure keeps it, to first order."""
    structure = structure_of(attributes)
    if structure in ("symmetric", "posdef"):
        return np.asarray((direction + direction.T) / 2)
    if structure == "diagonal":
        return np.diag(np.diag(direction))
    if structure == "lower":
        return np.tril(direction)
    if structure == "upper":
        return np.triu(direction)
    if structure == "orthogonal":
        return np.asarray(point @ (direction - direction.T))
    return direction
