"""∂/∂x of what: the value at the head of an answer is the value that was differentiated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import matderiv as md
from matderiv.commands.statements import statements, value_text
from tests.numerics import SIZES, lengths

CORPUS = Path(__file__).parents[1] / "corpus" / "formulas.json"
OWN = [
    "f(t) = t^2: elementwise; f(A x + b)",
    "f(t) = 1/(1 + t^2): elementwise; f(A x + b)' y",
    "f(t) = 3: elementwise; f(x) + x",
    "g(t) = t exp(t): elementwise; h(t) = g(t)/2: elementwise; sum(h(h(x)))",
    "sum(W .* (diag(F F') ones(n)' + ones(n) diag(F F')' - 2 F F'))",
    "(A X + C) (A X + C)' + (A X + C) B (A X + C)'",
    "h = A x; (h - b)(h - b)'(h - b)",
    r"\operatorname{tr}(A B) + \frac{1}{2} x^\top B x",
    r"\operatorname{tr}((A X B + C)(A X B + C)^\top)",
]


def programs() -> Iterator[tuple[str, dict[str, tuple[object, ...]]]]:
    for case in json.loads(CORPUS.read_text()):
        if not case.get("bind"):
            yield case["expr"], {name: tuple(shape) for name, shape in case["shapes"].items()}
    for text in OWN:
        yield text, {}


@pytest.mark.parametrize(("text", "shapes"), list(programs()))
def test_the_head_says_the_value(text: str, shapes: dict[str, tuple[object, ...]]) -> None:
    """Put back in its place, it evaluates to the value: no name in it goes unexplained."""
    program = md.parse(text, shapes=shapes)
    said = value_text(program)
    start, end = program.typed.output.span
    if "where" not in text:
        assert not program.source[end:].strip(" )}\n"), "the value is what stands last"
    if "\\" in text:
        start = 0  # a font's braces may stay open before the place of a call
        if said == "f":
            return
    again = f"{program.source[:start]}{said}{program.source[end:]}"
    given = {name: entry.shape for name, entry in program.inputs.items()}
    random = np.random.default_rng(0)
    sizes = {str(dim): 2 + place for place, dim in enumerate(program.dimensions)}
    values = {
        name: random.uniform(0.1, 0.9, lengths(shape, SIZES | sizes))
        for name, shape in given.items()
    }
    want = program.evaluate(values)
    np.testing.assert_allclose(md.parse(again, shapes=given).evaluate(values), want, rtol=1e-9)


@pytest.mark.parametrize("wrt", [["A"], ["A", "B"]])
def test_entries_are_those_of_the_derivative(wrt: list[str]) -> None:
    """(∂/∂A f)[i,j] = …: f itself, a scalar here, has no entry [i,j]."""
    text = 'sum((T - einsum("ir,jr,kr->ijk", A, B, C)).^2) where T: (i, j, k), C: (k, r)'
    derivatives = list(md.diff(text, wrt).values())
    heads = [line.partition("[i,j] = ")[0] for line in statements(derivatives).splitlines()]
    value = value_text(derivatives[0].program)
    assert heads[: len(wrt)] == [f"(∂/∂{name} {value})" for name in wrt]
