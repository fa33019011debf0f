"""Equal parts of a product are one power, whatever hangs together in them."""

from __future__ import annotations

import random

import numpy as np
import pytest

from matderiv.calculus.squares import squared
from matderiv.tensor.arena import Arena
from matderiv.tensor.nodes import Factor, Node, Product
from tests.numerics import Array, lengths, relative_error, value

SIZES = {"n": 3, "m": 2}
OUTER = (0, 1)  # labels of the result, of the sizes n and m


class Parts:
    """A product of parts over labels of their own, each taken some times."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(seed)
        numbers = np.random.default_rng(seed)
        self.arena = arena = Arena()
        self.arrays: dict[Node, Array] = {}
        self.factors: list[Factor] = []
        self.times: dict[Node, int] = {}
        fresh = len(OUTER)
        for _ in range(draw.randint(1, 2)):
            own = range(-1, -1 - draw.randint(1, 3), -1)  # summed
            part = []
            for place in range(draw.randint(2, 3)):
                labels = draw.sample([*own, *OUTER], draw.randint(1, len(own) + 1))
                # Each holds a summed label of the one before, the first an outer one.
                labels = list(dict.fromkeys([own[0], *labels, *(OUTER[:1] if not place else ())]))
                shape = tuple("m" if label in (1, -2) else "n" for label in labels)
                node = arena.variable(f"X{len(self.arrays)}", shape)
                self.arrays[node] = numbers.normal(size=lengths(shape, SIZES))
                part.append((node, labels))
            times = draw.randint(1, 3)
            for _ in range(times):
                for node, labels in part:
                    named = tuple(k if k >= 0 else fresh - 1 - k for k in labels)
                    self.factors.append(Factor(node, named, 1))
                fresh += len(own)
            self.times |= {node: times for node, _ in part}
        draw.shuffle(self.factors)
        self.product = arena.product(1, self.factors, OUTER, dict(enumerate(("n", "m"))))


@pytest.mark.parametrize("seed", range(40))
def test_equal_parts_are_one_power(seed: int) -> None:
    parts = Parts(seed)
    made = squared(parts.product)
    assert (
        relative_error(value(made, parts.arrays, SIZES), value(parts.product, parts.arrays, SIZES))
        < 1e-12
    )
    if max(parts.times.values()) > 1:
        assert isinstance(made, Product)
        assert max(f.exponent for f in made.factors) == max(parts.times.values())
