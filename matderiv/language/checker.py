"""What shape rules are written with: kinds, equations between sizes, errors.

A rule looks at operands that are inferred already, calls the methods here, and
returns the kind and sizes of the result.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NoReturn

from matderiv.errors import MatderivError, ShapeError
from matderiv.language.sizes import Size, Sizes, Unknown, fixed, is_known, resolve, show
from matderiv.language.syntax import Span, Syntax

__all__ = ["SCALAR", "Checker", "Shape", "kind_of_rank"]

Shape = tuple[str, tuple[Size, ...]]
SCALAR: Shape = ("scalar", ())
ONE = fixed(1)
_MARK = re.compile("\0([0-9]+)\0")
_FRESH = ("n", "m", "k", "p", "q", "r", "s", "t")
_ARTICLE = {
    "scalar": "a scalar",
    "vector": "a vector",
    "row": "a row",
    "matrix": "a matrix",
    "tensor": "a tensor",
}


def kind_of_rank(rank: int) -> str:
    return ("scalar", "vector", "matrix")[rank] if rank < 3 else "tensor"


class Checker:
    """One program's equations, notes and errors."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.shapes: Callable[[], Iterable[tuple[Size, ...]]] = tuple  # of the inputs, in order
        self.place: Span = (0, 1)  # of the node being inferred
        self.sizes = Sizes()
        self.notes: list[str] = []
        self.taken: set[str] = set()  # names that a fresh size must not have
        self.splits: list[tuple[Span, str]] = []
        self._marked: list[Size] = []

    # ---- text --------------------------------------------------------------------

    def text(self, node: Syntax) -> str:
        """The user's text of a node, cut to a line."""
        text = " ".join(self.source[slice(*node.span)].split())
        if text.startswith("{") and text.endswith("}"):  # LaTeX braces, as in \\frac{1}{n}
            text = text[1:-1].strip()
        return text if len(text) <= 40 else text[:39] + "…"

    def shown(self, node: Syntax) -> str:
        """`A x (m)`: the text of a node and its shape."""
        if node.kind == "scalar":
            return f"{self.text(node)} (a scalar)"
        turned = "a row " if node.kind == "row" else ""
        return f"{self.text(node)}: {turned}{self.shape_text(node.size)}"

    def shape_text(self, sizes: Iterable[Size]) -> str:
        """Sizes as a shape, (n, 3); sizes not known yet get their names in `finish`."""
        return f"({', '.join(map(self.size_text, sizes))})"

    def size_text(self, size: Size) -> str:
        if is_known(size):
            return show(size)
        self._marked.append(size)
        return f"\0{len(self._marked) - 1}\0"

    def finish(self, text: str) -> str:
        """The text with every size in it, by now named or `?`."""
        return _MARK.sub(lambda match: show(self._marked[int(match[1])]), text)

    def what(self, node: Syntax) -> str:
        return f"{self.text(node)} is {_ARTICLE[node.kind]}" + (
            f" {self.shape_text(node.size)}" if node.size else ""
        )

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def fail(
        self,
        message: str,
        at: Span,
        hint: str | None = None,
        error: type[MatderivError] = ShapeError,
    ) -> NoReturn:
        for (start, end), word in self.splits:
            if start <= at[0] <= end and word not in message:
                message += f"; {word} is read as a product of one-letter names"
                break
        self.name_unknowns(self.shapes())
        message = self.finish(message)
        raise error(message, span=at, hint=hint, source=self.source)

    # ---- sizes -------------------------------------------------------------------

    def equate(self, left: Size, right: Size) -> bool:
        return self.sizes.equate(left, right, self.place)

    def name_unknowns(self, shapes: Iterable[tuple[Size, ...]]) -> None:
        """Give fresh names to unknown sizes, in the order of the shapes."""
        fresh = self._fresh_names()
        for shape in shapes:
            for size in shape:
                for atom in resolve(size)[1]:
                    if isinstance(atom, Unknown) and atom.bound is None:
                        atom.bound = fixed(next(fresh))

    def _fresh_names(self) -> Iterator[str]:
        """n, m, k, …, n1, m1, …: those that the program does not use."""
        for number in itertools.count():
            for letter in _FRESH:
                name = f"{letter}{number or ''}"
                if name not in self.taken:
                    self.taken.add(name)
                    yield name

    # ---- requirements ------------------------------------------------------------

    def require_square(self, node: Syntax, who: str, at: Span) -> Size:
        """The size of a square matrix."""
        if node.kind != "matrix":
            self.fail(f"{who} needs a square matrix; {self.what(node)}", at)
        rows, columns = node.size
        if not self.equate(rows, columns):
            self.fail(f"{who} needs a square matrix; {self.what(node)}", at)
        return rows

    def require_kind(self, node: Syntax, kinds: tuple[str, ...], who: str, at: Span) -> None:
        if node.kind not in kinds:
            wanted = " or ".join(_ARTICLE[kind] for kind in kinds)
            self.fail(f"{who} needs {wanted}; {self.what(node)}", at)

    # ---- broadcasting ------------------------------------------------------------

    def broadcast(self, left: Syntax, right: Syntax, who: str, at: Span) -> Shape:
        """The common shape of two operands that work entry by entry, as in NumPy.

        A scalar; a column or row against the last axis; axes of size 1.
        """
        if left.kind == "scalar":
            return right.kind, right.size
        if right.kind == "scalar":
            return left.kind, left.size
        if {left.kind, right.kind} == {"vector", "row"}:
            column, row = (left, right) if left.kind == "vector" else (right, left)
            hint = f"{self._turned(row)} in place of {self.text(row)}"
            self.fail(
                f"{who} meets a column and a row: {self.shown(left)} and {self.shown(right)}",
                at,
                hint if self.equate(column.size[0], row.size[0]) else None,
            )
        long, short = (left, right) if len(left.size) >= len(right.size) else (right, left)
        lead = len(long.size) - len(short.size)
        sizes = list(long.size[:lead])
        for a, b in zip(long.size[lead:], short.size, strict=True):
            size = self._meet(a, b)
            if size is None:
                self.fail(
                    f"{who}: the shapes do not fit: {self.shown(left)} and {self.shown(right)}",
                    at,
                    self._transposed_hint(left, right, who),
                )
            sizes.append(size)
        if lead and len(short.size) == 1 and len(long.size) == 2:
            self._note_row_broadcast(short, long, who)
        elif resolve(long.size[-1]) == ONE != resolve(sizes[-1]) or any(
            resolve(size) == ONE != resolve(common)
            for operand in (left, right)
            for size, common in zip(operand.size[::-1], sizes[::-1], strict=False)
        ):
            self.note(
                f"{self.shown(short)} and {self.shown(long)} are broadcast by '{who}' to "
                f"{self.shape_text(sizes)}"
            )
        return long.kind, tuple(sizes)

    def _turned(self, row: Syntax) -> str:
        return self.text(row.args[0]) if row.op == "transpose" else f"({self.text(row)})'"

    def _meet(self, a: Size, b: Size) -> Size | None:
        """The common size of two axes; a literal 1 stretches, and binds nothing."""
        a, b = resolve(a), resolve(b)
        if a == ONE:
            return b
        if b == ONE:
            return a
        return a if self.equate(a, b) else None

    def _note_row_broadcast(self, short: Syntax, long: Syntax, who: str) -> None:
        verb = {"+": "added to", "-": "subtracted from"}.get(who, "applied to")
        target = "every row of"
        if resolve(long.size[0]) == resolve(long.size[1]):
            self.note(
                f"{self.text(short)} is {verb} {target} {self.text(long)}, not to every column: "
                f"the matrix is square and both would fit"
            )
        else:
            self.note(f"{self.shown(short)} is {verb} {target} {self.shown(long)}")

    def _transposed_hint(self, left: Syntax, right: Syntax, who: str) -> str | None:
        """Transposing one of two matrices, where that fits."""
        if left.kind == right.kind == "matrix" and who in ("+", "-", ".*", "./"):
            (a, b), (c, d) = ((resolve(s) for s in node.size) for node in (left, right))
            if (a, b) == (d, c) and right.op in ("input", "name"):
                return f"{self.text(left)} {who} {self.text(right)}'"
        return None
