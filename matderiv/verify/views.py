"""The derivative as other people may have written it down.

A view makes an array out of the derivative in mixed layout: its layouts, its axes in any
other order, the Jacobian of columns (or rows) stacked, and the diagonal, which is what
people write for a function that is applied entry by entry.  A gradient by a square matrix
has two more where the variable is symmetric: the projection, and the form that counts the
entries x_ij and x_ji as one variable.

Source for the last: Petersen & Pedersen, "The Matrix Cookbook" (2012), equation 138.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations
from math import prod
from typing import TYPE_CHECKING, Literal

import numpy as np

from matderiv.calculus.layout import LAYOUTS, is_row, layout_axes
from matderiv.values import Array

if TYPE_CHECKING:
    from matderiv.results import Derivative

__all__ = ["View", "diagonal", "symmetric_views", "views"]

_STACKINGS: tuple[tuple[str, Literal["F", "C"]], ...] = (("columns", "F"), ("rows", "C"))
_MOST_AXES = 4  # of a derivative whose axes are permuted in every way


@dataclass(frozen=True)
class View:
    """`words` say which, to stand behind "right"; `kind` is layout, axes, vec or diagonal."""

    kind: str
    words: str
    of: Callable[[Array], Array]
    row: bool = False

    def fits(self, claim: Array, row: bool, mixed: Array) -> bool:
        """Whether a claim could be this view, by its shape."""
        seen = self.of(mixed)
        return seen.shape == claim.shape and (seen.ndim != 1 or self.row == row)


def views(derivative: Derivative) -> Iterator[View]:
    """Every view of a derivative, that of its own layout first."""
    total, order = len(derivative.shape), len(derivative.program.shape)
    row = derivative.program.typed.output.kind == "row"
    own = derivative.layout
    seen = set()
    for layout in (own, *(name for name in LAYOUTS if name != own)):
        axes = layout_axes(layout, order, total)
        turned = is_row(layout, order, total, row)
        if (axes, turned) not in seen:
            seen.add((axes, turned))
            yield View("layout", f"in {layout} layout", _permuted(axes), turned)
    for axes in permutations(range(total)) if 1 < total <= _MOST_AXES else ():
        if not any(axes == known for known, _ in seen):
            yield View(
                "axes", f"with the axes of the mixed layout in the order {axes}", _permuted(axes)
            )
    yield from _stacked(derivative)
    half = total // 2
    if half and derivative.shape[:half] * 2 == derivative.shape:
        words = "for the diagonal, entry by entry"
        yield View("diagonal", words, lambda mixed: diagonal(mixed)[0], row)


def diagonal(mixed: Array) -> tuple[Array, Array]:
    """The entries of an array of shape s + s at equal indices, and the array without them."""
    half = mixed.ndim // 2
    square = mixed.reshape(prod(mixed.shape[:half]), -1)
    entries = np.diag(square)
    return entries.reshape(mixed.shape[:half]), square - np.diag(entries)


def _permuted(axes: tuple[int, ...]) -> Callable[[Array], Array]:
    return lambda mixed: np.transpose(mixed, axes)


def _stacked(derivative: Derivative) -> Iterator[View]:
    """∂vec(Y)/∂vec(X): one axis for the value, if it has any, and one for each variable."""
    program = derivative.program
    wrt = derivative.wrt if isinstance(derivative.wrt, tuple) else (derivative.wrt,)
    orders = [len(program.shape), *(len(program.inputs[name].shape) for name in wrt)]
    if max(orders) < 2:
        return
    axes = sum(order > 0 for order in orders)
    for words, order in _STACKINGS:
        for transposed in (False, True) if axes <= 2 else (False,):
            aside = ", transposed" if transposed else ""
            yield View(
                "vec",
                f"with {words} stacked (vec form){aside}",
                _stack(orders, order, transposed),
                row=transposed and axes == 1,
            )


def _stack(
    orders: list[int], order: Literal["F", "C"], transposed: bool
) -> Callable[[Array], Array]:
    def stack(mixed: Array) -> Array:
        shape, at = [], 0
        for count in orders:
            if count:
                shape.append(prod(mixed.shape[at : at + count]))
            at += count
        stacked = np.reshape(mixed, shape, order=order)
        return stacked.T if transposed else stacked

    return stack


def symmetric_views() -> Iterator[View]:
    """The gradient by a symmetric matrix in its two structured forms."""
    yield View(
        "structured",
        "as the gradient inside the symmetric matrices, (G + G')/2",
        lambda g: (g + g.T) / 2,
    )
    yield View(
        "structured",
        "with the entries x_ij and x_ji counted as one variable, G + G' - diag(diag(G))",
        lambda g: g + g.T - np.diag(np.diag(g)),
    )
