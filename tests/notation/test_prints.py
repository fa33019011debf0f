"""What is printed, formula by formula; every print also reads back to its value."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from matderiv.language import lower, read
from matderiv.notation import present
from matderiv.tensor.arena import Arena
from matderiv.tensor.evaluate import evaluate
from tests.notation.reading import draw, read_back, variables

PRINTS = [
    # chains and transposes
    ("A' B' C'", "(C B A)ᵀ"),
    ("(x' A)'", "Aᵀ x"),
    ("x' A' y", "(A x)ᵀ y"),
    ("X X X", "X³"),
    ("X^-1 X^-1", "X⁻²"),
    ("S A S where S: (n, n) symmetric", "S A S"),
    ("(A S)' where S: (n, n) symmetric", "S Aᵀ"),
    ("-inv(X)' a b' inv(X)'", "-X⁻ᵀ a bᵀ X⁻ᵀ"),
    # traces and sums
    ("tr(A' B' C')", "tr(C B A)"),
    ("tr(A' B)", "tr(Aᵀ B)"),
    ("tr(x y' A)", "yᵀ A x"),
    ("sum(diag(A))", "tr(A)"),
    ("tr(A)/n where A: (n, n)", "tr(A)/n"),
    ("tr(X B (C X B)')", "tr((X B)ᵀ C X B)"),
    ("tr(B (A X B)' A X)", "‖A X B‖²"),
    ("tr(X B X')", "tr(X B Xᵀ)"),
    ("tr(B X A X')", "tr(B X A Xᵀ)"),
    ("tr((X + A)^-1 B (X + A)^-1)", "tr(B (X + A)⁻²)"),
    ("x' (A + I)^-1 (A + I)^-1 x", "xᵀ(A + I)⁻² x"),
    ("(A (X + B)^-1 x).^2", "(A (X + B)⁻¹ x).^2"),
    ("(A B)' + C'", "(A B + C)ᵀ"),
    ("A + A'", "A + Aᵀ"),
    ("sum(A .* B)", "sum(A ⊙ B)"),
    ("mean(x)", "mean(x)"),
    ("-A + B + C - D", "B + C - A - D"),
    ("(A ⊗ B) vec(X) where A: (m, q), B: (n, p), X: (p, q)", "vec(B X Aᵀ)"),
    ("(A ⊗ B) (C ⊗ D) where A: (m, n), B: (p, q), C: (n, k), D: (q, l)", "(A C) ⊗ (B D)"),
    (
        "(A ⊗ B) (C ⊗ D) E where A: (2, 3), B: (4, 5), C: (3, 2), D: (5, 3), E: (6, n)",
        "(A ⊗ B) (C ⊗ D) E",
    ),
    ("(A ⊗ B)'", "(A ⊗ B)ᵀ"),
    ("(A ⊗ B')'", "Aᵀ ⊗ B"),
    (
        "commutation(p, m) (A ⊗ B) commutation(n, q) where A: (m, n), B: (p, q)",
        "B ⊗ A",
    ),
    ("vec(A ⊗ B)", "vec(A ⊗ B)"),
    ("vec((A B) ⊗ C)", "vec((A B) ⊗ C)"),
    ("vec(X) vec(Y)'", "vec(X) vec(Y)ᵀ"),
    # diagonals and elementwise products
    ("X' diag(v) X", "Xᵀ diag(v) X"),
    ("diag(a) (A .* B) diag(b)", "diag(a) (A ⊙ B) diag(b)"),
    ("y .* X w", "y ⊙ X w"),
    ("x .* x .* y", "x.^2 ⊙ y"),
    ("1 ./ (x .* y)", "1 ./ (x ⊙ y)"),
    ("x.^(1/2) ./ y.^(3/2)", "sqrt(x) ./ y.^(3/2)"),
    ("2 (A.^2 .* B)", "2 A.^2 ⊙ B"),
    ("diag(softmax(z)) - softmax(z) softmax(z)'", "diag(softmax(z)) - softmax(z) softmax(z)ᵀ"),
    # rows that are added to each row, beside names that are: never a column before a row
    ("w + cos(w) - S where w: (k), S: (n, k)", "-S + w + cos(w)ᵀ"),
    ("mean(X, axis=0) + cos(w) - X where X: (n, k), w: (k)", "-X + mean(X, axis=0) + cos(w)ᵀ"),
    ("w + x - S where w, x: (k), S: (n, k)", "w + x - S"),
    # norms
    ("x' x", "xᵀ x"),
    ("(X w - y)' (X w - y)", "‖X w - y‖²"),
    ("||X||^2", "‖X‖²"),
    ("||x||^3", "‖x‖³"),
    ("x / ||x||", "x/‖x‖"),
    ("sum(abs(x).^3)^(1/3)", "‖x‖₃"),
    ("x / norm(x, 2.5)^(3/2)", "x/‖x‖_2.5^(3/2)"),
    ("norm(x, 7/3)^2 norm(x, 20/9)", "norm(x, 7/3)² norm(x, 20/9)"),
    ("sum(abs(A x - b))^2 sqrt(norm(x, 1))", "‖A x - b‖₁² sqrt(‖x‖₁)"),
    ("mean(abs(x)) sum(abs(A)) where x: (n)", "mean(abs(x)) sum(abs(A))"),
    ("||A X||_op^2/||X||_*", "‖A X‖_op²/‖X‖_*"),
    ("sqrt(x' A x)", "sqrt(xᵀ A x)"),
    # numbers and scalars
    ("log(1 + x' x/(2 a)) where a: ()", "log(xᵀ x/(2 a) + 1)"),
    ("sin(1 - x' x/(2 n)) where x: (n)", "sin(1 - xᵀ x/(2 n))"),
    ("exp((3 - x' x)/2)", "exp((3 - xᵀ x)/2)"),
    ("x/2", "x/2"),
    ("3 x / 2", "3/2 x"),
    ("0.01 x", "0.01 x"),
    ("1e-12 x", "1e-12 x"),
    ("s^2/3 where s: ()", "s²/3"),
    ("s^(-t) where s, t: ()", "s^(-t)"),
    ("2 (x' y) (a' b)", "2 (xᵀ y) (aᵀ b)"),
    ("(x' A x) / (x' x) y", "(xᵀ A x)/(xᵀ x) y"),
    ("det(X) inv(X)'", "det(X) X⁻ᵀ"),
    # signs
    ("-2 X' (y - X w)", "2 Xᵀ(X w - y)"),
    ("-(y - X w)", "X w - y"),
    ("-x", "-x"),
    ("x .* (h - 1) .* (y - z)", "x ⊙ (1 - h) ⊙ (z - y)"),
    ("sin(y - X w) - sin(X w - y)", "2 sin(y - X w)"),
    # broadcasts
    ("X W + b where b: (p), W: (m, p)", "X W + b"),
    ("X + s where s: ()", "X + s"),
    ("A B + s where s: ()", "A B + s 𝟏 𝟏ᵀ"),
    ("eye(n) + ones(n) x' where x: (n)", "𝟏 xᵀ + I"),
    ("X - mean(X, axis=0)", "X - mean(X, axis=0)"),
    ("X - sum(X, axis=0)", "X - sum(X, axis=0)"),
    ("A x + s where s: ()", "A x + s"),
    ("max(x, s) where s: ()", "max(x, s)"),
    ("s eye(n) + X' X where s: (), X: (m, n)", "s I + Xᵀ X"),
    ("zeros(n, n) x where x: (n)", "0"),
    # slices and Kronecker products
    ("x[0]", "x[0]"),
    ("x[1:3]", "x[1:3]"),
    ("X[1, :] w", "X[1,:] w"),
    ("X[:, 1]", "X[:,1]"),
    ("X[0:2, 1:3]", "X[0:2,1:3]"),
    ("x W[1, :, :] where W: (3, n, m), x: (k, n)", "x W[1,:,:]"),
    ("X W[0, :, :]' where W: (3, n, m)", "X W[0,:,:]ᵀ"),
    ("T[:, 2, :]' x where T: (n, 4, m)", "T[:,2,:]ᵀ x"),
    ("T[0, 1, :] where T: (n, 4, m)", "T[0,1,:]"),
    ("tr(W[0, :, :]' W[1, :, :]) where W: (3, n, m)", "tr(W[0,:,:]ᵀ W[1,:,:])"),
    ("kron(A, B) - 2 kron(B, A)", "A ⊗ B - 2 (B ⊗ A)"),
    ("x ⊗ y", "x ⊗ y"),
    ("commutation(n, 3)", "commutation(n, 3)"),
    ("vec(X)", "vec(X)"),
    # functions
    ("max(x, 0)", "relu(x)"),
    ("logsumexp(X)", "logsumexp(X)"),
    ("max(X, axis=1)", "max(X, axis=1)"),
    ("max(X)", "max(X)"),
    ("||X||_inf", "max(abs(X))"),
    ("λ softmax(A x)", "λ softmax(A x)"),
]
IDS = [source for source, _ in PRINTS]


def lowered(source: str):  # type: ignore[no-untyped-def]
    return lower(read(source), Arena())


@pytest.mark.parametrize(("source", "expected"), PRINTS, ids=IDS)
def test_print(source: str, expected: str) -> None:
    value = lowered(source)
    assert present(value.root, row=value.row).text("unicode") == expected


@pytest.mark.parametrize("source", IDS)
def test_ascii_reads_back(source: str) -> None:
    value = lowered(source)
    inputs = variables(value.root)
    dims = dict.fromkeys(str(dim) for variable in inputs for dim in variable.shape)
    sizes = {dim: 3 + place for place, dim in enumerate(dims)} | {"n": 7}
    values = draw(inputs, sizes=sizes)
    text = present(value.root, row=value.row).text("ascii")
    expected = evaluate([value.root], values, sizes)[0]
    assert read_back(text, values, sizes) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("source", IDS)
def test_latex_braces_and_delimiters_balance(source: str) -> None:
    value = lowered(source)
    text = present(value.root, row=value.row).text("latex")
    depth = 0
    for place, letter in enumerate(text):
        if letter in "{}" and text[place - 1 : place] != "\\":
            depth += 1 if letter == "{" else -1
        assert depth >= 0, text
    assert depth == 0, text
    assert text.count(r"\left") == text.count(r"\right"), text
    assert "^{\\top}^" not in text, text


@pytest.mark.parametrize("source", IDS)
def test_mathml_is_well_formed(source: str) -> None:
    value = lowered(source)
    ElementTree.fromstring(present(value.root, row=value.row).text("mathml"))
