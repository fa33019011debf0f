"""How derivatives are printed: which way round differences stand, and entries of slices."""

from __future__ import annotations

import pytest

import matderiv as md

PRINTS = [
    # the order of the text, and one way round in one formula
    ("||y - X w||^2/σ^2 + n log(σ) where n: ()", "σ", "(n - 2 ||y - X w||^2/sigma^2)/sigma"),
    ("||y - X w||", "w", "X' (X w - y)/||X w - y||"),
    ("norm(y - X w)^3", "w", "3 ||X w - y|| X' (X w - y)"),
    ("std(w)", "w", "(w - mean(w))/(sqrt(n) ||w - mean(w)||)"),
    # a difference that occurs twice is not turned once
    (
        "logdet(S)/2 + (x-m)' S^-1 (x-m)/2 where S: (n, n) posdef",
        "S",
        "(eye(n) - S^-1 (x - m) (x - m)') S^-1 / 2",
    ),
    # a minus that a difference can take does not stay
    ("mse(X w, y) + λ ||w||^2", "w", "2 (X' (X w - y)/n + lambda w)"),
    # a scalar is multiplied into the sum that it divides
    ("log(1 + ||x - y||^2/ν)", "x", "2/(||x - y||^2 + nu) (x - y)"),
    # a transpose stands outside of what is done entry by entry
    ("v' sum(relu(X W), axis=0) where X: (n, k)", "v", "relu(X W)' ones(n)"),
    ("v' sum(X.^3, axis=0) where X: (n, k)", "v", "(X.^3)' ones(n)"),
    ("||(M .* X) w - y||^2", "w", "2 (M .* X)' ((M .* X) w - y)"),
    ("v' diag(A' B)", "v", "diag(A' B)"),
    # a diagonal stands inside of what is done entry by entry
    ("sum(sqrt(diag(X X')))", "X", "diag(1 ./ sqrt(diag(X X'))) X"),
    ("sum(diag(A.^3))", "A", "3 diag(diag(A).^2)"),
    ("v' f(diag(A B)) where f: elementwise", "v", "f(diag(A B))"),
    ("w' (1 ./ diag(S)) where S: (n, n) symmetric", "w", "1 ./ diag(S)"),
    # a product with one row or column is a number
    ("exp(X[:, 0]' A X[:, 1])", "A", "exp(X[:,0]' A X[:,1]) X[:,0] X[:,1]'"),
    ("(X[:, 1]' w)^2", "w", "2 (X[:,1]' w) X[:,1]"),
    ("(X[1, :] w)^2", "w", "2 (X[1,:] w) X[1,:]'"),
    ("-(y - X w)' A (y - X w) where A: (n, n) symmetric", "w", "2 X' A (y - X w)"),
]


@pytest.mark.parametrize(("text", "wrt", "printed"), PRINTS)
def test_derivative_is_printed_so(text: str, wrt: str, printed: str) -> None:
    derivative = md.diff(text, wrt)
    text = derivative.to("ascii").split(" where ")[0]
    assert text == printed
    assert derivative.check()
