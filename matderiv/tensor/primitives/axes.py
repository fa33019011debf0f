"""Functions along the last axis: softmax and its kin, the largest and the smallest entry."""

from __future__ import annotations

from typing import Any

import numpy as np

from matderiv.tensor.primitives.base import Primitive, apply, einsum

__all__ = ["AXES"]


def _softmax(x: Any) -> Any:
    shifted = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return shifted / np.sum(shifted, axis=-1, keepdims=True)


def _logsumexp(x: Any) -> Any:
    top = np.max(x, axis=-1, keepdims=True)
    return np.squeeze(top, -1) + np.log(np.sum(np.exp(x - top), axis=-1))


AXES = (
    Primitive(
        name="softmax",
        signature="(n)->(n)",
        adjoint=(
            lambda g, y, x: (
                einsum("...i,...i->...i", g, y) - einsum("...i,...i,...j->...j", g, y, y)
            ),
        ),
        reference=_softmax,
        numpy=(
            "a = amax(x, axis=-1, keepdims=True); b = subtract(x, a); c = exp(b); "
            "d = sum(c, axis=-1, keepdims=True); divide(c, d)"
        ),
        flops="5 n",
        latex=r"\operatorname{{softmax}}({x})",
        source="definition",
        nonnegative=True,
        unit=True,
        sums_to_one=True,
    ),
    Primitive(
        name="log_softmax",
        signature="(n)->(n)",
        adjoint=(lambda g, y, x: g - einsum("...i,...j->...j", g, apply("softmax", x)),),
        reference=lambda x: x - np.expand_dims(_logsumexp(x), -1),
        numpy=(
            "a = amax(x, axis=-1, keepdims=True); b = subtract(x, a); c = exp(b); "
            "d = sum(c, axis=-1, keepdims=True); e = log(d); subtract(b, e)"
        ),
        flops="5 n",
        latex=r"\operatorname{{log\_softmax}}({x})",
        source="definition",
    ),
    Primitive(
        name="logsumexp",
        signature="(n)->()",
        adjoint=(lambda g, y, x: einsum("...,...n->...n", g, apply("softmax", x)),),
        reference=_logsumexp,
        numpy=(
            "a = amax(x, axis=-1, keepdims=True); b = subtract(x, a); c = exp(b); "
            "d = sum(c, axis=-1); e = log(d); f = squeeze(a, axis=-1); add(e, f)"
        ),
        flops="4 n",
        latex=r"\operatorname{{logsumexp}}({x})",
        source="definition",
    ),
    Primitive(
        name="max",
        signature="(n)->()",
        adjoint=(lambda g, y, x: einsum("...,...n->...n", g, apply("onehot_max", x)),),
        reference=lambda x: np.max(x, axis=-1),
        numpy="amax(x, axis=-1)",
        flops="n",
        latex=r"\max({x})",
        source="definition",
        kink="the gradient goes to the first maximiser",
    ),
    Primitive(
        name="min",
        signature="(n)->()",
        adjoint=(lambda g, y, x: einsum("...,...n->...n", g, apply("onehot_max", -x)),),
        reference=lambda x: np.min(x, axis=-1),
        numpy="amin(x, axis=-1)",
        flops="n",
        latex=r"\min({x})",
        source="definition",
        kink="the gradient goes to the first minimiser",
    ),
    Primitive(
        name="onehot_max",
        signature="(n)->(n)",
        adjoint=(None,),
        reference=lambda x: np.eye(np.shape(x)[-1])[np.argmax(x, axis=-1)],
        numpy="a = argmax(x, axis=-1); b = eye(n); take(b, a, axis=0)",
        flops="n",
        latex=r"\operatorname{{onehot\_max}}({x})",
        source="definition",
        nonnegative=True,
        sums_to_one=True,
        kink="1 at the first maximiser, derivative 0",
        meaning="1 at the first largest entry, else 0",
    ),
)
