"""A program with a name for every intermediate value that depends on the variables.

The text decides: sums, products and functions that stand inside one another are taken
apart as a lecturer would, and what the user named keeps its name.

    z = (<x, w> - y)^2     becomes     a = <x, w>;  b = a - y;  z = b^2
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, count

from matderiv.errors import UnsupportedError
from matderiv.language.literals import literal_value
from matderiv.language.typed import Assignment, Typed, TypedProgram

__all__ = ["Decomposed", "decompose", "fresh_name"]

_SUMS = frozenset({"add", "subtract"})
_MULTIPLIED = frozenset({"product", "multiply", "outer", "inner"})
_PRODUCTS = _MULTIPLIED | {"divide", "negate", "kron", "power", "norm", "transpose", "index"}
_REDUCTIONS = frozenset({"tr", "sum", "mean", "diag", "vec"})
_LEAVES = frozenset({"input", "name", "number", "dimension", "constant", "identity"})
_SMALL, _CAPITAL = "abcghpqrstuv", "ABCDHKMPQRSU"


@dataclass(frozen=True)
class Decomposed:
    """The program in assignments alone.

    value     the name of its value
    made_up   the names that the user did not give
    places    where in the text each name first stands: the reading order of a page
    """

    program: TypedProgram
    value: str
    made_up: frozenset[str]
    places: Mapping[str, int]


def decompose(program: TypedProgram, wrt: Collection[str]) -> Decomposed:
    """Name what depends on the variables.

    >>> from matderiv.language import read
    >>> parted = decompose(read("z = (<x, w> - y)^2 where y: ()"), {"w"})
    >>> [statement.name for statement in parted.program.statements], parted.value
    (['a', 'b', 'z'], 'z')
    """
    return _Decomposition(program, wrt).made()


class _Decomposition:
    def __init__(self, program: TypedProgram, wrt: Collection[str]) -> None:
        self.program = program
        self.moving = set(wrt)  # names that depend on the variables
        self.taken = {*program.inputs, *program.functions}
        for statement in program.statements:
            if not isinstance(statement, Assignment):
                raise UnsupportedError("a derivation in steps of a repeat is not there yet")
            self.taken.add(statement.name)
        for entry in program.inputs.values():
            self.taken |= {str(dim) for dim in entry.shape}
        self.statements: list[Assignment] = []
        self.new: dict[int, Typed] = {}
        self.keys: dict[int, int] = {}  # equal expressions have equal keys
        self.numbers: dict[Hashable, int] = {}
        self.depending: set[int] = set()
        self.known: dict[int, Typed] = {}
        self.made_up: set[str] = set()
        self.places: dict[str, int] = {}

    def made(self) -> Decomposed:
        output = self.program.output
        for statement in self.program.statements:
            assert isinstance(statement, Assignment)
            self.assign(statement.name, statement.expression)
        written = self.named_output()
        if written is None:
            written = fresh_name("fhz" if len(output.shape) < 2 else "FHZ", self.taken)
            self.assign(written, output)
            self.made_up.add(written)
        last = Typed("name", (), written, output.kind, output.shape, output.span)
        program = replace(self.program, statements=tuple(self.statements), output=last)
        return Decomposed(program, written, frozenset(self.made_up), self.places)

    def named_output(self) -> str | None:
        """The name of the value, where the user gave it one."""
        output, statements = self.program.output, self.program.statements
        if output.op == "name":
            return str(output.value)
        if statements and isinstance(last := statements[-1], Assignment):
            return last.name if last.expression is output else None
        return None

    def assign(self, name: str, expression: Typed) -> None:
        made = self.rebuilt(expression)
        if id(made) in self.depending:
            self.moving.add(name)
        self.places.setdefault(name, expression.span[0])
        self.statements.append(Assignment(name, made))
        if made.op not in _LEAVES:
            leaf = Typed("name", (), name, made.kind, made.shape, made.span)
            self.known.setdefault(self.keys[id(made)], self.noted(leaf))

    def rebuilt(self, expression: Typed) -> Typed:
        for part in expression.post_order():
            if part.op == "input":
                self.places.setdefault(part.value, part.span[0])
            if id(part) not in self.new:
                self.new[id(part)] = self.noted(replace(part, args=tuple(self.exposed(part))))
        return self.new[id(expression)]

    def exposed(self, parent: Typed) -> Iterator[Typed]:
        """The arguments of an expression, named where they are values of their own."""
        for child in parent.args:
            made = self.new[id(child)]
            loose = id(made) in self.depending and made.op not in _LEAVES
            if not loose or _stays(made, parent):
                yield made
            else:
                yield self.named(made)

    def named(self, part: Typed) -> Typed:
        """One name for every occurrence of an expression."""
        key = self.keys[id(part)]
        if key not in self.known:
            letters = _CAPITAL if len(part.shape) > 1 else _SMALL
            name = fresh_name(letters, self.taken)
            self.moving.add(name)
            self.made_up.add(name)
            self.places[name] = part.span[0]
            self.statements.append(Assignment(name, part))
            leaf = Typed("name", (), name, part.kind, part.shape, part.span)
            self.known[key] = self.noted(leaf)
        return self.known[key]

    def noted(self, part: Typed) -> Typed:
        """The part, its key and whether it depends on the variables written down."""
        key = (part.op, repr(part.value), part.kind, *(self.keys[id(arg)] for arg in part.args))
        self.keys[id(part)] = self.numbers.setdefault((key, part.shape), len(self.numbers))
        named = part.op in ("input", "name") and part.value in self.moving
        if named or any(id(arg) in self.depending for arg in part.args):
            self.depending.add(id(part))
        return part


def _family(part: Typed) -> str:
    """Expressions of one family that stand inside one another are one value."""
    if part.op in _SUMS:
        return "sum"
    if part.op in ("power", "matrix_power"):
        return (
            "product" if part.op != "power" or literal_value(part.args[1]) is not None else part.op
        )
    if part.op in _PRODUCTS or (part.op == "apply" and part.value[0] in _REDUCTIONS):
        return "product"
    return part.op


def _stays(child: Typed, parent: Typed) -> bool:
    """Whether a part needs no name: it is of its parent's family, in no brackets."""
    if parent.op in ("power", "norm"):
        return child.op == "norm"
    if parent.op == "transpose" or child.op == "transpose":
        return _family(child) == "product"
    return _family(child) == _family(parent) != "apply" and not _is_grouped(child, parent)


def _is_grouped(child: Typed, parent: Typed) -> bool:
    """A product in brackets inside a product: the user's own grouping."""
    products = ("product", "multiply", "outer", "inner")
    return parent.op in products and child.op in products and child.span[0] < child.args[0].span[0]


def fresh_name(letters: Collection[str], taken: set[str]) -> str:
    """The first letter, else the first letter with a number, that is not taken; it is then.

    >>> fresh_name("ab", {"a", "b"})
    'a_1'
    """
    numbered = (f"{letter}_{k}" for k in count(1) for letter in letters)
    name = next(name for name in chain(letters, numbered) if name not in taken)
    taken.add(name)
    return name
