"""Joining the factors of a product, two at a time.

A piece is a chain of matrices and vectors with one label at each free end.  Rules join
pieces until the labels of the result are left; the first rule that fires is applied,
and the list is read again:

    1  two vectors, or a vector and a matrix, on a label that ends there   u'v, M v
    2  two vectors on one label                                            u ⊙ v
    3  two matrices on a label that ends there                             M N, tr(M N)
    4  two matrices on one pair of labels                                  M ⊙ N
    5  a label that only one piece has                                     M 𝟏, sum(v)
    6  a vector and a matrix on a label that others have too               diag(v) M

Vectors come before matrices, and ⊙ between matrices after contractions.  Labels of
three matrices fit no rule: those are written in indices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matderiv.notation.forms import chain, diagonal, hadamard, total, trace, transpose
from matderiv.notation.terms import Hadamard, Identity, Juxtaposed, Mark, Ones, Postfix, Term
from matderiv.tensor.dims import Dim

__all__ = ["Piece", "finish", "reduce"]


@dataclass(frozen=True)
class Piece:
    """A chain of terms whose free ends carry `labels`: (row, column), or one for a vector."""

    links: tuple[Term, ...]
    labels: tuple[int, ...]

    @property
    def term(self) -> Term:
        return chain(self.links)

    def turned(self) -> tuple[Term, ...]:
        return tuple(transpose(link) for link in reversed(self.links))

    def ending(self, label: int) -> tuple[Term, ...]:
        """The links oriented so that `label` is the last end."""
        return self.links if self.labels[-1] == label else self.turned()

    def starting(self, label: int) -> tuple[Term, ...]:
        return self.links if self.labels[0] == label else self.turned()

    def other(self, label: int) -> int:
        return self.labels[1] if self.labels[0] == label else self.labels[0]


def reduce(pieces: list[Piece], out: Sequence[int], sizes: Sequence[Dim]) -> list[Term] | None:
    """Join pieces in place; return the scalars that come off, or None on a dead end."""
    scalars: list[Term] = []
    while True:
        if len(pieces) <= 2 and _is_done(pieces, out):
            return scalars
        held = _holders(pieces)
        for rule in (_contract_vectors, _multiply_vectors, _contract, _multiply, _exhaust, _scale):
            if rule(pieces, held, out, sizes, scalars):
                break
        else:
            return None


def _is_done(pieces: Sequence[Piece], out: Sequence[int]) -> bool:
    ends = [label for piece in pieces for label in piece.labels]
    return len(ends) == len(set(ends)) and set(ends) <= set(out)


def _replace(pieces: list[Piece], old: Sequence[int], new: Piece | None) -> None:
    for place in sorted(old, reverse=True)[:-1]:
        del pieces[place]
    if new is None:
        del pieces[min(old)]
    else:
        pieces[min(old)] = new


Holders = dict[int, list[int]]
"""For each label the places of the pieces that carry it."""


def _holders(pieces: Sequence[Piece]) -> Holders:
    held: Holders = {}
    for place, piece in enumerate(pieces):
        for label in dict.fromkeys(piece.labels):
            held.setdefault(label, []).append(place)
    return held


def _with_ends(pieces: Sequence[Piece], places: Sequence[int], ends: int) -> list[int]:
    return [place for place in places if len(pieces[place].labels) == ends]


def _contract_vectors(
    pieces: list[Piece],
    held: Holders,
    out: Sequence[int],
    sizes: Sequence[Dim],
    scalars: list[Term],
) -> bool:
    for label, places in held.items():
        if label in out or len(places) != 2:
            continue
        first, second = sorted((pieces[k] for k in places), key=lambda p: len(p.labels))
        if len(first.labels) == 2:
            continue
        if len(second.labels) == 2:
            links = second.ending(label) + first.links
            _replace(pieces, places, Piece(links, (second.other(label),)))
            return True
        scalars.append(_inner(first, second))
        _replace(pieces, places, None)
        return True
    return False


def _inner(u: Piece, v: Piece) -> Term:
    """u'v or v'u, the shorter."""
    return min(chain(u.turned() + v.links), chain(v.turned() + u.links), key=lambda t: t.weight)


def _multiply_vectors(
    pieces: list[Piece],
    held: Holders,
    out: Sequence[int],
    sizes: Sequence[Dim],
    scalars: list[Term],
) -> bool:
    for label, places in held.items():
        vectors = _with_ends(pieces, places, 1)
        if len(vectors) > 1:
            term = hadamard([pieces[k].term for k in vectors])
            _replace(pieces, vectors, Piece((term,), (label,)))
            return True
    return False


def _contract(
    pieces: list[Piece],
    held: Holders,
    out: Sequence[int],
    sizes: Sequence[Dim],
    scalars: list[Term],
) -> bool:
    for label, places in held.items():
        if label in out or len(places) != 2:
            continue
        left, right = (pieces[k] for k in places)
        if len(left.labels) != 2 or len(right.labels) != 2:
            continue
        start, stop = left.other(label), right.other(label)
        if start != stop:
            if out and (start == out[-1] or stop == out[0]) and len(out) == 2:
                left, right, start, stop = right, left, stop, start
            joined = left.ending(label) + right.starting(label)
            _replace(pieces, places, Piece(joined, (start, stop)))
            return True
        if start not in out and len(held[start]) == 2:
            scalars.append(_closed(left, right, label))
            _replace(pieces, places, None)
            return True
    return False


def _closed(left: Piece, right: Piece, label: int) -> Term:
    """Σ left ⊙ right as the shortest trace, inner product or sum."""
    ring = trace(chain(left.ending(label) + right.starting(label)))
    other = left.other(label)
    product = total(hadamard([chain(piece.starting(other)) for piece in (left, right)]))
    return min(ring, product, key=lambda term: term.weight)


def _multiply(
    pieces: list[Piece],
    held: Holders,
    out: Sequence[int],
    sizes: Sequence[Dim],
    scalars: list[Term],
) -> bool:
    for piece in pieces:
        if len(piece.labels) != 2:
            continue
        same = [k for k, other in enumerate(pieces) if set(other.labels) == set(piece.labels)]
        if len(same) > 1:
            row = out[0] if out and out[0] in piece.labels else piece.labels[0]
            column = piece.other(row)
            straight, turned = (
                hadamard([chain(pieces[k].starting(end)) for k in same]) for end in (row, column)
            )
            if turned.weight + (row in out) < straight.weight:  # (A ⊙ B)', not A' ⊙ B'
                merged = Piece((turned,), (column, row))
            else:
                merged = Piece((straight,), (row, column))
            _replace(pieces, same, merged)
            return True
    return False


def _exhaust(
    pieces: list[Piece],
    held: Holders,
    out: Sequence[int],
    sizes: Sequence[Dim],
    scalars: list[Term],
) -> bool:
    for label, places in held.items():
        if label in out or len(places) != 1:
            continue
        piece = pieces[places[0]]
        if len(piece.labels) == 1:
            scalars.append(total(piece.term))
            _replace(pieces, places, None)
            return True
        other = piece.other(label)
        if other not in out and len(held[other]) == 1:
            scalars.append(total(min(piece.term, chain(piece.turned()), key=lambda t: t.weight)))
            _replace(pieces, places, None)
            return True
        _replace(pieces, places, Piece(_row_sums(piece.ending(label), sizes[label]), (other,)))
        return True
    return False


def _is_sandwich(term: Term) -> bool:
    """Whether a chain is A B A', whose diagonal is read more easily than (A B ⊙ A) 𝟏."""
    if not isinstance(term, Juxtaposed) or len(term.factors) < 3:
        return False
    return term.factors[0] == transpose(term.factors[-1])


def _row_sums(links: tuple[Term, ...], size: Dim) -> tuple[Term, ...]:
    """M 𝟏; for (P ⊙ Q) 𝟏 diag(P Q') where that is no longer."""
    sums = (*links, Ones((size,), order=1))
    if len(links) == 1:
        turned = isinstance(links[0], Postfix) and links[0].mark is Mark.TRANSPOSE
        inner = transpose(links[0]) if turned else links[0]
        if isinstance(inner, Hadamard) and len(inner.factors) == 2 and not inner.divisors:
            left, right = map(transpose, inner.factors) if turned else inner.factors
            for candidate in (chain((left, transpose(right))), chain((right, transpose(left)))):
                if 1 + candidate.weight < chain(sums).weight + _is_sandwich(candidate):
                    return (diagonal(candidate),)
    return sums


def _scale(
    pieces: list[Piece],
    held: Holders,
    out: Sequence[int],
    sizes: Sequence[Dim],
    scalars: list[Term],
) -> bool:
    for label, places in held.items():
        vectors, matrices = (_with_ends(pieces, places, ends) for ends in (1, 2))
        if len(vectors) == 1 and matrices:
            matrix = pieces[matrices[0]]
            weights = diagonal(pieces[vectors[0]].term)
            links = (weights, *matrix.starting(label))
            merged = Piece(links, (label, matrix.other(label)))
            _replace(pieces, [vectors[0], matrices[0]], merged)
            return True
    return False


# ----- the result ---------------------------------------------------------------------
def finish(pieces: Sequence[Piece], out: Sequence[int], sizes: Sequence[Dim]) -> Term | None:
    """The term of what is left: diag, a column, a matrix, an outer product, ones."""
    ends = list(dict.fromkeys(out))
    if len(out) == 1 or len(ends) == 1:
        if len(pieces) > 1:
            return None
        vector = pieces[0].term if pieces else Ones((sizes[ends[0]],), order=1)
        if len(out) == 1:
            return vector
        return diagonal(vector) if pieces else Identity(sizes[ends[0]])
    row, column = ends
    if not pieces:
        return Ones((sizes[row], sizes[column]), order=2, symmetric=sizes[row] == sizes[column])
    if len(pieces) == 1 and len(pieces[0].labels) == 2:
        return chain(pieces[0].starting(row))
    links: tuple[Term, ...] = ()
    held = _holders(pieces)
    for label in (row, column):
        places = held.get(label)
        vector_links = pieces[places[0]].links if places else (Ones((sizes[label],), order=1),)
        if label == column:
            vector_links = tuple(transpose(link) for link in reversed(vector_links))
        links += vector_links
    return chain(links)
