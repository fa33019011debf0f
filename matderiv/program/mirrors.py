"""Products that are one half times its mirror image: S⁻¹X X'S⁻¹ is Y Y' with Y = S⁻¹X.

The half is computed once.  BLAS computes one triangle of Y Y' and copies the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from matderiv.program.pieces import Piece

__all__ = ["Mirror", "halves", "reflected"]

Mirror = Mapping[int, int]  # a label and the one that stands for it on the other side

_MOST = 3  # pieces of a half, each of which may go to either side


def halves(
    pieces: Sequence[Piece], out: Sequence[int]
) -> Iterator[tuple[list[int], list[int], Mirror]]:
    """Ways to part pieces into a half and its image: their places, and the labels' mirror."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for place, piece in enumerate(pieces):
        groups.setdefault(piece._replace(labels=())[:], []).append(place)
    pairs = list(groups.values())
    if not 2 <= len(pairs) <= _MOST or any(len(pair) != 2 for pair in pairs):
        return
    mirror = _mirror([(pieces[p], pieces[q]) for p, q in pairs], out)
    if mirror is None:
        return
    for sides in product((0, 1), repeat=len(pairs) - 1):
        chosen = [pair[side] for pair, side in zip(pairs, (0, *sides), strict=True)]
        yield chosen, [p for pair in pairs for p in pair if p not in chosen], mirror


def _mirror(pairs: Sequence[tuple[Piece, Piece]], out: Sequence[int]) -> dict[int, int] | None:
    """The exchange of labels that maps each piece to its twin, and the result to itself."""
    turns = [(False, True) if p.symmetric and len(p.labels) == 2 else (False,) for p, _ in pairs]
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
