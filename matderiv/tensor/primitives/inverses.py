"""Inverses and determinants.

Giles (2008): "An extended collection of matrix derivative results for forward and
reverse mode algorithmic differentiation".  Golub & Pereyra (1973): "The differentiation
of pseudo-inverses and nonlinear least squares problems whose variables separate".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from matderiv.tensor.primitives.base import Primitive, apply, einsum

if TYPE_CHECKING:
    from matderiv.tensor.nodes import Apply, Node

__all__ = ["INVERSES"]


def _pinv(g: Node, p: Apply, x: Node) -> Node:
    """-P'G P' + (I - X P) G'P P' + P'P G'(I - P X), at constant rank."""
    chain = "...pi,...pj,...qj->...iq"
    return (
        einsum(chain, g, p, p)
        - einsum("...ir,...rk,...pk,...pj,...qj->...iq", x, p, g, p, p)
        + einsum(chain, p, p, g)
        - einsum("...pi,...pj,...rj,...rk,...kq->...iq", p, p, g, p, x)
        - einsum(chain, p, g, p)
    )


INVERSES = (
    Primitive(
        name="inv",
        aliases=("inverse",),
        signature="(n,n)->(n,n)",
        adjoint=(lambda g, y, x: -einsum("...ij,...ik,...lj->...kl", g, y, y),),
        reference=np.linalg.inv,
        numpy="linalg.inv(x)",
        numpy_factored="a = matrix_transpose(k); matmul(a, k)",
        flops="2 n^3",
        latex="{x}^{{-1}}",
        source="Giles (2008), 2.2.3",
        domain="well_conditioned",
        keeps_symmetry=True,
        is_inverse=True,
    ),
    Primitive(
        name="det",
        signature="(n,n)->()",
        adjoint=(lambda g, y, x: einsum("...,...,...ij->...ji", g, y, apply("inv", x)),),
        reference=np.linalg.det,
        numpy="linalg.det(x)",
        flops="2/3 n^3",
        latex=r"\det({x})",
        source="Giles (2008), 2.2.4",
        domain="well_conditioned",
    ),
    Primitive(
        name="logdet",
        signature="(n,n)->()",
        adjoint=(lambda g, y, x: einsum("...,...ij->...ji", g, apply("inv", x)),),
        reference=lambda x: np.linalg.slogdet(x)[1],
        numpy="linalg.slogdet(x)[1]",
        numpy_posdef=(
            "a = linalg.cholesky(x); b = diagonal(a); c = log(b); d = sum(c, axis=-1); "
            "multiply(d, 2.0)"
        ),
        numpy_factored="a = diagonal(k); b = log(a); c = sum(b, axis=-1); multiply(c, -2.0)",
        flops="2/3 n^3",
        latex=r"\log\det({x})",
        source="Giles (2008), 2.2.4, with d log det = d det / det",
        domain="well_conditioned",
    ),
    Primitive(
        name="pinv",
        signature="(m,n)->(n,m)",
        adjoint=(_pinv,),
        reference=lambda x: np.linalg.pinv(x, 1e-13),
        numpy="linalg.pinv(x, 1e-13)",
        flops="8 m n^2 + 20 n^3 + m n",
        latex=r"\operatorname{{pinv}}({x})",
        source="Golub & Pereyra (1973), eq. 4.12",
        keeps_symmetry=True,
        kink="the derivative among matrices of the same rank",
    ),
)
