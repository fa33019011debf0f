"""The best NumPy that we could write for each case: closed forms, buffers, few calls."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Results = tuple[Any, ...]


def quadratic(A: Array, x: Array) -> Results:
    t = np.dot(A, x)
    value = np.dot(x, t)
    t += np.dot(A.T, x)
    return value, t


def quadratic_hessian(A: Array, x: Array) -> Results:
    return (A + A.T,)


def least_squares(X: Array, w: Array, y: Array) -> Results:
    r = np.dot(X, w)
    r -= y
    value = np.dot(r, r)
    r *= 2.0
    return value, np.dot(X.T, r)


def _logit(X: Array, y: Array, w: Array) -> Array:
    m = np.dot(X, w)
    m *= y
    return m


def _sigmoid(m: Array) -> Array:
    s = m * 0.5
    np.tanh(s, out=s)
    s += 1.0
    s *= 0.5
    return s


def logistic(X: Array, y: Array, w: Array) -> Results:
    m = _logit(X, y, w)
    np.negative(m, out=m)
    e = np.abs(m)
    np.negative(e, out=e)
    np.exp(e, out=e)
    np.log1p(e, out=e)
    e += np.maximum(m, 0.0)
    value = np.add.reduce(e)
    s = _sigmoid(m)
    s *= y
    np.negative(s, out=s)
    return value, np.dot(X.T, s)


def logistic_hessian(X: Array, y: Array, w: Array) -> Results:
    s = _sigmoid(_logit(X, y, w))
    s *= 1.0 - s
    np.sqrt(s, out=s)
    s *= y
    Z = X * s[:, None]
    return (np.dot(Z.T, Z),)


def logistic_product(X: Array, y: Array, w: Array, dw: Array) -> Results:
    s = _sigmoid(_logit(X, y, w))
    s *= 1.0 - s
    s *= y
    s *= y
    s *= np.dot(X, dw)
    return (np.dot(X.T, s),)


def factorisation(T: Array, U: Array, V: Array) -> Results:
    R = np.dot(U, V.T)
    R -= T
    value = np.vdot(R, R)
    gU, gV = np.dot(R, V), np.dot(R.T, U)
    gU *= 2.0
    gV *= 2.0
    return value, gU, gV


def masked_factorisation(M: Array, T: Array, U: Array, V: Array) -> Results:
    R = np.dot(U, V.T)
    R -= T
    R *= M
    value = np.vdot(R, R)
    R *= M
    gU, gV = np.dot(R, V), np.dot(R.T, U)
    gU *= 2.0
    gV *= 2.0
    return value, gU, gV


def factorisation_hessian(T: Array, U: Array, V: Array) -> Results:
    G = np.dot(V.T, V)
    G *= 2.0
    n, k = U.shape
    H = np.zeros((n, k, n, k))
    np.einsum("abac->abc", H)[...] = G
    return (H,)


def factorisation_product(T: Array, U: Array, V: Array, dU: Array) -> Results:
    G = np.dot(V.T, V)
    G *= 2.0
    return (np.dot(dU, G),)


def log_det(S: Array, C: Array) -> Results:
    inverse = np.linalg.inv(S)
    value = np.linalg.slogdet(S)[1] + np.vdot(inverse, C)
    gradient = np.dot(np.dot(inverse, C), inverse)
    np.subtract(inverse, gradient, out=gradient)
    return value, gradient


def softmax_regression(X: Array, W: Array, Y: Array) -> Results:
    z = np.dot(X, W)
    z -= np.maximum.reduce(z, axis=1, keepdims=True)
    p = np.exp(z)
    total = np.add.reduce(p, axis=1, keepdims=True)
    z -= np.log(total)
    n = len(X)
    value = -np.vdot(Y, z) / n
    p /= total
    p -= Y
    p /= n
    return value, np.dot(X.T, p)


def _softmax(z: Array) -> Array:
    z -= np.maximum.reduce(z, axis=-1, keepdims=True)
    np.exp(z, out=z)
    z /= np.add.reduce(z, axis=-1, keepdims=True)
    return z


def softmax_jacobian(A: Array, x: Array) -> Results:
    p = _softmax(np.dot(A, x))
    J = A - np.dot(p, A)
    J *= p[:, None]
    return (J,)


def ridge(X: Array, y: Array, t: float) -> Results:
    S = np.dot(X.T, X)
    S.ravel()[:: len(S) + 1] += t
    b = np.linalg.solve(S, np.dot(X.T, y))
    fit = np.dot(X, b)
    value = np.dot(y, fit)
    by_t = -np.dot(b, b)
    residual = y - fit
    residual *= 2.0
    return value, by_t, residual[:, None] * b


def layer_norm(x: Array) -> Results:
    n = len(x)
    c = x - np.add.reduce(x) / n
    v = np.dot(c, c) / n + 1e-5
    s = 1.0 / np.sqrt(v)
    J = c[:, None] * (c * (-s / (n * v)))
    J -= s / n
    J.ravel()[:: n + 1] += s
    return (J,)


def attention(Q: Array, K: Array, V: Array, T: Array) -> Results:
    scale = Q.shape[1] ** -0.5
    P = _softmax(np.dot(Q * scale, K.T))
    R = np.dot(P, V)
    R -= T
    value = np.vdot(R, R)
    R *= 2.0
    gV = np.dot(P.T, R)
    G = np.dot(R, V.T)
    G -= np.vecdot(P, G)[:, None]
    G *= P
    gQ, gK = np.dot(G, K), np.dot(G.T, Q)
    gQ *= scale
    gK *= scale
    return value, gQ, gK, gV


def network(
    x: Array, w1: Array, b1: Array, w2: Array, b2: Array, w3: Array, b3: Array, y: Array
) -> Results:
    z1 = np.dot(x, w1)
    z1 += b1
    np.maximum(z1, 0.0, out=z1)
    z2 = np.dot(z1, w2)
    z2 += b2
    np.maximum(z2, 0.0, out=z2)
    r = np.dot(z2, w3)
    r += b3
    r -= y
    value = np.vdot(r, r) / r.size
    r *= 2.0 / r.size
    d2 = np.dot(r, w3.T)
    d2 *= z2 > 0
    d1 = np.dot(d2, w2.T)
    d1 *= z1 > 0
    sums = [np.add.reduce(d, axis=0) for d in (d1, d2, r)]
    return (
        value,
        np.dot(x.T, d1),
        sums[0],
        np.dot(z1.T, d2),
        sums[1],
        np.dot(z2.T, r),
        sums[2],
    )


def chain(x: Array, **weights: Array) -> Results:
    z = [x]
    for W in weights.values():
        h = np.dot(z[-1], W)
        np.tanh(h, out=h)
        z.append(h)
    value = np.vdot(z[-1], z[-1])
    g = 2.0 * z[-1]
    gradients = []
    for k, W in reversed(list(enumerate(weights.values()))):
        t = z[k + 1] * z[k + 1]
        np.subtract(1.0, t, out=t)
        t *= g
        gradients.append(np.dot(z[k].T, t))
        if k:
            g = np.dot(t, W.T)
    return (value, *reversed(gradients))
