"""Several derivatives in one print: each line is the derivative that its head names."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest

import matderiv as md
from matderiv.commands.statements import statements, value_text

PROGRAMS = [
    "||x y' - A||^2 where x: (n), y: (m)",
    "log(1 + exp(x' A y))",
    "logdet(diag(x) + A) + logdet(diag(y) + B)",
    "(x' A x)^2/(y' B y) + exp(x' x) tanh(y' y) where x: (n), y: (m)",
    "softmax(A x)' log_softmax(B y)",
    "τ^2 ||A x - exp(σ) y||^2",
    "h = tanh(A x); (h' B y)^2 + σ sum(log(1 + h.^2))",
]


def shown(lines: list[str], heads: list[str]) -> Iterator[str]:
    """What stands behind each head, with the lines that name its parts, as a program."""
    found: list[tuple[str, list[str]]] = []
    below: list[list[str]] = []
    for line in lines:
        head = next((head for head in heads if line.startswith(f"{head} = ")), None)
        if head is not None:
            if not found or found[-1][1]:
                below.append([])
            found.append((line.removeprefix(f"{head} = "), below[-1]))
        elif line.startswith(("where ", "      ")):
            below[-1].append(line.removeprefix("where").strip())
    for formula, parts in found:
        yield "\n".join([*parts, formula])


@pytest.mark.parametrize("layout", ["mixed", "numerator"])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("source", PROGRAMS)
def test_each_line_is_the_derivative_that_its_head_names(
    source: str, order: int, layout: str
) -> None:
    program = md.parse(source)
    wrt = [name for name, entry in program.inputs.items() if len(entry.shape) * order < 3]
    made = md.diff(program, wrt, order=order, layout=layout)
    sizes = {str(dim): 2 + place for place, dim in enumerate(sorted(program.dimensions))}
    random = np.random.default_rng(0)
    shapes = {name: entry.shape for name, entry in program.inputs.items()}
    values = {
        name: random.uniform(0.2, 0.9, [sizes[str(dim)] for dim in shape])
        for name, shape in shapes.items()
    }
    values = {
        n: v + 3 * np.eye(len(v)) if v.ndim == 2 and v.shape[0] == v.shape[1] else v
        for n, v in values.items()
    }
    text = value_text(program)
    power = "²" if order == 2 else ""
    for lines, heads in (
        (str(made), [f"∂{power}f/∂{name}{power}" for name in wrt]),
        (statements(list(made.values())), [f"∂{power}/∂{name}{power} {text}" for name in wrt]),
    ):
        formulas = list(shown(lines.splitlines(), heads))
        assert len(formulas) == len(wrt)
        for name, formula in zip(wrt, formulas, strict=True):
            want = made[name].evaluate(values)
            if order == 2:  # I stands alone, and unicode says no size of it
                formula = re.sub(
                    r"\bI\b", f"eye({made[name].shape[0]})" if want.ndim else "1", formula
                )
            got = md.parse(formula, shapes=shapes).evaluate(values)
            np.testing.assert_allclose(
                np.broadcast_to(got, want.shape), want, rtol=1e-9, atol=1e-12, err_msg=formula
            )
