"""Laws of costs, over the whole corpus: what is predicted is executed, gradients are cheap."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

import matderiv as md
from matderiv.language import canonical_name
from matderiv.program.compiled import CompiledFunction
from matderiv.tensor.dims import dim_value
from matderiv.tensor.elementwise import AbstractElementwise
from tests.program.counting import count

CORPUS = Path(__file__).parents[1] / "corpus" / "formulas.json"
FORMULAS: list[dict[str, Any]] = json.loads(CORPUS.read_text("utf-8"))
SCALARS = [case for case in FORMULAS if not case["value_shape"]]


def by_id(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case["id"] for case in cases])


def declared(case: dict[str, Any]) -> dict[str, Any]:
    return {"shapes": case["shapes"], "attributes": case["attrs"] or None}


def stand_in(callee: Any) -> Callable[..., Any]:
    """Ones, of the shape that an abstract function or its derivative returns."""

    def ones(*arguments: Any) -> Any:
        if isinstance(callee, AbstractElementwise):
            shape = np.broadcast_shapes(*map(np.shape, arguments))
        else:
            shape = tuple(n for slot in callee.slots for n in np.shape(arguments[slot]))
        return np.ones(shape) if shape else 1.0

    return ones


def arguments(
    function: CompiledFunction, values: Mapping[str, Any], sizes: Mapping[str, int]
) -> dict[str, Any]:
    """What `derivative` and `forward` are called with."""
    names = function._names
    plan = function.plan
    values = {canonical_name(name): value for name, value in values.items()}
    found = {
        name: np.asarray(values[variable.name], float)
        for variable, name in names.inputs.items()
        if variable is not plan.cotangent
    }
    found |= dict(zip(names.free_sizes, (sizes[dim] for dim in plan.free_sizes), strict=True))
    return found


def stand_ins(function: CompiledFunction, steps: Any) -> dict[str, Any]:
    called = {step.callee for step in steps}
    return {
        name: stand_in(callee)
        for callee, name in function._names.functions.items()
        if callee in called
    }


@by_id(FORMULAS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_predicted_flops_are_executed(case: dict[str, Any]) -> None:
    """To the last unit, in forward, backward and derivative, function values included."""
    function = md.compile(case["expr"], case["wrt"], order=case["order"], **declared(case))
    plan = function.plan
    sizes = {**plan.sizes, **case["dims"]}
    given = arguments(function, case["inputs"], sizes)

    def check(name: str, steps: Any, *values: Any, **named: Any) -> None:
        flops, evaluations = count(function.module, name, *values, **named)
        assert flops == pytest.approx(sum(float(s.flops.at(sizes)) for s in steps), abs=1e-6)
        assert evaluations == sum(int(s.evaluations.at(sizes)) for s in steps)

    check("forward", plan.forward, **given, **stand_ins(function, plan.forward))
    if plan.derivatives:
        check("derivative", plan.derivative, **given, **stand_ins(function, plan.derivative))
    if plan.gradients:
        values = {name: given[inner] for name, inner in _names(function).items()}
        values |= {dim: sizes[dim] for dim in plan.free_sizes}
        forward = stand_ins(function, plan.forward)
        value, cache = function.module.forward(**given, **forward)
        cotangent = None if plan.cotangent is None else np.ones(np.shape(value))
        backward = stand_ins(function, plan.backward)
        check("backward", plan.backward, cache, cotangent, **backward)


def _names(function: CompiledFunction) -> dict[str, str]:
    inputs = function._names.inputs
    return {v.name: name for v, name in inputs.items() if v is not function.plan.cotangent}


@by_id(SCALARS)
def test_a_gradient_costs_at_most_five_times_its_value(case: dict[str, Any]) -> None:
    """The cheap gradient principle: Griewank & Walther (2008), section 4.5.

    Gradients by all inputs together, at small and at large sizes; each value of a
    function such as exp counts by its weight.
    """
    program = md.parse(case["expr"], **declared(case))
    report = md.cost(program, list(program.inputs)).report()
    forward = report.weighted([row for row in report.rows if row.phase == "forward"])
    total = report.weighted(report.rows)
    for scale in (1, 10, 1000):
        sizes = {name: (3 + k) * scale for k, name in enumerate(report.cost.sizes)}
        backward = float((total - forward).at(sizes))
        assert backward <= 5 * max(float(forward.at(sizes)), 1.0)


@pytest.mark.parametrize("layers", range(1, 7))
def test_a_stack_of_linear_layers_costs_twice_as_much_backward(layers: int) -> None:
    """Exactly 2 in leading terms with the gradient of the input, for widths of any names."""
    shapes = [f"w_{k}: (M{k}, M{k + 1})" for k in range(layers)]
    steps = [f"h_{k + 1} = h_{k} w_{k}" for k in range(layers)]
    source = "\n".join(["h_0: (B, M0)", *shapes, *steps, f"||h_{layers}||^2"])
    names = [f"w_{k}" for k in range(layers)]
    assert md.cost(source, [*names, "h_0"]).leading.ratio == 2
    without = md.cost(source, names).leading
    first = 2 * sympy.prod(sympy.symbols("B M0 M1", positive=True))
    assert sympy.expand(without.backward - 2 * without.forward + first) == 0


def test_a_singular_value_decomposition_is_shared() -> None:
    """The value and the gradient of a nuclear norm take one decomposition together."""
    both, value = md.compile("||X||_*", "X").plan, md.compile("||X||_*").plan
    assert [step.function for step in both.steps].count("linalg.svd") == 1
    assert "linalg.svdvals" not in [step.function for step in both.steps]
    assert "linalg.svdvals" in [step.function for step in value.steps]


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (5, 5)])
@pytest.mark.parametrize("text", ["||X||_*", "||X + 1||_op^2 + ||X||_*", "sum(pinv(X))"])
def test_there_are_as_many_singular_values_as_the_smaller_side(
    text: str, shape: tuple[int, int]
) -> None:
    """Wide matrices cost what tall ones do: counted as predicted, in symbols and in numbers."""
    sizes = {"m": shape[0], "n": shape[1]}
    draw = np.random.default_rng(0)
    for declared in (("m", "n"), shape):
        function = md.compile(text, "X", shapes={"X": declared})
        given = {
            variable.name: draw.normal(size=[dim_value(dim, sizes) for dim in variable.shape])
            for variable in function.plan.inputs
        }
        at = {name: sizes[name] for name in function.cost.sizes}
        _, cache = function.module.forward(**given)
        forward, _ = count(function.module, "forward", **given)
        backward, _ = count(function.module, "backward", cache)
        assert forward == pytest.approx(float(function.cost.at(**at).forward), rel=1e-9)
        assert backward == pytest.approx(float(function.cost.at(**at).backward), rel=1e-9)
    assert "Min(m, n)" in str(md.cost("||X||_*").forward)
    assert md.cost("||X||_* where X: (3, n)").leading.forward != 0


def test_a_minus_sign_costs_nothing_where_a_difference_takes_it() -> None:
    source = "x: (B, D); w: (D, K); v: (K, M)\nh = tanh(x w)\n||h v||^2"
    assert "negative" not in md.compile(source, ["w", "v", "x"]).source


def test_a_positive_definite_determinant_is_taken_by_cholesky_where_that_is_cheaper() -> None:
    source = "logdet(S) where S: (n, n) posdef"
    value = md.compile(source, sizes={"n": 50})
    assert "linalg.cholesky" in value.source
    assert "linalg.slogdet" in md.compile(source, sizes={"n": 3}).source
    # Beside the gradient from the inverse factor, which the gradient then shares.
    both = md.compile(source, "S", sizes={"n": 50}).source
    assert "_inverse_of_lower(" in both
    assert "linalg.slogdet" not in both
    random = np.random.default_rng(0)
    factor = random.normal(size=(50, 50))
    matrix = factor @ factor.T + np.eye(50)
    found, _ = value.forward({"S": matrix})
    assert found == pytest.approx(np.linalg.slogdet(matrix)[1], rel=1e-12)
    flops, logarithms = count(value.module, "forward", matrix)
    assert flops == pytest.approx(50**3 / 3 + 50)
    assert logarithms == 50


@pytest.mark.parametrize(
    "text",
    [
        "1/2 + G.^2",
        "1/2 + G",
        "G + exp(G) / 2",
        "(3 - cos(G)) / 4",
        "2 (1/2 + G) - 1/2",
    ],
)
@pytest.mark.parametrize("shape", [("n",), (1, "n"), ("n", "m")])
def test_a_value_that_is_a_number_is_filled_in(text: str, shape: tuple[str | int, ...]) -> None:
    """Of a named zero: one `full`, and no operation on arrays of numbers."""
    function = md.compile(f"G = W - W\n{text}", shapes={"W": shape})
    assert [step.function for step in function.plan.forward] == ["full"]
    assert function.cost.forward == 0
    given = {"W": np.ones([{"n": 3, "m": 4}.get(str(k), 1) for k in shape])}
    want = md.parse(f"G = W - W\n{text}", shapes={"W": shape}).evaluate(given)
    np.testing.assert_array_equal(function.forward(given)[0], want)


def test_a_number_beside_a_diagonal() -> None:
    function = md.compile("A: (n, n)\nG = A - A\neye(n) + 1/2 + G")
    np.testing.assert_array_equal(function.forward({"A": np.ones((3, 3))})[0], np.eye(3) + 0.5)
