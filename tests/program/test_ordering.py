"""The tree found for a product is the cheapest of all trees."""

from __future__ import annotations

import random
from functools import cache

import pytest

from matderiv.program.ordering import Operand, cheapest_tree


def _brute_force(masks: list[int], out: int, sizes: dict[int, int]) -> float:
    """The least cost over all binary trees, by joining every pair in every state."""

    def volume(labels: int) -> int:
        product = 1
        for label, size in sizes.items():
            if labels >> label & 1:
                product *= size
        return product

    @cache
    def best(state: tuple[int, ...]) -> float:
        if len(state) == 1:
            return 0.0
        found = float("inf")
        for i in range(len(state)):
            for j in range(i + 1, len(state)):
                rest = [m for k, m in enumerate(state) if k not in (i, j)]
                outside = out
                for mask in rest:
                    outside |= mask
                union = state[i] | state[j]
                kept = union & outside
                cost = volume(union) if kept == union else 2 * volume(union) - volume(kept)
                found = min(found, cost + best(tuple(sorted([*rest, kept]))))
        return found

    return best(tuple(sorted(masks)))


@pytest.mark.parametrize("seed", range(40))
def test_no_tree_is_cheaper(seed: int) -> None:
    rng = random.Random(seed)
    sizes = {label: rng.randint(2, 9) for label in range(5)}
    masks = [rng.randint(1, 31) for _ in range(rng.randint(2, 6))]
    carried = 0
    for mask in masks:
        carried |= mask
    # Every label is in the result or in two operands: lone ones are summed beforehand.
    out = rng.randint(0, 31) & carried
    for label in sizes:
        if sum(mask >> label & 1 for mask in masks) == 1:
            out |= 1 << label
    tree = cheapest_tree(tuple(map(Operand, masks)), out, tuple(sizes.values()))
    assert tree.cost == _brute_force(masks, out, sizes)


def test_many_factors_are_joined_greedily_and_a_chain_stays_linear() -> None:
    """x' A B … y with matrices of one size: from a vector on, never matrix by matrix."""
    masks = [0b1, *(0b11 << k for k in range(11)), 1 << 11]
    tree = cheapest_tree(tuple(map(Operand, masks)), 0, (10,) * 12)
    assert tree.cost < 12 * 2 * 10**2
