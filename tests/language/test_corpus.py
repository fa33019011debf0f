"""Every formula of the corpus is read, typed, evaluated and lowered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matderiv.errors import MatderivError, UnsupportedError
from matderiv.language import canonical_name, lower, read
from matderiv.tensor.arena import Arena
from matderiv.tensor.dims import dim_value
from matderiv.tensor.evaluate import evaluate
from tests.language import oracle

CORPUS = Path(__file__).parents[1] / "corpus"
FORMULAS = json.loads((CORPUS / "formulas.json").read_text("utf-8"))
BAD = json.loads((CORPUS / "bad_inputs.json").read_text("utf-8"))
CLOSED = [case for case in FORMULAS if case["closed_form"] and not case.get("bind")]


def name_of(case: dict[str, Any]) -> str:
    return str(case["id"])


def values_of(case: dict[str, Any]) -> dict[str, Any]:
    return {canonical_name(name): np.asarray(v, float) for name, v in case["inputs"].items()}


def functions_of(case: dict[str, Any]) -> dict[str, Any]:
    scope = {name: getattr(np, name) for name in ("tanh", "sin", "cos", "sum")}
    return {
        canonical_name(name): lambda z, text=bound["f"]: eval(text, {**scope, "z": z, "o": z})
        for name, bound in (case.get("bind") or {}).items()
    }


def assert_close(got: Any, want: Any) -> None:
    want = np.asarray(want, float)
    assert np.shape(got) == want.shape
    scale = np.max(np.abs(want), initial=0.0)
    assert np.max(np.abs(got - want), initial=0.0) <= (1e-9 * scale if scale else 1e-12)


@pytest.mark.parametrize("case", FORMULAS, ids=name_of)
def test_shape_of_the_value(case: dict[str, Any]) -> None:
    program = read(case["expr"], shapes=case["shapes"], attributes=case["attrs"])
    shape = [dim_value(dim, case["dims"]) for dim in program.output.shape]
    assert shape == case["value_shape"]


@pytest.mark.parametrize("case", FORMULAS, ids=name_of)
def test_typed_tree_has_the_value(case: dict[str, Any]) -> None:
    if case["topic"] == "stability":
        pytest.skip("the text computed as it stands overflows; lowering must not")
    program = read(case["expr"], shapes=case["shapes"], attributes=case["attrs"])
    want = case["bound_expected_value"] if case.get("bind") else case["expected_value"]
    got = oracle.evaluate(program, values_of(case), case["dims"], functions_of(case))
    assert_close(got, want)


@pytest.mark.parametrize("case", FORMULAS, ids=name_of)
def test_lowered_tree_has_the_value(case: dict[str, Any]) -> None:
    if case.get("bind"):
        pytest.skip("abstract functions have no value")
    program = read(case["expr"], shapes=case["shapes"], attributes=case["attrs"])
    assert_close(lowered_value(program, case), case["expected_value"])


@pytest.mark.parametrize("case", CLOSED, ids=name_of)
def test_closed_form_is_the_derivative(case: dict[str, Any]) -> None:
    """The source's own formula, read by us, has the corpus's number."""
    program = read(case["closed_form"], shapes=case["shapes"], attributes=case["attrs"])
    want = np.asarray(case["expected_derivative"], float)
    first = tuple(range(len(case["value_shape"])))
    rest = tuple(range(len(first), want.ndim))
    orders = {"numerator": first + rest[::-1], "denominator": rest + first[::-1]}
    want = want.transpose(orders.get(case["closed_layout"], first + rest))
    scale = np.max(np.abs(want), initial=0.0)
    if case["topic"] != "stability":
        got = oracle.evaluate(program, values_of(case), case["dims"])
        assert np.shape(got) == want.shape
        assert np.max(np.abs(got - want), initial=0.0) <= 1e-8 * max(scale, 1e-100)
    try:
        lowered = lowered_value(program, case)
    except UnsupportedError:
        return
    assert np.max(np.abs(lowered - want), initial=0.0) <= 1e-8 * max(scale, 1e-100)


def lowered_value(program: Any, case: dict[str, Any]) -> Any:
    lowered = lower(program, Arena())
    values = values_of(case)
    inputs = {node: values[name] for name, node in lowered.variables.items()}
    return evaluate([lowered.root], inputs, case["dims"])[0]


@pytest.mark.parametrize("case", FORMULAS, ids=name_of)
def test_without_shapes_it_is_inferred_or_refused(case: dict[str, Any]) -> None:
    """What is inferred agrees with the declared shapes wherever the default kinds do."""
    try:
        program = read(case["expr"])
    except MatderivError:
        return
    for name, entry in program.inputs.items():
        declared = case["shapes"].get(name, case["shapes"].get(entry.spelling))
        if declared is None or len(declared) != len(entry.shape):
            return  # another kind was meant: a scalar t, a size n, a matrix in lower case
    assert len(program.output.shape) == len(case["value_shape"])


@pytest.mark.parametrize("case", BAD, ids=name_of)
def test_bad_input_is_refused(case: dict[str, Any]) -> None:
    source = case["expr"] if "expr" in case else eval(case["expr_python"])
    if case["id"] == "b-wrt-missing":
        assert case["wrt"] not in read(source, shapes=case["shapes"]).inputs
        return
    with pytest.raises(MatderivError) as caught:
        read(source, shapes=case["shapes"])
    error = caught.value
    said = f"{error.message} {error.hint or ''}"
    assert all(word in said for word in case["mentions"])
    assert all(any(word in said for word in group) for group in case["mention_any"])
    assert all(reading in said for reading in case["readings"])
    if case["caret"] is not None:
        first, last = case["caret"]
        assert error.span is not None
        assert first <= error.span[0] <= last
