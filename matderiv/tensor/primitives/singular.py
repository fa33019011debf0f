"""Norms of singular values, and the matrices that are their gradients.

With X = Σ σ_k u_k v_k', σ₁ the largest, r the rank:

    norm_nuclear(X) = Σ σ_k     gradient polar(X) = Σ_{k ≤ r} u_k v_k'
    norm_op(X)      = σ₁        gradient leading_dyad(X) = u₁ v₁'

Watson (1992), "Characterization of the subdifferential of some matrix norms".  Both
gradients are functions of X with derivatives of their own, below, wherever X has full
rank, and σ₁ > σ₂.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from matderiv.tensor.primitives.base import Primitive, apply, einsum, transposed

if TYPE_CHECKING:
    from matderiv.tensor.nodes import Apply, Node

__all__ = ["SINGULAR"]

_SVD = "linalg.svd(x, full_matrices=False)"


def _signed_svd(x: Any) -> Any:
    """U diag(sign σ) and V': no direction is made up for σ = 0."""
    u, s, v = np.linalg.svd(x, full_matrices=False)
    return u * np.sign(s)[..., None, :], v


def _polar(x: Any) -> Any:
    u, v = _signed_svd(x)
    return u @ v


def _leading_dyad(x: Any) -> Any:
    u, v = _signed_svd(x)
    return u[..., :, :1] @ v[..., :1, :]


def _polar_adjoint(g: Node, y: Apply, x: Node) -> Node:
    """dY solves (Y X') dY + dY (X'Y) = dX - Y dX'Y; both matrices are symmetric.

    From X = Y H with H = X'Y: Y'dX - dX'Y = Ω H + H Ω for Ω = Y'dY.
    """
    left = einsum("...ik,...jk->...ij", y, x)
    right = einsum("...ki,...kj->...ij", x, y)
    solved = apply("sylvester", left, right, g)
    return solved - einsum("...ip,...jp,...jk->...ik", y, solved, y)


def _dyad_adjoint(g: Node, z: Apply, x: Node) -> Node:
    """dZ = A (σ dX Z'Z + X dX'Z) + (σ Z Z'dX + Z dX'X) B for σ = σ₁.

    A = (σ²I - X X')⁺ = (σ²(I + Z Z') - X X')⁻¹ - Z Z'/σ², and B likewise with X'X: the
    first-order change of u₁ and v₁, Z being u₁ v₁'.
    """
    arena = x.arena
    sigma = apply("norm_op", x)

    def resolvent(x: Node, z: Node) -> Node:
        dyad = einsum("...ik,...jk->...ij", z, z)
        axes = (dyad.order - 2, dyad.order - 1)
        identity = arena.broadcast(arena.identity(x.shape[-2]), dyad.shape, axes)
        shifted = einsum("...,...ij->...ij", sigma**2, identity + dyad)
        inverse = apply("inv", shifted - einsum("...ik,...jk->...ij", x, x))
        return inverse - einsum("...,...ij->...ij", sigma**-2, dyad)

    a, b = resolvent(x, z), resolvent(transposed(x), transposed(z))
    return (
        einsum("...,...ij,...jp,...kp,...kq->...iq", sigma, a, g, z, z)
        + einsum("...ip,...jp,...jk,...kq->...iq", z, g, a, x)
        + einsum("...,...ip,...kp,...kq,...qr->...ir", sigma, z, z, g, b)
        + einsum("...ip,...pq,...kq,...kr->...ir", x, b, g, z)
    )


SINGULAR = (
    Primitive(
        name="norm_nuclear",
        signature="(m,n)->()",
        adjoint=(lambda g, y, x: einsum("...,...ij->...ij", g, apply("polar", x)),),
        reference=lambda x: np.sum(np.linalg.svd(x, compute_uv=False), axis=-1),
        numpy="a = linalg.svdvals(x); sum(a, axis=-1)",
        flops="2 m n^2 + 2 n^3 + n",
        latex=r"\left\|{x}\right\|_*",
        source="Watson (1992), example 1",
        nonnegative=True,
        kink="at lower rank Σ u_k v_k' over the nonzero σ_k, a subgradient; 0 at 0",
        bars="*",
    ),
    Primitive(
        name="polar",
        signature="(m,n)->(m,n)",
        adjoint=(_polar_adjoint,),
        reference=_polar,
        numpy=(
            f"u = {_SVD}[0]; s = {_SVD}[1]; v = {_SVD}[2]; a = sign(s); "
            "b = expand_dims(a, axis=-2); c = multiply(u, b); matmul(c, v)"
        ),
        flops="8 m n^2 + 20 n^3 + m n",
        latex=r"\operatorname{{polar}}({x})",
        source="Kenney & Laub (1991), section 3",
        keeps_symmetry=True,
        meaning="U V' of the singular value decomposition U Σ V'; X sqrtm(X' X)^-1 at full "
        "column rank",
    ),
    Primitive(
        name="norm_op",
        signature="(m,n)->()",
        adjoint=(lambda g, y, x: einsum("...,...ij->...ij", g, apply("leading_dyad", x)),),
        reference=lambda x: np.linalg.svd(x, compute_uv=False)[..., 0],
        numpy="a = linalg.svdvals(x); amax(a, axis=-1)",
        flops="2 m n^2 + 2 n^3 + n",
        latex=r"\left\|{x}\right\|_{{\mathrm{{op}}}}",
        source="Watson (1992), example 2",
        nonnegative=True,
        kink="where σ₁ = σ₂ one u₁ v₁', a subgradient; 0 at 0",
        bars="op",
    ),
    Primitive(
        name="leading_dyad",
        signature="(m,n)->(m,n)",
        adjoint=(_dyad_adjoint,),
        reference=_leading_dyad,
        numpy=(
            f"u = {_SVD}[0]; s = {_SVD}[1]; v = {_SVD}[2]; a = sign(s); "
            "b = expand_dims(a, axis=-2); c = multiply(u, b); d = take(c, indices=(0,), axis=-1); "
            "e = take(v, indices=(0,), axis=-2); multiply(d, e)"
        ),
        flops="6 m n^2 + 20 n^3 + 2 m n",
        latex=r"\operatorname{{leading\_dyad}}({x})",
        source="perturbation of singular vectors: Stewart & Sun (1990), chapter V",
        keeps_symmetry=True,
        meaning="u₁ v₁' of the largest singular value",
    ),
)
