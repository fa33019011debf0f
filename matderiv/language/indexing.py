"""Entries and slices: x[i], X[i, j], X[i, :], X[a:b, c:d], and W[l] inside a loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from matderiv.errors import NameResolutionError, ParseError
from matderiv.language.building import Index
from matderiv.language.checker import Checker, Shape, kind_of_rank
from matderiv.language.sizes import Size, fixed, resolve
from matderiv.language.syntax import Syntax

__all__ = ["entry"]


def entry(check: Checker, node: Syntax, loops: Sequence[tuple[str, Size]]) -> Shape:
    """An entry drops its axis, a slice keeps it; a matrix gives a row or a column.

    X of shape (m, n): X[i, j] is a scalar, X[i, :] a row, X[:, j] a column.
    """
    (base,) = node.args
    indices: tuple[Index, ...] = node.value
    node.op = "index"
    if any(index.kind == "name" for index in indices):
        return _slice_of_stack(check, node, base, indices, dict(loops))
    for index in indices:
        if isinstance(index.start, Fraction) or isinstance(index.stop, Fraction):
            check.fail("an index is an integer from 0", index.span, error=ParseError)
    rank = len(base.size)
    if not rank:
        check.fail(f"a scalar has no entries; {check.what(base)}", node.at)
    if len(indices) != rank:
        text = check.source[slice(*indices[0].span)]
        hint = f"{check.text(base)}[{text}, :]" if rank == 2 and len(indices) == 1 else None
        count = "one index" if len(indices) == 1 else f"{len(indices)} indices"
        check.fail(
            f"{count} for {check.shown(base)}: a row is X[i, :], a column X[:, j]", node.at, hint
        )
    sizes: list[Size] = []
    kept = []
    for axis, (index, size) in enumerate(zip(indices, base.size, strict=True)):
        limit = resolve(size)
        bound = limit[0] if not limit[1] else None
        if index.kind == "entry":
            _within(check, index, int(index.start or 0), bound)
            continue
        start = int(index.start or 0)
        if index.stop is None and start == 0:
            sizes.append(size)
        else:
            stop = bound if index.stop is None else int(index.stop)
            if stop is None:
                check.fail("this slice needs its end: the size is a name", index.span)
            _within(check, index, stop - 1, bound)
            if stop <= start:
                check.fail("this slice is empty", index.span)
            sizes.append(fixed(stop - start))
        kept.append(axis)
    node.value = tuple(
        index.start if index.kind == "entry" else slice(index.start, index.stop)
        for index in indices
    )
    kind = kind_of_rank(len(sizes))
    if base.kind == "row" or (base.kind == "matrix" and kept == [1]):
        kind = "row" if sizes else "scalar"
    return kind, tuple(sizes)


def _within(check: Checker, index: Index, last: int, bound: int | None) -> None:
    if bound is not None and last >= bound:
        check.fail(
            f"index {last} is out of range: the size is {bound}, indices count from 0", index.span
        )


def _slice_of_stack(
    check: Checker,
    node: Syntax,
    base: Syntax,
    indices: tuple[Index, ...],
    loops: Mapping[str, Size],
) -> Shape:
    index = next(index for index in indices if index.kind == "name")
    if index.name not in loops:
        check.fail(
            f"an index is an integer from 0; {index.name} is none"
            + ("" if loops else ", and this is no loop"),
            index.span,
            error=NameResolutionError,
        )
    stack = base
    while stack.op == "index" and isinstance(stack.value[0], str):  # W[k][l]
        (stack,) = stack.args
    if len(indices) > 1 or stack.op != "input":
        check.fail(f"{index.name} indexes the first axis of a declared stack", node.at)
    if stack.value[1] != "declared" or len(base.size) < 1:
        check.fail(f"the stack {check.text(base)} must be declared", base.at)
    if not check.equate(base.size[0], loops[index.name]):
        check.fail(
            f"{check.shown(base)} has another number of slices than the loop has turns", node.at
        )
    sizes = base.size[1:]
    node.value = (index.name,)
    return kind_of_rank(len(sizes)), sizes
