"""The syntax tree: what the parser builds, before kinds and sizes.

Trees can be as deep as the text is long, so nothing here or later recurses: passes
run over `post_order`, in which children precede their parents.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matderiv.language.sizes import Size

__all__ = ["Span", "Syntax", "post_order"]

Span = tuple[int, int]


class Syntax:
    """A node of the syntax tree.

    op         what it is ("binary", "name", …); inference replaces it by its meaning
    args       operands
    value      the literal part: a number, a name, an operator, options
    span       the text of the whole node
    at         the text of its operator: where a caret belongs
    bracketed  it stands in brackets of its own
    bare       where its last factor is a function without brackets, `2 log x`: that
               function's place, up to its argument
    kind, size the result of inference: scalar, vector, row, matrix or tensor, and sizes
    """

    __slots__ = ("args", "at", "bare", "bracketed", "kind", "op", "size", "span", "value")

    kind: str
    size: tuple[Size, ...]

    def __init__(
        self,
        op: str,
        args: tuple[Syntax, ...],
        span: Span,
        at: Span | None = None,
        value: Any = None,
        bare: Span | None = None,
    ) -> None:
        self.op = op
        self.args = args
        self.span = span
        self.at = span if at is None else at
        self.value = value
        self.bare = bare
        self.bracketed = False


def post_order(root: Syntax) -> Iterator[Syntax]:
    """Every node below and including `root`, children first, left to right."""
    stack: list[tuple[Syntax, bool]] = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if ready or not node.args:
            yield node
        else:
            stack.append((node, True))
            stack.extend((arg, False) for arg in reversed(node.args))
