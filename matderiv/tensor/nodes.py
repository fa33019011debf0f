"""The kinds of node: the one representation of every value.

A node is a closed tensor with ordered axes; `shape` lists their sizes.  There are
no free index names: labels are local to one `Product`.  Nodes are made by an
`Arena` only, which puts them in canonical form and returns the same object for the
same value, so `is` is equality.

    Variable   a leaf: an input, a tangent or cotangent seed
    Size       the number n of a dimension, a scalar
    Product    coefficient · Π factor^exponent, summed over the labels not in `out`
    Sum        Σ coefficient · node, all of one shape
    Map        an elementwise function of arguments of one shape
    Apply      a primitive (inv, logdet, softmax, …) of its arguments
    Name       a value that keeps its name: equal to its definition, opaque to algebra
    Loop       a body that is computed once for each layer; see `loops.py`
    Last       a value that a Loop carried from layer to layer, after the last one
    Stack      a value of a Loop's body in each layer, along a new first axis

A label that repeats in `Product.out` is a Kronecker delta (identity, diag); one that
no factor carries is a vector of ones.  Kinds are closed; functions and primitives
are open tables (`elementwise.py`, `primitives.py`).
"""

from __future__ import annotations

from collections.abc import Hashable
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from matderiv.tensor.dims import Dim, Shape

if TYPE_CHECKING:
    from matderiv.tensor.arena import Arena
    from matderiv.tensor.elementwise import ElementwiseFunction
    from matderiv.tensor.primitives import PrimitiveFunction

__all__ = [
    "Apply",
    "Carry",
    "Factor",
    "Last",
    "Loop",
    "Map",
    "Name",
    "Node",
    "Number",
    "Product",
    "Size",
    "Slice",
    "Stack",
    "Sum",
    "Term",
    "Variable",
    "rational",
]

Number = int | Fraction


def rational(value: Number) -> Number:
    """Return an int where the value is one: ints are twenty times faster."""
    return value.numerator if value.denominator == 1 else value


class Node:
    """A value; `id` orders nodes topologically, `depends` is a bit mask of variables."""

    __slots__ = ("arena", "children", "depends", "id", "order", "shape")

    arena: Arena
    id: int
    shape: Shape
    order: int
    children: tuple[Node, ...]
    depends: int

    # Arithmetic between nodes of one shape, or with scalars and numbers: elementwise.

    def __add__(self, other: Node | Number) -> Node:
        return self.arena.add(self, other)

    def __radd__(self, other: Node | Number) -> Node:
        return self.arena.add(other, self)

    def __sub__(self, other: Node | Number) -> Node:
        return self.arena.add(self, -other)

    def __rsub__(self, other: Node | Number) -> Node:
        return self.arena.add(other, -self)

    def __neg__(self) -> Node:
        return self.arena.scale(-1, self)

    def __mul__(self, other: Node | Number) -> Node:
        return self.arena.multiply(self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Node | Number) -> Node:
        if isinstance(other, Node):
            return self.arena.multiply(self, self.arena.power(other, -1))
        return self.arena.scale(Fraction(1) / other, self)

    def __rtruediv__(self, other: Number) -> Node:
        return self.arena.scale(other, self.arena.power(self, -1))

    def __pow__(self, exponent: Number) -> Node:
        return self.arena.power(self, exponent)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.shape}>"


class Factor(NamedTuple):
    """A node in a `Product`, its axes carrying labels, raised elementwise to a power."""

    node: Node
    labels: tuple[int, ...]
    exponent: Number


class Term(NamedTuple):
    """A node in a `Sum` with its rational coefficient."""

    coefficient: Number
    node: Node


class Variable(Node):
    __slots__ = ("attributes", "name")

    name: str
    attributes: frozenset[str]

    def __repr__(self) -> str:
        return f"<{self.name} {self.shape}>"


class Size(Node):
    __slots__ = ("dim",)

    dim: Dim


class Product(Node):
    """out ↦ coefficient · Σ Π factor[labels]^exponent.

    Labels are 0 … len(sizes)-1: those of `out` by first appearance, then the summed
    ones.  `wiring` marks a Product that moves values about without multiplying any
    (a transpose, a diagonal, a broadcast, an outer product): it is always inlined.
    """

    __slots__ = ("coefficient", "factors", "out", "sizes", "wiring")

    coefficient: Number
    factors: tuple[Factor, ...]
    out: tuple[int, ...]
    sizes: Shape
    wiring: bool


class Sum(Node):
    """Σ coefficient · node; no terms is the zero of its shape."""

    __slots__ = ("terms",)

    terms: tuple[Term, ...]


class Map(Node):
    __slots__ = ("arguments", "function")

    function: ElementwiseFunction
    arguments: tuple[Node, ...]


class Apply(Node):
    __slots__ = ("arguments", "parameters", "primitive")

    primitive: PrimitiveFunction
    arguments: tuple[Node, ...]
    parameters: tuple[Hashable, ...]


class Name(Node):
    """`role` tells the user's values ("value") from cotangents ("cotangent")."""

    __slots__ = ("definition", "name", "role")

    name: str
    definition: Node
    role: str

    def __repr__(self) -> str:
        return f"<{self.name} = {self.definition!r}>"


class Carry(NamedTuple):
    """A value handed from layer to layer: `argument` is `start`, then the last `next`."""

    argument: Variable
    start: Node
    next: Node


class Slice(NamedTuple):
    """In layer l, `argument` is stack[l]."""

    argument: Variable
    stack: Node


class Loop(Node):
    """The layers 0 … count-1, in this order (direction 1) or the other way (-1).

    A Loop is no array, and what is asked of it is not part of it: `Last` and `Stack` are.
    `level` is above that of every Loop in the body; `captured` are the largest parts of
    the body that no argument is in.
    """

    __slots__ = ("captured", "carries", "count", "direction", "level", "slices")

    count: Dim
    direction: int
    carries: tuple[Carry, ...]
    slices: tuple[Slice, ...]
    level: int
    captured: tuple[Node, ...]

    @property
    def parts(self) -> tuple[Carry | Slice, ...]:
        """What its placeholders stand for."""
        found: list[Carry | Slice] = [*self.carries, *self.slices]
        return tuple(found)


class Last(Node):
    __slots__ = ("index", "loop")

    loop: Loop
    index: int


class Stack(Node):
    """`body` in layer l is entry l, whichever way the loop runs."""

    __slots__ = ("body", "captured", "loop")

    loop: Loop
    body: Node
    captured: tuple[Node, ...]
