"""The arena: the only maker of nodes.

An arena lives for one call.  It interns nodes (same value, same object) and numbers
them in order of creation, so ids are a topological order and the user's reading
order.  Everything a builder needs is here:

>>> arena = Arena()
>>> A, x = arena.variable("A", ("m", "n")), arena.variable("x", ("n",))
>>> Ax = arena.einsum("ij,j->i", A, x)
>>> Ax.shape, arena.einsum("j,ij->i", x, A) is Ax
(('m',), True)
>>> arena.einsum("ij->ji", arena.einsum("ij->ji", A)) is A
True
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from matderiv.limits import tick
from matderiv.tensor.dims import Composite, Dim, Shape, multiply_dims
from matderiv.tensor.elementwise import ELEMENTWISE, ElementwiseFunction
from matderiv.tensor.loops import captured_by, last_of, stack_of
from matderiv.tensor.matrix_rules import rewrite_apply
from matderiv.tensor.nodes import (
    Apply,
    Carry,
    Factor,
    Loop,
    Map,
    Name,
    Node,
    Number,
    Size,
    Slice,
    Sum,
    Term,
    Variable,
    rational,
)
from matderiv.tensor.primitives import PRIMITIVES, PrimitiveFunction
from matderiv.tensor.products import build_product, drop_axes, repeated_axes
from matderiv.tensor.properties import is_symmetric
from matderiv.tensor.rules import rewrite_map
from matderiv.tensor.sums import build_sum

if TYPE_CHECKING:
    from matderiv.tensor.vanishing import Roots

Keeper = TypeVar("Keeper")

__all__ = ["Arena", "rational"]


class Arena:
    """Makes, interns and numbers nodes; see the module's example."""

    def __init__(self) -> None:
        self._nodes: dict[Hashable, Node] = {}
        self.products: dict[Hashable, Node] = {}  # by what was asked for, as are the sums
        self.sums: dict[Hashable, Node] = {}
        self._count = 0
        self._bits = 0
        self._fresh = 0
        self.has_loops = False
        self.symmetric: dict[int, bool] = {}
        self.proofs: dict[Callable[[Node], bool], dict[int, bool]] = {}  # by node
        self.silencers: dict[int, frozenset[int]] = {}
        self.roots: dict[int, Roots] = {}
        self._keepers: dict[type, object] = {}

    def __len__(self) -> int:
        return self._count

    # ---- interning ---------------------------------------------------------------

    def intern(
        self,
        key: Hashable,
        kind: type[Node],
        shape: Shape,
        children: tuple[Node, ...] = (),
        **fields: object,
    ) -> Node:
        """Return the node of this key, made with these fields if it is new."""
        node = self._nodes.get(key)
        if node is None:
            if self._count % 16 == 0:  # the clock is slower than the making of a node
                tick()
            node = kind.__new__(kind)
            node.arena, node.id, node.children = self, self._count, children
            node.shape, node.order = shape, len(shape)
            node.depends = 0
            for child in children:
                node.depends |= child.depends
            for name, value in fields.items():
                setattr(node, name, value)
            self._count += 1
            self._nodes[key] = node
        return node

    # ---- leaves ------------------------------------------------------------------

    def variable(
        self, name: str, shape: Shape, attributes: Iterable[str] = (), role: str = "input"
    ) -> Variable:
        """A leaf.  `role` keeps seeds apart from an input that has the same name."""
        marks = frozenset(attributes)
        key = ("variable", name, shape, marks, role)
        if key in self._nodes:
            known = self._nodes[key]
            assert isinstance(known, Variable)
            return known
        depends = 1 << self._bits
        self._bits += 1
        node = self.intern(key, Variable, shape, name=name, attributes=marks, depends=depends)
        assert isinstance(node, Variable)
        return node

    def number(self, value: Number) -> Node:
        return self.product(value, (), ())

    def constant(self, value: Number, shape: Shape) -> Node:
        """`value` in every entry."""
        return self.product(value, (), range(len(shape)), dict(enumerate(shape)))

    def ones(self, *shape: Dim) -> Node:
        return self.constant(1, shape)

    def zero(self, shape: Shape) -> Node:
        return self.intern(("sum", (), shape), Sum, shape, terms=())

    def size(self, dim: Dim) -> Node:
        """The number of a dimension, a scalar."""
        if isinstance(dim, int):
            return self.number(dim)
        if isinstance(dim, Composite):
            parts = [Factor(self.size(name), (), 1) for name in dim.names]
            return self.product(dim.coefficient, parts, ())
        return self.intern(("size", dim), Size, (), dim=dim)

    def identity(self, dim: Dim) -> Node:
        return self.product(1, (), (0, 0), {0: dim})

    def delta(self, shape: Shape) -> Node:
        """The identity map on arrays of a shape: order 2 len(shape), δ in each pair of axes."""
        axes = range(len(shape))
        return self.product(1, (), (*axes, *axes), dict(enumerate(shape)))

    def select(self, dim: Dim, start: int, stop: int) -> Node:
        """The 0/1 matrix S with S x = x[start:stop], of shape (stop - start, dim)."""
        return self.apply("select", parameters=(dim, start, stop))

    # ---- products ----------------------------------------------------------------

    def product(
        self,
        coefficient: Number,
        factors: Iterable[Factor | tuple[Node, Sequence[int], Number]],
        out: Iterable[int],
        sizes: Mapping[int, Dim] = {},
        inline: frozenset[int] = frozenset(),
    ) -> Node:
        """coefficient · Σ Π factor^exponent over the labels not in `out`, in canonical form.

        Labels are any integers.  `sizes` gives the size of each label in `out` that no
        factor carries.  `inline` holds ids of Products to be merged into this one.
        """
        return build_product(self, coefficient, factors, tuple(out), sizes, inline)

    def einsum(self, spec: str, *operands: Node) -> Node:
        """Return the Product that `numpy.einsum` would compute.

        Ellipses stand for axes of any number, aligned at the right as NumPy aligns
        them.  A repeated output letter is a diagonal: "i->ii" is diag.
        """
        inputs, _, output = spec.partition("->")
        terms = inputs.split(",")
        factors = []
        longest = 0
        for term, operand in zip(terms, operands, strict=True):
            letters = term.replace("...", "")
            extra = operand.order - len(letters)
            longest = max(longest, extra)
            head, dots, tail = term.partition("...")
            if not dots and extra:
                raise ValueError(f"{term!r} does not fit a node of shape {operand.shape}")
            # Ellipsis labels count down from -1 at the right.
            rest = range(-extra, 0)
            labels = [ord(c) for c in head] + list(rest) + [ord(c) for c in tail]
            factors.append(Factor(operand, tuple(labels), 1))
        head, dots, tail = output.partition("...")
        rest = range(-longest, 0) if dots else range(0)
        return self.product(1, factors, [*map(ord, head), *rest, *map(ord, tail)])

    def transpose(self, node: Node, axes: Sequence[int] | None = None) -> Node:
        """Permute axes as `numpy.transpose` does; all of them reversed by default."""
        axes = range(node.order)[::-1] if axes is None else axes
        return self.product(1, [Factor(node, tuple(range(node.order)), 1)], axes)

    def broadcast(self, node: Node, shape: Shape, axes: Sequence[int]) -> Node:
        """Repeat a node along new axes: its axis k becomes axis axes[k] of `shape`."""
        return self.product(
            1, [Factor(node, tuple(axes), 1)], range(len(shape)), dict(enumerate(shape))
        )

    def sum_axes(self, node: Node, axes: Iterable[int]) -> Node:
        dropped = set(axes)
        labels = tuple(range(node.order))
        return self.product(1, [Factor(node, labels, 1)], [k for k in labels if k not in dropped])

    def scale(self, coefficient: Number, node: Node) -> Node:
        if coefficient == 1:
            return node
        labels = tuple(range(node.order))
        return self.product(coefficient, [Factor(node, labels, 1)], labels)

    def power(self, node: Node, exponent: Number) -> Node:
        """The elementwise power with a rational exponent."""
        labels = tuple(range(node.order))
        return self.product(
            1, [Factor(node, labels, rational(exponent))], labels, dict(enumerate(node.shape))
        )

    def multiply(self, *values: Node | Number) -> Node:
        """The elementwise product of nodes of one shape, scalars and numbers."""
        shape = max((v.shape for v in values if isinstance(v, Node)), key=len, default=())
        coefficient: Number = 1
        factors = []
        for value in values:
            if isinstance(value, Node):
                if value.order and value.order != len(shape):
                    raise ValueError(f"shapes {value.shape} and {shape} do not multiply")
                factors.append(Factor(value, tuple(range(value.order)), 1))
            else:
                coefficient *= value
        return self.product(coefficient, factors, range(len(shape)))

    # ---- sums --------------------------------------------------------------------

    def sum(
        self,
        terms: Iterable[Term | tuple[Number, Node]],
        shape: Shape,
        inline: frozenset[int] = frozenset(),
    ) -> Node:
        """Σ coefficient · node in canonical form; `inline` holds ids of Sums to merge."""
        return build_sum(self, terms, shape, inline)

    def add(self, *values: Node | Number) -> Node:
        """The sum of nodes of one shape, scalars and numbers (those broadcast)."""
        shape = max((v.shape for v in values if isinstance(v, Node)), key=len, default=())
        terms: list[tuple[Number, Node]] = []
        for value in values:
            if not isinstance(value, Node):
                terms.append((value, self.constant(1, shape)))
            elif value.order == len(shape):
                terms.append((1, value))
            elif value.order == 0:
                terms.append((1, self.broadcast(value, shape, ())))
            else:
                raise ValueError(f"shapes {value.shape} and {shape} do not add")
        return self.sum(terms, shape)

    # ---- functions ---------------------------------------------------------------

    def map(self, function: ElementwiseFunction | str, *arguments: Node) -> Node:
        """An elementwise function; arguments have one shape (scalars broadcast)."""
        if isinstance(function, str):
            function = ELEMENTWISE[function]
        shape = max((a.shape for a in arguments), key=len, default=())
        arguments = tuple(
            a if a.order == len(shape) else self.broadcast(a, shape, ()) for a in arguments
        )
        repeated = frozenset.intersection(*map(repeated_axes, arguments))
        if repeated:
            kept = [axis for axis in range(len(shape)) if axis not in repeated]
            inner = self.map(function, *(drop_axes(a, repeated) for a in arguments))
            return self.broadcast(inner, shape, kept)
        rewritten = rewrite_map(self, function, arguments)
        if rewritten is not None:
            return rewritten
        key = ("map", function.key, tuple(a.id for a in arguments))
        return self.intern(key, Map, shape, arguments, function=function, arguments=arguments)

    def apply(
        self,
        primitive: PrimitiveFunction | str,
        *arguments: Node,
        parameters: tuple[Hashable, ...] = (),
    ) -> Node:
        if isinstance(primitive, str):
            primitive = PRIMITIVES[primitive]
        rewritten = rewrite_apply(self, primitive, arguments, parameters)
        if rewritten is not None:
            return rewritten
        key = ("apply", primitive.key, tuple(a.id for a in arguments), parameters)
        shape = primitive.shape(tuple(a.shape for a in arguments), parameters)
        return self.intern(
            key,
            Apply,
            shape,
            arguments,
            primitive=primitive,
            arguments=arguments,
            parameters=parameters,
        )

    def reshape(self, node: Node, axes: int, dims: Shape) -> Node:
        """Reshape the last `axes` axes to `dims`, in C order."""
        return self.apply("reshape", node, parameters=(axes, dims))

    def name(self, name: str, definition: Node, role: str = "value") -> Node:
        """A value that keeps its name; leaves and names need none."""
        if isinstance(definition, Variable | Size | Name):
            return definition
        key = ("name", name, definition.id, role)
        return self.intern(
            key, Name, definition.shape, (definition,), name=name, definition=definition, role=role
        )

    # ---- loops: low-level; write one with `loops.build_loop` --------------------------

    def placeholder(self, shape: Shape, name: str = "") -> Variable:
        """A new argument for a loop's body; `name` is what it is called in print."""
        self._fresh += 1
        return self.variable(f"{name}#{self._fresh}", shape, role="placeholder")

    def loop(
        self,
        count: Dim,
        direction: int,
        carries: Sequence[Carry],
        slices: Sequence[Slice],
        level: int,
    ) -> Node:
        self.has_loops = True
        captured = captured_by([*carries, *slices], [carry.next for carry in carries])
        key = (
            "loop",
            (count, direction, level),
            tuple((c.argument.id, c.start.id, c.next.id) for c in carries),
            tuple((s.argument.id, s.stack.id) for s in slices),
        )
        return self.intern(
            key,
            Loop,
            (),
            (*(c.start for c in carries), *(s.stack for s in slices), *captured),
            count=count,
            direction=direction,
            carries=tuple(carries),
            slices=tuple(slices),
            level=level,
            captured=captured,
        )

    def last(self, loop: Loop, index: int) -> Node:
        """What the loop carried in a place, after its last layer."""
        return last_of(self, loop, index)

    def stack(self, loop: Loop, body: Node) -> Node:
        """A value of the body in each layer, of shape (count,) + its own."""
        return stack_of(self, loop, body)

    # ---- properties --------------------------------------------------------------

    def keeper(self, kind: type[Keeper]) -> Keeper:
        """The one object of a kind that keeps what it finds out about the nodes of this arena."""
        made = self._keepers.setdefault(kind, None) or kind()
        self._keepers[kind] = made
        assert isinstance(made, kind)
        return made

    def is_symmetric(self, node: Node) -> bool:
        return is_symmetric(self, node)

    def total_size(self, shape: Shape) -> Dim:
        return multiply_dims(*shape)
