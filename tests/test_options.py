"""Options of every wrong kind: no public function lets anything but a MatderivError out."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import matderiv as md

WRONG: dict[str, list[Any]] = {
    "wrt": [3, None, [], [3], ["x", "x"], ["x", None], "", "z", {"x": 1}, {}, b"x"],
    "formula": [3, None, [], ["2 x"], "", b"2 x"],
    "sizes": [3, "a", [1], {"n": "x"}, {"n": 2.5}, {3: 4}, {"q": 3}, True],
    "layout": [3, None, [], "up"],
    "mode": [3, None, [1], "sideways"],
    "order": ["2", None, -1, 0, 1.5, True],
    "backend": [3, None, [], "cupy"],
    "budget": [-1, "x", [1], True, 1.5, {}],
    "segments": [-1, "x", [], 1.5],
    "diagonal": [1, "yes", None, []],
    "structured": [1, "yes", None, []],
    "compressed": [1, "yes", []],
    "workspace": [1, "yes", []],
    "blocked": [1, "yes", []],
    "shapes": [3, "x", [1], {"x": 3}, {"x": "n"}, {"x": [1.5]}, {3: ("n",)}, {"x": [[]]}],
    "attributes": [3, "x", [1], {"x": 3}, {"x": "foo"}, {3: "posdef"}],
    "seed": ["x", -1, None, 1.5],
}
FUNCTIONS: list[Callable[..., Any]] = [
    md.parse,
    md.diff,
    md.check,
    md.verify,
    md.compile,
    md.cost,
    md.modes,
]


@pytest.mark.parametrize("option", WRONG)
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_wrong_option_is_refused_in_words(function: Callable[..., Any], option: str) -> None:
    parameters = inspect.signature(function).parameters
    if option not in parameters:
        return
    right = {"source": "x' x", "wrt": "x", "formula": "2 x"}
    given = {name: value for name, value in right.items() if name in parameters}
    for value in WRONG[option]:
        said = ""
        try:
            function(**{**given, option: value})
        except md.MatderivError as error:
            said = str(error)
        assert " a int" not in said
        assert "object at 0x" not in said


@pytest.mark.parametrize("text", ["tr(A X B)", "(A x)' B y"])
def test_several_names_are_checked_together(text: str) -> None:
    """The report of a list is that of the worst of its derivatives."""
    single = [md.check(text, name) for name in ("A", "B")]
    both = md.check(text, ["A", "B"])
    assert both
    assert both.points == 3
    assert both.max_relative_error == max(report.max_relative_error for report in single)
