"""From the typed program to tensor nodes.

A node has no orientation: rows and columns end here, and `Lowered.row` remembers
which the output is.  Sums of many terms become one Sum, and products written without
brackets one Product, by carrying them open (`Chain`, a list of terms) until something
needs a node.  Nothing recurses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from matderiv.errors import MatderivError
from matderiv.language.chains import Chain, Chains
from matderiv.language.literals import literal_value
from matderiv.language.typed import Assignment, Repeat, Typed, TypedProgram
from matderiv.tensor.arena import Arena
from matderiv.tensor.loops import build_loop
from matderiv.tensor.nodes import Carry, Name, Node, Number, Slice, Variable

__all__ = ["Lowered", "lower"]

_LARGEST_UNROLLED = 256
_LARGEST_CHAIN = 8

Terms = deque[tuple[Number, Node]]
Value = Node | Chain | Terms


@dataclass(frozen=True, slots=True)
class Lowered:
    """A program as nodes.

    root       its value
    row        whether the value is a row
    names      each name that the user assigned -> its node, in order of assignment
    variables  each input -> its leaf
    """

    root: Node
    row: bool
    names: dict[str, Node]
    variables: dict[str, Variable]


def lower(program: TypedProgram, arena: Arena) -> Lowered:
    """Return a typed program as nodes of an arena.

    >>> from matderiv.language import read
    >>> arena = Arena()
    >>> lowered = lower(read("x' A"), arena)
    >>> lowered.row, lowered.root is arena.einsum("i,ij->j", *lowered.variables.values())
    (True, True)
    """
    lowering = _Lowering(program, arena)
    for statement in program.statements:
        lowering.run(statement)
    root = lowering.node(program.output)
    if isinstance(root, Name):
        root = root.definition
    variables = {name: lowering.variable(name) for name in program.inputs}
    return Lowered(root, program.output.kind == "row", lowering.names, variables)


_ENDS_CHAINS = frozenset({"add", "subtract"})


class _Lowering:
    def __init__(self, program: TypedProgram, arena: Arena) -> None:
        self.program = program
        self.arena = arena
        self.chains = Chains(arena)
        self.variables: dict[str, Variable] = {}
        self.names: dict[str, Node] = {}
        self.values: dict[int, Value] = {}
        self.turns: dict[str, int | dict[int, Slice]] = {}
        """By the index of each loop around: the turn, or the slices taken in any turn."""

    def variable(self, name: str) -> Variable:
        """A leaf, made where it is first met: ids are then the user's reading order."""
        if name not in self.variables:
            entry = self.program.inputs[name]
            self.variables[name] = self.arena.variable(name, entry.shape, entry.attributes)
        return self.variables[name]

    # ---- statements --------------------------------------------------------------

    def run(self, statement: Assignment | Repeat) -> None:
        if isinstance(statement, Assignment):
            self.assign(statement)
        elif isinstance(statement.count, int) and statement.count <= _LARGEST_UNROLLED:
            self.unroll(statement, statement.count)
        else:
            self.loop(statement)

    def assign(self, statement: Assignment) -> None:
        expression = statement.expression
        definition = self.node(expression)
        self.names[statement.name] = self.arena.name(statement.name, definition)
        if self.turns:
            for part in expression.post_order():
                self.values.pop(id(part), None)

    def unroll(self, statement: Repeat, count: int) -> None:
        """A loop of a known number of turns, as its turns."""
        outside = set(self.names)
        for turn in range(count):
            self.turns[statement.index] = turn
            for inner in statement.body:
                self.run(inner)
        del self.turns[statement.index]
        self.names = {name: node for name, node in self.names.items() if name in outside}

    def loop(self, statement: Repeat) -> None:
        """A loop of any number of turns, as one node."""
        outside = dict(self.names)
        slices: dict[int, Slice] = {}
        self.turns[statement.index] = slices
        starts = {name: outside[name] for name in statement.carried}
        arguments = {
            name: self.arena.placeholder(start.shape, name) for name, start in starts.items()
        }
        self.names |= arguments
        for inner in statement.body:
            self.run(inner)
        del self.turns[statement.index]
        carries = [Carry(arguments[name], starts[name], self.names[name]) for name in starts]
        lasts = build_loop(
            self.arena,
            statement.count,
            1,
            carries,
            list(slices.values()),
            list(arguments.values()),
            [],
        )
        self.names = outside | dict(zip(starts, lasts, strict=True))

    # ---- expressions -------------------------------------------------------------

    def node(self, root: Typed) -> Node:
        """The node of an expression, every part of it lowered once."""
        if id(root) not in self.values:
            parts = list(_unseen(root, self.values))
            ended = {id(arg) for part in parts if part.op in _ENDS_CHAINS for arg in part.args}
            for part in parts:
                try:
                    self.values[id(part)] = self.value(part)
                    if id(part) in ended and isinstance(self.values[id(part)], Chain):
                        self.closed(part)  # before the next term: ids are the reading order
                except MatderivError as error:
                    if error.span is None:
                        error.span, error.source = part.span, self.program.source
                    raise
        return self.closed(root)

    def closed(self, part: Typed) -> Node:
        """The value of a lowered part as a node."""
        value = self.values[id(part)]
        if isinstance(value, Node):
            return value
        if isinstance(value, Chain):
            node = self.chains.close(value)
        elif len(value) == 1:
            ((coefficient, single),) = value
            node = self.arena.scale(coefficient, self.chains.stretch(single, part.shape))
        else:
            terms = [(c, self.chains.stretch(term, part.shape)) for c, term in value]
            node = self.arena.sum(terms, part.shape)
        self.values[id(part)] = node
        return node

    def chain(self, part: Typed, parent: Typed) -> Chain:
        """The value of a lowered part as a chain; brackets close a product."""
        value = self.values[id(part)]
        if isinstance(value, Chain) and not _is_bracketed(part):
            return value
        node = self.closed(part)
        return self.chains.of(node)

    def terms(self, part: Typed) -> Terms:
        value = self.values[id(part)]
        return value if isinstance(value, deque) else deque([(1, self.closed(part))])

    def value(self, part: Typed) -> Value:
        value: Value = getattr(self, "_" + part.op)(part)
        return value

    # ---- leaves ------------------------------------------------------------------

    def _input(self, part: Typed) -> Value:
        return self.variable(part.value)

    def _name(self, part: Typed) -> Value:
        # A named value that was made an input has no statement of its own.
        return self.names[part.value] if part.value in self.names else self.variable(part.value)

    def _number(self, part: Typed) -> Value:
        return self.chains.number(part.value)

    def _dimension(self, part: Typed) -> Value:
        return self.arena.size(part.value)

    def _constant(self, part: Typed) -> Value:
        return self.arena.apply({"π": "pi"}.get(part.value, part.value))

    def _identity(self, part: Typed) -> Value:
        return self.arena.identity(part.shape[0])

    def _fill(self, part: Typed) -> Value:
        return self.arena.broadcast(self.closed(part.args[0]), part.shape, ())

    # ---- sums --------------------------------------------------------------------

    def _add(self, part: Typed) -> Value:
        left, right = map(self.terms, part.args)
        return _joined(left, right)

    def _subtract(self, part: Typed) -> Value:
        left, right = map(self.terms, part.args)
        return _joined(left, deque((-c, node) for c, node in right))

    def _negate(self, part: Typed) -> Value:
        value = self.values[id(part.args[0])]
        if isinstance(value, deque):
            return deque((-c, node) for c, node in value)
        return self.chains.scaled(-1, self.chain(part.args[0], part))

    # ---- products ----------------------------------------------------------------

    def _multiply(self, part: Typed) -> Value:
        left, right = (self.chain(arg, part) for arg in part.args)
        return self.chains.pointwise(left, right, part.shape)

    def _divide(self, part: Typed) -> Value:
        left, right = part.args
        inverse = self.chains.power(self.closed(right), -1)
        return self.chains.pointwise(self.chain(left, part), inverse, part.shape)

    def _product(self, part: Typed) -> Value:
        left, right = (self.chain(arg, part) for arg in part.args)
        return self.chains.contract(left, right)

    def _outer(self, part: Typed) -> Value:
        left, right = (self.chain(arg, part) for arg in part.args)
        return self.chains.outer(left, right)

    def _inner(self, part: Typed) -> Value:
        left, right = (self.chain(arg, part) for arg in part.args)
        return self.chains.total(self.chains.pointwise(left, right, part.args[0].shape))

    def _transpose(self, part: Typed) -> Value:
        value = self.values[id(part.args[0])]
        if isinstance(value, Chain) and not _is_bracketed(part.args[0]):
            return self.chains.transposed(value)
        return self.chains.transposed(self.chains.of(self.closed(part.args[0])))

    def _kron(self, part: Typed) -> Value:
        """A[i,j] B[k,l] at [i k, j l]; a column has no j or l, a row no i or k."""
        left, right = part.args
        a = {"vector": "i", "row": "j"}.get(left.kind, "ij")
        b = {"vector": "k", "row": "l"}.get(right.kind, "kl")
        out = "".join(axis for axis in "ikjl" if axis in a + b)
        outer = self.arena.einsum(f"{a},{b}->{out}", *map(self.closed, part.args))
        return self.arena.reshape(outer, outer.order, part.shape)

    def _solve(self, part: Typed) -> Value:
        matrix, right = part.args
        inverse = self.arena.apply("inv", self.closed(matrix))
        return self.chains.contract(self.chains.of(inverse), self.chain(right, part))

    def _inverse(self, part: Typed) -> Value:
        inverse = self.arena.apply("inv", self.closed(part.args[0]))
        if part.value == "-T":
            return self.chains.transposed(self.chains.of(inverse))
        return inverse

    # ---- powers and norms --------------------------------------------------------

    def _power(self, part: Typed) -> Value:
        base, exponent = part.args
        literal = literal_value(exponent)
        if literal is not None:
            return self.chains.power(self.closed(base), literal)
        pair = (self.chains.stretch(self.closed(arg), part.shape) for arg in part.args)
        return self.arena.map("pow", *pair)

    def _matrix_power(self, part: Typed) -> Value:
        base, power = self.closed(part.args[0]), part.value
        if power < 0:
            base, power = self.arena.apply("inv", base), -power
        if power == 0:
            return self.arena.identity(part.shape[0])
        if power <= _LARGEST_CHAIN:
            chain = self.chains.of(base)
            for _ in range(power - 1):
                chain = self.chains.contract(chain, self.chains.of(base))
            return chain
        result, square = None, base  # by repeated squaring
        while power:
            if power & 1:
                result = (
                    square if result is None else self.arena.einsum("ij,jk->ik", result, square)
                )
            power >>= 1
            if power:
                square = self.arena.einsum("ij,jk->ik", square, square)
        assert result is not None
        return result

    def _norm(self, part: Typed) -> Value:
        from matderiv.language.meanings import norm

        return norm(self.arena, self.closed(part.args[0]), part.value)

    # ---- entries and functions ---------------------------------------------------

    def _index(self, part: Typed) -> Value:
        (base,) = part.args
        indices = part.value
        if not isinstance(indices[0], str):
            return self.chains.select(self.closed(base), indices)
        stack, turn = self.closed(base), self.turns[indices[0]]
        if isinstance(turn, int):
            return self.chains.select(stack, (turn, *(slice(None),) * (stack.order - 1)))
        if stack.id not in turn:
            label = base.value if base.op == "input" else ""
            turn[stack.id] = Slice(self.arena.placeholder(stack.shape[1:], label), stack)
        return turn[stack.id].argument

    def _apply(self, part: Typed) -> Value:
        from matderiv.language.meanings import meaning

        name, options = part.value
        arguments = tuple(self.closed(arg) for arg in part.args)
        return meaning(self.chains, name, arguments, part.shape, dict(options))

    def _call(self, part: Typed) -> Value:
        from matderiv.tensor.elementwise import AbstractElementwise
        from matderiv.tensor.primitives import AbstractFunction

        name, orders = part.value
        arguments = tuple(self.closed(arg) for arg in part.args)
        if self.program.functions[name] == "elementwise":
            stretched = (self.chains.stretch(argument, part.shape) for argument in arguments)
            return self.arena.map(AbstractElementwise(name, orders), *stretched)
        return self.arena.apply(AbstractFunction(name, orders[1:]), *arguments)


def _joined(left: Terms, right: Terms) -> Terms:
    """Both lists in order; the shorter one moves."""
    if len(left) < len(right):
        right.extendleft(reversed(left))
        return right
    left.extend(right)
    return left


def _is_bracketed(part: Typed) -> bool:
    """Whether a product stands in brackets of its own: the user's grouping is kept."""
    return bool(part.args) and part.op != "negate" and part.span[0] < part.args[0].span[0]


def _unseen(root: Typed, seen: dict[int, Value]) -> Iterator[Typed]:
    return (part for part in root.post_order() if id(part) not in seen)
