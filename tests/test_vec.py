"""∂vec(Y)/∂vec(X)' in Kronecker products: its value, its print, its length."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv.notation.vec import stack_columns, vec_form
from matderiv.tensor.arena import Arena
from matderiv.tensor.evaluate import evaluate
from matderiv.tensor.nodes import Node
from matderiv.values import draw, draw_sizes
from tests.notation.reading import SIZES, read_back, variables
from tests.notation.reading import draw as draw_leaves

Array = np.ndarray
FORMULAS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "corpus" / "formulas.json").read_text("utf-8")
)
NUMBERS = [case for case in FORMULAS if case["expected_derivative"] is not None]
STACKED = [case for case in FORMULAS if case.get("closed_vec")]


def _diff(case: dict[str, Any]) -> md.Derivative:
    declared = {"shapes": case["shapes"], "attributes": case["attrs"] or None}
    return md.diff(case["expr"], case["wrt"], order=case["order"], **declared)


def _matrix(mixed: Array, rows: int) -> Array:
    """The mixed array with the columns of each side stacked."""
    height = int(np.prod(mixed.shape[:rows]))
    axes = (*range(rows)[::-1], *range(rows, mixed.ndim)[::-1])
    return mixed.transpose(axes).reshape(height, -1)


def _value(text: str, case: dict[str, Any]) -> Array:
    program = md.parse(text, shapes=case["shapes"], attributes=case["attrs"] or None)
    return program.evaluate(case["inputs"])


def _tokens(text: str) -> int:
    """Operators, names, numbers and functions; inverses, ones and eye count one each."""
    text = re.sub(r"\b(ones|eye|commutation)\([^()]*\)", r"\1", text)
    text = re.sub(r"\^-(1'|1|T)", "'", text)
    return len(re.findall(r"[A-Za-z_]\w*|\d+(?:\.\d+)?|\.[*/^]|[-+*/'^⊗=]", text))


@pytest.mark.parametrize("case", NUMBERS, ids=[case["id"] for case in NUMBERS])
def test_matrix_is_the_mixed_array_stacked(case: dict[str, Any]) -> None:
    """… and the printed text evaluates to it."""
    form = _diff(case).vec()
    mixed = np.array(case["expected_derivative"], float)
    rows = mixed.ndim - np.ndim(case["inputs"][case["wrt"]])
    want = _matrix(mixed, rows)
    found = form.evaluate(case["inputs"])
    assert found.shape == want.shape
    scale = np.max(np.abs(want), initial=0.0)
    assert np.allclose(found, want, rtol=0, atol=1e-8 * scale or 1e-10)
    printed = _value(form.to("ascii"), case)
    assert np.allclose(printed.reshape(want.shape), want, rtol=0, atol=1e-8 * scale or 1e-10)


@pytest.mark.parametrize("case", STACKED, ids=[case["id"] for case in STACKED])
def test_print_is_as_short_as_the_source(case: dict[str, Any]) -> None:
    form = _diff(case).vec()
    closed = _value(case["closed_vec"], case)
    assert np.allclose(form.evaluate(case["inputs"]), closed)
    assert form.presentation.weight <= _tokens(case["closed_vec"])


@pytest.mark.parametrize(
    "text, wrt, order, expected",
    [
        ("A X B", "X", 1, "kron(B', A)"),
        ("X'", "X", 1, "commutation(n, m)"),
        ("X' X", "X", 1, "kron(X', eye(m)) commutation(n, m) + kron(eye(m), X')"),
        ("A .* X", "X", 1, "diag(vec(A))"),
        ("tanh(X W) V", "X", 1, "kron(V', eye(n)) diag(vec(1 - tanh(X W).^2)) kron(W', eye(n))"),
        ("diag(x) A", "x", 1, "diag(vec(A)) kron(ones(m), eye(n))"),
        ("x x'", "x", 1, "kron(x, eye(n)) + kron(eye(n), x)"),
        ("x' A x", "A", 1, "kron(x, x)'"),
        ("||X w - y||^2", "X", 2, "2 kron(w w', eye(n))"),
        ("logdet(X)", "X", 2, "-kron(X^-1, X^-T) commutation(n, n)"),
        ("vec(A X B)", "X", 1, "kron(B', A)"),
        ("tr(A) A", "A", 1, "tr(A) eye(n*n) + vec(A) vec(eye(n))'"),
    ],
)
def test_prints(text: str, wrt: str, order: int, expected: str) -> None:
    assert md.diff(text, wrt, order=order).vec().to("ascii") == expected


@pytest.mark.parametrize(
    "text, wrt, order",
    [
        ("expm(X)", "X", 1),
        ("kron(A, X)", "X", 1),
        ("X^-1", "X", 2),
        ("x x'", "x", 2),
        ('einsum("bij,bjk->bik", A, B) where A: (b, i, j), B: (b, j, k)', "B", 1),
    ],
)
def test_what_no_walk_says_is_reshaped(text: str, wrt: str, order: int) -> None:
    derivative = md.diff(text, wrt, order=order)
    form = derivative.vec()
    assert "no Kronecker form" in str(form)
    inputs = derivative.program.inputs
    sizes = draw_sizes([entry.shape for entry in inputs.values()])
    values = draw(inputs, sizes, np.random.default_rng(0))
    found = form.evaluate(values)
    mixed = derivative.evaluate(values)
    assert np.allclose(found, _matrix(mixed, mixed.ndim - values[wrt].ndim))
    shapes = {name: entry.shape for name, entry in inputs.items()}
    assert np.allclose(md.parse(form.to("ascii"), shapes=shapes).evaluate(values), found)


def test_says_which_entry_is_which() -> None:
    form = md.diff("A X B", "X", shapes={"A": ("m", "p"), "X": ("p", "q"), "B": ("q", 3)}).vec()
    assert str(form) == (
        "∂vec(Y)/∂vec(X)ᵀ = Bᵀ ⊗ A\n  columns stacked: entry [i + m j, k + p l] is ∂Y[i,j]/∂X[k,l]"
    )


def _random_tensor(seed: int) -> tuple[Node, int]:
    """A product or a sum of products with three or four ends, met by chance."""
    choose = random.Random(seed)
    arena = Arena()
    dims = {"A": "mn", "B": "nn", "C": "np", "F": "pm", "G": "mm", "x": "n", "y": "m"}
    leaves = [arena.variable(name, tuple(shape)) for name, shape in dims.items()]
    shape = tuple(choose.choice("mnp") for _ in range(choose.choice([3, 4])))

    def product() -> Node:
        pool: dict[int, str] = dict(enumerate(shape))
        pool |= {10: "m", 11: "n"}
        out = list(range(len(shape)))
        for place in range(len(out)):
            same = [k for k in out[:place] if pool[k] == shape[place]]
            if same and choose.random() < 0.4:
                out[place] = same[0]
        factors = []
        for _ in range(choose.randint(0, 4)):
            leaf = choose.choice(leaves)
            labels = []
            for dim in leaf.shape:
                fits = [k for k, size in pool.items() if size == dim and (k in out or k >= 10)]
                if not fits:
                    fits = [20 + len(pool)]
                    pool[fits[0]] = str(dim)
                labels.append(choose.choice(fits))
            factors.append((leaf, labels, choose.choice([1, 1, 1, 2, -1])))
        return arena.product(choose.choice([1, 2, -1]), factors, out, pool)

    terms = [(choose.choice([1, -1, 3]), product()) for _ in range(choose.randint(1, 2))]
    rows = choose.choice([1, 2]) if len(shape) == 3 else 2
    return arena.sum(terms, shape), rows


@pytest.mark.parametrize("seed", range(200))
def test_random_products_read_back(seed: int) -> None:
    tensor, rows = _random_tensor(seed)
    values = draw_leaves(variables(tensor), seed)
    form = vec_form(tensor, rows, ["X"])
    matrix = stack_columns(tensor, rows)
    want = _matrix(evaluate([tensor], values, SIZES)[0], rows)
    assert np.allclose(evaluate([matrix], values, SIZES)[0], want)
    text = form.presentation.text("ascii")
    found = read_back(text, values)
    assert np.allclose(found.reshape(want.shape), want, rtol=1e-9, atol=1e-9), text
