"""Generated code of loops: values, counts and memory as formulas in the number of layers."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import sympy

import matderiv as md
from matderiv.program.compiled import CompiledFunction
from tests.loops.programs import PROGRAMS, SIZES, values
from tests.numerics import relative_error
from tests.program.counting import count
from tests.program.measuring import measure

NAMES = pytest.mark.parametrize("name", PROGRAMS)
B, M, K, N = sympy.symbols("B M K N", positive=True)
SCALARS = pytest.mark.parametrize(
    "name", [name for name, deep in PROGRAMS.items() if not deep.program().shape]
)


def _compiled(name: str, wrt: list[str] | None = None) -> CompiledFunction:
    deep = PROGRAMS[name]
    return md.compile(deep.program(), deep.wrt.split() if wrt is None else wrt)


@SCALARS
@pytest.mark.parametrize("layers", [1, 2, 5])
def test_code_computes_what_the_evaluator_does(name: str, layers: int) -> None:
    program = PROGRAMS[name].program()
    function = _compiled(name)
    given = values(program, layers)
    value, gradients = function.value_and_grad(given)
    assert relative_error(value, program.evaluate(given)) < 1e-13
    for wrt, gradient in gradients.items():
        want = md.diff(PROGRAMS[name].program(layers), wrt).evaluate(given)
        assert relative_error(gradient, want) < 1e-12
    value, cache = function.forward(given)
    again = function.backward(cache)
    assert all(np.array_equal(again[wrt], gradients[wrt]) for wrt in gradients)


def test_code_of_other_derivatives() -> None:
    vector = md.compile(PROGRAMS["vector valued"].program(), ["w", "x"])
    program = PROGRAMS["vector valued"].program()
    given = values(program, 3)
    for wrt, found in vector.derivative(given).items():
        assert relative_error(found, md.diff(program, wrt).evaluate(given)) < 1e-13
    program = PROGRAMS["tanh"].program()
    hessian = md.compile(program, ["C"], order=2)
    given = values(program, 3)
    want = md.diff(program, "C", order=2).evaluate(given)
    assert relative_error(hessian.derivative(given)["C"], want) < 1e-13


@SCALARS
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("every", [True, False])
def test_predicted_flops_are_those_executed(name: str, layers: int, every: bool) -> None:
    if name == "scalars":
        pytest.skip("entries of vectors are numbers, whose operators nothing counts")
    wrt = PROGRAMS[name].wrt.split()
    function = _compiled(name, wrt if every else wrt[:1])
    given = values(PROGRAMS[name].program(), layers)
    sizes = {**SIZES, "N": layers}
    arguments = [given[variable.name] for variable in function.plan.inputs]
    counts = function.cost.polynomials
    evaluations = sum(p.at(sizes) for p in counts.evaluations.values())
    for part, polynomials in {
        "forward": [counts.forward],
        "value_and_grad": [counts.forward, counts.backward],
    }.items():
        flops, evaluated = count(function.module, part, *arguments)
        assert flops == sum(float(p.at(sizes)) for p in polynomials)
    assert evaluated == evaluations


def test_a_layer_is_written_once() -> None:
    """The text is as long for any number of layers; the input gradient is guarded."""
    source = _compiled("linear", ["W", "C"]).source
    assert source.count("for l in range(") == 4  # forward, backward, and both in one pass
    assert "if l != 0:" in source
    assert "if l != 0:" not in _compiled("linear", ["x", "W", "C"]).source


@NAMES
def test_what_a_layer_reads_is_called_as_in_the_text(name: str) -> None:
    """z_l is read from zs, W_l from W; a value without a name has none in code."""
    lines = re.findall(r"^ +(\w+) = (\w+)\[l(?: \+ 1)?\]$", _compiled(name).source, re.MULTILINE)
    for element, stack in lines:
        value = re.sub(r"s?_*$", "", stack)
        assert element.startswith(f"{value}_l") or re.fullmatch(r"t\d+", stack), (element, stack)


def test_linear_layers_cost_what_the_notes_say() -> None:
    """Forward 2NBM² + 2BMC, backward (4N - 2)BM² + 4BMC, without the input's gradient."""
    cost = md.cost(PROGRAMS["linear"].program(), ["W", "C"])
    forward = sympy.expand(cost.forward - (2 * N * B * M**2 + 2 * B * M * K))
    backward = sympy.expand(cost.backward - ((4 * N - 2) * B * M**2 + 4 * B * M * K))
    assert forward == -N * B * M + 2 * B * K - 1
    assert backward == B * K - B * M * N - K * M - N * M**2
    assert cost.leading.ratio == 2
    whole = md.cost(PROGRAMS["linear"].program(), ["x", "W", "C"])
    assert sympy.expand(whole.backward - cost.backward) == 2 * B * M**2 - B * M


@pytest.mark.parametrize("name", ["network", "tanh", "linear"])
def test_memory_grows_by_one_activation_and_one_gradient_a_layer(name: str) -> None:
    """The measured peak of value and gradients is affine in N, with the slope predicted."""
    function = md.compile(PROGRAMS[name].program(), ["W", "C"])
    sizes = {**SIZES, "B": 128, "M": 64, "K": 32}
    peaks = []
    for layers in (4, 8, 16):
        random = np.random.default_rng(0)
        lengths = {**sizes, "N": layers}
        shapes = [[lengths[str(dim)] for dim in v.shape] for v in function.plan.inputs]
        arguments = [random.normal(size=shape) / 8 for shape in shapes]
        peaks.append(measure(function.module.value_and_grad, *arguments))
    slopes = {(b - a) / n for a, b, n in zip(peaks, peaks[1:], (4, 8), strict=False)}
    expected = 8 * (128 * 64 + 64 * 64)
    assert all(abs(slope - expected) < 600 for slope in slopes)
    symbolic = sympy.Poly(function.cost.peak_memory, N).coeff_monomial(N)
    assert sympy.expand(symbolic - 8 * (B * M + M**2)) == 0


def test_six_flops_for_each_parameter_and_token() -> None:
    """C ≈ 6 · parameters · tokens: leading terms of forward and backward together."""
    cost = md.cost(PROGRAMS["linear"].program(), ["W", "C"])
    total = sympy.expand(cost.leading.forward + cost.leading.backward)
    assert total == 6 * (N * M**2) * B
    exact = (cost.forward + cost.backward).subs({B: N, M: N, K: N})
    assert sympy.limit(exact / N**4, N, sympy.oo) == 6


@pytest.mark.parametrize("name", ["network", "nested", "shared weight"])
def test_the_module_checks_itself(name: str) -> None:
    scope: dict[str, Any] = {"__name__": "generated"}
    exec(compile(_compiled(name).source, "<generated>", "exec"), scope)
    assert scope["self_check"]() == 0
