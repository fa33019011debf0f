"""One numbering of labels for a product, however its labels, factors and axes come."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction

import pytest

from matderiv.tensor.arena import Arena
from matderiv.tensor.canonical import canonical_labels
from matderiv.tensor.nodes import Factor, Node

ARENA = Arena()
V, A, S = (ARENA.variable(name, ("n",) * order) for name, order in (("v", 1), ("A", 2), ("S", 2)))
R, T = ARENA.variable("R", ("n", "n")), ARENA.variable("T", ("n", "n", "n"))
SYMMETRIC = {S, R}
Found = tuple[tuple[Factor, ...], tuple[int, ...]]


def _product(
    draw: random.Random, nodes: list[Node], count: int = 0
) -> tuple[list[Factor], list[int]]:
    """As many factors over as many labels; up to five, where it is not said."""
    labels = range(count or draw.randint(1, 5))
    factors = [
        Factor(node, tuple(draw.choices(labels, k=node.order)), draw.choice([1, 1, 1, 2]))
        for node in draw.choices(nodes, k=count or draw.randint(1, 5))
    ]
    carried = sorted({label for factor in factors for label in factor.labels})
    return factors, draw.sample(carried, draw.randint(0, min(2, len(carried))))


def _disguised(
    draw: random.Random, factors: list[Factor], out: list[int]
) -> tuple[list[Factor], list[int]]:
    """The same product with other labels, factors in another order, symmetric ones turned."""
    names = dict(zip(range(9), draw.sample(range(20, 40), 9), strict=True))
    turned = [
        factor._replace(labels=tuple(names[k] for k in factor.labels)[:: draw.choice([1, -1])])
        if factor.node in SYMMETRIC
        else factor._replace(labels=tuple(names[k] for k in factor.labels))
        for factor in factors
    ]
    draw.shuffle(turned)
    return turned, [names[k] for k in out]


def _canonical(factors: list[Factor], out: list[int]) -> Found:
    ordered, numbers = canonical_labels(factors, out, SYMMETRIC.__contains__)
    ends = tuple(numbers[label] for label in out)
    # It is the product that was given, and labels are 0 … k-1, those of `out` first.
    renamed = [
        (f.node, _unturned(f.node, tuple(numbers[k] for k in f.labels)), f.exponent)
        for f in factors
    ]
    found = [(f.node, _unturned(f.node, f.labels), f.exponent) for f in ordered]
    assert Counter(renamed) == Counter(found)
    assert sorted(numbers.values()) == list(range(len(numbers)))
    assert [f.node.id for f in ordered] == sorted(f.node.id for f in factors)
    met = dict.fromkeys((*ends, *(label for f in ordered for label in f.labels)))
    assert list(met) == sorted(met)
    return ordered, ends


def _unturned(node: Node, labels: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(labels)) if node in SYMMETRIC else labels


@pytest.mark.parametrize("first", range(0, 400, 50))
@pytest.mark.parametrize("nodes", [[A, T, V], [S], [A], [S, R, V], [V, A, S, T], [T]])
def test_a_product_has_one_form(nodes: list[Node], first: int) -> None:
    for seed in range(first, first + 50):
        draw = random.Random(seed)
        factors, out = _product(draw, nodes)
        want = _canonical(factors, out)
        for _ in range(4):
            assert _canonical(*_disguised(draw, factors, out)) == want


@pytest.mark.parametrize("first", range(0, 120, 40))
@pytest.mark.parametrize("nodes", [[S], [S, R], [S, A]])
def test_a_long_product_has_one_form(nodes: list[Node], first: int) -> None:
    """Where so much ties that labels must be told apart by their surroundings first."""
    for seed in range(first, first + 40):
        draw = random.Random(seed)
        factors, out = _product(draw, nodes, count=9)
        want = _canonical(factors, out)
        for _ in range(3):
            assert _canonical(*_disguised(draw, factors, out)) == want


@pytest.mark.parametrize("nodes", [[A], [S], [S, A, V]])
def test_products_that_differ_have_forms_that_differ(nodes: list[Node]) -> None:
    """As graphs: told apart by how often each shape of neighbourhood occurs."""
    forms: dict[Found, Counter[tuple[object, ...]]] = {}
    for seed in range(400):
        factors, out = _product(random.Random(seed), nodes)
        ends = Counter(out)
        carried = Counter(label for factor in factors for label in factor.labels)
        shape = Counter(
            (f.node.id, f.exponent, *sorted((carried[k], ends[k]) for k in f.labels))
            for f in factors
        )
        assert forms.setdefault(_canonical(factors, out), shape) == shape


@pytest.mark.parametrize("count", range(2, 7))
def test_rings_of_equal_factors_have_one_form(count: int) -> None:
    """tr(A B A B …), where each factor may stand first: ties that only the search settles."""
    for nodes in ([A], [S], [A, S], [S, R]):
        ring = [
            Factor(nodes[k % len(nodes)], (k, (k + 1) % (count * len(nodes))), Fraction(1))
            for k in range(count * len(nodes))
        ][: 6 - 6 % len(nodes)]
        if len(ring) == count * len(nodes):
            want = _canonical(ring, [])
            for seed in range(20):
                draw = random.Random(seed)
                names = draw.sample(range(20), 20)
                turned = [f._replace(labels=tuple(names[k] for k in f.labels)) for f in ring]
                draw.shuffle(turned)
                assert _canonical(turned, []) == want
