"""Sums over any axes of two arrays, written as one product of matrices."""

from __future__ import annotations

import random
import tracemalloc

import numpy as np
import pytest

from matderiv.program.emit_numpy import NUMPY
from matderiv.program.footprint import Footprints
from matderiv.program.names import Names
from matderiv.program.pieces import Piece, join, seen
from matderiv.program.steps import Ref, Step
from matderiv.program.tape import Tape
from matderiv.program.writer import Writer

SIZES = {"a": 11, "b": 12, "c": 13, "d": 14, "e": 15, "f": 16}
LABELS = {dim: number for number, dim in enumerate(SIZES)}


class Contraction:
    """Two arrays, each stored in one order of its axes and seen in another."""

    def __init__(self, seed: int) -> None:
        choice = random.Random(seed)
        dims = choice.sample(list(SIZES), len(SIZES))
        summed = choice.randint(1, 2)
        # Where one axis is summed, some operand has two others: no product of matrices yet.
        left = choice.randint(0, 2) if summed == 2 else 2
        right = choice.randint(0 if left else 1, 2)
        self.kept = dims[summed : summed + left + right]
        sides = (dims[: summed + left], dims[:summed] + dims[summed + left : summed + left + right])
        self.seen = [choice.sample(side, len(side)) for side in sides]
        own = [choice.choice([side, choice.sample(side, len(side))]) for side in self.seen]
        self.tape = Tape(SIZES)
        self.given = {self.tape.input(tuple(side)): tuple(side) for side in own}
        pieces = [
            Piece(seen(Ref(k), [side.index(d) for d in order]), tuple(LABELS[d] for d in order))
            for (k, side), order in zip(self.given.items(), self.seen, strict=True)
        ]
        self.result = join(self.tape, *pieces, {LABELS[d] for d in self.kept}, [])
        rng = np.random.default_rng(seed)
        self.arrays = [rng.normal(size=[SIZES[d] for d in side]) for side in own]
        self.turned = [
            array.transpose([side.index(d) for d in order])
            for array, side, order in zip(self.arrays, own, self.seen, strict=True)
        ]

    @property
    def step(self) -> Step:
        (step,) = self.tape.steps
        return step

    def line(self) -> str:
        values = dict(zip((*self.given, self.step.value), "XYZ", strict=True))
        names = Names({}, values, {d: d for d in SIZES}, {}, shapes=self.tape.shapes)
        return Writer(names, NUMPY).statement(self.step)

    def want(self) -> np.ndarray:
        spec = [
            (array, [LABELS[d] for d in order])
            for array, order in zip(self.turned, self.seen, strict=True)
        ]
        parts = [part for pair in spec for part in pair]
        return np.asarray(np.einsum(*parts, list(self.result.labels)))


@pytest.mark.parametrize("seed", range(120))
def test_any_axes_fold(seed: int) -> None:
    """The line computes the sum, and allocates what is predicted."""
    case = Contraction(seed)
    assert case.step.function == "tensordot"
    code = compile(case.line(), "line", "exec")
    scope = {"np": np, **dict(zip("XY", case.arrays, strict=True)), **SIZES}
    exec(code, scope)
    np.testing.assert_allclose(scope.pop("Z"), case.want(), rtol=1e-12, atol=1e-12)
    tracemalloc.start()
    try:
        exec(code, scope)
        measured = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    footprint = Footprints(case.tape.steps, case.given, SIZES)[case.step.value]
    predicted = footprint.data + footprint.header + footprint.hidden
    assert predicted == pytest.approx(measured, abs=600)
