"""The public corpus: formulas people really write, with numbers nobody here made up."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv.calculus.layout import LAYOUTS, layout_axes

CORPUS = Path(__file__).parent / "corpus"
FORMULAS: list[dict[str, Any]] = json.loads((CORPUS / "formulas.json").read_text("utf-8"))
BAD: list[dict[str, Any]] = json.loads((CORPUS / "bad_inputs.json").read_text("utf-8"))

# id -> why it is not right yet
EXPECTED_FAILURES: dict[str, str] = {}


def _parameters() -> list[Any]:
    return [
        pytest.param(
            case,
            id=case["id"],
            marks=[pytest.mark.xfail(reason=EXPECTED_FAILURES[case["id"]], strict=True)]
            if case["id"] in EXPECTED_FAILURES
            else [],
        )
        for case in FORMULAS
    ]


def _close(got: np.ndarray, want: np.ndarray) -> bool:
    scale = np.max(np.abs(want), initial=0.0)
    error = np.max(np.abs(got - want), initial=0.0)
    return bool(error <= (1e-8 * scale if scale else 1e-10))


def _declared(case: dict[str, Any]) -> dict[str, Any]:
    return {"shapes": case["shapes"], "attributes": case["attrs"] or None}


@pytest.mark.parametrize("case", _parameters())
def test_derivative_is_right_in_all_layouts(case: dict[str, Any]) -> None:
    if case["expected_derivative"] is None:
        assert md.check(case["expr"], case["wrt"], order=case["order"], **_declared(case))
        return
    mixed = np.array(case["expected_derivative"], float)
    with np.errstate(all="raise" if case["topic"] == "stability" else "ignore", under="ignore"):
        for layout in LAYOUTS:
            derivative = md.diff(
                case["expr"], case["wrt"], order=case["order"], layout=layout, **_declared(case)
            )
            axes = layout_axes(layout, len(case["value_shape"]), mixed.ndim)
            want = mixed.transpose(axes)
            got = derivative.evaluate(case["inputs"])
            assert got.shape == want.shape
            assert _close(got, want), layout
        value = derivative.program.evaluate(case["inputs"])
        assert _close(value, np.array(case["expected_value"], float))


@pytest.mark.parametrize("case", _parameters())
def test_derivative_passes_its_own_check(case: dict[str, Any]) -> None:
    derivative = md.diff(case["expr"], case["wrt"], order=case["order"], **_declared(case))
    report = derivative.check()
    assert report, str(report)
    assert report.points == 3


@pytest.mark.parametrize("case", _parameters())
def test_ascii_form_evaluates_to_the_derivative(case: dict[str, Any]) -> None:
    """Printed text parses back to the same value, where the result has order ≤ 2."""
    derivative = md.diff(case["expr"], case["wrt"], order=case["order"], **_declared(case))
    if len(derivative.shape) > 2:
        return
    text = derivative.to("ascii")
    again = md.parse(text, shapes=case["shapes"], attributes=case["attrs"] or None)
    if case["expected_derivative"] is None:
        return
    want = derivative.evaluate(case["inputs"])
    got = again.evaluate(case["inputs"])
    if again.output.order == want.ndim:
        assert _close(got, want), text
    else:
        pytest.fail(f"{text!r} has shape {again.shape}")


@pytest.mark.parametrize("case", BAD, ids=[case["id"] for case in BAD])
def test_bad_input_is_refused_well(case: dict[str, Any]) -> None:
    text = case.get("expr")
    if text is None:
        text = eval(case["expr_python"], {"__builtins__": {}})
    with pytest.raises(md.MatderivError) as caught:
        md.diff(text, case["wrt"], shapes=case["shapes"])
    error = caught.value
    said = f"{error.message} {error.hint or ''}"
    for word in case["mentions"]:
        assert word in said
    for group in case["mention_any"]:
        assert any(word in said for word in group), (group, said)
    if case["caret"] is not None:
        assert error.span is not None
        first, last = case["caret"]
        assert first <= error.span[0] <= last


def test_score(record_property: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """At most the listed cases fail; the score is printed."""
    right = len(FORMULAS) - len(EXPECTED_FAILURES)
    record_property("corpus", f"{right}/{len(FORMULAS)}")
    with capsys.disabled():
        print(f"\ncorpus: {right} of {len(FORMULAS)} formulas right in all three layouts")
    assert right >= math.ceil(0.8 * len(FORMULAS))
