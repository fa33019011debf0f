"""Formulas of many fields, as their books write them, against JAX: one derivative of each.

Filters and Gaussian processes, component analysis and matrix factors, losses of networks
and of robust and generalised regression, econometrics, portfolios, graphs and transport,
control, mechanics and molecules, tensors, tests of minds.  Values, derivatives of order 1
and of scalars of order 2 along random directions, and prints that read back.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv.values import draw

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402
from jax.nn import sigmoid, softmax  # noqa: E402
from jax.numpy.linalg import inv, norm, slogdet  # noqa: E402
from jax.scipy.special import logsumexp  # noqa: E402

from tests.language.test_against_jax import Function, agrees, vec  # noqa: E402

SIZES = {"n": 4, "m": 5, "k": 3, "p": 6, "q": 2, "r": 3, "d": 5, "h": 3, "c": 3, "i": 2, "j": 3}


def square(X: Any) -> Any:
    return jnp.sum(X**2)


def logdet(A: Any) -> Any:
    return slogdet(A)[1]


FILTERS_AND_MATRICES: list[tuple[str, str, Function]] = [
    (
        "||X - P T K V||^2 where X: (n, m), P: (n, k), T: (k, q), K: (q, r), V: (r, m)",
        "T",
        lambda X, P, T, K, V: square(X - P @ T @ K @ V),
    ),
    ("(x ∘ y)' A (x ∘ y)", "x", lambda x, y, A: (x * y) @ A @ (x * y)),
    (
        "vec(X)' (A ⊗ B) vec(X) where X: (k, n), A: (n, n), B: (k, k)",
        "X",
        lambda X, A, B: vec(X) @ jnp.kron(A, B) @ vec(X),
    ),
    (
        (
            "1/2 v' S^-1 v + 1/2 log det S "
            "where S = H P H' + R; v = y - H x; H: (m, n), P: (n, n) posdef, R: (m, m) posdef"
        ),
        "x",
        lambda y, H, x, P, R: (
            (y - H @ x) @ inv(H @ P @ H.T + R) @ (y - H @ x) / 2 + logdet(H @ P @ H.T + R) / 2
        ),
    ),
    (
        "(1 + ||x - z||^2/(2 α β^2))^(-α) where α, β: ()",
        "x",
        lambda x, z, α, β: (1 + square(x - z) / (2 * α * β**2)) ** (-α),
    ),
    (
        (
            "-n/2 log det(2 π V) - 1/2 tr((X - m ones(n)') (X - m ones(n)')' V^-1) "
            "where X: (d, n), V: (d, d) posdef, m: (d)"
        ),
        "m",
        lambda X, m, V: (
            -4 / 2 * logdet(2 * jnp.pi * V)
            - jnp.trace((X - m[:, None]) @ (X - m[:, None]).T @ inv(V)) / 2
        ),
    ),
]

LEARNING: list[tuple[str, str, Function]] = [
    (
        "-1/2 sum(1 + log(σ.^2) - μ.^2 - σ.^2) where μ, σ: (d)",
        "μ",
        lambda σ, μ: -jnp.sum(1 + jnp.log(σ**2) - μ**2 - σ**2) / 2,
    ),
    ("||X - X W W'||_F^2 where X: (n, d), W: (d, k)", "W", lambda X, W: square(X - X @ W @ W.T)),
    (
        "sum(V ./ (W H) - log(V ./ (W H)) - 1) where V: (n, m), W: (n, k), H: (k, m)",
        "H",
        lambda V, W, H: jnp.sum(V / (W @ H) - jnp.log(V / (W @ H)) - 1),
    ),
    (
        (
            "||C ⊙ (R - U V')||_F^2 + λ (||U||_F^2 + ||V||_F^2) "
            "where C, R: (n, m), U: (n, k), V: (m, k)"
        ),
        "U",
        lambda C, R, U, V, λ: square(C * (R - U @ V.T)) + λ * (square(U) + square(V)),
    ),
    (
        "-log(σ(u' v)) - sum(log(σ(-N v))) where N: (k, d)",
        "u",
        lambda u, v, N: -jnp.log(sigmoid(u @ v)) - jnp.sum(jnp.log(sigmoid(-N @ v))),
    ),
    (
        "g .* x / sqrt(mean(x.^2) + ε) where ε: ()",
        "g",
        lambda g, x, ε: g * x / jnp.sqrt(jnp.mean(x**2) + ε),
    ),
    (
        ("||(W + α/r B A) x - y||^2 where W: (n, m), B: (n, r), A: (r, m), α: (), x: (m), y: (n)"),
        "B",
        lambda W, α, B, A, x, y: square((W + α / 3 * B @ A) @ x - y),
    ),
    (
        "softmax(Q K' / sqrt(d)) V where Q: (n, d), K: (m, d), V: (m, k)",
        "Q",
        lambda Q, K, V: softmax(Q @ K.T / jnp.sqrt(5.0)) @ V,
    ),
    (
        "-logsumexp(β X' ξ)/β + 1/2 ξ' ξ where X: (d, n), ξ: (d), β: ()",
        "ξ",
        lambda β, X, ξ: -logsumexp(β * X.T @ ξ) / β + ξ @ ξ / 2,
    ),
]

REGRESSION_AND_DECISIONS: list[tuple[str, str, Function]] = [
    (
        "δ^2 sum(sqrt(1 + ((X w - y)/δ).^2) - 1) where X: (n, m), δ: ()",
        "w",
        lambda δ, X, w, y: δ**2 * jnp.sum(jnp.sqrt(1 + ((X @ w - y) / δ) ** 2) - 1),
    ),
    (
        "c^2/2 sum(log(1 + ((X w - y)/c).^2)) where X: (n, m), c: ()",
        "w",
        lambda c, X, w, y: c**2 / 2 * jnp.sum(jnp.log(1 + ((X @ w - y) / c) ** 2)),
    ),
    (
        "c^2/6 sum(1 - (1 - (r/c).^2).^3) where r = X w - y; X: (n, m), c: ()",
        "w",
        lambda c, X, w, y: c**2 / 6 * jnp.sum(1 - (1 - ((X @ w - y) / c) ** 2) ** 3),
    ),
    (
        "(ν + 1)/2 sum(log(1 + r.^2/(ν σ^2))) where r = y - X w; X: (n, m), ν, σ: ()",
        "w",
        lambda ν, σ, y, X, w: (ν + 1) / 2 * jnp.sum(jnp.log(1 + (y - X @ w) ** 2 / (ν * σ**2))),
    ),
    (
        "y' log(1 - exp(-exp(X β))) - (1 - y)' exp(X β) where X: (n, p), β: (p)",
        "y",
        lambda y, X, β: y @ jnp.log(1 - jnp.exp(-jnp.exp(X @ β))) - (1 - y) @ jnp.exp(X @ β),
    ),
    (
        "-log(σ(a - x' β) - σ(b - x' β)) where a, b: (), x, β: (p)",
        "a",
        lambda a, b, x, β: -jnp.log(sigmoid(a - x @ β) - sigmoid(b - x @ β)),
    ),
    (
        (
            "sum(d .* (log(k) + (k - 1) log(t) - k log(λ))) - sum((t/λ).^k) "
            "where d, t: (n), k, λ: ()"
        ),
        "d",
        lambda d, k, t, λ: (
            jnp.sum(d * (jnp.log(k) + (k - 1) * jnp.log(t) - k * jnp.log(λ)))
            - jnp.sum((t / λ) ** k)
        ),
    ),
    (
        "1 - 2 p' y / (p' p + y' y) where p = sigmoid(X w)",
        "y",
        lambda y, X, w: 1 - 2 * sigmoid(X @ w) @ y / (square(sigmoid(X @ w)) + y @ y),
    ),
    (
        "(y - X b)' Z (Z' Z)^-1 Z' (y - X b) where X: (n, k), Z: (n, q)",
        "b",
        lambda y, X, b, Z: (y - X @ b) @ Z @ inv(Z.T @ Z) @ Z.T @ (y - X @ b),
    ),
    (
        "g' W g where g = Z' (y - X b)/n; Z: (n, q), X: (n, k), W: (q, q) symmetric",
        "b",
        lambda Z, y, X, b, W: (Z.T @ (y - X @ b) / 4) @ W @ (Z.T @ (y - X @ b) / 4),
    ),
    (
        "(y - X b)' (Σ^-1 ⊗ eye(3)) (y - X b) where Σ: (2, 2) posdef, X: (6, k), y: (6)",
        "b",
        lambda y, X, b, Σ: (y - X @ b) @ jnp.kron(inv(Σ), jnp.eye(3)) @ (y - X @ b),
    ),
    (
        "(μ' w - r) / sqrt(w' Σ w) where μ, w: (n), Σ: (n, n) posdef, r: ()",
        "w",
        lambda μ, w, r, Σ: (μ @ w - r) / jnp.sqrt(w @ Σ @ w),
    ),
    (
        "w .* (Σ w) / sqrt(w' Σ w) where Σ: (n, n) posdef",
        "w",
        lambda w, Σ: w * (Σ @ w) / jnp.sqrt(w @ Σ @ w),
    ),
    (
        "||A x - b||^2 / (c' x + d) where d: ()",
        "x",
        lambda A, x, b, c, d: square(A @ x - b) / (c @ x + d),
    ),
    (
        "-log det (V diag(x) V') where V: (k, n), x: (n)",
        "x",
        lambda V, x: -logdet(V @ jnp.diag(x) @ V.T),
    ),
]

GRAPHS_MECHANICS_TENSORS: list[tuple[str, str, Function]] = [
    (
        "f' (I - diag(d.^-0.5) W diag(d.^-0.5)) f where W: (n, n) symmetric",
        "f",
        lambda f, d, W: f @ (jnp.eye(4) - jnp.diag(d**-0.5) @ W @ jnp.diag(d**-0.5)) @ f,
    ),
    (
        (
            "f' a + g' b - ε sum(exp((f ones(m)' + ones(n) g' - C)/ε)) "
            "where C: (n, m), f, a: (n), g, b: (m), ε: ()"
        ),
        "f",
        lambda f, a, g, b, ε, C: f @ a + g @ b - ε * jnp.sum(jnp.exp((f[:, None] + g - C) / ε)),
    ),
    (
        "u = a ./ (K v); v2 = b ./ (K' u); sum(diag(u) K diag(v2) .* C) where K, C: (n, m)",
        "K",
        lambda a, K, v, b, C: (lambda u: jnp.sum(jnp.diag(u) @ K @ jnp.diag(b / (K.T @ u)) * C))(
            a / (K @ v)
        ),
    ),
    (
        "x: (6); h: (3); y: (4); ||h[0] x[0:4] + h[1] x[1:5] + h[2] x[2:6] - y||^2",
        "x",
        lambda x, h, y: square(h[0] * x[0:4] + h[1] * x[1:5] + h[2] * x[2:6] - y),
    ),
    (
        (
            "tr(A' P A - A' P B (R + B' P B)^-1 B' P A) "
            "where A: (n, n), P: (n, n) symmetric, B: (n, q), R: (q, q) symmetric"
        ),
        "A",
        lambda A, P, B, R: jnp.trace(
            A.T @ P @ A - A.T @ P @ B @ inv(R + B.T @ P @ B) @ B.T @ P @ A
        ),
    ),
    (
        "J' (J J' + λ² I)⁻¹ e where J: (k, n), e: (k), λ: ()",
        "e",
        lambda J, λ, e: J.T @ inv(J @ J.T + λ**2 * jnp.eye(3)) @ e,
    ),
    (
        "4 ε ((σ/r)^12 - (σ/r)^6) where r = ||x - y||; ε, σ: ()",
        "x",
        lambda ε, σ, x, y: 4 * ε * ((σ / norm(x - y)) ** 12 - (σ / norm(x - y)) ** 6),
    ),
    ("exp(-κ r)/r where r = ||x||; κ: ()", "x", lambda κ, x: jnp.exp(-κ * norm(x)) / norm(x)),
    (
        (
            'X: (i, j, k); A: (i, r); B: (j, r); C: (k, r); T = einsum("ir,jr,kr->ijk", A, B, '
            "C); sum((X - T).^2)"
        ),
        "X",
        lambda X, A, B, C: jnp.sum((X - jnp.einsum("ir,jr,kr->ijk", A, B, C)) ** 2),
    ),
    (
        (
            "G: (p, q, r); A: (i, p); B: (j, q); C: (k, r); X: (i, j, k); "
            'sum((X - einsum("pqr,ip,jq,kr->ijk", G, A, B, C)).^2)'
        ),
        "G",
        lambda G, A, B, C, X: jnp.sum((X - jnp.einsum("pqr,ip,jq,kr->ijk", G, A, B, C)) ** 2),
    ),
    (
        ("-y' log(σ(a .* (θ - b))) - (1 - y)' log(1 - σ(a .* (θ - b))) where a, b, y: (n), θ: ()"),
        "θ",
        lambda y, a, θ, b: (
            -y @ jnp.log(sigmoid(a * (θ - b))) - (1 - y) @ jnp.log(1 - sigmoid(a * (θ - b)))
        ),
    ),
]

FORMULAS = [
    *FILTERS_AND_MATRICES,
    *LEARNING,
    *REGRESSION_AND_DECISIONS,
    *GRAPHS_MECHANICS_TENSORS,
]


@pytest.mark.parametrize(("text", "wrt", "function"), FORMULAS, ids=[f[0] for f in FORMULAS])
def test_formula(text: str, wrt: str, function: Function) -> None:
    program = md.parse(text)
    random = np.random.default_rng(3)
    dims = {dim for entry in program.inputs.values() for dim in entry.shape}
    values = draw(program.inputs, {str(d): SIZES.get(str(d), 3) for d in dims}, random, "positive")
    assert set(inspect.signature(function).parameters) == set(values)
    agrees(program, wrt, function, values, random)
