"""X' diag(y² w) X with w ≥ 0 as Z'Z with Z = y ⊙ √w ⊙ X: BLAS then computes one triangle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations

from matderiv.program.pieces import Piece, as_plain, join
from matderiv.program.tape import Tape

__all__ = ["weighed_on_both_sides"]


def weighed_on_both_sides(
    tape: Tape, pieces: Sequence[Piece], out: Sequence[int]
) -> list[Piece] | None:
    """Z and Z in place of X, X and the weights; None where the product is none of this kind."""
    for (i, a), (j, b) in combinations(enumerate(pieces), 2):
        if a.ref != b.ref or len(a.labels) != 2 or a.inverse or a.inverted:
            continue
        pairs = zip(a.labels, b.labels, strict=True)
        shared = tuple(k for k, other in pairs if k == other and k not in out)
        ends = {*a.labels, *b.labels} - set(shared)
        weights = [p for k, p in enumerate(pieces) if k not in (i, j)]
        if len(shared) != 1 or len(ends) != 2 or set(out) != ends or not weights:
            continue
        half = _half(tape, weights, shared)
        if half is not None:
            side = join(tape, a, half, set(a.labels), [a.labels])
            return [side._replace(labels=p.labels) for p in (a, b)]
    return None


def _half(tape: Tape, weights: Sequence[Piece], labels: tuple[int, ...]) -> Piece | None:
    """The root of a product of vectors: of a square its base, of the rest if it is ≥ 0."""
    counts = Counter(weights)
    if any(piece.labels != labels for piece in weights):
        return None
    if any(count % 2 and not piece.nonnegative for piece, count in counts.items()):
        return None

    def product(pieces: Iterable[Piece]) -> Piece | None:
        total: Piece | None = None
        for piece in pieces:
            total = piece if total is None else join(tape, total, piece, set(labels), [labels])
        return total

    odd = product(piece for piece, count in counts.items() if count % 2)
    roots = [piece for piece, count in counts.items() for _ in range(count // 2)]
    if odd is not None:
        roots.append(Piece(tape.call("sqrt", as_plain(tape, odd).ref), labels))
    return product(roots)
