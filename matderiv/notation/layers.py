"""Loops on the page: recurrences in a layer l, and no loops left in the graph.

    z[0] = x,  z[l+1] = relu(z[l] W[l])        a carry that runs from 0 to N
    δz[N] = …, δz[l] = (…) W[l]ᵀ               one that runs back
    Σ_l z[l]ᵀ δa[l]                            a carry that only adds up

An index is always the layer, never the number of the turn.  Values in a layer are leaves
here, variables that are called "z[l+1]"; whatever holds one is a value in that layer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from matderiv.notation.render import Span
from matderiv.tensor.dims import dim_text
from matderiv.tensor.loops import argument_bits, projections
from matderiv.tensor.nodes import (
    Factor,
    Last,
    Loop,
    Map,
    Name,
    Node,
    Product,
    Slice,
    Stack,
    Sum,
    Term,
    Variable,
)
from matderiv.tensor.traverse import everything, reachable, remake

__all__ = ["LayerLine", "Layers", "layers_of", "split_name"]


class LayerLine(NamedTuple):
    """name[indices] = node for the layers of `span`, or once; `place` orders lines."""

    indices: tuple[str, ...]
    node: Node
    span: Span | None
    place: int


class Head(NamedTuple):
    """The layers in which a root stands that is a stack."""

    indices: tuple[str, ...]
    span: Span


class Total(NamedTuple):
    """Σ over the layers of a value."""

    letter: str
    node: Node


@dataclass
class _Open:
    """A loop that is written in layer `index`, inside the layers `around`."""

    loop: Loop
    around: tuple[str, ...]
    index: str
    names: list[str]
    inside: dict[int, Node] = field(default_factory=dict)


def layers_of(roots: Sequence[Node], taken: Iterable[str] = ()) -> Layers | None:
    """The roots without loops, or None where they have none."""
    if not roots or not roots[0].arena.has_loops:
        return None
    return Layers(roots, set(taken))


def split_name(name: str) -> tuple[str, tuple[str, ...]]:
    """The name and the indices of a value in a layer.

    >>> split_name("z[l+1]"), split_name("Q[l,k]"), split_name("x")
    (('z', ('l+1',)), ('Q', ('l', 'k')), ('x', ()))
    """
    base, _, rest = name.partition("[")
    return base, tuple(rest.removesuffix("]").split(",")) if rest else ()


class Layers:
    """Writes the loops below some roots as lines.

    roots    the roots without loops
    heads    the layer in which a root stands, for a root that is a stack
    lines    the recurrences, by name
    totals   the sums over layers, by the id of the variable in their place
    below    all values that lines and totals write
    """

    def __init__(self, roots: Sequence[Node], taken: Collection[str] = ()) -> None:
        nodes = list(everything(roots))
        self.arena = roots[0].arena
        self.lines: dict[str, list[LayerLine]] = {}
        self.totals: dict[int, Total] = {}
        self.heads: list[Head | None] = []
        self._asked: dict[int, list[Last | Stack]] = {}
        self._open: dict[int, _Open] = {}
        self._starts: dict[int, Node] = {}
        self._made: dict[int, Node] = {}
        self._bits: dict[str, int] = {}
        used = {*taken, *(n.name.partition("#")[0] for n in nodes if isinstance(n, Variable))}
        # The entries of values of high order use i, j, k, l themselves.
        high = any(n.order > 3 for n in nodes if not isinstance(n, Variable | Stack))
        letters = "tsrq" if high else "lkts"
        self._letters = [letter for letter in letters if letter not in used]
        self._letters += [f"l{number}" for number in range(1, 10)]
        self._names: set[str] = set()
        self.roots = [self._root(root) for root in roots]

    @property
    def below(self) -> list[Node]:
        lines = (line for lines in self.lines.values() for line in lines)
        return [*(line.node for line in lines), *(total.node for total in self.totals.values())]

    def indices(self, node: Node) -> tuple[str, ...]:
        """The layers that a value is in, the outermost first."""
        return tuple(index for index, bits in self._bits.items() if node.depends & bits)

    # ---- roots -------------------------------------------------------------------

    def _root(self, root: Node) -> Node:
        self._see([root])
        stacks = [n for n in reachable([root], _is_output) if isinstance(n, Stack)]
        part = head = None
        if stacks:
            opened = self._opened(stacks[0].loop)
            part = self._slice(root, opened.index)
            if part is not None:
                head = Head((opened.index,), _span(opened, rising=True))
        self.heads.append(head)
        return self._closed([root if part is None else part])[0]

    def _see(self, roots: Iterable[Node]) -> None:
        """Note what is asked of the loops below."""
        for number, found in projections(reachable(roots)).items():
            self._asked.setdefault(number, []).extend(found)

    def _closed(self, roots: Iterable[Node]) -> list[Node]:
        """Graphs with a leaf in the place of each value of a loop."""
        roots = list(roots)
        new = self._made
        nodes = reachable(roots, lambda n: n.id in new or _is_output(n))
        for node in nodes:
            if isinstance(node, Last):
                self._opened(node.loop)  # names the values from which it starts
        for node in nodes:
            if node.id in new:
                continue
            if isinstance(node, Last):
                new[node.id] = self._last(node)
            elif isinstance(node, Stack):
                new[node.id] = self._stack(node)
            elif node.id in self._starts:
                new[node.id] = self._starts[node.id]
            else:
                new[node.id] = remake(node, new)
        return [new[root.id] for root in roots]

    # ---- loops -------------------------------------------------------------------

    def _opened(self, loop: Loop) -> _Open:
        """The loop, its recurrences written the first time."""
        if loop.id in self._open:
            return self._open[loop.id]
        around = self.indices(loop)
        index = self._letters[len(around)]
        self._bits.setdefault(index, 0)
        opened = _Open(loop, around, index, [self._name(loop, k) for k in range(len(loop.carries))])
        self._open[loop.id] = opened
        for name, carry in zip(opened.names, loop.carries, strict=True):
            if isinstance(carry.start, Name) and _label(carry.start) == _label(carry.argument):
                at = (*around, _ends(loop)[0])
                start = self._leaf(name + _suffix(at), carry.start, around)
                self._starts[carry.start.id] = start
        self._see([loop])
        here, there = (index, f"{index}+1") if loop.direction > 0 else (f"{index}+1", index)
        own = {
            carry.argument.id: self._in_layer(opened, name, here, carry.argument)
            for name, carry in zip(opened.names, loop.carries, strict=True)
        }
        own |= {piece.argument.id: self._piece(piece, index) for piece in loop.slices}
        later = {
            carry.next.id: self._in_layer(opened, name, there, carry.next)
            for name, carry in zip(opened.names, loop.carries, strict=True)
        }
        opened.inside = {**later, **own}
        starts = self._closed(_unnamed(c.start, c.argument) for c in loop.carries)
        first = len(self.arena)
        before = (*around, _ends(loop)[0])
        for place, (name, carry) in enumerate(zip(opened.names, loop.carries, strict=True)):
            if self._total_part(loop, place) is None:
                self._add(name, before, starts[place], None, first)
                others = {k: leaf for k, leaf in later.items() if k != carry.next.id}
                following = _unnamed(carry.next, carry.argument)
                body = self._substituted(opened, [following], {**others, **own})
                self._add(name, (*around, there), self._closed(body)[0], _span(opened))
        return opened

    def _add(
        self,
        name: str,
        indices: tuple[str, ...],
        node: Node,
        span: Span | None = None,
        place: int | None = None,
    ) -> None:
        # Lines stand in the order of their nodes; those made for print have the last ids.
        place = len(self.arena) if place is None else place
        self.lines.setdefault(name, []).append(LayerLine(indices, node, span, place))

    def _name(self, loop: Loop, place: int) -> str:
        label = name = _label(loop.carries[place].argument)
        if not label or name in self._names:
            name = f"{label}#{loop.id}.{place}"
        self._names.add(name)
        return name

    def _in_layer(self, opened: _Open, name: str, at: str, like: Node) -> Node:
        indices = (*opened.around, at)
        return self._leaf(name + _suffix(indices), like, (*opened.around, opened.index))

    def _leaf(self, name: str, like: Node, indices: Sequence[str] = ()) -> Variable:
        leaf = self.arena.variable(name, like.shape, role="layer")
        for index in indices:
            self._bits[index] = self._bits.get(index, 0) | leaf.depends
        return leaf

    def _piece(self, piece: Slice, index: str) -> Node:
        part = self._slice(piece.stack, index)
        if part is not None:
            return part
        name = f"#{piece.stack.id}"
        self._add(name, (), self._closed([piece.stack])[0])
        return self._leaf(f"{name}[{index}]", piece.argument, (index,))

    def _substituted(
        self, opened: _Open, roots: Iterable[Node], replaced: Mapping[int, Node]
    ) -> list[Node]:
        """Parts of a body in the layer; the names in it stand for values in that layer."""
        own = argument_bits(opened.loop.parts)
        suffix = _suffix((*opened.around, opened.index))
        roots = list(roots)
        new = dict(replaced)
        for node in reachable(roots, lambda n: n.id in replaced or not n.depends & own):
            if node.id in new or not node.depends & own:
                continue
            made = remake(node, new)
            if isinstance(made, Name) and "[" not in made.name:
                # A value of the body may have the name of a carry, and be neither z[l] nor z[l+1].
                name = made.name + (f"#{made.id}" if made.name in self._names else "")
                made = self.arena.name(name + suffix, made.definition, made.role)
            new[node.id] = made
        return [new.get(root.id, root) for root in roots]

    # ---- what is asked of a loop -----------------------------------------------------

    def _last(self, node: Last) -> Node:
        opened = self._opened(node.loop)
        part = self._total_part(node.loop, node.index)
        if part is None:
            name = opened.names[node.index]
            indices = (*opened.around, _ends(opened.loop)[1])
            return self._leaf(name + _suffix(indices), node, opened.around)
        leaf = self._leaf(f"#{node.id}", node, opened.around)
        (body,) = self._closed(self._substituted(opened, [part], opened.inside))
        self.totals[leaf.id] = Total(opened.index, body)
        (start,) = self._closed([node.loop.carries[node.index].start])
        return start + leaf

    def _stack(self, node: Stack) -> Node:
        """A stack where it cannot be read layer by layer: a name for the whole."""
        opened = self._opened(node.loop)
        (body,) = self._closed(self._substituted(opened, [node.body], opened.inside))
        name = f"#{node.id}"
        indices = (*opened.around, opened.index)
        self._add(name, indices, body, _span(opened))
        return self._leaf(name + _suffix(opened.around), node, opened.around)

    def _total_part(self, loop: Loop, place: int) -> Node | None:
        """What a carry adds to itself in each layer, if that is all that happens to it."""
        carry = loop.carries[place]
        bits = carry.argument.depends
        following = carry.next.definition if isinstance(carry.next, Name) else carry.next
        others = [c.next for k, c in enumerate(loop.carries) if k != place]
        others += [n.body for n in self._asked.get(loop.id, []) if isinstance(n, Stack)]
        if not isinstance(following, Sum) or any(node.depends & bits for node in others):
            return None
        rest = [t for t in following.terms if t.node is not carry.argument]
        if len(rest) == len(following.terms) or any(t.node.depends & bits for t in rest):
            return None
        if following.terms[0].node is carry.argument and following.terms[0].coefficient != 1:
            return None
        return self.arena.sum(rest, following.shape)

    def _slice(self, node: Node, index: str) -> Node | None:
        """Entry `index` of a value along its first axis, where it has a form of its own."""
        if isinstance(node, Stack):
            opened = self._opened(node.loop)
            if opened.index != index:
                return None
            return self._substituted(opened, [node.body], opened.inside)[0]
        if isinstance(node, Variable):
            base, indices = split_name(node.name)
            name = base + _suffix((*indices, index))
            like = self.arena.placeholder(node.shape[1:])
            return self._leaf(name, like, (*self.indices(node), index))
        if isinstance(node, Sum):
            parts = [(t.coefficient, self._slice(t.node, index)) for t in node.terms]
            terms = [Term(c, part) for c, part in parts if part is not None]
            whole = len(terms) == len(parts)
            return self.arena.sum(terms, node.shape[1:]) if whole and terms else None
        if isinstance(node, Map):
            arguments = [self._slice(a, index) for a in node.arguments]
            found = [a for a in arguments if a is not None]
            return self.arena.map(node.function, *found) if len(found) == len(arguments) else None
        return self._slice_product(node, index) if isinstance(node, Product) else None

    def _slice_product(self, node: Product, index: str) -> Node | None:
        label = node.out[0]
        if label in node.out[1:]:
            return None
        factors = []
        for factor in node.factors:
            child, labels, exponent = factor
            if label in labels:
                part = self._slice(child, index) if labels.index(label) == 0 else None
                if part is None or label in labels[1:]:
                    return None
                factor = Factor(part, labels[1:], exponent)
            factors.append(factor)
        sizes = dict(enumerate(node.sizes))
        return self.arena.product(node.coefficient, factors, node.out[1:], sizes)


def _is_output(node: Node) -> bool:
    return isinstance(node, Last | Stack)


def _label(node: Variable | Name) -> str:
    """The user's name of a value in a layer."""
    return split_name(node.name)[0].partition("#")[0]


def _unnamed(node: Node, argument: Variable) -> Node:
    """What a carry is made of, without a name that is the carry's own."""
    if isinstance(node, Name) and _label(node) == _label(argument):
        return node.definition
    return node


def _suffix(indices: Sequence[str]) -> str:
    return f"[{','.join(indices)}]" if indices else ""


def _ends(loop: Loop) -> tuple[str, str]:
    """The index of the start and of the last value of a carry."""
    count = dim_text(loop.count)
    return ("0", count) if loop.direction > 0 else (count, "0")


def _span(opened: _Open, *, rising: bool = False) -> Span:
    count = opened.loop.count
    last = str(count - 1) if isinstance(count, int) else f"{dim_text(count)}-1"
    first, last = ("0", last) if rising or opened.loop.direction > 0 else (last, "0")
    return Span(opened.index, first, last)
