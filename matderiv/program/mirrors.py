"""Products that are one half times its mirror image: S⁻¹X X'S⁻¹ is Y Y' with Y = S⁻¹X.

The half is computed once, be it as long as a chain of layers: J'J with J the product of
weights and slopes.  BLAS computes one triangle of Y Y' and copies the other.  What has no
twin stands between the halves: Y D Y'.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

from matderiv.program.pieces import Piece
from matderiv.tensor.canonical import connected

__all__ = ["LEAST", "Halves", "Mirror", "halves", "reflected"]

Mirror = Mapping[int, int]  # a label and the one that stands for it on the other side

LEAST = 4
"""Pieces: a half of one alone is as good in any order."""

_MOST = 3  # parts of a half that nothing links, each of which may go to either side
_MOST_TURNS = 6  # symmetric matrices, each of which may be seen from either side


class Halves(NamedTuple):
    """A product parted: the places of a half, of what lies between, the labels' mirror."""

    half: list[int]
    between: list[int]
    mirror: Mirror


def halves(pieces: Sequence[Piece], out: Sequence[int]) -> Iterator[Halves]:
    """Ways to part pieces into a half, its image, and what lies between."""
    groups: dict[Piece, list[int]] = {}
    for place, piece in enumerate(pieces):
        groups.setdefault(piece._replace(labels=()), []).append(place)
    pairs = [group for group in groups.values() if len(group) == 2]
    between = [place for group in groups.values() if len(group) == 1 for place in group]
    if len(pairs) < 2 or 2 * len(pairs) + len(between) < len(pieces):
        return
    mirror = _mirror([(pieces[p], pieces[q]) for p, q in pairs], out)
    if mirror is None:
        return
    twin = {p: q for pair in pairs for p, q in (pair, pair[::-1])}
    places = sorted(twin)
    linked = [[k for k in pieces[place].labels if mirror[k] != k] for place in places]
    parts = [[places[k] for k in part] for part in connected(linked)]
    images = [sorted(twin[place] for place in part) for part in parts]
    sides = [part for part, image in zip(parts, images, strict=True) if part[0] < image[0]]
    if len(sides) > _MOST or any(set(p) & set(q) for p, q in zip(parts, images, strict=True)):
        return
    for turns in product((False, True), repeat=len(sides) - 1):
        half = [
            twin[place] if turn else place
            for part, turn in zip(sides, (False, *turns), strict=True)
            for place in part
        ]
        yield Halves(half, between, mirror)


def _mirror(pairs: Sequence[tuple[Piece, Piece]], out: Sequence[int]) -> dict[int, int] | None:
    """The exchange of labels that maps each piece to its twin, and the result to itself."""
    turns = [(False, True) if p.symmetric and len(p.labels) == 2 else (False,) for p, _ in pairs]
    if sum(map(len, turns)) - len(turns) > _MOST_TURNS:
        return None
    for turned in product(*turns):
        found: dict[int, int] = {}
        fits = True
        for (one, other), turn in zip(pairs, turned, strict=True):
            labels = other.labels[::-1] if turn else other.labels
            for a, b in zip(one.labels, labels, strict=True):
                fits = fits and found.setdefault(a, b) == b and found.setdefault(b, a) == a
        image = tuple(found.get(k, k) for k in out)
        if fits and (image == tuple(out) or (len(out) == 2 and image == tuple(out[::-1]))):
            return found
    return None


def reflected(piece: Piece, mirror: Mirror) -> Piece:
    """The piece on the other side: the same array, other labels."""
    return piece._replace(labels=tuple(mirror.get(k, k) for k in piece.labels))
