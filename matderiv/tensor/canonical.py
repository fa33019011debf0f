"""One numbering of the labels of a product, whatever numbering it came with.

Two products are equal when one is the other with labels renamed, factors reordered
and the axes of symmetric factors swapped.  Sorting factors by node id settles all but
products with equal factors (tr A³) or symmetric ones; those are settled by colour
refinement followed by a search over the remaining ties for the least encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby, pairwise

from matderiv.tensor.nodes import Factor, Node, Number

__all__ = ["canonical_labels", "connected"]

_BUDGET = 64  # leaves of the search; beyond it the first tie wins: still right, not canonical


def canonical_labels(
    factors: Sequence[Factor], out: Sequence[int], symmetric: Callable[[Node], bool]
) -> tuple[tuple[Factor, ...], dict[int, int]]:
    """Return the factors sorted and renumbered, and the map from old label to new."""
    if len(factors) > 1:
        factors = sorted(factors, key=lambda f: (f.node.id, f.exponent))
    loose = [len(f.labels) == 2 and symmetric(f.node) for f in factors]
    repeated = any(
        a.node is b.node and a.exponent == b.exponent and a.labels for a, b in pairwise(factors)
    )
    numbers: dict[int, int] = {}
    for label in out:
        numbers.setdefault(label, len(numbers))
    if not repeated and not any(loose):
        for factor in factors:
            for label in factor.labels:
                numbers.setdefault(label, len(numbers))
        renumbered = [
            Factor(node, tuple([numbers[k] for k in labels]), exponent)
            for node, labels, exponent in factors
        ]
        return tuple(renumbered), numbers
    return _search(factors, loose, numbers)


def _search(
    factors: Sequence[Factor], loose: Sequence[bool], start: dict[int, int]
) -> tuple[tuple[Factor, ...], dict[int, int]]:
    places = range(len(factors))
    groups = [  # for each place in the order, the equal factors of which one stands there
        group
        for _, members in groupby(places, lambda i: (factors[i].node.id, factors[i].exponent))
        for group in [tuple(members)]
        for _ in group
    ]
    colours: dict[int, int] | None = None
    best: tuple[list[tuple[int, ...]], list[int], dict[int, int]] | None = None
    leaves = 0
    stack: list[tuple[list[int], list[tuple[int, ...]], dict[int, int]]] = [([], [], dict(start))]
    while stack and leaves < _BUDGET:
        chosen, code, numbers = stack.pop()
        while len(chosen) < len(factors):
            branches: list[tuple[int, tuple[int, ...]]] = []
            for i in groups[len(chosen)]:
                if i not in chosen:
                    labels = factors[i].labels
                    branches.append((i, labels))
                    if loose[i] and labels[0] != labels[1]:
                        branches.append((i, labels[::-1]))
            if len(branches) > 1:
                colours = colours or _refine(factors, loose, start)
                keys = [
                    tuple([(0, numbers[k]) if k in numbers else (1, colours[k]) for k in labels])
                    for _, labels in branches
                ]
                least = min(keys)
                branches = [b for b, key in zip(branches, keys, strict=True) if key == least]
            for i, labels in reversed(branches[1:]):
                stack.append(_extended(chosen, code, numbers, i, labels))
            chosen, code, numbers = _extended(chosen, code, numbers, *branches[0])
        leaves += 1
        if best is None or code < best[0]:
            best = (code, chosen, numbers)
    assert best is not None
    code, chosen, numbers = best
    ordered = tuple(
        Factor(factors[i].node, labels, factors[i].exponent)
        for i, labels in zip(chosen, code, strict=True)
    )
    return ordered, numbers


def _extended(
    chosen: list[int],
    code: list[tuple[int, ...]],
    numbers: dict[int, int],
    i: int,
    labels: tuple[int, ...],
) -> tuple[list[int], list[tuple[int, ...]], dict[int, int]]:
    """A state of the search with one more factor chosen."""
    numbers = dict(numbers)
    for label in labels:
        numbers.setdefault(label, len(numbers))
    return [*chosen, i], [*code, tuple([numbers[k] for k in labels])], numbers


def _refine(
    factors: Sequence[Factor], loose: Sequence[bool], start: dict[int, int]
) -> dict[int, int]:
    """Colour each label by its surroundings, to a fixed point or len(factors) rounds."""
    labels = {label for factor in factors for label in factor.labels}
    colours = {label: 1 + start[label] if label in start else 0 for label in labels}
    for _ in range(len(factors)):
        seen: dict[int, list[tuple[Number, ...]]] = {label: [] for label in labels}
        for factor, free in zip(factors, loose, strict=True):
            around = [colours[k] for k in factor.labels]
            for position, label in enumerate(factor.labels):
                if free:
                    place, others = 0, [around[1 - position]]
                else:
                    place, others = position, around
                seen[label].append((factor.node.id, factor.exponent, place, *others))
        keys = {k: (colours[k], tuple(sorted(seen[k]))) for k in labels}
        ranks = {key: rank for rank, key in enumerate(sorted(set(keys.values())))}
        refined = {k: ranks[keys[k]] for k in labels}
        if len(set(refined.values())) == len(set(colours.values())):
            break
        colours = refined
    return colours


def connected(groups: Sequence[Sequence[int]]) -> list[list[int]]:
    """The places of groups of labels, in parts that share no label.

    >>> connected([[0, 1], [2], [1, 3], []])
    [[0, 2], [1], [3]]
    """
    parts: list[tuple[list[int], set[int]]] = []
    for place, labels in enumerate(groups):
        touched = [part for part in parts if part[1] & set(labels)]
        parts = [part for part in parts if part not in touched]
        places = sorted(place for own, _ in touched for place in own)
        parts.append(([*places, place], set(labels).union(*(own for _, own in touched))))
    return sorted(places for places, _ in parts)
