"""Layouts: one permutation of the axes of a derivative, applied once, at the very end.

For Y of shape s by X of shape t (`rev` reverses a tuple):

    mixed        s + t
    numerator    s + rev(t)
    denominator  t + rev(s), the transpose of numerator
"""

from __future__ import annotations

from collections.abc import Sequence

from matderiv.tensor.nodes import Node
from matderiv.values import superscript

__all__ = [
    "LAYOUTS",
    "arrange",
    "diagonal_rule",
    "differential_quotient",
    "index_rule",
    "is_row",
    "layout_axes",
]

LAYOUTS = ("mixed", "numerator", "denominator")
_LETTERS = "ijklmnpqrstuvw"


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


def differential_quotient(wrt: Sequence[str], function: str = "") -> str:
    """The sign of a derivative by these variables, one after the other.

    >>> differential_quotient(["w"]), differential_quotient(["w", "w"], "f")
    ('∂/∂w', '∂²f/∂w²')
    >>> differential_quotient(["x", "y"], "f")
    '∂²f/(∂x ∂y)'
    """
    power = _power(wrt)
    if len(set(wrt)) == 1:
        return f"∂{power}{function}/∂{wrt[0]}{power}"
    return f"∂{power}{function}/({' '.join(f'∂{name}' for name in wrt)})"


def index_rule(layout: str, value_order: int, wrt: Sequence[tuple[str, int]]) -> str:
    """Which entry stands where, for `wrt` a name and an order each.

    Empty for a result of fewer than two axes, and of more than there are letters.

    >>> index_rule("numerator", 0, [("X", 2)]), index_rule("mixed", 1, [("x", 1), ("t", 0)])
    ('entry [i,j] is ∂f/∂X[j,i]', 'entry [i,j] is ∂²f[i]/∂x[j] ∂t')
    """
    total = value_order + sum(order for _, order in wrt)
    if total < 2 or total > len(_LETTERS):
        return ""
    mixed = [""] * total
    for letter, axis in zip(_LETTERS, layout_axes(layout, value_order, total), strict=False):
        mixed[axis] = letter
    stands = ",".join(_LETTERS[:total])
    above = f"[{','.join(mixed[:value_order])}]" if value_order else ""
    below, at = [], value_order
    for name, order in wrt:
        index = f"[{','.join(mixed[at : at + order])}]" if order else ""
        below.append(f"∂{name}{index}")
        at += order
    return f"entry [{stands}] is ∂{_power(wrt)}f{above}/{' '.join(below)}"


def diagonal_rule(layout: str, value_order: int, wrt: Sequence[tuple[str, int]]) -> str:
    """Which entry of a diagonal stands where; it is laid out as a gradient by its variable.

    >>> diagonal_rule("numerator", 0, [("X", 2), ("X", 2)])
    'entry [i,j] is ∂²f/∂X[j,i]²'
    >>> diagonal_rule("mixed", 1, [("x", 1)])
    'entry [i] is ∂f[i]/∂x[i]'
    """
    order = wrt[0][1]
    if order > len(_LETTERS):
        return ""
    stands = _LETTERS[:order]
    index = ",".join(stands[axis] for axis in _inverse(layout_axes(layout, 0, order)))
    above = f"[{index}]" if value_order else ""
    power = _power(wrt)
    if len({name for name, _ in wrt}) == 1:
        below = f"∂{wrt[0][0]}[{index}]{power}"
    else:
        below = " ".join(f"∂{name}[{index}]" for name, _ in wrt)
    return f"entry [{','.join(stands)}] is ∂{power}f{above}/{below}"


def _power(wrt: Sequence[object]) -> str:
    """The order of a derivative as it stands after ∂; nothing for the first."""
    return superscript(len(wrt)) if len(wrt) > 1 else ""


def _inverse(axes: Sequence[int]) -> list[int]:
    return sorted(range(len(axes)), key=axes.__getitem__)


def is_row(layout: str, value_order: int, total_order: int, row_value: bool) -> bool:
    """Whether a derivative of order 1 is written as a row."""
    if total_order != 1:
        return False
    if value_order == 0:
        return layout == "numerator"
    return row_value != (layout == "denominator")
