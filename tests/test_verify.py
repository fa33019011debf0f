"""What is said of a claimed formula: each verdict, its words, its exit status."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import matderiv as md
from matderiv.commands import main
from matderiv.verify import Verdict, verify_claim
from matderiv.verify.factors import find_factor

SQUARE = "where A, B, X: (n, n)"

# verdict -> (program, variable, claim, options, words of the message)
CASES: list[tuple[Verdict, str, str, str, dict[str, Any], str]] = [
    (Verdict.RIGHT, "tr(A X B)", "X", "A' B'", {}, "right, in mixed layout"),
    (Verdict.RIGHT, "||X w - y||^2", "w", "2 X' (X w - y)", {}, "right"),
    (Verdict.RIGHT, "||X w - y||^2", "w", "2 (X w - y)' X", {"layout": "numerator"}, "numerator"),
    (Verdict.RIGHT, "||X w - y||", "w", "X' (X w - y) / f", {}, "right"),
    (Verdict.RIGHT, "r = X w - y; r' r", "w", "2 X' r", {}, "right"),
    (Verdict.RIGHT, "φ: elementwise; sum(φ(W x))", "W", "φ'(W x) x'", {}, "right"),
    (Verdict.RIGHT, "x' A x", "x", "A + A'", {"order": 2}, "right"),
    (Verdict.RIGHT, "softmax(x)", "x", "diag(f) - f f'", {}, "right"),
    (Verdict.RIGHT, "x", "x", "I", {}, "right"),
    (Verdict.RIGHT, "sum(B) where A: (n, n)", "A", "0", {"shapes": {"A": ("n", "n")}}, "right"),
    (Verdict.RIGHT, r"\|X w - y\|_2^2", "w", r"2 X^\top (X w - y)", {}, "right"),
    # as a differential
    (Verdict.RIGHT, "tr(A X B)", "X", "tr(A dX B)", {}, "right, a differential, at"),
    (Verdict.RIGHT, "tr(A X B)", "X", "dL = tr(B A dX)", {}, "right, a differential"),
    (Verdict.RIGHT, "X^-1", "X", "dY = -X^-1 dX X^-1", {}, "right, a differential"),
    (Verdict.RIGHT, "logdet(X)", "X", "tr(X^-1 dX)", {"layout": "numerator"}, "a differential"),
    (Verdict.RIGHT, "x' A x", "x", "dx' A x + x' A dx", {}, "right, a differential"),
    (Verdict.RIGHT, "r = X w - y; ||r||^2", "w", "2 r' X dw", {"layout": "denominator"}, "right"),
    (Verdict.RIGHT, "softmax(z)", "z", "f .* dz - f (f' dz)", {}, "right, a differential"),
    (Verdict.RIGHT, "t^2 where t: ()", "t", "2 t dt", {}, "right, a differential"),
    (Verdict.SIGN, "X^-1", "X", "X^-1 dX X^-1", {}, "the claim is minus the derivative"),
    (Verdict.FACTOR, "||X w - y||^2", "w", "(X w - y)' X dw", {}, "the claim is 1/2 times"),
    (Verdict.CONDITION, "x' A x", "x", "2 x' A dx", {}, "right only if A is symmetric"),
    (Verdict.SHAPE, "x' A x", "x", "A dx", {}, "is a differential of (n,), the value has ()"),
    (Verdict.WRONG, f"tr(A X B) {SQUARE}", "X", "tr(A dX A)", {}, ""),
    (Verdict.LAYOUT, "tr(A X B)", "X", "B A", {}, "right in numerator layout"),
    (Verdict.LAYOUT, "A x", "x", "A'", {}, "right in denominator layout"),
    (Verdict.LAYOUT, "x' x", "x", "2 x'", {}, "where it is a row"),
    (Verdict.TRANSPOSED, "A X b", "X", 'einsum("ij,k->kij", A, b)', {}, "in the order (2, 0, 1)"),
    (Verdict.VEC, "A X B", "X", "B' ⊗ A", {}, "columns stacked (vec form)"),
    (Verdict.VEC, "A X B", "X", "A ⊗ B'", {}, "rows stacked (vec form)"),
    (Verdict.VEC, "X^-1", "X", "-(X^-T ⊗ X^-1)", {}, "columns stacked"),
    (Verdict.VEC, "tr(A' X)", "X", "vec(A)", {}, "columns stacked"),
    (Verdict.SIGN, "tr(X^-1)", "X", "(X X)^-T", {}, "the claim is minus the derivative"),
    (Verdict.FACTOR, "||X w - y||^2", "w", "X' (X w - y)", {}, "the claim is 1/2 times"),
    (Verdict.FACTOR, "mean((x - y).^2)", "x", "2 (x - y)", {}, "the claim is n times"),
    (Verdict.FACTOR, "λ x' x", "x", "2 x", {}, "the claim is 1/λ times"),
    (Verdict.FACTOR, "det(X)", "X", "X^-T", {}, "1/f times the derivative, where f is the value"),
    (Verdict.FACTOR, "tr(A X B)", "X", "2 B A", {}, "2 times the derivative, in numerator layout"),
    (
        Verdict.FACTOR,
        "x' A x",
        "x",
        "A x",
        {},
        "1/2 times the derivative, and that only if A is symmetric",
    ),
    (Verdict.SIGN, "tr(A X)", "X", "-A", {}, "minus the derivative, in numerator layout"),
    (Verdict.DIAGONAL, "sin(x)", "x", "cos(x)", {}, "for the diagonal, entry by entry; the other"),
    (Verdict.DIAGONAL, "tanh(X)", "X", "1 - f .* f", {}, "the other entries are 0"),
    (Verdict.DIAGONAL, "softmax(x)", "x", "f .* (1 - f)", {}, "the other entries are not 0"),
    (Verdict.DIAGONAL, "sum(x.^3)", "x", "6 x", {"order": 2}, "the other entries are 0"),
    (Verdict.FACTOR, "softmax(x)", "x", "2 f .* (1 - f)", {}, "2 times the derivative, for the"),
    (Verdict.CONDITION, "x' A x", "x", "2 A x", {}, "right only if A is symmetric"),
    (Verdict.CONDITION, f"tr(A X B) {SQUARE}", "X", "A B", {}, "only if A and B are symmetric"),
    (Verdict.CONDITION, "sum(|x|)", "x", "ones(n)", {}, "x is positive in every entry"),
    (Verdict.CONDITION, "tr(X^-1 A)", "A", "X", {}, "only if X is orthogonal"),
    (
        Verdict.CONDITION,
        "logdet(X)",
        "X",
        "2 X^-1 - diag(diag(X^-1))",
        {},
        "x_ij and x_ji counted as one variable",
    ),
    (Verdict.SHAPE, "A x", "x", "x", {}, "the claim has (m,), the derivative has (n, m) in mixed"),
    (Verdict.SHAPE, "sum(sigmoid(x))", "x", "f (1 - f)", {}, "has (n,) in every layout"),
    (Verdict.WRONG, "||x||^2 + λ sum(x)", "x", "2 x + ones(n)", {}, "wrong. At "),
    (Verdict.WRONG, "||x||^3", "x", "2 x", {}, "in proportion, but the factor is not constant"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[1]} | {case[3]}")
def test_verdict(case: tuple[Verdict, str, str, str, dict[str, Any], str]) -> None:
    verdict, source, wrt, claim, options, words = case
    report = md.verify(source, wrt, claim, **options)
    assert report.verdict == verdict
    assert words in report.message
    assert bool(report) == (verdict is Verdict.RIGHT)
    derivative = md.diff(source, wrt, **options)
    assert str(derivative) in report.formula


def test_a_claim_whose_shapes_do_not_fit_is_told_the_derivative() -> None:
    with pytest.raises(md.ShapeError) as caught:
        md.verify("||X w - y||^2", "w", "2 X (X w - y)")
    assert caught.value.hint == "2 X' (X w - y)"
    assert str(caught.value).splitlines()[1:] == [
        "  2 X (X w - y)",
        "     ^",
        "  try: 2 X' (X w - y)",
    ]


def test_counterexample_can_be_recomputed() -> None:
    """The printed numbers give the printed values."""
    report = md.verify("||x||^2 + λ sum(x)", "x", "2 x + ones(n)")
    x = np.array(json.loads(re.findall(r"x = (\[.*?\])", report.message)[0]))
    scalar = float(re.findall(r"λ = (\S+)\n", report.message)[0])
    values = [json.loads(text) for text in re.findall(r"(?:is|gives) (\[.*?\])", report.message)]
    assert_allclose(values[0], 2 * x + scalar)
    assert_allclose(values[1], 2 * x + 1)
    assert_allclose(x, np.rint(x))


def test_text_of_the_report() -> None:
    assert str(md.verify("||X w - y||^2", "w", "X' (X w - y)")).splitlines() == [
        "off by a factor: the claim is 1/2 times the derivative",
        "∂f/∂w = 2 Xᵀ(X w - y)",
    ]


@pytest.mark.parametrize(
    "claim, error, caret",
    [
        ("2 X' q", md.NameResolutionError, "2 X' q\n       ^"),
        ("2 X' (r", md.ParseError, "2 X' (r\n       ^"),
        ("2 X r", md.ShapeError, "2 X r\n"),
    ],
)
def test_bad_claims_point_into_the_claim(
    claim: str, error: type[md.MatderivError], caret: str
) -> None:
    with pytest.raises(error) as caught:
        md.verify("r = X w - y; r' r", "w", claim)
    assert caret in str(caught.value)


@pytest.mark.parametrize(
    "claim, words",
    [
        ("tr(dX dX)", "the claim is not linear in dX"),
        ("tr(X^-1 dX) + 1", "the claim is not 0 where dX is"),
    ],
)
def test_a_differential_is_linear(claim: str, words: str) -> None:
    with pytest.raises(md.ParseError, match=words):
        md.verify("logdet(X)", "X", claim)


def test_a_structured_derivative_has_its_differential_in_the_space() -> None:
    made = md.diff("logdet(S A) where S: (n, n) symmetric", "S", structured=True)
    assert verify_claim(made, "tr(S^-1 dS)")
    assert not verify_claim(made, "2 tr(S^-1 dS)")


def test_names_are_listed() -> None:
    with pytest.raises(md.NameResolutionError, match="its names are X, w, y, r, f"):
        md.verify("r = X w - y; r' r", "w", "2 X' q")


def test_factors() -> None:
    assert str(find_factor([0.5, 0.5], {})) == "1/2"
    assert str(find_factor([-6, -10], {"n": [3, 5]})) == "-2 n"
    assert str(find_factor([2 / 6, 2 / 20], {"n": [2, 4], "m": [3, 5]})) == "2/(n m)"
    assert str(find_factor([3**0.5, 2.0], {"f": [3, 4]})) == "√f"
    assert find_factor([0.1234567, 0.7654321], {"n": [2, 3]}) is None


CORPUS: list[dict[str, Any]] = [
    case
    for case in json.loads((Path(__file__).parent / "corpus" / "formulas.json").read_text("utf-8"))
    if case["order"] == 1 and len(case["derivative_shape"]) <= 2
]


@pytest.mark.parametrize("case", CORPUS[::3], ids=lambda case: case["id"])
def test_the_engine_agrees_with_itself(case: dict[str, Any]) -> None:
    """The ascii form of a derivative is right, and three times it is off by 3."""
    declared = {"shapes": case["shapes"], "attributes": case["attrs"] or None}
    derivative = md.diff(case["expr"], case["wrt"], **declared)
    text = derivative.to("ascii")
    assert md.verify(case["expr"], case["wrt"], text, **declared).verdict == Verdict.RIGHT
    head, where, tail = text.partition(" where ")
    triple = md.verify(case["expr"], case["wrt"], f"3 ({head}){where}{tail}", **declared)
    zero = triple.verdict is Verdict.RIGHT
    assert zero or triple.factor == "3"


@pytest.mark.parametrize(
    "words, status",
    [
        (["tr(A X B)", "wrt", "X", "equals", "A' B'"], 0),
        (["tr(A X B)", "wrt", "X", "equals", "B A"], 1),
        (["tr(A X B)", "wrt", "X", "equals", "B A", "--layout", "numerator"], 0),
        (["-x'x", "wrt", "x", "equals", "-2x"], 0),
        (["x' A x", "wrt", "x", "equals", "2 A x"], 1),
        (["x' A x", "wrt", "x", "equals", "2 A q"], 2),
        (["x' A x", "wrt", "x"], 2),
    ],
)
def test_exit_status(words: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", *words]) == status
    printed = capsys.readouterr()
    assert bool(printed.out) == (status < 2)
    assert bool(printed.err) == (status == 2)


CORPUS = json.loads((Path(__file__).parent / "corpus" / "formulas.json").read_text("utf-8"))
OWN_PRINTS = [
    *((case["expr"], case["wrt"], case["order"], case["shapes"], case["attrs"]) for case in CORPUS),
    # singular at some sizes, or 0 up to rounding: such points say nothing
    ("logdet(A' diag(x) A)", "x", 1, None, None),
    ("g .* (x - mean(x)) / std(x)", "x", 1, None, None),
]


def test_what_is_printed_is_verified() -> None:
    for text, wrt, order, shapes, attributes in OWN_PRINTS:
        given = {"order": order, "shapes": shapes, "attributes": attributes or None}
        derivative = md.diff(text, wrt, **given)
        if len(derivative.shape) <= 2:
            report = md.verify(text, wrt, derivative.to("ascii"), **given)
            assert report.verdict is Verdict.RIGHT, f"{text}: {report}"


@pytest.mark.parametrize("layout", ["mixed", "numerator"])
@pytest.mark.parametrize(
    ("source", "wrt", "claim", "order"),
    [
        ("tr(A X) where A: (m, n)", "X", "A .* A", 1),
        ("tr(A X) where A: (m, n)", "X", "(A .* A)'", 1),
        ("a' X b", "X", "a b' + X", 1),
        ("a' X b", "X", "(a b' + X)'", 1),
        ("x' A x", "x", "A .* A", 2),
        ("x' A x", "x", "(A + A') x", 2),
        ("x.^3", "x", "3 x", 1),
        ("A X B", "X", "(B' ⊗ A) .* (B' ⊗ A)", 1),
    ],
)
def test_what_a_counterexample_shows_is_what_it_says(
    source: str, wrt: str, claim: str, order: int, layout: str
) -> None:
    """An array that is not the derivative in the layout asked for is not called that."""
    derivative = md.diff(source, wrt, order=order, layout=layout)
    report = md.verify(source, wrt, claim, order=order, layout=layout)
    claimed = md.parse(claim, shapes={k: e.shape for k, e in derivative.program.inputs.items()})
    assert report.verdict in ("wrong", "wrong shape")
    if report.verdict == "wrong":
        fits = claimed.shape == derivative.shape
        assert ("the derivative is " in report.message) == fits
    else:
        assert "the derivative is " not in report.message
