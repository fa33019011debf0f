"""Matrix terms: what a formula looks like on the page.

A term is a closed tree of a few kinds.  Vectors are columns; a row is the transpose
of one.  Nothing here computes: `forms.py` builds terms by their laws, `render.py`
writes them down.

Every term knows its `order` (0 scalar, 1 column, 2 matrix, more), whether it is known
to be `symmetric`, its `depth`, and its `weight`: the number of tokens a reader meets.
Operators, names, numbers and functions count 1; brackets and commas are free; `⁻¹`,
`⁻ᵀ`, `‖ ‖`, `ones(n)` and `I` are one token each.

>>> x, A = Symbol("x", order=1), Symbol("A", order=2)
>>> Juxtaposed((Postfix(x, Mark.TRANSPOSE, order=1), A, x), order=0).weight
4
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from fractions import Fraction
from typing import Any

from matderiv.tensor.dims import Dim, Shape

__all__ = [
    "Bars",
    "Call",
    "Delta",
    "Einsum",
    "Entry",
    "Hadamard",
    "Identity",
    "Juxtaposed",
    "Kronecker",
    "Layered",
    "Mark",
    "Number",
    "Ones",
    "Partial",
    "Postfix",
    "Power",
    "Quotient",
    "Sigma",
    "Sum",
    "Symbol",
    "Term",
    "Zeros",
    "as_symmetric",
    "rebuild",
    "walk",
]


class Mark(Enum):
    """A mark behind an operand."""

    TRANSPOSE = "transpose"
    INVERSE = "inverse"
    INVERSE_TRANSPOSE = "inverse transpose"


@dataclass(frozen=True, slots=True)
class Term:
    """What all kinds share; see the module."""

    order: int = field(kw_only=True)
    symmetric: bool = field(default=False, kw_only=True, compare=False)
    weight: int = field(init=False, compare=False, repr=False)
    depth: int = field(init=False, compare=False, repr=False)
    turned: list[Term] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        weight, depth = self.tokens, 0
        for part in self.parts:
            weight += part.weight
            depth = max(depth, part.depth)
        object.__setattr__(self, "weight", weight)
        object.__setattr__(self, "turned", [])  # `forms.transpose` keeps its answer here
        object.__setattr__(self, "depth", 1 + depth)

    @property
    def parts(self) -> tuple[Term, ...]:
        return ()

    @property
    def tokens(self) -> int:
        """The tokens of this term that belong to none of its parts."""
        return 1


@dataclass(frozen=True, slots=True)
class Symbol(Term):
    """A name: of an input, of a size, or of a line below the formula."""

    name: str


@dataclass(frozen=True, slots=True)
class Number(Term):
    """A number ≥ 0.  A fraction stands as a `Quotient`, a decimal as a `Number`."""

    value: int | Fraction
    order: int = field(default=0, kw_only=True)


@dataclass(frozen=True, slots=True)
class Ones(Term):
    """The vector or matrix of ones."""

    dims: Shape

    @property
    def tokens(self) -> int:
        return 1 if len(self.dims) == 1 else 3


@dataclass(frozen=True, slots=True)
class Zeros(Term):
    dims: Shape


@dataclass(frozen=True, slots=True)
class Identity(Term):
    dim: Dim
    order: int = field(default=2, kw_only=True)
    symmetric: bool = field(default=True, kw_only=True, compare=False)


@dataclass(frozen=True, slots=True)
class Postfix(Term):
    """A', A⁻¹ or A⁻ᵀ."""

    body: Term
    mark: Mark

    @property
    def parts(self) -> tuple[Term, ...]:
        return (self.body,)


@dataclass(frozen=True, slots=True)
class Power(Term):
    """body^exponent: of a scalar, of a square matrix, or `elementwise`."""

    body: Term
    exponent: Term
    elementwise: bool

    @property
    def parts(self) -> tuple[Term, ...]:
        return (self.body, self.exponent)


@dataclass(frozen=True, slots=True)
class Juxtaposed(Term):
    """A product written without a sign: scalars, then a chain of matrices and vectors."""

    factors: tuple[Term, ...]

    @property
    def parts(self) -> tuple[Term, ...]:
        return self.factors

    @property
    def tokens(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Hadamard(Term):
    """factors[0] ⊙ factors[1] ⊙ … ./ (divisors[0] ⊙ …); `1 ./ …` without factors."""

    factors: tuple[Term, ...]
    divisors: tuple[Term, ...] = ()

    @property
    def parts(self) -> tuple[Term, ...]:
        return self.factors + self.divisors

    @property
    def tokens(self) -> int:
        return max(1, len(self.factors)) + len(self.divisors) - 1 + (not self.factors)


@dataclass(frozen=True, slots=True)
class Kronecker(Term):
    """left ⊗ right."""

    left: Term
    right: Term

    @property
    def parts(self) -> tuple[Term, ...]:
        return (self.left, self.right)


@dataclass(frozen=True, slots=True)
class Quotient(Term):
    """top / bottom, the bottom a scalar."""

    top: Term
    bottom: Term

    @property
    def parts(self) -> tuple[Term, ...]:
        return (self.top, self.bottom)


@dataclass(frozen=True, slots=True)
class Sum(Term):
    """Σ ± part.  One negative part alone is the negation -part."""

    members: tuple[tuple[int, Term], ...]

    @property
    def parts(self) -> tuple[Term, ...]:
        return tuple(part for _, part in self.members)

    @property
    def tokens(self) -> int:
        return len(self.members) - (self.members[0][0] > 0)

    @property
    def is_negation(self) -> bool:
        return len(self.members) == 1


@dataclass(frozen=True, slots=True)
class Call(Term):
    """function(arguments, axis=…).

    `latex` is a template over {x}, {z}; `declaration` says what an abstract function is,
    "elementwise" or "scalar function"; `odd` tells that a sign may be moved inside,
    `elementwise` that a transpose may.
    """

    function: str
    arguments: tuple[Term, ...]
    axis: int | None = None
    sizes: Shape = ()
    latex: str | None = field(default=None, compare=False)
    primes: int = 0
    declaration: str = ""
    odd: bool = False
    elementwise: bool = False

    @property
    def parts(self) -> tuple[Term, ...]:
        return self.arguments

    @property
    def tokens(self) -> int:
        return 1 + len(self.sizes) + (0 if self.axis is None else 3)


@dataclass(frozen=True, slots=True)
class Partial(Term):
    """∂²l/∂o∂y: a derivative of an abstract function at its arguments.

    `slots` are the positions differentiated by, in order.
    """

    function: str
    arguments: tuple[Term, ...]
    slots: tuple[int, ...]
    declaration: str

    @property
    def parts(self) -> tuple[Term, ...]:
        return ()

    @property
    def tokens(self) -> int:
        """1 for ∂l/∂o; more where the argument has no name."""
        return 1 + sum(self.arguments[slot].weight - 1 for slot in self.slots)


@dataclass(frozen=True, slots=True)
class Bars(Term):
    """‖body‖, or ‖body‖_suffix."""

    body: Term
    suffix: str = ""
    order: int = field(default=0, kw_only=True)

    @property
    def parts(self) -> tuple[Term, ...]:
        return (self.body,)

    @property
    def tokens(self) -> int:
        return 1 + bool(self.suffix)


@dataclass(frozen=True, slots=True)
class Entry(Term):
    """body[indices]; an index is a letter, a number, a slice "2:5" or ":"."""

    body: Term
    indices: tuple[str, ...]
    order: int = field(default=0, kw_only=True)

    @property
    def parts(self) -> tuple[Term, ...]:
        return (self.body,)

    @property
    def tokens(self) -> int:
        return len(self.indices)


@dataclass(frozen=True, slots=True)
class Layered(Term):
    """name[l+1]: a value of any order in a layer of a loop."""

    body: Symbol
    indices: tuple[str, ...]

    @property
    def parts(self) -> tuple[Term, ...]:
        return (self.body,)


@dataclass(frozen=True, slots=True)
class Delta(Term):
    """δ[i,j]."""

    indices: tuple[str, str]
    order: int = field(default=0, kw_only=True)

    @property
    def tokens(self) -> int:
        return 3


@dataclass(frozen=True, slots=True)
class Sigma(Term):
    """Σ over indices of a product of entries."""

    indices: tuple[str, ...]
    body: Term
    order: int = field(default=0, kw_only=True)

    @property
    def parts(self) -> tuple[Term, ...]:
        return (self.body,)

    @property
    def tokens(self) -> int:
        return 1 + len(self.indices)


@dataclass(frozen=True, slots=True)
class Einsum(Term):
    """einsum("spec", …): what no matrix notation says.  `entries` is the same in indices."""

    spec: str
    operands: tuple[Term, ...]

    @property
    def parts(self) -> tuple[Term, ...]:
        return self.operands

    @property
    def tokens(self) -> int:
        return 1 + sum(letter.isalpha() for letter in self.spec)


def as_symmetric(term: Term) -> Term:
    """The term, known to equal its transpose."""
    return term if term.symmetric else replace(term, symmetric=True)


def walk(term: Term) -> Iterator[Term]:
    """The term and every term inside it, the arguments of a `Partial` included."""
    stack = [term]
    while stack:
        term = stack.pop()
        yield term
        stack.extend(term.arguments if isinstance(term, Partial) else term.parts)


def rebuild(term: Term, change: Callable[[Term], Term]) -> Term:
    """The term with its direct parts changed; itself where none did."""
    changes = {}
    for entry in fields(term):
        old = getattr(term, entry.name)
        new = _changed(old, change) if entry.init else old
        if new is not old:
            changes[entry.name] = new
    return replace(term, **changes) if changes else term


def _changed(value: Any, change: Callable[[Term], Term]) -> Any:
    if isinstance(value, Term):
        return change(value)
    if isinstance(value, tuple):
        new = tuple(_changed(item, change) for item in value)
        return new if any(a is not b for a, b in zip(new, value, strict=True)) else value
    return value
