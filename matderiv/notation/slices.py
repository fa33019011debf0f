"""Slices: products with the 0/1 matrices I[a:b, :], written as indices behind the other factor.

I[0:2, :] X = X[0:2, :]      I[3:4, :]' 𝟏 = I[:, 3]      X' I[:, 3] = X[3, :]'
"""

from __future__ import annotations

from collections.abc import Sequence

from matderiv.notation.terms import Entry, Identity, Mark, Ones, Postfix, Term
from matderiv.tensor.dims import Dim

__all__ = ["is_row_entry", "join_slices", "selection", "single_entry", "transpose_selection"]


def selection(dim: Dim, start: int, stop: int) -> Term:
    """The matrix S with S x = x[start:stop]."""
    return Entry(Identity(dim), (f"{start}:{stop}", ":"), order=2)


def is_row_entry(term: Term) -> bool:
    """Whether a term is X[k, :], which the language takes as a row."""
    return isinstance(term, Entry) and term.order == 1 and term.indices[-1] == ":"


def transpose_selection(term: Entry) -> Term | None:
    """I[a:b, :]' = I[:, a:b]."""
    if term.order != 2 or not isinstance(term.body, Identity):
        return None
    return Entry(term.body, term.indices[::-1], order=2)


def single_entry(term: Term) -> Term | None:
    """The entry of a slice that has one: x[3:4] as x[3]."""
    if not isinstance(term, Entry):
        return None
    indices = tuple(_single(index) for index in term.indices)
    if not all(index.isdigit() for index in indices):
        return None
    return Entry(term.body, indices)


def _single(index: str) -> str:
    start, _, stop = index.partition(":")
    return start if start and stop and int(stop) == int(start) + 1 else index


def join_slices(factors: Sequence[Term]) -> list[Term]:
    """A chain with every selection joined to its neighbour."""
    result: list[Term] = []
    for factor in factors:
        result.append(factor)
        while len(result) > 1 and (joined := _join(result[-2], result[-1])) is not None:
            result[-2:] = [joined]
    return result


def _rows(term: Term) -> str | None:
    """a:b of I[a:b, :]."""
    if isinstance(term, Entry) and isinstance(term.body, Identity) and term.order == 2:
        return term.indices[0] if term.indices[1] == ":" else None
    return None


def _columns(term: Term) -> str | None:
    """a:b of I[:, a:b]; k of the column I[:, k]."""
    if isinstance(term, Entry) and isinstance(term.body, Identity):
        return term.indices[1] if term.indices[0] == ":" else None
    return None


def _join(left: Term, right: Term) -> Term | None:
    rows, columns = _rows(left), _columns(right)
    if rows is not None and not isinstance(right, Ones):
        if right.order == 2:
            return _sliced(right, rows, None)
        row = isinstance(right, Postfix) or is_row_entry(right)
        return None if row else Entry(right, (rows,), order=1)
    if isinstance(left, Postfix) and left.mark is Mark.TRANSPOSE and left.order == 1:
        turned = _join_row(left.body, right, rows=_rows(right))
        if turned is not None:
            return turned
    if isinstance(left, Entry) and left.order == 2 and right == Ones((1,), order=1):
        column = _single(left.indices[1])
        if column.isdigit():
            return Entry(left.body, (left.indices[0], column), order=1)
    if isinstance(left, Postfix) and isinstance(left.body, Entry) and right == Ones((1,), order=1):
        row = _single(left.body.indices[0])
        if row.isdigit() and left.body.indices[1] == ":":
            return Postfix(Entry(left.body.body, (row, ":"), order=1), Mark.TRANSPOSE, order=1)
    if columns is not None and left.order == 2:
        if ":" in columns:
            return _sliced(left, None, columns)
        if isinstance(left, Postfix) and left.mark is Mark.TRANSPOSE:
            return Postfix(Entry(left.body, (columns, ":"), order=1), Mark.TRANSPOSE, order=1)
        return Entry(left, (":", columns), order=1)
    if columns is not None and ":" in columns and isinstance(left, Postfix):
        return Postfix(Entry(left.body, (columns,), order=1), Mark.TRANSPOSE, order=1)
    return None


def _join_row(left: Term, right: Term, rows: str | None) -> Term | None:
    """𝟏' I[3:4, :] = I[:, 3]' and I[:, 3]' X = X[3, :]."""
    if isinstance(left, Ones) and left.dims == (1,) and rows is not None:
        assert isinstance(right, Entry)
        return Postfix(Entry(right.body, (":", _single(rows)), order=1), Mark.TRANSPOSE, order=1)
    place = _columns(left)
    if place is None or isinstance(right, Ones):
        return None
    if right.order == 1:
        row = isinstance(right, Postfix) or is_row_entry(right)
        return None if row else Entry(right, (place,))
    if isinstance(right, Postfix) and right.mark is Mark.TRANSPOSE:
        column = Entry(right.body, (":", place), order=1)
        return Postfix(column, Mark.TRANSPOSE, order=1)
    return Entry(right, (place, ":"), order=1)


def _sliced(body: Term, rows: str | None, columns: str | None) -> Term:
    if isinstance(body, Postfix) and body.mark is Mark.TRANSPOSE:
        return Postfix(_sliced(body.body, columns, rows), Mark.TRANSPOSE, order=2)
    if isinstance(body, Entry) and not isinstance(body.body, Identity) and body.order == 2:
        known = body.indices
        if (rows and known[0] == ":") or (columns and known[1] == ":"):
            return Entry(body.body, (rows or known[0], columns or known[1]), order=2)
    return Entry(body, (rows or ":", columns or ":"), order=2)
