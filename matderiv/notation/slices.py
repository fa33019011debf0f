"""Slices: products with the 0/1 matrices I[a:b, :], written as indices behind the other factor.

I[0:2, :] X = X[0:2, :]      I[3:4, :]' 𝟏 = I[:, 3]      X' I[:, 3] = X[3, :]'
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from matderiv.notation.terms import Entry, Identity, Juxtaposed, Mark, Ones, Postfix, Term
from matderiv.tensor.dims import Dim

__all__ = ["is_row", "join_slices", "selection", "single_entry", "transpose_selection"]


def selection(dim: Dim, start: int, stop: int) -> Term:
    """The matrix S with S x = x[start:stop]."""
    return Entry(Identity(dim), (f"{start}:{stop}", ":"), order=2)


def is_row(term: Term) -> bool:
    """Whether a term of order 1 is a row: x', x' A, or X[k, :]."""
    if term.order != 1:
        return False
    if isinstance(term, Postfix):
        return not is_row(term.body)
    if isinstance(term, Juxtaposed):
        return is_row(term.factors[0])
    return isinstance(term, Entry) and len(term.indices) == 2 and term.indices[1] == ":"


def transpose_selection(term: Entry) -> Term | None:
    """I[a:b, :]' = I[:, a:b]."""
    if term.order != 2 or not isinstance(term.body, Identity):
        return None
    return Entry(term.body, term.indices[::-1], order=2)


def single_entry(term: Term) -> Term | None:
    """The entry of a slice that has one: x[3:4] as x[3], X[:, 1:2]' w as X[:, 1]' w."""
    if isinstance(term, Juxtaposed):
        first, *middle, last = term.factors
        row, column = _single_row(first), _single_row(_turn(last))
        if (row is not None) + (column is not None) != term.order:
            return None
        ends = (row or first, *middle, _turn(column) if column else last)
        return replace(term, factors=ends, order=0)
    if not isinstance(term, Entry):
        return None
    indices = tuple(_single(index) for index in term.indices)
    if not all(index.isdigit() for index in indices):
        return None
    return Entry(term.body, indices)


def _single_row(term: Term) -> Term | None:
    """The row of a slice that has one: X[1:2, :] as X[1, :], X[:, 1:2]' as X[:, 1]'."""
    upright = term.body if isinstance(term, Postfix) else term
    if not isinstance(upright, Entry) or len(upright.indices) != 2 or upright.order != 2:
        return None
    rows, columns = upright.indices
    if upright is term:
        found = Entry(upright.body, (_single(rows), columns), order=1)
        return found if _single(rows).isdigit() and columns == ":" else None
    if not _single(columns).isdigit() or rows != ":":
        return None
    return _turn(Entry(upright.body, (rows, _single(columns)), order=1))


def _single(index: str) -> str:
    start, _, stop = index.partition(":")
    return start if start and stop and int(stop) == int(start) + 1 else index


def join_slices(factors: Sequence[Term]) -> list[Term]:
    """A chain with every selection joined to its neighbour."""
    if not any(isinstance(_upright(factor), Entry) for factor in factors):
        return list(factors)
    result: list[Term] = []
    for factor in factors:
        result.append(factor)
        while len(result) > 1 and (joined := _join_either(*result[-2:])) is not None:
            result[-2:] = [joined]
    return result


def _upright(term: Term) -> Term:
    return term.body if isinstance(term, Postfix) else term


def _join_either(left: Term, right: Term) -> Term | None:
    """left right, or (right' left')' by the same rules."""
    joined = _join(left, right)
    if joined is None and (joined := _join(_turn(right), _turn(left))) is not None:
        return _turn(joined)
    return joined


def _turn(term: Term) -> Term:
    if term.order == 0 or term.symmetric:
        return term
    if isinstance(term, Entry) and (turned := transpose_selection(term)) is not None:
        return turned
    if isinstance(term, Postfix) and term.mark is Mark.TRANSPOSE:
        return term.body
    return Postfix(term, Mark.TRANSPOSE, order=term.order)


def _join(left: Term, right: Term) -> Term | None:
    """S X = X[a:b, :],  S x = x[a:b],  X[:, k:k+1] 𝟏 = X[:, k],  X I[:, k] = X[:, k]."""
    if isinstance(left, Entry) and isinstance(left.body, Identity) and left.order == 2:
        rows, columns = left.indices
        if columns == ":" and right.order == 2:
            return _sliced(right, rows, ":")
        if columns == ":" and not is_row(right) and not isinstance(right, Ones):
            return Entry(right, (rows,), order=1)
    if right == Ones((1,), order=1):
        upright = _upright(left)
        if isinstance(upright, Entry) and len(upright.indices) == upright.order == 2:
            rows, columns = upright.indices
            if upright is left and _single(columns).isdigit():
                return Entry(upright.body, (rows, _single(columns)), order=1)
            if upright is not left and columns == ":" and _single(rows).isdigit():
                return _turn(Entry(upright.body, (_single(rows), ":"), order=1))
    if isinstance(right, Entry) and isinstance(right.body, Identity) and right.order == 1:
        place = right.indices[-1]
        if left.order == 1:
            return Entry(_turn(left), (place,)) if is_row(left) else None
        if isinstance(left, Postfix) and left.mark is Mark.TRANSPOSE:
            return _turn(Entry(left.body, (place, ":"), order=1))
        return Entry(left, (":", place), order=1)
    return None


def _sliced(body: Term, rows: str, columns: str) -> Term:
    """body[rows, columns], into a slice that is there already."""
    if isinstance(body, Postfix) and body.mark is Mark.TRANSPOSE:
        return _turn(_sliced(body.body, columns, rows))
    if isinstance(body, Entry) and not isinstance(body.body, Identity) and len(body.indices) == 2:
        known = body.indices
        if (rows == ":" or known[0] == ":") and (columns == ":" or known[1] == ":"):
            merged = tuple(
                k if n == ":" else n for k, n in zip(known, (rows, columns), strict=True)
            )
            return Entry(body.body, merged, order=2)
    return Entry(body, (rows, columns), order=2)
