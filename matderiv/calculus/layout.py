"""Layouts: one permutation of the axes of a derivative, applied once, at the very end.

For Y of shape s by X of shape t (`rev` reverses a tuple):

    mixed        s + t
    numerator    s + rev(t)
    denominator  t + rev(s), the transpose of numerator
"""

from __future__ import annotations

from matderiv.tensor.nodes import Node

__all__ = ["LAYOUTS", "arrange", "is_row", "layout_axes"]

LAYOUTS = ("mixed", "numerator", "denominator")


def layout_axes(layout: str, value_order: int, total_order: int) -> tuple[int, ...]:
    """The permutation of the axes of a mixed derivative that gives a layout.

    >>> layout_axes("numerator", 2, 4), layout_axes("denominator", 2, 4)
    ((0, 1, 3, 2), (2, 3, 1, 0))
    """
    s = tuple(range(value_order))
    t = tuple(range(value_order, total_order))
    if layout == "mixed":
        return s + t
    if layout == "numerator":
        return s + t[::-1]
    return t + s[::-1]


def arrange(derivative: Node, layout: str, value_order: int) -> Node:
    """A mixed derivative in another layout."""
    axes = layout_axes(layout, value_order, derivative.order)
    if axes == tuple(range(derivative.order)):
        return derivative
    return derivative.arena.transpose(derivative, axes)


def is_row(layout: str, value_order: int, total_order: int, row_value: bool) -> bool:
    """Whether a derivative of order 1 is written as a row."""
    if total_order != 1:
        return False
    if value_order == 0:
        return layout == "numerator"
    return row_value if layout == "mixed" else row_value != (layout == "denominator")
