"""What each function of the language's own table is, in tensors.

Functions of the tensor tables mean themselves: a Map, or an Apply along an axis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from matderiv.errors import UnsupportedError
from matderiv.language.chains import Chains
from matderiv.tensor.arena import Arena
from matderiv.tensor.dims import Shape
from matderiv.tensor.elementwise import ELEMENTWISE
from matderiv.tensor.nodes import Factor, Node
from matderiv.tensor.primitives import PRIMITIVES

__all__ = ["meaning", "norm"]

Options = Mapping[str, Any]
Meaning = Callable[[Arena, tuple[Node, ...], Shape, Options], Node]
_MATRIX_NORMS = {entry.bars: entry for entry in PRIMITIVES.values() if entry.bars}


def norm(arena: Arena, x: Node, which: str | Fraction) -> Node:
    """‖x‖ by its suffix: entrywise a number p, F, inf; singular values op and *."""
    entry = _MATRIX_NORMS.get(str(which))
    if entry is not None:
        return arena.apply(entry, x)
    if which == "inf":
        entries = arena.map("abs", x)
        if x.order > 1:
            entries = arena.reshape(entries, x.order, (arena.total_size(x.shape),))
        return arena.apply("max", entries)
    p = 2 if which == "F" else Fraction(which)
    powers = x if p % 2 == 0 else arena.map("abs", x)
    total = arena.product(1, [Factor(powers, tuple(range(x.order)), p)], ())
    return arena.power(total, 1 / Fraction(p))


# ----- reductions -------------------------------------------------------------------
def _axes(node: Node, options: Options) -> tuple[int, ...]:
    axis = options.get("axis")
    return tuple(range(node.order)) if axis is None else (axis,)


def _kept(arena: Arena, node: Node, shape: Shape, axes: tuple[int, ...]) -> Node:
    """The reduced node with axes of size 1 in the places of `axes`, where asked for."""
    if len(shape) == node.order:
        return node
    rest = [axis for axis in range(len(shape)) if axis not in axes]
    return arena.broadcast(node, shape, rest)


def _sum(arena: Arena, args: tuple[Node, ...], shape: Shape, options: Options) -> Node:
    axes = _axes(args[0], options)
    return _kept(arena, arena.sum_axes(args[0], axes), shape, axes)


def _count(arena: Arena, node: Node, axes: tuple[int, ...]) -> list[Factor]:
    """1/n for the number n of entries along axes."""
    return [Factor(arena.size(node.shape[axis]), (), -1) for axis in axes]


def _mean(arena: Arena, args: tuple[Node, ...], shape: Shape, options: Options) -> Node:
    """(1/n) Σ x"""
    (x,) = args
    axes = _axes(x, options)
    labels = tuple(range(x.order))
    out = [label for label in labels if label not in axes]
    mean = arena.product(1, [*_count(arena, x, axes), Factor(x, labels, 1)], out)
    return _kept(arena, mean, shape, axes)


def _var(arena: Arena, args: tuple[Node, ...], shape: Shape, options: Options) -> Node:
    """(1/n) Σ (x - mean)²"""
    (x,) = args
    axes = _axes(x, options)
    labels = tuple(range(x.order))
    rest = [label for label in labels if label not in axes]
    mean = arena.product(1, [*_count(arena, x, axes), Factor(x, labels, 1)], rest)
    centred = arena.sum([(1, x), (-1, arena.broadcast(mean, x.shape, rest))], x.shape)
    factors = [*_count(arena, x, axes), Factor(centred, labels, 2)]
    return _kept(arena, arena.product(1, factors, rest), shape, axes)


def _std(arena: Arena, args: tuple[Node, ...], shape: Shape, options: Options) -> Node:
    """sqrt((1/n) Σ (x - mean)²)"""
    return arena.power(_var(arena, args, shape, options), Fraction(1, 2))


def _extremum(name: str) -> Meaning:
    def meaning(arena: Arena, args: tuple[Node, ...], shape: Shape, options: Options) -> Node:
        if len(args) == 2:
            return arena.map(name, *args)
        (x,) = args
        if options.get("axis") is not None:
            return _along(arena, name, x, shape, options)
        if x.order == 0:
            return x
        flat = x if x.order == 1 else arena.reshape(x, x.order, (arena.total_size(x.shape),))
        return _kept(arena, arena.apply(name, flat), shape, tuple(range(x.order)))

    return meaning


def _along(arena: Arena, name: str, x: Node, shape: Shape, options: Options) -> Node:
    """A primitive of vectors, along one axis."""
    axis = options.get("axis", x.order - 1)
    order = [k for k in range(x.order) if k != axis]
    moved = x if axis == x.order - 1 else arena.transpose(x, (*order, axis))
    value = arena.apply(name, moved)
    if value.order < x.order:
        return _kept(arena, value, shape, (axis,))
    if axis == x.order - 1:
        return value
    back = (*order, axis)
    return arena.transpose(value, tuple(back.index(k) for k in range(x.order)))


# ----- losses -----------------------------------------------------------------------
def _mse(arena: Arena, args: tuple[Node, ...], shape: Shape, options: Options) -> Node:
    """mean((ŷ - y)²)"""
    left, right = args
    residual = arena.sum([(1, left), (-1, right)], left.shape)
    axes = tuple(range(left.order))
    return arena.product(1, [*_count(arena, left, axes), Factor(residual, axes, 2)], ())


def _cross_entropy(arena: Arena, args: tuple[Node, ...], shape: Shape, options: Options) -> Node:
    """-(1/n) Σ Y ⊙ log_softmax(Z), over n rows"""
    logits, target = args
    if not logits.order:
        raise UnsupportedError("cross_entropy is of vectors and matrices")
    labels = tuple(range(logits.order))
    factors = [Factor(target, labels, 1), Factor(arena.apply("log_softmax", logits), labels, 1)]
    return arena.product(-1, [*_count(arena, logits, labels[:-1]), *factors], ())


# ----- matrices ---------------------------------------------------------------------
def _diag(arena: Arena, args: tuple[Node, ...], shape: Shape, options: Options) -> Node:
    return arena.einsum("i->ii" if args[0].order == 1 else "ii->i", args[0])


def _vec(arena: Arena, args: tuple[Node, ...], shape: Shape, options: Options) -> Node:
    """Columns stacked: rows of the transpose."""
    (x,) = args
    return x if x.order == 1 else arena.reshape(arena.transpose(x), 2, shape)


def _adjugate(arena: Arena, args: tuple[Node, ...], shape: Shape, options: Options) -> Node:
    """det(X) X⁻¹, for invertible X"""
    determinant, inverse = (arena.apply(name, args[0]) for name in ("det", "inv"))
    return arena.einsum(",ij->ij", determinant, inverse)


def _commutation(arena: Arena, args: tuple[Node, ...], shape: Shape, options: Options) -> Node:
    """K[(i, j), (l, k)] = δ_ik δ_jl, so that K vec(A) = vec(A')"""
    delta = arena.product(1, (), (0, 1, 1, 0), {0: options["m"], 1: options["n"]})
    return arena.reshape(delta, 4, shape)


MEANINGS: dict[str, Meaning] = {
    "sum": _sum,
    "mean": _mean,
    "var": _var,
    "std": _std,
    "max": _extremum("max"),
    "min": _extremum("min"),
    "mse": _mse,
    "cross_entropy": _cross_entropy,
    "sqrt": lambda arena, args, shape, options: arena.power(args[0], Fraction(1, 2)),
    "square": lambda arena, args, shape, options: arena.power(args[0], 2),
    "tr": lambda arena, args, shape, options: arena.einsum("ii->", args[0]),
    "diag": _diag,
    "vec": _vec,
    "adj": _adjugate,
    "commutation": _commutation,
    "reshape": lambda arena, args, shape, options: arena.reshape(args[0], args[0].order, shape),
    "einsum": lambda arena, args, shape, options: arena.einsum(options["spec"], *args),
}
"""The functions of the language's own table -> nodes."""


def meaning(
    chains: Chains, name: str, args: tuple[Node, ...], shape: Shape, options: Options
) -> Node:
    """The node of a function of lowered arguments."""
    arena = chains.arena
    if len(args) > 1 and name in ELEMENTWISE:
        args = tuple(chains.stretch(arg, shape) for arg in args)
    own = MEANINGS.get(name)
    if own is not None:
        return own(arena, args, shape, options)
    if name in ELEMENTWISE:
        return arena.map(name, *args)
    if name not in PRIMITIVES:
        raise UnsupportedError(f"{name} is not computed yet")
    if len(args) == 1 and [len(core) for core in PRIMITIVES[name].cores[:-1]] == [1]:
        return _along(arena, name, args[0], shape, options)
    return arena.apply(name, *args)
