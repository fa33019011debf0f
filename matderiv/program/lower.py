"""From nodes to steps, children first; one node, one value.

Sums add the smallest parts first and write diagonals into the dense array; elementwise
functions stay as small as their arguments; an inverse that is only ever multiplied is
solved with.  Products are in `products.py`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from itertools import islice
from typing import NamedTuple, TypeVar

import numpy as np

from matderiv.program.distribute import Scaled, scaled_terms
from matderiv.program.loops import lower_loop, read_by_loops_alone
from matderiv.program.pieces import Piece, aligned
from matderiv.program.products import ScaleKey, lower_product, scale_keys
from matderiv.program.programs import constant, cost, record, sharing
from matderiv.program.scalars import Scalar, scaled
from matderiv.program.steps import Dims, Length, Operand, Ref
from matderiv.program.tape import Mark, Tape
from matderiv.program.uses import (
    calls_by_argument,
    factorable,
    negated,
    solvable_inverses,
)
from matderiv.program.wired import Wired, dense, plain, renumber, write_diagonal
from matderiv.tensor.dims import Composite, Shape
from matderiv.tensor.elementwise import AbstractElementwise, Elementwise
from matderiv.tensor.loops import in_order, projections
from matderiv.tensor.nodes import (
    Apply,
    Loop,
    Map,
    Name,
    Node,
    Number,
    Product,
    Size,
    Sum,
    Variable,
)
from matderiv.tensor.primitives import ARGUMENTS, AbstractFunction, Primitive
from matderiv.tensor.traverse import use_counts

__all__ = ["Lowering"]

_Key = TypeVar("_Key")
_Known = TypeVar("_Known")


class _Moment(NamedTuple):
    """How much was known: all of it is only ever added to, so the first so many are the same."""

    tape: Mark
    values: int
    names: int
    lists: int


class Lowering:
    """Records the roots on a tape.

    computed   inverses to be computed, not solved with
    factored   positive definite matrices of which L in A = L L' is computed, once: A⁻¹ is
               then L⁻ᵀ L⁻¹ and log det A = 2 Σ log L_ii
    """

    def __init__(
        self,
        roots: Iterable[Node],
        inputs: Iterable[Variable],
        sizes: Mapping[str, int],
        computed: frozenset[int] = frozenset(),
        factored: frozenset[int] = frozenset(),
        *,
        tape: Tape | None = None,
        known: Mapping[int, Wired] | None = None,
    ) -> None:
        self.tape = tape or Tape(sizes)
        self.names: dict[int, str] = {}
        self.inputs: dict[Variable, int] = {}
        self.computed, self.factored = computed, factored
        self.lists: dict[int, tuple[Ref, int]] = {}
        self._values: dict[int, Wired] = dict(known or {})
        self._roots = list(roots)
        self._nodes = [
            n
            for n in in_order(self._roots, lambda n: n.id in self._values)
            if n.id not in self._values
        ]
        self._asked = projections(self._nodes)
        self._uses = use_counts(self._roots)
        self.as_lists = (
            read_by_loops_alone(self._nodes, self._roots) if self._asked else frozenset()
        )
        self._maps = {
            (n.function.key, n.arguments[0].id): n for n in self._nodes if isinstance(n, Map)
        }
        fixed = [*self._roots, *self._boundary()]
        self._fixed = {node.id for node in fixed}
        self.solvable = solvable_inverses(self._nodes, fixed)
        self.factorable = factorable(self._nodes)
        self._inverted = {
            n.children[0].id
            for n in self._nodes
            if isinstance(n, Apply)
            and n.primitive.is_inverse
            and (n.id not in self.solvable or n.id in computed)
        }
        self.negated = negated(self._nodes, fixed)
        self.scale_uses: Counter[ScaleKey] = Counter()
        self._called = calls_by_argument(self._nodes)
        for variable in inputs:
            value = self.tape.input(variable.shape)
            self.inputs[variable] = value
            self._values[variable.id] = plain(Ref(value), variable.order)
        self._given = len(self.tape.shapes)
        self._in_sums = self._scaled_terms()
        self.scale_uses.update(
            key
            for node in self._nodes
            if isinstance(node, Product) and node.id not in self._in_sums
            for key in scale_keys(node)
        )
        self._moments: list[_Moment] = []  # before each node that is lowered, and after the last

    def inside(self, roots: Sequence[Node], known: Mapping[int, Wired]) -> Lowering:
        """The lowering of a loop's body on what is known there."""
        tape = self.tape.inside()
        return Lowering(roots, (), tape.sizes, self.computed, self.factored, tape=tape, known=known)

    def know(self, node: Node, wired: Wired) -> None:
        self._values[node.id] = wired

    def stacked(self, node: Node) -> tuple[Ref, int]:
        """A stack that a loop reads: where its element for layer 0 is."""
        if node.id in self.lists:
            return self.lists[node.id]
        return self.array(node), 0

    def _boundary(self) -> list[Node]:
        """What was known before: it is as it is, whatever its users would like."""
        given = self._values
        return [c for node in self._nodes for c in node.children if c.id in given] if given else []

    def run(self) -> None:
        """Lower the nodes that have not been lowered."""
        for node in self._nodes[len(self._moments) :]:
            self._moments.append(self._moment())
            if isinstance(node, Loop):
                lower_loop(self, node, self._asked[node.id])
            elif node.id in self.lists:
                continue
            elif node.id not in self._in_sums and self.uninverted(node) is None:
                self.value(node)
        self._moments.append(self._moment())

    # ---- other sizes -----------------------------------------------------------------

    def _moment(self) -> _Moment:
        return _Moment(self.tape.mark(), len(self._values), len(self.names), len(self.lists))

    def again(self, sizes: Mapping[str, int], agreed: int) -> Lowering:
        """The lowering at other sizes, of which the first so many decisions come out the same.

        The nodes before the first that does not are lowered as they were here.
        """
        done = bisect_right(self._moments, agreed, key=lambda moment: moment.tape.decisions) - 1
        moment = self._moments[done]
        lowering = copy(self)
        lowering.tape = self.tape.until(moment.tape, sizes)
        lowering._values = _first(self._values, moment.values)
        lowering.names = _first(self.names, moment.names)
        lowering.lists = _first(self.lists, moment.lists)
        lowering._moments = self._moments[:done]
        return lowering

    def _scaled_terms(self) -> frozenset[int]:
        """Products that only one Sum uses, with a coefficient: they take it in."""
        found = set()
        for node in self._nodes:
            if isinstance(node, Sum):
                for coefficient, term in node.terms:
                    if isinstance(term, Product) and self._absorbs(term, coefficient):
                        found.add(term.id)
                        self.scale_uses.update(scale_keys(term, coefficient))
        return frozenset(found)

    def _absorbs(self, term: Product, coefficient: Number) -> bool:
        if term.id in self._values:
            return False
        return abs(coefficient) != 1 and self._uses[term.id] == 1 and bool(term.factors)

    # ---- values ----------------------------------------------------------------------

    def value(self, node: Node) -> Wired:
        known = self._values.get(node.id)
        if known is None:
            known = self._values[node.id] = self._lower(node)
        return known

    def array(self, node: Node) -> Ref:
        return dense(self.tape, self.value(node), node.shape)

    def uninverted(self, node: Node) -> Ref | None:
        if node.id not in self.solvable or node.id in self.computed:
            return None
        return self.array(node.children[0])

    def inverse_factor(self, node: Node) -> Ref | None:
        """L⁻¹ where the node is (L L')⁻¹ and L is computed."""
        (matrix,) = node.children
        if matrix.id not in self.factored:
            return None
        factor = self.tape.call("linalg.cholesky", self.array(matrix), shape=matrix.shape)
        return self.tape.call("inverse_of_lower", factor, shape=matrix.shape)

    def _lower(self, node: Node) -> Wired:
        if isinstance(node, Product):
            terms = scaled_terms(node, self._is_free)
            return lower_product(self, node) if terms is None else self._scaled_sum(node, terms)
        if isinstance(node, Sum):
            return self._sum(node)
        if isinstance(node, Map):
            return self._map(node)
        if isinstance(node, Apply):
            return self._apply(node)
        if isinstance(node, Name):
            return self._name(node)
        if isinstance(node, Size):
            return Wired(Length(node.dim), (), ())
        raise ValueError(f"{node!r} is not among the inputs of the plan")

    def _name(self, node: Name) -> Wired:
        wired = self.value(node.definition)
        source = wired.source
        if isinstance(source, Ref) and wired.labels == wired.out and source.value >= self._given:
            self.names.setdefault(source.value, node.name)
        return wired

    # ---- sums ------------------------------------------------------------------------

    def _is_free(self, node: Node) -> bool:
        """Whether one node alone uses this one, as it is."""
        return (
            self._uses[node.id] == 1 and node.id not in self.negated and node.id not in self._fixed
        )

    def _scaled_sum(self, node: Product, terms: Sequence[Scaled]) -> Wired:
        sign = -1 if node.id in self.negated else 1
        values = []
        for coefficient, term, scalars in terms:
            scales = [self.value(scalar).source for scalar in scalars]
            turn = -1 if term.id in self.negated else 1
            values.append((1, lower_product(self, term, sign * turn * coefficient, scales)))
        return self._total(values, node.shape)

    def _sum(self, node: Sum) -> Wired:
        if not node.terms:
            return renumber(0.0, (), range(node.order))
        sign = -1 if node.id in self.negated else 1
        return self._total([self._term(sign * c, term) for c, term in node.terms], node.shape)

    def _total(self, terms: Sequence[tuple[int, Wired]], shape: Shape) -> Wired:
        """The sum of values with signs."""
        patterns = {wired.out for _, wired in terms}
        axes = tuple(range(len(shape)))
        (pattern, *others) = patterns
        if others or len(set(pattern)) == len(pattern):
            full = [(sign, w) for sign, w in terms if not w.has_delta]
            diagonal = [(sign, w) for sign, w in terms if w.has_delta]
            total = self._add([(sign, _by_axes(w)) for sign, w in full]) if full else None
            if not diagonal:
                assert total is not None
                return renumber(*total, axes)
            return self._write_diagonals(shape, total, diagonal)
        # One delta pattern: add what it spreads.
        compact = self._add([(sign, (w.source, w.labels)) for sign, w in terms])
        return Wired(*compact, pattern)

    def _term(self, coefficient: Number, node: Node) -> tuple[int, Wired]:
        """A term as a sign and a value."""
        if isinstance(node, Product) and self._absorbs(node, coefficient):
            return 1, lower_product(self, node, coefficient)
        wired = self.value(node)
        if abs(coefficient) == 1:
            return int(coefficient), wired
        if isinstance(wired.source, float):
            return 1, wired._replace(source=wired.source * float(coefficient))
        if isinstance(wired.source, Length):
            product = self.tape.call("multiply", wired.source, float(coefficient))
            return 1, wired._replace(source=product)
        piece = scaled(
            self.tape,
            Piece(wired.source, wired.labels),
            Scalar(coefficient if coefficient > 0 else -coefficient),
        )
        return (1 if coefficient > 0 else -1), wired._replace(source=piece.ref)

    def _add(
        self, terms: list[tuple[int, tuple[Operand, tuple[int, ...]]]]
    ) -> tuple[Ref | float, tuple[int, ...]]:
        """Add labelled arrays, the smallest first; numbers are one number."""
        tape = self.tape
        order = sorted(terms, key=lambda term: len(term[1][1]))
        sign, (source, labels) = order[0]
        if all(sign < 0 for sign, _ in order) and len(labels) < len(order[-1][1][1]):
            # The small one is negated, not the sum.
            source = -source if isinstance(source, float) else tape.call("negative", source)
            sign = 1
        for next_sign, (other, more) in order[1:]:
            union = tuple(sorted({*labels, *more}))
            left, right = _seen(source, labels, union), _seen(other, more, union)
            if isinstance(left, float) and isinstance(right, float):
                source, labels, sign = sign * left + next_sign * right, union, 1
                continue
            if sign == next_sign:
                source = tape.call("add", left, right)
            elif sign > 0:
                source = tape.call("subtract", left, right)
            else:
                source, sign = tape.call("subtract", right, left), 1
            labels = union
        if isinstance(source, float):
            return sign * source, ()
        if sign < 0 or not isinstance(source, Ref):
            source = tape.call("negative" if sign < 0 else "positive", source)
        return source, labels

    def _write_diagonals(
        self,
        shape: Shape,
        total: tuple[Ref | float, tuple[int, ...]] | None,
        diagonal: list[tuple[int, Wired]],
    ) -> Wired:
        tape, axes = self.tape, tuple(range(len(shape)))
        if total is None:
            array = tape.fresh("zeros", Dims(shape), shape=shape)
        else:
            array = dense(tape, renumber(*total, axes), shape, fresh=True)
        for sign, wired in diagonal:
            array = write_diagonal(tape, array, wired, "add" if sign > 0 else "subtract")
        return plain(array, len(shape))

    # ---- functions -------------------------------------------------------------------

    def _map(self, node: Map) -> Wired:
        tape = self.tape
        sources: list[tuple[Operand, tuple[int, ...]]] = []
        for argument in self._arguments(node):
            wired = self.value(argument)
            if wired.has_delta:
                wired = plain(dense(tape, wired, argument.shape), argument.order)
            sources.append(_by_axes(wired))
        union = tuple(sorted({label for _, labels in sources for label in labels}))
        operands = [_seen(source, labels, union) for source, labels in sources]
        function = node.function
        if isinstance(function, Elementwise):
            number = _number(function, [source for source, _ in sources])
            if number is not None:
                return renumber(number, (), range(node.order))
            ref = record(tape, function.numpy, dict(zip(("x", "z"), operands, strict=False)))
        else:
            assert isinstance(function, AbstractElementwise)
            shape = tuple(node.shape[axis] for axis in union)
            ref = tape.call("", *operands, shape=shape, callee=function)
        return renumber(ref, union, range(node.order))

    def _arguments(self, node: Map) -> tuple[Node, ...]:
        """The arguments, or an output that gives the same value: step(relu(x)) = step(x)."""
        function = node.function
        if isinstance(function, Elementwise):
            for name in function.unchanged_by:
                output = self._maps.get((name, node.arguments[0].id))
                if output is not None and output.id in self._values:
                    return (output,)
        return node.arguments

    def _apply(self, node: Apply) -> Wired:
        tape, primitive = self.tape, node.primitive
        arguments: list[Operand] = [self.array(argument) for argument in node.arguments]
        if not isinstance(primitive, Primitive):
            assert isinstance(primitive, AbstractFunction)
            ref = tape.call("", *arguments, shape=node.shape, callee=primitive)
            return plain(ref, node.order)
        if not arguments and primitive.infer is not None:
            return self._selection(node)
        number = constant(primitive.numpy)
        if number is not None:
            return Wired(number, (), ())
        names: dict[str, Operand] = dict(zip(ARGUMENTS, arguments, strict=False))
        names["shape"] = Dims(node.shape)
        if primitive.infer is None:
            for core, argument in zip(primitive.cores, node.arguments, strict=False):
                shape = argument.shape[argument.order - len(core) :]
                for name, dim in zip(core, shape, strict=True):
                    names[name] = Length(dim)
        program = self._program_of(primitive, node)
        if program == primitive.numpy_factored:
            half = self.inverse_factor(node)
            assert half is not None
            names["k"] = half
        if arguments:
            program = sharing(program, self._called[node.arguments[0].id])
        return plain(record(tape, program, names), node.order)

    def _program_of(self, primitive: Primitive, node: Apply) -> str:
        """The cheapest program for what is known of the argument.

        A Cholesky factor for the value alone makes it cheap against a gradient that computes
        the inverse by other means, so not beside that.
        """
        if not node.arguments or node.arguments[0].order != 2:
            return primitive.numpy
        (argument,) = node.arguments[:1]
        if argument.id in self.factored and primitive.numpy_factored:
            return primitive.numpy_factored
        if (
            primitive.numpy_posdef
            and argument.id in self.factorable
            and argument.id not in self._inverted
        ):
            programs = (primitive.numpy, primitive.numpy_posdef)
            return self.tape.decide(
                lambda sizes: min(programs, key=lambda text: cost(text, argument.shape, sizes))
            )
        return primitive.numpy

    def _selection(self, node: Apply) -> Wired:
        """Rows of the identity."""
        width, start, stop = node.parameters
        assert isinstance(start, int)
        assert isinstance(stop, int)
        assert isinstance(width, int | str | Composite)
        identity = self.tape.call("eye", Length(width), shape=(width, width))
        return plain(self.tape.slice(identity, ((start, stop), None), node.shape), 2)


def _first(known: Mapping[_Key, _Known], count: int) -> dict[_Key, _Known]:
    return dict(islice(known.items(), count))


def _number(function: Elementwise, sources: Sequence[Operand]) -> float | None:
    """The value at numbers, where it is finite."""
    numbers = [source for source in sources if isinstance(source, float)]
    if len(numbers) < len(sources):
        return None
    with np.errstate(all="ignore"):
        value = float(function.reference(*map(np.float64, numbers)))
    return value if math.isfinite(value) else None


def _by_axes(wired: Wired) -> tuple[Operand, tuple[int, ...]]:
    """The array of a value without deltas, its labels the axes of the node."""
    return wired.source, tuple(wired.out.index(label) for label in wired.labels)


def _seen(source: Operand, labels: tuple[int, ...], union: tuple[int, ...]) -> Operand:
    return aligned(Piece(source, labels), union) if isinstance(source, Ref) else source
