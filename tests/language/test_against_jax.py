"""Formulas as people write them, against JAX: what is read is what NumPy's words compute.

Each formula stands beside the same in JAX, written by hand.  Values agree, and so do
derivatives along random directions, the second ones of scalars; so an error of reading
cannot hide behind a derivative that is right for what was read.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import matderiv as md

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402
from jax.nn import log_softmax, relu, sigmoid, softmax, softplus  # noqa: E402
from jax.numpy.linalg import det, inv, norm, slogdet, svd  # noqa: E402
from jax.scipy.linalg import expm  # noqa: E402
from jax.scipy.special import erf, logsumexp  # noqa: E402

SIZES = {"n": 3, "m": 4, "k": 2, "p": 5, "q": 2, "r": 3}

Function = Callable[..., Any]


def vec(X: Any) -> Any:
    return X.T.reshape(-1)


LATEX: list[tuple[str, str, Function]] = [
    (
        r"\left\lVert \mathbf{X}\mathbf{w}-\mathbf{y}\right\rVert^2",
        "X",
        lambda X, w, y: jnp.sum((X @ w - y) ** 2),
    ),
    (
        r"\frac{1}{2n}\|X w - y\|_2^2 + \frac{\lambda}{2}\|w\|_2^2 where X: (n, m)",
        "w",
        lambda X, w, y, λ: jnp.sum((X @ w - y) ** 2) / 6 + λ / 2 * jnp.sum(w**2),
    ),
    (
        r"\mathbf{y}^\top \mathbf{A}^{-1}\mathbf{y} + \log\det \mathbf{A}",
        "A",
        lambda A, y: y @ inv(A) @ y + slogdet(A)[1],
    ),
    (r"\operatorname{tr}\left(A^\top B A\right)", "A", lambda A, B: jnp.trace(A.T @ B @ A)),
    (
        r"\exp\!\left(-\frac{\|x-y\|^2}{2\sigma^2}\right) where σ: ()",
        "x",
        lambda x, y, σ: jnp.exp(-jnp.sum((x - y) ** 2) / (2 * σ**2)),
    ),
    (r"\langle A x, y \rangle", "x", lambda A, x, y: (A @ x) @ y),
    (r"\tfrac12 x^{T}Ax - b^Tx", "x", lambda x, A, b: x @ A @ x / 2 - b @ x),
    (r"\mathbf{x}^{\intercal}\mathbf{y}", "x", lambda x, y: x @ y),
    (r"\operatorname{diag}(x) A \operatorname{diag}(x)", "x", lambda x, A: x[:, None] * A * x),
    (r"x \odot y \oslash (1 + x \circ x)", "x", lambda x, y: x * y / (1 + x * x)),
    (
        r"(X^\top X + \lambda I_m)^{-1} X^\top y where X: (n, m)",
        "X",
        lambda X, λ, y: jnp.linalg.solve(X.T @ X + λ * jnp.eye(4), X.T @ y),
    ),
    (
        r"\det(A)^{-1/2}\exp\left(-\tfrac{1}{2}x^\top A^{-1}x\right)",
        "A",
        lambda A, x: det(A) ** -0.5 * jnp.exp(-x @ inv(A) @ x / 2),
    ),
    (r"\ln(1 + e^{-w^\top x}) where w: (n)", "w", lambda w, x: jnp.log(1 + jnp.exp(-w @ x))),
    (r"\lvert x^\top y\rvert + \lVert x\rVert_1", "x", lambda x, y: abs(x @ y) + jnp.sum(abs(x))),
    (r"$\|AX - B\|_F^2$ where B: (n, m)", "X", lambda A, X, B: jnp.sum((A @ X - B) ** 2)),
    (r"\[ x^\top A x. \]", "A", lambda x, A: x @ A @ x),
    (r"\frac{1}{n}\mathbf{1}_n^\top X \mathbf{1}_m", "X", lambda X: jnp.sum(X) / 3),
    (
        r"(I_n - \frac1n \mathbf{1}_n \mathbf{1}_n^\top) X",
        "X",
        lambda X: X - jnp.mean(X, axis=0),
    ),
    (r"\hat{y}^\top x where \hat{y}: (n)", "x", lambda y_hat, x: y_hat @ x),
    (r"A^{-\top} x", "A", lambda A, x: inv(A).T @ x),
    (r"x^\top A^{2} x", "A", lambda A, x: x @ A @ A @ x),
    (
        r"\tanh\left(\mathbf{W}\mathbf{x}+\mathbf{b}\right) where W: (n, m), x: (m)",
        "W",
        lambda W, x, b: jnp.tanh(W @ x + b),
    ),
    (r"\|x\|_3^3", "x", lambda x: jnp.sum(abs(x) ** 3)),
    (r"\|x\|_\infty", "x", lambda x: jnp.max(abs(x))),
    (
        r"\lambda\,\mathrm{tr}(X^\top X)\;+\;\operatorname{logdet}(A)",
        "X",
        lambda λ, X, A: λ * jnp.trace(X.T @ X) + slogdet(A)[1],
    ),
    (r"\mathrm{softmax}(A x)^\top y", "x", lambda A, x, y: softmax(A @ x) @ y),
    (
        r"\|X\|_F^2 + \|X\|_*",
        "X",
        lambda X: jnp.sum(X**2) + jnp.sum(svd(X, compute_uv=False)),
    ),
]

SLICES: list[tuple[str, str, Function]] = [
    ("x[0] x[1]^2", "x", lambda x: x[0] * x[1] ** 2),
    ("||X[:, 0] - x||^2", "X", lambda X, x: jnp.sum((X[:, 0] - x) ** 2)),
    ("X[0, :] w where X: (n, m)", "X", lambda X, w: X[0] @ w),
    ("sum(X[0:2, 1:3].^2)", "X", lambda X: jnp.sum(X[0:2, 1:3] ** 2)),
    ("A[:, 0]' A[:, 1]", "A", lambda A: A[:, 0] @ A[:, 1]),
    ("sum(softmax(x)[0:2])", "x", lambda x: jnp.sum(softmax(x)[0:2])),
    ("(A^-1)[0, 1]", "A", lambda A: inv(A)[0, 1]),
    ('einsum("ij,ij->", X, Y)', "X", lambda X, Y: jnp.sum(X * Y)),
    ('einsum("i,j,ij->", x, w, X)', "x", lambda x, w, X: x @ X @ w),
    ('einsum("ij->j", X.^2)', "X", lambda X: jnp.sum(X**2, 0)),
    (
        'sum(einsum("ijk,k->ij", T, u).^2) where T: (n, m, k)',
        "T",
        lambda T, u: jnp.sum(jnp.einsum("ijk,k->ij", T, u) ** 2),
    ),
    ('einsum("i->ii", x)', "x", lambda x: jnp.diag(x)),
]

METHODS: list[tuple[str, str, Function]] = [
    ("(X @ w - y).pow(2).mean()", "w", lambda X, w, y: jnp.mean((X @ w - y) ** 2)),
    ("(A @ x).softmax()", "x", lambda A, x: softmax(A @ x)),
    ("X.mean(dim=1)", "X", lambda X: X.mean(1)),
    ("X.sum(1, keepdim=True)", "X", lambda X: X.sum(1, keepdims=True)),
    ("(x - x.mean()) / x.std()", "x", lambda x: (x - x.mean()) / x.std()),
    ("relu(X @ W).sum()", "W", lambda X, W: relu(X @ W).sum()),
    ("X.exp().sum().log()", "X", lambda X: jnp.log(jnp.sum(jnp.exp(X)))),
    ("x.abs().max()", "x", lambda x: jnp.max(abs(x))),
]

REDUCTIONS: list[tuple[str, str, Function]] = [
    ("max(x, y)' x", "x", lambda x, y: jnp.maximum(x, y) @ x),
    ("sum(min(x, 1).^2)", "x", lambda x: jnp.sum(jnp.minimum(x, 1) ** 2)),
    ("min(X)", "X", lambda X: jnp.min(X)),
    ("sum(max(X, axis=1).^2)", "X", lambda X: jnp.sum(jnp.max(X, 1) ** 2)),
    ("max(X, axis=0, keepdims=True)", "X", lambda X: jnp.max(X, 0, keepdims=True)),
    ("X - mean(X, axis=1, keepdims=True)", "X", lambda X: X - X.mean(1, keepdims=True)),
    ("var(X, axis=1)", "X", lambda X: jnp.var(X, 1)),
    ("std(X, axis=0, keepdims=True)", "X", lambda X: jnp.std(X, 0, keepdims=True)),
    ("sum(X, keepdims=True)", "X", lambda X: jnp.sum(X, keepdims=True)),
    ("logsumexp(X, axis=0)", "X", lambda X: logsumexp(X, 0)),
    (
        "sum(logsumexp(X, axis=1, keepdims=True) .* X)",
        "X",
        lambda X: jnp.sum(logsumexp(X, 1, keepdims=True) * X),
    ),
    ("softmax(X, axis=0)", "X", lambda X: softmax(X, 0)),
    ("sum(log_softmax(X) .* Y)", "X", lambda X, Y: jnp.sum(log_softmax(X) * Y)),
    ("X ./ sum(X, axis=1, keepdims=True)", "X", lambda X: X / X.sum(1, keepdims=True)),
    ("T: (n, m, k); sum(T, axis=2) w", "T", lambda T, w: T.sum(2) @ w),
    ("T: (n, m, k); softmax(T)", "T", lambda T: softmax(T)),
]

MATRICES: list[tuple[str, str, Function]] = [
    ("||A||_op", "A", lambda A: norm(A, 2)),
    ("||A X||_*", "X", lambda A, X: jnp.sum(svd(A @ X, compute_uv=False))),
    ("norm(x, 3)^2", "x", lambda x: jnp.sum(abs(x) ** 3) ** (2 / 3)),
    ("||x||_2.5^2", "x", lambda x: jnp.sum(abs(x) ** 2.5) ** (2 / 2.5)),
    ("norm(A x, 1.5)", "x", lambda A, x: jnp.sum(abs(A @ x) ** 1.5) ** (1 / 1.5)),
    ("||X||_inf", "X", lambda X: jnp.max(abs(X))),
    ("pinv(X)", "X", lambda X: jnp.linalg.pinv(X)),
    ("x' expm(t A) y where t: ()", "t", lambda x, t, A, y: x @ expm(t * A) @ y),
    ("A \\ x", "A", lambda A, x: jnp.linalg.solve(A, x)),
    ("logdet(A' A + I)", "A", lambda A: slogdet(A.T @ A + jnp.eye(A.shape[1]))[1]),
    ("x ⊗ w", "x", lambda x, w: jnp.kron(x, w)),
    ("kron(X, W)", "X", lambda X, W: jnp.kron(X, W)),
    (
        "||A ⊗ X - X ⊗ A||^2",
        "X",
        lambda A, X: jnp.sum((jnp.kron(A, X) - jnp.kron(X, A)) ** 2),
    ),
    ("commutation(n, m) vec(X) where X: (n, m)", "X", lambda X: vec(X.T)),
    ("reshape(x, 3, 2)' y where x: (6), y: (3)", "x", lambda x, y: x.reshape(3, 2).T @ y),
    ("outer(x, x) y", "x", lambda x, y: jnp.outer(x, x) @ y),
    ("A - diag(diag(A))", "A", lambda A: A - jnp.diag(jnp.diag(A))),
    ("tr(A diag(x) A')", "x", lambda A, x: jnp.trace(A @ jnp.diag(x) @ A.T)),
    (
        "triu(A) x + sum(tril(A).^2) x",
        "A",
        lambda A, x: jnp.triu(A) @ x + jnp.sum(jnp.tril(A) ** 2) * x,
    ),
    ("exp(-x' A x) A x", "x", lambda x, A: jnp.exp(-x @ A @ x) * A @ x),
    ("erf(x)' y", "x", lambda x, y: erf(x) @ y),
    ("x.^y", "y", lambda x, y: x**y),
    ("a^b where a: (), b: ()", "a", lambda a, b: a**b),
    ("||x||^λ", "x", lambda x, λ: norm(x) ** λ),
    ("(x' y)^3 x", "x", lambda x, y: (x @ y) ** 3 * x),
    ("tr((A X + B)^-1) where X: (n, n)", "X", lambda A, X, B: jnp.trace(inv(A @ X + B))),
    ("A^3 x", "A", lambda A, x: A @ A @ A @ x),
    ("x' A^-2 x", "A", lambda A, x: x @ inv(A) @ inv(A) @ x),
]

PROGRAMS: list[tuple[str, str, Function]] = [
    (
        "f(t) = t^2 / (1 + t^2): elementwise; sum(f(X w - y))",
        "w",
        lambda X, w, y: jnp.sum((X @ w - y) ** 2 / (1 + (X @ w - y) ** 2)),
    ),
    (
        "f(t) = t exp(-t^2/2): elementwise; A f(x)",
        "x",
        lambda A, x: A @ (x * jnp.exp(-(x**2) / 2)),
    ),
    ("g(u) = log(1 + e^u): elementwise; g(A X)", "X", lambda A, X: softplus(A @ X)),
    (
        "P = softmax(Q K' / sqrt(k)); ||P V - Y||^2 where Q, K, V, Y: (n, k)",
        "Q",
        lambda Q, K, V, Y: jnp.sum((softmax(Q @ K.T / jnp.sqrt(2.0)) @ V - Y) ** 2),
    ),
    (
        "C = X - mean(X, axis=1, keepdims=True); "
        "sum(C ./ sqrt(var(X, axis=1, keepdims=True) + ε) .* G)",
        "X",
        lambda X, ε, G: jnp.sum(
            (X - X.mean(1, keepdims=True)) / jnp.sqrt(X.var(1, keepdims=True) + ε) * G
        ),
    ),
    (
        "h = sigmoid(X W); sum(h.^2) + ||W||^2",
        "W",
        lambda X, W: jnp.sum(sigmoid(X @ W) ** 2) + jnp.sum(W**2),
    ),
]

FORMULAS = [*LATEX, *SLICES, *METHODS, *REDUCTIONS, *MATRICES, *PROGRAMS]


def point(program: md.Program, random: np.random.Generator) -> dict[str, Any]:
    """Positive entries, apart from each other; square matrices with an inverse."""
    values = {}
    for name, entry in program.inputs.items():
        shape = [d if isinstance(d, int) else SIZES[str(d)] for d in entry.shape]
        values[name] = random.uniform(0.3, 1.4, size=shape)
        if len(shape) == 2 and shape[0] == shape[1]:
            values[name] += 2 * np.eye(shape[0])
    return values


def close(got: Any, want: Any, tolerance: float) -> bool:
    got, want = np.asarray(got), np.asarray(want)
    scale = max(1.0, float(np.max(np.abs(want), initial=0.0)))
    return got.shape == want.shape and bool(np.all(np.abs(got - want) <= tolerance * scale))


@pytest.mark.parametrize(("text", "wrt", "function"), FORMULAS, ids=[f[0] for f in FORMULAS])
def test_formula(text: str, wrt: str, function: Function) -> None:
    program = md.parse(text)
    random = np.random.default_rng(5)
    agrees(program, wrt, function, point(program, random), random)


def agrees(
    program: md.Program,
    wrt: str,
    function: Function,
    values: dict[str, Any],
    random: np.random.Generator,
) -> None:
    """Hold a program's value, derivatives and prints to a function of JAX arrays."""
    names = list(inspect.signature(function).parameters)
    given = {name: jnp.asarray(values[name]) for name in names}
    assert close(program.evaluate(values), function(**given), 1e-11)

    def moved(x: Any) -> Any:
        return function(**{**given, wrt: x})

    u, v = (random.normal(size=values[wrt].shape) for _ in range(2))
    first = jax.jvp(moved, (given[wrt],), (u,))[1]
    wanted = [first]
    if not program.shape:
        wanted.append(jax.jvp(lambda x: jax.jvp(moved, (x,), (u,))[1], (given[wrt],), (v,))[1])
    for order, want in enumerate(wanted, 1):
        derivative = md.diff(program, wrt, order=order)
        got = derivative.evaluate(values)
        for direction in (v, u)[2 - order :]:
            got = np.tensordot(got, direction, axes=direction.ndim)
        assert close(got, want, 1e-8)
        if derivative.node.order <= 2:
            again = program.reread(derivative.to("ascii"))
            assert close(again.evaluate(values), derivative.evaluate(values), 1e-10)
