"""Every emitter computes what the evaluator does: both tables, loops, random programs, corpus.

What a backend has no code for is refused by name, and the name stands on its page.
Modules for Numba run as Python here, which checks their text; compiled they are checked
in `test_numba.py`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv.calculus.derivative import reverse
from matderiv.errors import UnsupportedError
from matderiv.language import canonical_name
from matderiv.program import plan
from matderiv.program.compiled import CompiledFunction
from matderiv.tensor.arena import Arena
from matderiv.tensor.elementwise import ELEMENTWISE
from matderiv.tensor.evaluate import evaluate
from matderiv.tensor.nodes import Node, Variable
from matderiv.tensor.primitives import PRIMITIVES
from tests.loops.programs import PROGRAMS as LOOPS
from tests.loops.programs import values as loop_values
from tests.random_programs import random_program
from tests.tensor.test_elementwise import SIZES
from tests.tensor.test_elementwise import instance as elementwise_instance
from tests.tensor.test_primitives import CASES
from tests.tensor.test_primitives import instance as primitive_instance
from tests.tensor.test_vanishing import FORMS as FORMS_AT_ZERO

FORMULAS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "corpus" / "formulas.json").read_text("utf-8")
)
PAGE = (Path(__file__).parents[2] / "docs" / "backends.md").read_text("utf-8")

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.fixture(
    params=[
        "numba",
        pytest.param("jax", marks=pytest.mark.heavy),
        pytest.param("torch", marks=pytest.mark.heavy),
    ]
)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "numba":
        monkeypatch.setitem(sys.modules, "numba", uncompiled())
        yield "numba"
        return
    library = pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    if request.param == "jax":
        with library.enable_x64(True):
            yield "jax"
    else:
        yield "torch"


def uncompiled() -> ModuleType:
    """A stand-in for Numba that compiles nothing."""
    module = ModuleType("numba")
    module.njit = lambda **_: lambda function: function  # type: ignore[attr-defined]
    return module


def agree(
    root: Node,
    slopes: Sequence[Node],
    variables: Sequence[Variable],
    arrays: Mapping[Node, Any],
    sizes: Mapping[str, int],
    backend: str,
) -> None:
    """Value and derivatives of a backend's module are those of the evaluator."""
    derivatives = {v.name: node for v, node in zip(variables, slopes, strict=True)}
    made = plan(root, {}, derivatives, inputs=variables)
    compiled = _compiled(made, backend)
    given = {v.name: arrays[v] for v in variables} | dict(sizes)
    if backend == "torch":
        import torch

        given = {
            k: torch.as_tensor(v) if isinstance(v, np.ndarray) else v for k, v in given.items()
        }
    found = [compiled.forward(given)[0]]
    if derivatives:
        found += compiled.derivative(given).values()
    for got, want in zip(found, evaluate([root, *slopes], arrays, sizes), strict=True):
        got, want = np.asarray(got, float), np.asarray(want, float)
        assert got.shape == want.shape
        scale = np.max(np.abs(want[np.isfinite(want)]), initial=1e-3)
        np.testing.assert_allclose(got / scale, want / scale, rtol=1e-8, atol=1e-8)


def _compiled(made: Any, backend: str) -> CompiledFunction:
    try:
        return CompiledFunction(made, backend=backend)
    except UnsupportedError as error:
        name = error.message.split()[3]
    listed = f"`{name}`" in PAGE
    assert listed, name
    return pytest.skip(f"{backend} has no {name}")


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_functions(name: str, backend: str) -> None:
    root, variables, arrays = elementwise_instance(ELEMENTWISE[name])
    agree(root, reverse(root, variables), variables, arrays, SIZES, backend)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_functions_of_a_size(name: str, backend: str) -> None:
    """f(1/n) x, with n the length of x: a function of a number of Python's."""
    arena = Arena()
    x = arena.variable("x", ("n",))
    number = arena.power(arena.size("n"), -1)
    root = arena.map(name, *[number] * ELEMENTWISE[name].arity) * x
    agree(root, reverse(root, [x]), [x], {x: np.array([0.5, -2.0, 3.0])}, {"n": 3}, backend)


@pytest.mark.parametrize("name, batch, orientation", CASES)
def test_primitives(name: str, batch: str, orientation: str, backend: str) -> None:
    made = primitive_instance(PRIMITIVES[name], batch, orientation)
    if name == "chol":  # of the symmetric part
        made.arrays |= {x: a @ np.swapaxes(a, -1, -2) for x, a in made.arrays.items()}
    slopes = reverse(made.node, made.arguments)
    agree(made.node, slopes, made.arguments, made.arrays, made.sizes, backend)


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("layers", [1, 3])
def test_loops(name: str, layers: int, backend: str) -> None:
    program, wrt = LOOPS[name].program(), LOOPS[name].wrt.split()
    values = loop_values(program, layers)
    ours = md.compile(program, wrt)
    theirs = md.compile(program, wrt, backend=backend)
    cotangent = None
    if ours.plan.value_shape:
        cotangent = np.random.default_rng(1).normal(size=np.shape(ours.forward(values)[0]))
    given, seed = values, cotangent
    if backend == "torch":
        import torch

        given = {name: torch.as_tensor(value) for name, value in values.items()}
        seed = None if cotangent is None else torch.as_tensor(cotangent)
    value, gradients = theirs.value_and_grad(given, seed)
    back = theirs.backward(theirs.forward(given)[1], seed)
    expected, exact = ours.value_and_grad(values, cotangent)
    np.testing.assert_allclose(np.asarray(value), expected, rtol=1e-9, atol=1e-12)
    for name, want in exact.items():
        for got in (gradients[name], back[name]):
            np.testing.assert_allclose(np.asarray(got), want, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("seed", range(60))
def test_random_programs(seed: int, backend: str) -> None:
    made = random_program(seed, names=True)
    slopes = reverse(made.root, made.variables)
    agree(made.root, slopes, made.variables, made.arrays, made.sizes, backend)


@pytest.mark.parametrize("case", FORMULAS, ids=[case["id"] for case in FORMULAS])
def test_corpus(case: dict[str, Any], backend: str) -> None:
    if case["expected_derivative"] is None:
        pytest.skip("a formula of functions without numbers")
    given = {"shapes": case["shapes"], "attributes": case["attrs"] or None}
    ours = md.compile(case["expr"], case["wrt"], order=case["order"], **given)
    theirs = _compiled(ours.plan, backend)
    inputs = {canonical_name(name): value for name, value in case["inputs"].items()}
    values = {**ours.plan.sizes, **case["dims"], **inputs}
    values = {k: np.asarray(v, float) if isinstance(v, list) else v for k, v in values.items()}
    if backend == "torch":
        import torch

        values = {
            k: torch.as_tensor(v) if isinstance(v, np.ndarray) else v for k, v in values.items()
        }
    if ours.plan.derivatives:
        (found,) = theirs.derivative(values).values()
    else:
        (found,) = theirs.value_and_grad(values)[1].values()
    want = np.array(case["expected_derivative"], float)
    np.testing.assert_allclose(
        np.asarray(found, float), want, rtol=1e-8, atol=1e-9 * max(1.0, np.max(np.abs(want)))
    )


def test_a_function_of_the_caller_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="numba compiles no call of φ"):
        md.compile("sum(phi(x)) where phi: elementwise", "x", backend="numba")


@pytest.mark.parametrize("name", FORMS_AT_ZERO)
def test_at_zeros_code_is_the_evaluator(name: str, backend: str) -> None:
    _at_zeros(name, backend)


@pytest.mark.parametrize("name", FORMS_AT_ZERO)
def test_at_zeros_numpy_is_the_evaluator(name: str) -> None:
    _at_zeros(name, "numpy")


def _at_zeros(name: str, backend: str) -> None:
    """0 log 0 is 0: value and derivatives where they are finite, and where they are not."""
    forms, every, _ = FORMS_AT_ZERO[name]
    for text in forms:
        program = md.parse(text)
        given = {key: every[key] for key in program.inputs}
        arrays = dict(given)
        if backend == "torch":
            import torch

            arrays = {key: torch.as_tensor(value) for key, value in given.items()}
        value, gradients = md.compile(program, [*given], backend=backend).value_and_grad(arrays)
        np.testing.assert_allclose(value, program.evaluate(given), rtol=1e-12)
        for wrt, gradient in gradients.items():
            wanted = md.diff(program, wrt).evaluate(given)
            np.testing.assert_allclose(gradient, wanted, rtol=1e-12, atol=1e-12)
