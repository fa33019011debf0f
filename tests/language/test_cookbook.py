"""Derivatives that books print, in the spellings that people type: right, and no longer than there.

From The Matrix Cookbook (2012), Minka's Old and New Matrix Algebra (2000), Giles (2008), the
Stan functions reference, and textbooks of statistics, control, economics and physics.  The
books' formulas are the oracle: each is read and evaluated at a random point.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import matderiv as md
from matderiv.values import draw
from tests.notation.score import count, count_print

SIZES = {"n": 4, "m": 5, "k": 3, "p": 6, "d": 5}


class Row(NamedTuple):
    """Spellings of one value, with what follows `where`; its derivative, and the second."""

    spellings: tuple[str, ...]
    where: str
    wrt: str
    derivative: str
    second: str = ""


ROWS = [
    # The Matrix Cookbook: 51, 53, 54, 58, 64, 81, 98, 110, 113, 116, 121 to 127
    Row(("det(A X B)", "det(AXB)"), "A, B, X: (n, n)", "X", "det(A X B) X^-T"),
    Row(("det(X' A X)", "det(XᵀAX)"), "A, X: (n, n)", "X", "2 det(X' A X) X^-T"),
    Row(
        ("det(X^⊺ A X)", r"\det(X^\intercal A X)"),
        "X: (n, k), A: (n, n) symmetric",
        "X",
        "2 det(X' A X) A X (X' A X)^-1",
    ),
    Row(("det(X^3)", "det X^3", "det(X)³"), "X: (n, n)", "X", "3 det(X)^3 X^-T"),
    Row(("tr((X + A)^-1)", "Tr((X+A)⁻¹)"), "A, X: (n, n)", "X", "-(X + A)^-2'"),
    Row(("tr(X^5)", r"\operatorname{tr}(X^{5})"), "X: (n, n)", "X", "5 X'^4"),
    Row(("tr(A X^3)", "trace(A*X^3)"), "A, X: (n, n)", "X", "(X^2 A + X A X + A X^2)'"),
    Row(("tr(B X X')", "Tr(BXX^T)"), "B: (n, n), X: (n, k)", "X", "(B + B') X"),
    Row(
        ("tr(A X B X' C)", "tr(AXBXᵀC)"),
        "A: (p, n), X: (n, k), B: (k, k), C: (n, p)",
        "X",
        "A' C' X B' + C A X B",
    ),
    Row(
        ("tr(B' X' C X X' C X B)",),
        "X: (n, k), C: (n, n), B: (k, p)",
        "X",
        "C X X' C X B B' + C' X B B' X' C' X + C X B B' X' C X + C' X X' C' X B B'",
    ),
    Row(
        ("tr((A + X' C X)^-1 (X' B X))", "tr((A + XᵀCX)⁻¹XᵀBX)"),
        "X: (n, k), A: (k, k) symmetric, B, C: (n, n) symmetric",
        "X",
        ("-2 C X (A + X' C X)^-1 X' B X (A + X' C X)^-1 + 2 B X (A + X' C X)^-1"),
    ),
    Row(("(X b + c)' D (X b + c)",), "X: (n, k), b: (k)", "X", "(D + D') (X b + c) b'"),
    Row(("a' X^3 b",), "X: (n, n)", "X", "a b' X'^2 + X' a b' X' + X'^2 a b'"),
    # Minka; Giles
    Row(
        ("log det(X' A X)", r"\log\det(X^\top A X)", "ln(det(X'AX))"),
        "X: (n, k), A: (n, n)",
        "X",
        "A X (X' A X)^-1 + A' X (X' A' X)^-1",
    ),
    Row(
        ("log det(A + X diag(w) X')",),
        "A: (n, n) symmetric, X: (n, k), w: (k)",
        "w",
        "diag(X' (A + X diag(w) X')^-1 X)",
        "-(X' (A + X diag(w) X')^-1 X).^2",
    ),
    Row(("tr((X' X)^-1)", "tr(inv(X'X))"), "X: (n, k)", "X", "-2 X (X' X)^-2"),
    Row(("tr(G' A^-1)", "<G, inv(A)>", "sum(G ⊙ A⁻¹)"), "A, G: (n, n)", "A", "-A^-T G A^-T"),
    # along a line A + t B
    Row(
        ("log det(A + t B)", "ln det(A + tB)"),
        "A, B: (n, n), t: ()",
        "t",
        "tr((A + t B)^-1 B)",
    ),
    Row(("tr((A + t B)^-1)",), "A, B: (n, n), t: ()", "t", "-tr((A + t B)^-2 B)"),
    Row(
        ("x' (A + t I)^-1 x", "x'(A + tI)⁻¹x"),
        "A: (n, n) symmetric, t: ()",
        "t",
        "-x' (A + t I)^-2 x",
        "2 x' (A + t I)^-3 x",
    ),
    # norms
    Row(
        ("||X' X - I||_F^2", "‖XᵀX − I‖²_F", r"\|X^\top X - I\|_F^2"),
        "X: (n, k)",
        "X",
        "4 X (X' X - I)",
    ),
    Row(
        ("√(1 + ‖x‖²)", "sqrt(1 + x'x)", "(1 + x^Tx)^(1/2)", r"\sqrt{1 + x^\top x}"),
        "x: (n)",
        "x",
        "x/sqrt(1 + x' x)",
        "(I - x x'/(1 + x' x))/sqrt(1 + x' x)",
    ),
    Row(
        ("1/||x||", "‖x‖⁻¹", "(x'x)^(-1/2)"),
        "x: (n)",
        "x",
        "-x/||x||^3",
        "(3 x x'/(x' x) - I)/||x||^3",
    ),
    # statistics
    Row(
        ("tr(S P) - log det P + λ sum(abs(P))",),
        "S, P: (n, n) posdef",
        "P",
        "S - P^-1 + λ sign(P)",
    ),
    Row(
        ("(y - X b)' diag(w) (y - X b)", "sum(w ⊙ (y - X b).^2)"),
        "X: (n, k), b: (k)",
        "b",
        "-2 X' (w .* (y - X b))",
        "2 X' diag(w) X",
    ),
    Row(
        ("tr(X (X' X + λ I)^-1 X')", "tr((X'X + λI)⁻¹X'X)"),
        "X: (n, k)",
        "λ",
        "-||X (X' X + λ I)^-1||^2",
    ),
    Row(("c' (X' diag(w) X)^-1 c",), "X: (n, k)", "w", "-(X (X' diag(w) X)^-1 c).^2"),
    Row(
        ("-1/2 tr(V^-1 (X - M)' U^-1 (X - M)) - k/2 log det U",),
        "X, M: (n, k), U: (n, n) posdef, V: (k, k) posdef",
        "U",
        "1/2 (U^-1 (X - M) V^-1 (X - M)' - k I) U^-1",
    ),
    Row(
        ("-1/2 ||L \\ (y - μ)||^2 - sum(log(diag(L)))",),
        "L: (n, n) lower, y, μ: (n)",
        "y",
        "-L^-T L^-1 (y - μ)",
        "-L^-T L^-1",
    ),
    # control
    Row(
        ("||A P + P A' + Q||_F^2", "‖AP + PAᵀ + Q‖²"),
        "A: (n, n), P, Q: (n, n) symmetric",
        "P",
        "2 (A' (A P + P A' + Q) + (A P + P A' + Q) A)",
    ),
    Row(
        ("tr((I - K H) P (I - K H)' + K R K')",),
        "K: (n, k), H: (k, n), P: (n, n) symmetric, R: (k, k) symmetric",
        "K",
        "2 (K R - (I - K H) P H')",
    ),
    # economics, physics
    Row(
        ("sum(log(1 + R w))", "ones(n)' log(1 + R w)"),
        "R: (n, k)",
        "w",
        "R' (1 ./ (1 + R w))",
        "-R' diag(1 ./ (1 + R w).^2) R",
    ),
    Row(
        ("-1/β log(sum(exp(-β E)))",),
        "E: (n)",
        "E",
        "softmax(-β E)",
        "-β (diag(softmax(-β E)) - softmax(-β E) softmax(-β E)')",
    ),
    Row(
        ("-1/2 s' J s - h' s", "-½ sᵀJs - hᵀs"),
        "J: (n, n) symmetric",
        "s",
        "-J s - h",
        "-J",
    ),
]


def spelled(row: Row, text: str) -> md.Program:
    return md.parse(f"{text} where {row.where}")


def at(program: md.Program) -> dict[str, Any]:
    dims = {str(dim): SIZES[str(dim)] for e in program.inputs.values() for dim in e.shape}
    values = draw(program.inputs, dims, np.random.default_rng(4), "positive")
    for name, entry in program.inputs.items():
        if len(set(entry.shape)) < len(entry.shape) and not entry.attributes:
            values[name] = values[name] + 2 * np.eye(len(values[name]))
    return values


def agree(one: Any, other: Any) -> bool:
    return np.shape(one) == np.shape(other) and np.allclose(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("row", ROWS, ids=[row.spellings[0] for row in ROWS])
def test_spellings_are_of_one_value(row: Row) -> None:
    first, *others = (spelled(row, text) for text in row.spellings)
    values = at(first)
    for other in others:
        assert agree(other.evaluate(values), first.evaluate(values))


@pytest.mark.parametrize("row", ROWS, ids=[row.spellings[0] for row in ROWS])
def test_derivative_is_the_formula_of_the_book_and_as_short(row: Row) -> None:
    program = spelled(row, row.spellings[0])
    values = at(program)
    for order, book in enumerate(filter(None, (row.derivative, row.second)), 1):
        derivative = md.diff(program, row.wrt, order=order)
        found, printed = derivative.evaluate(values), derivative.to("ascii")
        assert agree(found, program.reread(book).evaluate(values))
        assert agree(found, program.reread(printed).evaluate(values)), printed
        assert count_print(printed, ()) <= count(book), printed
