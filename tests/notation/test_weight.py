"""The weight that steers simplification is the length of the print."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import matderiv as md
from matderiv.calculus.weight import Weights
from matderiv.notation.lift import Lifter
from matderiv.notation.terms import Call, Einsum, walk
from matderiv.tensor.nodes import Product, Sum
from matderiv.tensor.traverse import reachable
from tests.notation.score import CORPUS

FORMULAS: list[dict[str, Any]] = json.loads((CORPUS / "formulas.json").read_text("utf-8"))


def test_weights_are_the_lengths_of_prints() -> None:
    """Nine of ten sums and products of the corpus to the token, and none far off."""
    differences: Counter[int] = Counter()
    for case in FORMULAS:
        derivative = md.diff(
            case["expr"],
            case["wrt"],
            order=case["order"],
            shapes=case["shapes"],
            attributes=case["attrs"] or None,
        )
        weight, lifter = Weights(), Lifter(Counter())
        for node in reachable([derivative.node]):
            if node.order > 2 or not isinstance(node, Product | Sum):
                continue
            parts = list(walk(lifter.definition(node)))
            if any(isinstance(part, Einsum) for part in parts):
                continue
            axes = sum(isinstance(part, Call) and part.axis is not None for part in parts)
            printed = lifter.definition(node).weight - 2 * axes  # "axis=0" counts one here
            differences[weight(node) - printed] += 1
    assert differences[0] >= 0.9 * differences.total()
    assert max(map(abs, differences)) <= 4
