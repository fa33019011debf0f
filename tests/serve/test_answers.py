"""What the page is told about a formula."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree

import pytest

from matderiv.serve.answers import answers
from matderiv.serve.requests import FORMS

EXAMPLES = json.loads((files("matderiv.serve") / "page" / "examples.json").read_text("utf-8"))
TOKENS = {"mi", "mn", "mo", "mtext"}
NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"


def parts(source: str, **fields: Any) -> dict[str, dict[str, Any]]:
    """part -> its content; an error under the part that it is of."""
    found = {}
    for part in answers({"source": source, **fields}):
        json.dumps(part)
        found[part.get("of", part["part"])] = part
    return found


def formulas(source: str, **fields: Any) -> list[str]:
    """The rows of the derivative, their tokens side by side."""
    rows = parts(source, **fields)["derivative"]["rows"]
    return ["".join(ElementTree.fromstring(row["math"]).itertext()) for row in rows]


def assert_is_mathematics(text: str) -> None:
    root = ElementTree.fromstring(text)
    assert root.tag == f"{NAMESPACE}math"
    for element in root.iter():
        name = element.tag.removeprefix(NAMESPACE)
        # A browser shows no text outside the elements that are made for it.
        assert (name in TOKENS) or not (element.text or "").strip(), text
        assert not (element.tail or "").strip(), text


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["name"])
@pytest.mark.parametrize("order", [1, 2])
def test_every_example_is_answered(example: dict[str, Any], order: int) -> None:
    wrt = example["wrt"] if order == 1 else example["wrt"][:1]
    found = parts(example["source"], wrt=wrt, order=order)
    assert list(found) == ["program", "derivative", "cost", "code", "graph", "steps"]
    assert found["program"]["wrt"] == wrt
    faults = [part["of"] for part in found.values() if part["part"] == "error"]
    # The second derivative of an inverse would begin at one of four axes.
    assert faults == (["steps"] if (order, example["name"]) == (2, "Inverse") else [])
    assert found["derivative"]["verdict"].startswith("checked against finite differences")
    for row in [*found["program"]["value"], *found["derivative"]["rows"]]:
        assert_is_mathematics(row["math"])
    compile(found["code"]["source"], "module", "exec")
    ElementTree.fromstring(found["graph"]["svg"])
    for style in found["steps"].get("styles", ()):
        for step in [step for section in style["sections"] for step in section["steps"]]:
            for text in [*step["math"], *(law["math"] for law in step["laws"] if law["math"])]:
                assert_is_mathematics(text)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["name"])
def test_no_name_stands_for_two_values(example: dict[str, Any]) -> None:
    found = formulas(example["source"], wrt=example["wrt"][:1], order=2)
    names = [row.partition("=")[0] for row in found[1:] if row.startswith("T")]
    assert len(names) == len(set(names)), found


def test_a_step_says_its_flops_and_what_its_law_is_of() -> None:
    (style, _) = parts("h = tanh(A x); h' h", wrt=["x"])["steps"]["styles"]
    steps = [step for section in style["sections"] for step in section["steps"]]
    assert [step["flops"] for step in steps][:3] == ["2 m n - n FLOPs", "", "2 n - 1 FLOPs"]
    assert "derivative of tanh" in [law["name"] for step in steps for law in step["laws"]]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_mathematics(form: str) -> None:
    for source in ("||X w - y||^2", "w' X w + (w' w)^2"):
        found = parts(source, wrt=["w"], form=form)["derivative"]
        for row in found["rows"]:
            assert_is_mathematics(row["math"])
        assert "latex" in found["copies"]


def test_a_gradient() -> None:
    found = parts("||Xw - y||^2", wrt=["w"])
    assert formulas("||Xw - y||^2", wrt=["w"]) == ["∂f∂w=2\u2062X⊤\u2062(X\u2062w−y)"]
    assert found["derivative"]["copies"]["ascii"] == "2 X' (X w - y)"
    assert found["program"]["notes"] == ["Xw is read as X w", "inferred X: (n, m), w: (m), y: (n)"]
    assert found["cost"]["ratio"] == "→ 1"
    assert found["cost"]["totals"][0] == {
        "name": "forward",
        "exact": "2 m n + 2 n - 1",
        "unit": "FLOPs",
        "number": None,
    }


def test_names_below_are_shared() -> None:
    source = "h = relu(x W)\nyhat = h V\n||yhat||^2 where x: (b, n)"
    found = parts(source, wrt=["W", "V"])
    rows = [row["where"] for row in found["derivative"]["rows"]]
    assert rows == sorted(rows)
    assert rows.count(False) == 2
    assert found["program"]["named"] == ["h", "yhat"]


def test_a_named_value_and_an_input_together() -> None:
    source = "h = A x\n||h||^2"
    assert len(formulas(source, wrt=["h", "x"])) >= 2


def test_numbers_for_the_sizes() -> None:
    totals = parts("||X w - y||^2", wrt=["w"], at={"n": 10, "m": 3})["cost"]["totals"]
    assert totals[0]["number"] == 2 * 3 * 10 + 2 * 10 - 1
    partly = parts("||X w - y||^2", wrt=["w"], at={"n": 10})["cost"]["totals"]
    assert partly[0]["number"] is None


def test_a_variable_that_is_gone_gives_way_to_the_usual_one() -> None:
    assert parts("||X w - y||^2", wrt=["q"])["program"]["wrt"] == ["w"]
    assert parts("a' b")["program"]["wrt"] == ["a"]


def test_a_mixed_derivative_has_a_formula_but_no_cost() -> None:
    found = parts("x' A y", wrt=["x"], then="y", order=2)
    assert found["derivative"]["copies"]["ascii"] == "A"
    assert found["cost"]["part"] == found["code"]["part"] == "error"
    gone = parts("x' A y", wrt=["x"], then="q", order=2)["derivative"]
    assert gone["message"].startswith("'q' does not occur in the program")


def test_a_layout() -> None:
    assert formulas("||X w||^2", wrt=["w"], layout="numerator") == [
        "∂f∂w=2\u2062(X\u2062w)⊤\u2062X"
    ]


def test_an_error_has_its_place_and_its_hint() -> None:
    found = parts("(A B) x where A: (m, n), B: (m, n)")
    assert list(found) == ["derivative"]
    error = found["derivative"]
    assert (error["name"], error["span"], error["hint"]) == ("ShapeError", [2, 3], "A' B")


def test_a_fault_of_the_engine_takes_the_place_of_one_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("seven")

    monkeypatch.setattr("matderiv.serve.answers.computation_graph", broken)
    found = parts("x' x")
    assert found["graph"]["message"] == "internal fault, ZeroDivisionError: seven"
    assert found["steps"]["part"] == "steps"
    monkeypatch.setattr("matderiv.serve.answers.parse", broken)
    assert parts("x' x")["derivative"]["name"] == "ZeroDivisionError"


def test_nothing_to_differentiate_by() -> None:
    found = parts("1 + 1")
    assert found["derivative"]["message"] == "the formula has no variable to differentiate by"


@pytest.mark.parametrize(
    "field",
    [
        {"order": 0},
        {"order": True},
        {"layout": "gradient"},
        {"form": "evaluate"},
        {"wrt": "w"},
        {"wrt": [1]},
        {"at": {"n": 0}},
        {"structured": 1},
        {"colour": "red"},
    ],
    ids=str,
)
def test_a_field_of_the_wrong_kind_is_refused(field: dict[str, Any]) -> None:
    (error,) = answers({"source": "x' x", **field})
    assert next(iter(field)) in error["message"]
