"""The weight that steers simplification is the length of the print."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest

import matderiv as md
from matderiv.calculus.weight import Weights
from matderiv.notation.lift import Lifter
from matderiv.notation.terms import Call, Einsum, walk
from matderiv.tensor.arena import Arena
from matderiv.tensor.nodes import Name, Node, Product, Sum
from matderiv.tensor.traverse import reachable
from tests.notation.score import CORPUS, count

# As they are printed, on x, y, z: (n), u: (m), A, B, C: (n, n), S symmetric, X: (m, n), s, t: ().
FORMS = [
    "x + y", "2 x", "-x", "x/2", "3 x/2", "-3 x/2", "2 x - y", "x - 2 y", "t x", "x/t",
    "2 t x", "2 x/t", "-t x", "s x/t", "x/(s t)", "t^2", "t^2 x", "x/t^2", "sqrt(t)",
    "sqrt(t) x", "x/sqrt(t)", "1/t", "2/t", "1/(2 t)", "t s", "t + 1", "2 t - 3", "-t - s",
    "1 - t", "x' y", "x' x", "2 x' x", "||x||", "||x||^3", "x/||x||", "||X||^2", "||X x||",
    "||X x||^2", "||A||", "x .* y", "x .* y .* z", "x.^2", "x.^2 .* y", "sqrt(x)", "x ./ y",
    "1 ./ x", "2 ./ x", "1 ./ x.^2", "t ./ x", "x .* y ./ z", "A x", "A' x", "A B x", "A' B x",
    "A B' x", "(A + B) x", "A' x + y", "x' A y", "x' A x", "x' S x", "S x", "S A x", "A S x",
    "A B", "A' B", "A B'", "A B C", "A'", "S A", "A S", "A' A", "A A'", "A' S A", "x y'",
    "x x'", "2 x y'", "t x y'", "A x y'", "A x x' B", "x y' A", "A .* B", "A .* B .* C",
    "A .* (B C)", "(A .* B) C", "(A .* B) x", "1 ./ A", "A ./ B", "A.^2", "diag(x)",
    "diag(x) A", "A diag(x)", "diag(x) A diag(y)", "diag(x .* y)", "diag(A)", "diag(A) .* x",
    "diag(A x)", "diag(A B)", "A .* x", "eye(n)", "2 eye(n)", "t eye(n)", "A + eye(n)",
    "A + t eye(n)", "A - 2 eye(n)", "diag(x) + A", "diag(x) - x x'", "ones(n)", "2 ones(n)",
    "t ones(n)", "ones(n) x'", "x ones(n)'", "A ones(n)", "A' ones(n)", "x + 1", "x + t",
    "x - 2 t", "A + 1", "A + t", "A + x y'", "sum(x)", "sum(A)", "sum(A x)", "2 sum(x)",
    "mean(x)", "mean(A)", "mean(x) y", "x - mean(x)", "X - mean(X, axis=0)", "x sum(y)",
    "tr(A)", "tr(A B)", "tr(A' B)", "tr(A B C)", "tr(A' B C)", "tr(S A)", "tr(A + B)",
    "2 tr(A)", "tr(A) x", "tr(A) eye(n)", "tr(A) tr(B)", "sum(x.^2 .* y)", "sum(A .* B .* C)",
    "x' diag(y) z", "A^-1", "A^-T", "A^-1 x", "A^-T x", "A^-1 B A^-1", "A^-1 B' A^-1",
    "x' A^-1 y", "(A + B)^-1", "t A^-1", "S^-1 A", "exp(x)", "exp(x) .* y", "exp(A x)",
    "exp(t) x", "exp(-x)", "A' exp(A x)", "exp(x) - 1", "sigmoid(x) .* (1 - sigmoid(x))",
    "x .* (1 - x)", "A' (A x - y)", "2 A' (A x - y)", "(x - y) .* z", "(x - y)' (x - z)",
    "(A x - y)' z", "(A x - y) x'", "-(x + y)", "-A' x", "n x", "x/n", "n t", "2 A x - x",
    "x' y/(||x|| ||y||)", "t^2/(1 + t)", "y - t x", "det(A)", "det(A) A^-T", "logdet(A)",
    "softmax(x)", "softmax(x) - y", "diag(softmax(x)) - softmax(x) softmax(x)'", "(A + A') x",
    "A + A'", "A x + A' x", "X' X", "X X'", "X x", "X' u", "u' X x", "u x'", "X + u x'",
    "X .* (u x')", "diag(u) X", "X diag(x)", "diag(u) X diag(x)", "X' diag(u) X",
    "X' (u .* (X x))", "X' (u - X x)", "X' diag(u) (X x - u)", "X' ones(m)", "X ones(n)",
    "ones(m)' X x", "sum(X' u)", "2/t x' y", "x' y/t", "mean(A) x", "mean(A x)", "x/n^2",
    "x + 2", "A - 3", "x + t - 2", "x + y/10", "x + 3 y/10", "x/10 + y", "-(x - y).^2",
    "-(x + y).^2", "(x - y)/t", "y - x", "-1/(s - t)", "1/(t - s)", "(y - x) .* z",
    "(B - A) x", "tr(A)/n", "x' y/n", "tr(A)/n^2", "X - mean(X)", "x ones(n)' + ones(n) y'",
    "x ones(n)' + 2", "A + x ones(n)'", "A - sum(x)", "A - t", "X - x' A",
    "X - mean(X, axis=0) + u x'", "x y' ./ A", "A (y ./ x)", "x ./ (A y)", "diag(1 ./ x)",
    "diag(1 ./ x) A", "diag(y ./ x)", "sum(1 ./ x)", "sum(y ./ x)", "diag(A) .* diag(B)",
    "diag(diag(A))", "diag(A .* B)", "A + diag(x) + eye(n)", "sum(x .* y .* z)", "x' (y .* z)",
    "sum(x.^3)", "sum(x) sum(y)", "A' diag(x) B", "x' A B y", "x' diag(y) A z", "A .* (x y')",
    "X .* X", "X' Y", "X' Y + A", "tr(X' Y)", "tr(X Y')", "tr(A diag(x) B)", "tr(A)^2",
    "tr(diag(x) A)", "A S B'", "A' S B", "B' S x", "A^-1 B'", "B' A^-1", "A^-T B'",
    "t + s + 1", "sqrt(t^2 + 1)", "1/sqrt(t)", "1/||x||", "||x||/t", "x/||A x||", "1/(s t)",
    "t/(s ||x||)", "expm(A)' x", "expm(A) x", "x' expm(A)' y", "||x.^2||", "||x.^2||^2",
    "eye(n) .* A", "A diag(x) + A", "(A .* B)' x", "x' x y' y", "ones(n) ones(n)'",
    "3 ones(n) ones(n)'", "2 ones(m) ones(n)'", "diag(x)/t", "tr(A .* B)", "sum(A' x)",
    "ones(n)' A x", "diag(A' B)", "(A x) .* (B x)", "(A x) .* y .* (B x)",
    "sum((A x) .* (B x))", "diag(A x) B", "diag(A x) + A", "(A x)(B y)'", "A (x .* (B y))",
    "zeros(n)", "zeros(m, n)", "-2 x", "-2 x/3", "A B - 3", "x .* y + 2", "A x + t", "A x - 2",
    "2 A B + t", "A .* B - 3", "2 A x + 1", "A' x + t + 1", "x .* y - sum(x)", "A x + x' x",
    "mean(x) y - A'", "x/n - X' Y", "1/n (t ./ x)", "(A ones(n)) .* (A ones(n))",
    "(A' ones(n)) ./ (A^-T x)", "diag(x) - 3 ones(n) ones(n)'", "mean(x)^2", "t mean(x)^3",
    "mean(A)^2 x", "mean(x)/n", "mean(x)^2/n", "sum(exp(diag(x)))", "x' exp(diag(y)) z",
    "x' pinv(diag(y)) z",
]  # fmt: skip
SHAPES = (
    {"s": (), "t": (), "u": ("m",), "X": ("m", "n")}
    | dict.fromkeys("xyz", ("n",))
    | dict.fromkeys("ABCS", ("n", "n"))
)

FORMULAS: list[dict[str, Any]] = json.loads((CORPUS / "formulas.json").read_text("utf-8"))


# A formula on r, and what r is.
REPEATED = [
    ("r' A r", "exp(x - y)"), ("r .* x + r", "exp(A x - y)"), ("A r + r", "tanh(A x - y)"),
    ("r .* (1 - r)", "sigmoid(A x - y)"), ("r x' + x r'", "softmax(A x - y)"),
    ("r + A r", "exp(x)"), ("r .* x + r .* y", "sin(x)"), ("r + B r", "exp(A x)"),
    ("r + B r + C r", "exp(A x)"), ("r + B r", "exp(2 A x)"), ("r .* exp(r) + A r", "x - y"),
    ("r .* exp(r) + A r", "A x - y"), ("exp(r) .* sin(r)", "A exp(x) - y"),
    ("(r + x) .* (r - y)", "exp(A x - y)"), ("x + A r", "exp(A x - y)"),
    ("exp(r)' A exp(r) + r' z", "x - y"), ("sin(r) + cos(r)", "A exp(x) - y"),
    ("r .* tanh(r)", "A exp(x) - exp(y)"),
]  # fmt: skip


def _read(form: str) -> Node:
    names = set(re.findall(r"\w+", form))
    program = md.parse(
        form,
        shapes={name: SHAPES[name] for name in sorted(names & SHAPES.keys())},
        attributes={"S": "symmetric"} if "S" in names else None,
    )
    return program.lowered(Arena()).root


@pytest.mark.parametrize("form", FORMS)
def test_a_form_weighs_what_it_is_written_with(form: str) -> None:
    assert Weights()(_read(form)) == count(form)


@pytest.mark.parametrize(("form", "part"), REPEATED)
def test_what_repeats_costs_a_line_of_its_own_where_that_is_shorter(form: str, part: str) -> None:
    whole = re.sub(r"\br\b", f"({part})", form)
    on_two_lines = count(form) + count(f"r = {part}")
    assert Weights().cost(_read(whole))[0] == min(count(whole), on_two_lines)


@pytest.mark.parametrize(("form", "part"), REPEATED)
def test_a_named_value_weighs_as_its_name_or_as_what_it_names(form: str, part: str) -> None:
    named = _read(f"r = {part}\n{form}")
    assert Weights().cost(named)[:2] == (
        count(form),
        len(re.findall(r"\b\w\b", form)) - form.count("1"),
    )
    names = frozenset(node.id for node in reachable([named]) if isinstance(node, Name))
    assert Weights(names)(named) == count(re.sub(r"\br\b", f"({part})", form))


def test_an_identity_is_a_name_and_a_multiple_of_it_is_one_more() -> None:
    """So A (t x) + x is preferred to (t A + I) x, and diag(x) is the name x."""
    names = {"eye(n)": 1, "2 eye(n)": 1, "t eye(n)": 3, "s t eye(n)": 4, "diag(x)": 1, "t A": 2}
    for form, count_of_names in names.items():
        assert Weights().cost(_read(form))[1] == count_of_names, form


def test_weights_are_the_lengths_of_prints() -> None:
    """Nine of ten sums and products of the corpus to the token, and none far off."""
    differences: Counter[int] = Counter()
    for case in FORMULAS:
        derivative = md.diff(
            case["expr"],
            case["wrt"],
            order=case["order"],
            shapes=case["shapes"],
            attributes=case["attrs"] or None,
        )
        weight, lifter = Weights(), Lifter(Counter())
        for node in reachable([derivative.node]):
            if node.order > 2 or not isinstance(node, Product | Sum):
                continue
            parts = list(walk(lifter.definition(node)))
            if any(isinstance(part, Einsum) for part in parts):
                continue
            axes = sum(isinstance(part, Call) and part.axis is not None for part in parts)
            printed = lifter.definition(node).weight - 2 * axes  # "axis=0" counts one here
            differences[weight(node) - printed] += 1
    assert differences[0] >= 0.9 * differences.total()
    assert max(map(abs, differences)) <= 4
