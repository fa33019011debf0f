"""Typed expression trees of the language: written as text, evaluated in NumPy.

The value of a tree comes from the meaning that its rule states, entry by entry as the
language page says; nothing of the package takes part.  A row is an array of one axis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np

__all__ = ["Dim", "Functions", "Input", "Loop", "Program", "Tree", "Type", "dim_size", "dim_text"]

Array = Any
Dim = str | int | tuple[str | int, str | int]
"""A name, a literal, or the product of two of them with a name among them."""

# How tightly a text holds together; an operand looser than its place gets brackets.
LEVELS = {"a": 0, "f": 1, "u": 3, "p": 4, "q": 5, "h": 6, "n": 7, "s": 8}


@dataclass(frozen=True)
class Type:
    """A kind ("scalar", "vector", "row", "matrix", "tensor") with its sizes."""

    kind: str
    dims: tuple[Dim, ...] = ()


@dataclass(frozen=True, eq=False)
class Tree:
    """An operation: its text (a format with levels), its meaning, and its operands.

    A leaf that stands for an input or an assigned value has a `name`; `dims` are the texts
    of the sizes that stand in the text as @m@.
    """

    type: Type
    text: str
    level: str
    meaning: Callable[..., Array] | None = None
    args: tuple[Tree, ...] = ()
    name: str | None = None
    dims: tuple[tuple[str, str], ...] = ()

    def walk(self) -> Iterator[Tree]:
        yield self
        for arg in self.args:
            yield from arg.walk()

    def replaced(self, old: Tree, new: Tree) -> Tree:
        if self is old:
            return new
        args = tuple(arg.replaced(old, new) for arg in self.args)
        return self if all(map(_same, args, self.args)) else replace(self, args=args)

    def written(self) -> Written:
        parts = [arg.written() for arg in self.args]
        level = LEVELS[self.level]
        if level == LEVELS["p"] and parts and parts[0].level == LEVELS["q"]:
            level = LEVELS["q"]  # a chain that contains an explicit product
        text = self.text
        for place, size in self.dims:
            text = text.replace(f"@{place}@", size)
        return Written(text.format(*parts), level)

    def value(self, values: Mapping[str, Array]) -> Array:
        if self.name is not None:
            return values[self.name]
        assert self.meaning is not None
        return self.meaning(*(arg.value(values) for arg in self.args))


def _same(left: Tree, right: Tree) -> bool:
    return left is right


@dataclass(frozen=True)
class Written:
    """The text of an operand, put in brackets where its place needs it."""

    text: str
    level: int

    def __format__(self, place: str) -> str:
        if place == "b":  # between bars, where more bars may pair in two ways
            if "|" in self.text:
                return f"({self.text})"
            place = "s"
        if place in "jw":
            # After a factor a number would be two in a row; after a word a bracket is a call.
            word = self.text[0].isalpha() or (place == "j" and self.text[0] not in "0123456789.")
            return self.text if word and self.level <= LEVELS["f"] else f"({self.text})"
        fits = self.level <= LEVELS[place]
        if place == "h" and self.level == LEVELS["q"]:
            fits = False  # an explicit product beside a Hadamard operator is refused
        return self.text if fits else f"({self.text})"


@dataclass(frozen=True)
class Input:
    """A declared variable with its value."""

    type: Type
    value: Array
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Loop:
    """`repeat j in count { name = body }`: body reads stacks[j] and the name itself.

    With `inner`, there is `repeat i in inner` inside; `by_inner` are the stacks read at i.
    """

    name: str
    start: Tree
    count: str | int
    text: str
    stacks: tuple[str, ...]
    meaning: Callable[..., Array]
    inner: str | int | None = None
    by_inner: tuple[str, ...] = ()


Functions = Mapping[str, tuple[str, Callable[..., Array]]]


@dataclass(frozen=True)
class Program:
    """Inputs, assignments in order, an output; `sizes` of the dimension names."""

    inputs: dict[str, Input]
    statements: tuple[tuple[str, Tree | Loop], ...]
    output: Tree
    sizes: dict[str, int]
    functions: dict[str, str] = field(default_factory=dict)

    def used(self) -> Program:
        """Without what the output does not need."""
        needed = _leaves(self.output)
        statements = []
        for name, body in reversed(self.statements):
            if name in needed:
                statements.append((name, body))
                needed |= _leaves(body.start) if isinstance(body, Loop) else _leaves(body)
                needed |= set(body.stacks) if isinstance(body, Loop) else set()
        for dim in needed & self.sizes.keys():  # a size used as a number
            carriers = [name for name, entry in self.inputs.items() if dim in entry.type.dims]
            needed |= set(carriers[:1])
        inputs = {name: entry for name, entry in self.inputs.items() if name in needed}
        return replace(self, inputs=inputs, statements=tuple(reversed(statements)))

    def unmarked(self, name: str) -> Program:
        """The program with an input of which nothing but its shape is declared."""
        plain = replace(self.inputs[name], attributes=())
        return replace(self, inputs={**self.inputs, name: plain})

    def values(self) -> dict[str, Array]:
        return {name: entry.value for name, entry in self.inputs.items()}

    def value(self, values: Mapping[str, Array]) -> Array:
        known = dict(values)
        for name, body in self.statements:
            if isinstance(body, Tree):
                known[name] = body.value(known)
                continue
            known[name] = body.start.value(known)
            turns = range(dim_size(body.count, self.sizes))
            inner = range(1 if body.inner is None else dim_size(body.inner, self.sizes))
            for j, k in product(turns, inner):
                read = [known[s][k if s in body.by_inner else j] for s in body.stacks]
                known[name] = body.meaning(known[name], *read)
        return np.asarray(self.output.value(known), float)

    def shapes(self) -> dict[str, tuple[str | int, ...]]:
        found: dict[str, tuple[str | int, ...]] = {}
        for name, entry in self.inputs.items():
            assert all(isinstance(dim, str | int) for dim in entry.type.dims)
            found[name] = entry.type.dims  # type: ignore[assignment]
        return found

    def text(self) -> str:
        """The whole program as a user would type it."""
        lines = []
        for name, entry in self.inputs.items():
            sizes = ", ".join(dim_text(dim) for dim in entry.type.dims)
            lines.append(f"{name}: ({sizes}) {' '.join(entry.attributes)}".rstrip())
        body = self.body()
        lines += [
            f"{name}: {kind}"
            for name, kind in self.functions.items()
            if f"{name.partition('(')[0]}(" in body
        ]
        return "\n".join([*lines, body])

    def body(self) -> str:
        lines = []
        for name, body in self.statements:
            if isinstance(body, Tree):
                lines.append(f"{name} = {body.written():s}")
            else:
                lines.append(f"{name} = {body.start.written():s}")
                text = f"{name} = {body.text}"
                if body.inner is not None:
                    text = f"repeat i in {body.inner} {{ {text} }}"
                lines.append(f"repeat j in {body.count} {{ {text} }}")
        return "\n".join([*lines, f"{self.output.written():s}"])


def _leaves(tree: Tree) -> set[str]:
    return {part.name or part.text for part in tree.walk() if not part.args}


def dim_text(dim: Dim) -> str:
    return " ".join(map(str, dim)) if isinstance(dim, tuple) else str(dim)


def dim_size(dim: Dim, sizes: Mapping[str, int]) -> int:
    if isinstance(dim, tuple):
        return dim_size(dim[0], sizes) * dim_size(dim[1], sizes)
    return dim if isinstance(dim, int) else sizes[dim]
