"""Primitives that rearrange entries, and constants."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from matderiv.tensor.dims import Shape, dim_value, multiply_dims
from matderiv.tensor.primitives.base import Primitive, apply

if TYPE_CHECKING:
    from matderiv.tensor.nodes import Apply, Node

__all__ = ["CONSTANTS", "STRUCTURE"]


def _reshaped(shapes: tuple[Shape, ...], parameters: tuple[int, Shape]) -> Shape:
    axes, dims = parameters
    (shape,) = shapes
    kept = shape[: len(shape) - axes]
    if multiply_dims(*shape[len(kept) :]) != multiply_dims(*dims):
        raise ValueError(f"{shape} does not reshape to {dims}")
    return kept + dims


def _unreshape(g: Node, y: Apply, x: Node) -> Node:
    axes, dims = y.parameters
    assert isinstance(axes, int)
    assert isinstance(dims, tuple)
    return g.arena.reshape(g, len(dims), x.shape[x.order - axes :])


def _select(parameters: Any, sizes: Any) -> Any:
    dim, start, stop = parameters
    return np.eye(dim_value(dim, sizes))[start:stop]


STRUCTURE = (
    Primitive(
        name="reshape",
        signature="x->y",
        adjoint=(_unreshape,),
        reference=lambda x, *, shape: np.reshape(x, shape),
        numpy="reshape(x, shape)",
        flops="0",
        latex=r"\operatorname{{reshape}}({x})",
        source="definition",
        linear_in=(0,),
        infer=_reshaped,
    ),
    Primitive(
        name="select",
        signature="->(m,n)",
        adjoint=(),
        reference=_select,
        numpy="",
        flops="0",
        latex="S",
        source="definition",
        nonnegative=True,
        sums_to_one=True,
        infer=lambda shapes, parameters: (parameters[2] - parameters[1], parameters[0]),
    ),
    Primitive(
        name="tril",
        signature="(m,n)->(m,n)",
        adjoint=(lambda g, y, x: apply("tril", g),),
        reference=np.tril,
        numpy="tril(x)",
        flops="0",
        latex=r"\operatorname{{tril}}({x})",
        source="definition",
        linear_in=(0,),
        meaning="the lower triangle with its diagonal",
    ),
    Primitive(
        name="triu",
        signature="(m,n)->(m,n)",
        adjoint=(lambda g, y, x: apply("triu", g),),
        reference=np.triu,
        numpy="triu(x)",
        flops="0",
        latex=r"\operatorname{{triu}}({x})",
        source="definition",
        linear_in=(0,),
        meaning="the upper triangle with its diagonal",
    ),
    Primitive(
        name="half_tril",
        signature="(n,n)->(n,n)",
        adjoint=(lambda g, y, x: apply("half_tril", g),),
        reference=lambda x: 0.5 * (np.tril(x) + np.tril(x, -1)),
        numpy="a = tril(x); b = tril(x, k=-1); c = add(a, b); multiply(c, 0.5)",
        flops="2 n^2",
        latex=r"\operatorname{{half\_tril}}({x})",
        source="definition",
        linear_in=(0,),
        meaning="the lower triangle, its diagonal halved",
    ),
)

CONSTANTS = (
    Primitive(
        name="pi",
        signature="->()",
        adjoint=(),
        reference=lambda: math.pi,
        numpy=repr(math.pi),
        flops="0",
        latex=r"\pi",
        source="definition",
        aliases=("π",),
        nonnegative=True,
    ),
    Primitive(
        name="e",
        signature="->()",
        adjoint=(),
        reference=lambda: math.e,
        numpy=repr(math.e),
        flops="0",
        latex="e",
        source="definition",
        nonnegative=True,
    ),
)
