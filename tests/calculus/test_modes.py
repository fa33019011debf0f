"""Reverse, forward and auto are one value; auto is the cheaper of two unequal forms."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv.calculus.derive import MODES, derive
from matderiv.program import plan
from matderiv.program.plan import weight
from matderiv.tensor.nodes import Node
from tests.notation.score import CORPUS
from tests.numerics import Array
from tests.random_programs import random_program

FORMULAS: list[dict[str, Any]] = json.loads((CORPUS / "formulas.json").read_text("utf-8"))
CONCRETE = [case for case in FORMULAS if case["expected_derivative"] is not None]


def relative_error(found: Array, wanted: Array) -> float:
    scale = max(1.0, float(np.max(np.abs(wanted), initial=0.0)))
    return float(np.max(np.abs(found - wanted), initial=0.0)) / scale


@pytest.mark.parametrize("seed", range(60))
def test_every_way_ends_in_one_value(seed: int) -> None:
    program = random_program(seed)

    def first(one: Node, other: Node) -> Node:
        return one

    def second(one: Node, other: Node) -> Node:
        return other

    reverse = derive(program.root, program.variables, mode="reverse")
    ways = [derive(program.root, program.variables, mode="forward")]
    ways += [derive(program.root, program.variables, choose=choose) for choose in (first, second)]
    kept = (reverse, ways[0]) if program.root.order else (reverse, reverse)
    assert [[node.id for node in way] for way in ways[1:]] == [
        [node.id for node in way] for way in kept
    ]
    for way in ways:
        for found, wanted in zip(way, reverse, strict=True):
            assert relative_error(program.at(found), program.at(wanted)) < 1e-9


@pytest.mark.parametrize("case", CONCRETE, ids=[case["id"] for case in CONCRETE])
def test_every_mode_is_right_on_the_corpus(case: dict[str, Any]) -> None:
    declared = {"shapes": case["shapes"], "attributes": case["attrs"] or None}
    wanted = np.array(case["expected_derivative"], float)
    for mode in MODES:
        derivative = md.diff(case["expr"], case["wrt"], order=case["order"], mode=mode, **declared)
        assert relative_error(derivative.evaluate(case["inputs"]), wanted) < 1e-7, mode


@pytest.mark.parametrize(
    ("source", "wrt", "cheaper"),
    [
        ("kron(A, X)", "X", "forward"),
        ("vec(X X')", "X", "forward"),
        ("softmax(W x)", "W", "reverse"),
        ("A: (m, n); x: (n)\nh = tanh(A x); h / sum(h)", "x", None),
    ],
)
def test_auto_is_the_cheaper_form(source: str, wrt: str, cheaper: str | None) -> None:
    """Far cheaper, or as cheap and no longer."""
    made = {mode: md.diff(source, wrt, mode=mode) for mode in MODES}
    costs = {mode: weight(plan(d.node, {}, inputs=_inputs(d))) for mode, d in made.items()}
    assert costs["auto"] <= 1.5 * min(costs.values())
    if cheaper is not None:
        assert costs["auto"] == costs[cheaper] < max(costs.values()) / 1.5


def _inputs(derivative: md.Derivative) -> list[Any]:
    from matderiv.tensor.nodes import Variable
    from matderiv.tensor.traverse import reachable

    return [node for node in reachable([derivative.node]) if isinstance(node, Variable)]
