"""Scalings that meet: results equal bit by bit, never more steps, fewer where two met."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pytest

import matderiv as md
from matderiv.program import assemble
from matderiv.program.compiled import CompiledFunction
from matderiv.program.scales import merged_scales
from matderiv.program.steps import Ref, Step
from tests.backends.programs import PROGRAMS, results, values_for


def _as_recorded(steps: Sequence[Step], kept: Collection[int]) -> list[Step]:
    return list(steps)


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_merged_scalings_change_no_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled() -> CompiledFunction:
        md.api._compiled.cache_clear()
        return md.compile(source, wrt, order=order)

    source, wrt, order = PROGRAMS[name]
    merged = compiled()
    monkeypatch.setattr(assemble, "merged_scales", _as_recorded)
    recorded = compiled()
    md.api._compiled.cache_clear()
    assert len(merged.plan.every) <= len(recorded.plan.every)
    if name == "logistic":
        assert len(merged.plan.backward) < len(recorded.plan.backward)
    values, cotangent = values_for(merged)
    expected = results(recorded, values, cotangent)
    for key, array in results(merged, values, cotangent).items():
        np.testing.assert_array_equal(array, expected[key], err_msg=key)


def _chain(first: float, last: float) -> list[Step]:
    """last · (first · x) ⊙ y for vectors x = 0 and y = 1."""
    return [
        Step(2, "multiply", (Ref(0), first), ("n",)),
        Step(3, "multiply", (Ref(2), Ref(1)), ("n",)),
        Step(4, "multiply", (Ref(3), last), ("n",)),
    ]


def test_two_scalings_are_one_where_that_is_exact_and_nobody_looks() -> None:
    *_, end = merged_scales(_chain(0.5, -0.25), {4})
    assert (end.operands, len(merged_scales(_chain(0.5, -0.25), {4}))) == ((Ref(3), -0.125), 2)
    assert [s.function for s in merged_scales(_chain(0.5, -2.0), {4})] == ["multiply", "negative"]
    for chain, kept in [
        (_chain(0.3, 2.0), {4}),  # rounds
        (_chain(8.0, 2.0), {4}),  # might overflow later
        (_chain(0.5, 2.0), {4}),  # nothing is left to do
        (_chain(0.5, -2.0), {2, 4}),  # read by somebody else
        ([*_chain(0.5, -2.0), Step(5, "exp", (Ref(2),), ("n",))], {4, 5}),
    ]:
        assert merged_scales(chain, kept) == chain
