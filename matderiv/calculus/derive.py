"""From a value to its simplified derivatives of any order.

Attributes of a variable (symmetric, diagonal, …) are facts about the point, not about
the directions in which it may move: the caller differentiates by a plain variable and
puts the attributed one in its place afterwards (`substitute`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matderiv.calculus.derivative import forward, reverse
from matderiv.calculus.simplify import simplify
from matderiv.errors import UnsupportedError
from matderiv.tensor.nodes import Node, Variable

__all__ = ["MODES", "checked_order", "derive", "derive_raw"]

LARGEST_ORDER = 64
MODES = ("auto", "reverse", "forward")


def checked_order(order: object) -> int:
    """The order of a derivative, or UnsupportedError."""
    if not isinstance(order, int) or isinstance(order, bool) or order < 1:
        raise UnsupportedError(f"the order of a derivative is a positive integer, not {order!r}")
    if order > LARGEST_ORDER:
        raise UnsupportedError(f"the order of a derivative is at most {LARGEST_ORDER}")
    return order


def derive_raw(
    root: Node, wrt: Sequence[Variable], mode: str = "auto", *, names: bool = False
) -> list[Node]:
    """∂root/∂v of shape root + v for each v, not simplified."""
    return forward(root, wrt) if mode == "forward" else reverse(root, wrt, names=names)


def derive(
    root: Node,
    wrt: Sequence[Variable],
    *,
    then: Sequence[Variable] = (),
    mode: str = "auto",
    choose: Callable[[Node, Node], Node] | None = None,
) -> list[Node]:
    """∂root/∂v of shape root + v, then by each variable of `then`, simplified jointly.

    In mode "auto" the Jacobian of a value that is no scalar is taken both ways, and `choose`
    says which of two unequal results to keep; without it the reverse one is kept.
    """
    (root,) = simplify([root])
    first = "forward" if mode == "forward" else "reverse"
    current = simplify(derive_raw(root, wrt, first, names=not then))
    if mode == "auto" and choose is not None and root.order:
        other = simplify(derive_raw(root, wrt, "forward"))
        current = [a if a is b else choose(a, b) for a, b in zip(current, other, strict=True)]
    for variable in then:
        current = simplify([derive_raw(node, [variable], first)[0] for node in current])
    return current
