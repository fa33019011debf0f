"""Products: from factors to pieces, joined in the cheapest order.

What has no array is settled first: deltas unify labels, ones become sizes, selections
become slices, scalars gather into one factor, which is multiplied onto the smallest
array on the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from matderiv.program.gram import weighed_on_both_sides
from matderiv.program.mirrors import LEAST, Halves, Mirror, halves, reflected
from matderiv.program.ordering import Operand as Leaf
from matderiv.program.ordering import Tree, cheapest_tree
from matderiv.program.pieces import Piece, as_plain, join, sum_out
from matderiv.program.powers import guarded_power, number_power, positive_power
from matderiv.program.scalars import Scalar, scalar_value, scaled
from matderiv.program.steps import Dims, Length, Operand, Ref
from matderiv.program.tape import Numbers, Tape, volume
from matderiv.program.wired import Wired, dense, plain, renumber
from matderiv.tensor.canonical import connected
from matderiv.tensor.dims import Dim, Shape, dim_value
from matderiv.tensor.nodes import Apply, Factor, Node, Number, Product
from matderiv.tensor.properties import is_factor_nonnegative, is_sum_of_squares, is_symmetric

__all__ = ["Scalar", "ScaleKey", "Values", "lower_product", "scale_keys", "scaled"]

# A tensor factor, and what scalar part the product has: counted over all products.
ScaleKey = tuple[int, Number, tuple[tuple[int, Number], ...]]


Order = Callable[[Numbers], Tree]  # of joins, at these sizes


class Values(Protocol):
    """What a product needs to know of the nodes lowered before it."""

    tape: Tape
    scale_uses: Counter[ScaleKey]
    negated: frozenset[int]  # nodes whose values are their negatives

    def value(self, node: Node) -> Wired: ...
    def uninverted(self, node: Node) -> Ref | None:
        """X where the node is X⁻¹ and is better solved with than computed."""

    def inverse_factor(self, node: Node) -> Ref | None:
        """L⁻¹ where the node is (L L')⁻¹ and L is computed."""


@dataclass(slots=True)
class _Work:
    """A product while it is taken apart: labels are unified in `parent`."""

    sizes: tuple[Dim, ...]
    out: list[int]
    parent: list[int]
    scalar: Scalar
    pieces: list[Piece] = field(default_factory=list)
    keys: list[ScaleKey | None] = field(default_factory=list)
    padding: list[tuple[int, int, int]] = field(default_factory=list)

    def label(self, dim: Dim) -> int:
        """A new label, which is summed over."""
        self.sizes = (*self.sizes, dim)
        self.parent.append(len(self.parent))
        return self.parent[-1]

    def find(self, label: int) -> int:
        while self.parent[label] != label:
            label = self.parent[label]
        return label

    def unify(self, a: int, b: int) -> None:
        a, b = self.find(a), self.find(b)
        if a != b:
            self.parent[max(a, b)] = min(a, b)


class _Way(NamedTuple):
    """A half to be multiplied with its image: its pieces, and how they are joined.

    labels  of the half
    joined  the order in which the half, what lies between, and the image are joined
    """

    half: list[Piece]
    order: Order
    rank: list[int]
    labels: list[int]
    between: list[Piece]
    joined: Order
    joined_rank: list[int]
    mirror: Mirror


def scale_keys(node: Product, coefficient: Number = 1) -> list[ScaleKey]:
    """For each factor with axes, the key under which a scaled copy of it can be shared."""
    scalars = tuple((f.node.id, f.exponent) for f in node.factors if not f.labels)
    total = coefficient * node.coefficient
    return [(f.node.id, total, scalars) for f in node.factors if f.labels]


def lower_product(
    values: Values, node: Product, coefficient: Number = 1, scales: Sequence[Operand] = ()
) -> Wired:
    """Record coefficient · node, times scalars that are multiplied on one after the other."""
    tape = values.tape
    work = _Work(
        sizes=node.sizes,
        out=list(node.out),
        parent=list(range(len(node.sizes))),
        scalar=Scalar(coefficient * node.coefficient * (-1 if node.id in values.negated else 1)),
    )
    factors, selections = _split_selections(node)
    keys = iter(scale_keys(node, coefficient))
    for factor in factors:
        key = next(keys) if factor.labels else None
        _add_factor(values, work, factor, key)
    for labels, start, stop in selections:
        _select(tape, work, labels, start, stop)
    _settle_labels(tape, work)
    _scale_least(tape, work, scales)
    result = _contract(values, work)
    out = [work.find(label) for label in work.out]
    wired = renumber(result.ref if isinstance(result, Piece) else result, _labels(result), out)
    for axis, start, length in work.padding:
        wired = _pad(tape, wired, node, work, axis, start, length)
    return wired


def _labels(result: Piece | Operand) -> tuple[int, ...]:
    return result.labels if isinstance(result, Piece) else ()


# ---- taking apart --------------------------------------------------------------------

Selection = tuple[tuple[int, int], int, int]


def _split_selections(node: Product) -> tuple[list[Factor], list[Selection]]:
    """Selections whose axis is summed here become slices; others stay arrays."""
    factors: list[Factor] = []
    selections: list[Selection] = []
    taken: set[int] = set()
    for factor in node.factors:
        child = factor.node
        if not (isinstance(child, Apply) and child.primitive.name == "select"):
            factors.append(factor)
            continue
        row, column = factor.labels
        summed = [label for label in (row, column) if label not in node.out]
        _, start, stop = child.parameters
        if row != column and summed and not taken & {row, column} and factor.exponent > 0:
            taken |= {row, column}
            selections.append(((row, column), int(str(start)), int(str(stop))))
        else:
            factors.append(factor)
    return factors, selections


def _add_factor(values: Values, work: _Work, factor: Factor, key: ScaleKey | None) -> None:
    node, labels, exponent = factor
    tape = values.tape
    if node.id in values.negated:
        work.scalar.coefficient = -work.scalar.coefficient
    symmetric = len(labels) == 2 and is_symmetric(node.arena, node)
    if exponent == 1 and len(set(labels)) == 2:
        argument = values.uninverted(node)
        half = None if argument is None else values.inverse_factor(node)
        if half is not None:
            inner = work.label(node.shape[0])
            work.pieces += [Piece(half, (inner, label)) for label in labels]
            work.keys += [None, None]
            return
        if argument is not None:
            work.pieces.append(Piece(argument, labels, inverse=True, symmetric=symmetric))
            work.keys.append(None)
            return
    wired = values.value(node)
    if exponent < 0 and wired.has_delta:  # 1/0 off the diagonal
        wired = plain(dense(tape, wired, node.shape), node.order)
    place: dict[int, int] = {}
    for inner, outer in zip(wired.out, labels, strict=True):
        if inner in place:
            work.unify(place[inner], outer)
        place[inner] = outer
    source = wired.source
    axes = tuple(place[label] for label in wired.labels)
    if isinstance(source, float):
        work.scalar.coefficient = float(work.scalar.coefficient) * number_power(source, exponent)
        return
    inverted = exponent < 0
    power = -exponent if inverted else exponent
    if inverted and is_sum_of_squares(node):
        source, inverted = guarded_power(tape, source, exponent), False
    elif power == 2 and not inverted and _sums_alone(work, axes, factor) and axes:
        # Σ x² is a contraction of x with itself: no array of squares.
        assert isinstance(source, Ref)
        work.pieces.append(Piece(source, axes))
        work.keys.append(None)
        factor = factor._replace(exponent=1)
    elif power != 1:
        source = positive_power(tape, source, power)
    if not axes:
        (work.scalar.denominators if inverted else work.scalar.numerators).append(source)
        return
    assert isinstance(source, Ref)
    # What is computed as its negative has its sign turned, whatever its node is known for.
    nonnegative = node.id not in values.negated and is_factor_nonnegative(factor)
    whole = symmetric and wired.is_dense
    work.pieces.append(Piece(source, axes, inverted, False, nonnegative, whole))
    work.keys.append(key if exponent == 1 else None)


def _sums_alone(work: _Work, axes: tuple[int, ...], factor: Factor) -> bool:
    """Whether a factor has a summed axis and axes that are all different."""
    out = {work.find(label) for label in work.out}
    found = [work.find(axis) for axis in axes]
    return len(set(found)) == len(found) and any(axis not in out for axis in found)


def _select(tape: Tape, work: _Work, labels: tuple[int, int], start: int, stop: int) -> None:
    """Σ_j S_ij x_j = x[start:stop]; Σ_i S_ij x_i is x with zeros around it."""
    row, column = (work.find(label) for label in labels)
    pieces = []
    for piece in work.pieces:
        axes = [work.find(label) for label in piece.labels]
        if column not in axes:
            pieces.append(piece)
            continue
        piece = _merged(tape, as_plain(tape, piece), tuple(axes))
        index = tuple((start, stop) if label == column else None for label in piece.labels)
        shape = tuple(
            stop - start if label == column else dim
            for label, dim in zip(piece.labels, tape.shape(piece.ref), strict=True)
        )
        ref = tape.slice(piece.ref, index, shape)
        pieces.append(Piece(ref, tuple(row if k == column else k for k in piece.labels)))
    work.pieces = pieces
    work.keys = [None] * len(pieces)
    for axis, label in enumerate(work.out):
        if work.find(label) == column:
            work.padding.append((axis, start, stop - start))
            work.out[axis] = row
    work.parent[column] = row  # both are now the selected range


def _merged(tape: Tape, piece: Piece, labels: tuple[int, ...]) -> Piece:
    """A piece with these labels, repeated ones merged into a diagonal."""
    if len(set(labels)) == len(labels):
        return piece if labels == piece.labels else piece._replace(labels=labels)
    distinct = tuple(dict.fromkeys(labels))
    local = tuple(distinct.index(label) for label in labels)
    view = tape.diagonal(piece.ref, local, tuple(range(len(distinct))))
    return piece._replace(ref=view, labels=distinct)


def _settle_labels(tape: Tape, work: _Work) -> None:
    """Unified labels become one; a summed label that nobody carries is a size."""
    out = {work.find(label) for label in work.out}
    carried: set[int] = set()
    pieces = []
    for piece in work.pieces:
        if piece.inverse and work.find(piece.labels[0]) == work.find(piece.labels[1]):
            piece = as_plain(tape, piece)
        labels = tuple(work.find(label) for label in piece.labels)
        pieces.append(_merged(tape, piece, labels))
        carried.update(labels)
    work.pieces = pieces
    for label in range(len(work.sizes)):
        if work.find(label) == label and label not in carried and label not in out:
            dim = work.sizes[label]
            if isinstance(dim, int):
                work.scalar.coefficient *= dim
            else:
                work.scalar.numerators.append(Length(dim))


def _scale_least(tape: Tape, work: _Work, scales: Sequence[Operand]) -> None:
    """Multiply scalars onto the smallest array, or onto the scalar part where there is none."""
    places = [k for k, piece in enumerate(work.pieces) if not piece.inverse]
    if not places:
        work.scalar.numerators += scales
        return
    if not scales:
        return
    shapes = {k: tape.shape(work.pieces[k].ref) for k in places}
    least = tape.decide(lambda sizes: min(places, key=lambda k: volume(shapes[k], sizes)))
    for scale in scales:
        work.pieces[least] = scaled(tape, work.pieces[least], Scalar(1, [scale]))
        work.keys[least] = None


# ---- joining -------------------------------------------------------------------------


def _contract(values: Values, work: _Work) -> Piece | Ref | Length | float:
    tape, out = values.tape, [work.find(label) for label in work.out]
    if not work.pieces:
        return scalar_value(tape, work.scalar)
    carried = [label for piece in work.pieces for label in piece.labels]
    for index, piece in enumerate(work.pieces):
        dropped = [k for k in piece.labels if k not in out and carried.count(k) == 1]
        if dropped and not piece.inverse:
            work.pieces[index] = sum_out(tape, piece, dropped)
            work.keys[index] = None
    halves = weighed_on_both_sides(tape, work.pieces, out)
    if halves is not None:
        work.pieces, work.keys = halves, [None] * len(halves)
    _join_mirrored(tape, work, out)
    order, rank = _order(tape, work, work.pieces, out)
    # Two arrays have one order.
    tree = tape.decide(order) if len(work.pieces) > 2 else order(tape.sizes)
    spot = _cheapest_spot(values, work, tree, rank)
    result = _execute(tape, work, tree, spot, rank)
    dropped = [label for label in result.labels if label not in out]
    result = sum_out(tape, result, dropped) if dropped else as_plain(tape, result)
    # Of an inverse alone there is nothing to scale before it is computed.
    unscaled = spot is None and not work.scalar.is_one
    return scaled(tape, result, work.scalar) if unscaled else result


def _join_mirrored(tape: Tape, work: _Work, out: list[int]) -> None:
    """One piece in place of those that are a half and its image, where that costs less."""
    if len(work.pieces) < LEAST:
        return
    pieces: list[Piece] = []
    keys: list[ScaleKey | None] = []
    for part in connected([piece.labels for piece in work.pieces]):
        own = [work.pieces[place] for place in part]
        labels = [k for k in dict.fromkeys(out) if any(k in piece.labels for piece in own)]
        joined = _mirrored(tape, work, own, labels)
        pieces += own if joined is None else [joined]
        keys += [work.keys[place] for place in part] if joined is None else [None]
    if len(pieces) < len(work.pieces):
        work.pieces, work.keys = pieces, keys


def _mirrored(tape: Tape, work: _Work, pieces: Sequence[Piece], out: list[int]) -> Piece | None:
    """The product of a half and its image, where that costs less than in the cheapest order."""
    ways = [_way(tape, work, pieces, out, parted) for parted in halves(pieces, out)]
    ways = [way for way in ways if len(way.labels) <= 2]
    if not ways:
        return None
    order, _ = _order(tape, work, pieces, out)

    def cheapest(sizes: Numbers) -> tuple[int, Tree, Tree] | None:
        found, cost = None, order(sizes).cost
        for place, way in enumerate(ways):
            half, whole = way.order(sizes), way.joined(sizes)
            if half.cost + whole.cost < cost:
                cost, found = half.cost + whole.cost, (place, half, whole)
        return found

    best = tape.decide(cheapest)
    if best is None:
        return None
    place, half, whole = best
    way = ways[place]
    left = as_plain(tape, _execute(tape, _part(work, way.half, way.labels), half, None, way.rank))
    if own_alone := [label for label in left.labels if label not in way.labels]:  # S⁻¹ 1
        left = sum_out(tape, left, own_alone)
    both = _part(work, [left, *way.between, reflected(left, way.mirror)], out)
    result = _execute(tape, both, whole, None, way.joined_rank)
    dropped = [label for label in result.labels if label not in out]
    return sum_out(tape, result, dropped) if dropped else as_plain(tape, result)


def _way(tape: Tape, work: _Work, pieces: Sequence[Piece], out: list[int], parted: Halves) -> _Way:
    half = [pieces[place] for place in parted.half]
    between = [pieces[place] for place in parted.between]
    image = [reflected(piece, parted.mirror) for piece in half]
    needed = _carried(image, between) | set(out)  # beside the half
    other = _carried(half, between) | set(out)  # beside its image, which is the same array
    own = dict.fromkeys(k for piece in half for k in piece.labels)
    labels = [k for k in own if k in needed or parted.mirror[k] in other]
    left = Piece(half[0].ref, tuple(labels))  # its labels are what is known of it
    both = [left, *between, reflected(left, parted.mirror)]
    ordered, joined = _order(tape, work, half, labels), _order(tape, work, both, out)
    return _Way(half, *ordered, labels, between, *joined, parted.mirror)


def _carried(*groups: Sequence[Piece]) -> set[int]:
    return {label for pieces in groups for piece in pieces for label in piece.labels}


def _part(work: _Work, pieces: Sequence[Piece], out: list[int]) -> _Work:
    """Some pieces of a product by themselves."""
    return _Work(work.sizes, out, work.parent, Scalar(1), list(pieces), [None] * len(pieces))


def _order(
    tape: Tape, work: _Work, pieces: Sequence[Piece], out: Sequence[int]
) -> tuple[Order, list[int]]:
    """The order of joins at given sizes, and the labels in the order wanted of results."""
    rank = list(dict.fromkeys([*out, *(k for p in pieces for k in p.labels)]))
    bit = {label: 1 << position for position, label in enumerate(rank)}
    leaves = tuple(
        Leaf(sum(bit[k] for k in piece.labels), piece.inverted, piece.inverse) for piece in pieces
    )
    dims = [_dim(tape, work, label) for label in rank]
    mask = sum(bit[label] for label in set(out))

    def order(sizes: Numbers) -> Tree:
        return cheapest_tree(leaves, mask, tuple(dim_value(dim, sizes) for dim in dims))

    return order, rank


def _dim(tape: Tape, work: _Work, label: int) -> Dim:
    for piece in work.pieces:
        if label in piece.labels:
            return tape.shape(piece.ref)[piece.labels.index(label)]
    return work.sizes[label]


def _trees(tree: Tree) -> Iterable[Tree]:
    """The nodes of a tree, operands before results."""
    stack, order = [tree], []
    while stack:
        node = stack.pop()
        order.append(node)
        stack += [child for child in (node.left, node.right) if child is not None]
    return reversed(order)


def _cheapest_spot(values: Values, work: _Work, tree: Tree, rank: list[int]) -> Tree | None:
    """Where the scalar part is multiplied on: the least array, counting shared use."""
    if work.scalar.is_one:
        return None
    tape = values.tape
    # Of each place how often it is passed over, its shape, and how many products share it.
    places: list[tuple[Tree, int, Shape, int]] = []
    for node in _trees(tree):
        if node.leaf < 0:
            kept = [label for p, label in enumerate(rank) if node.labels >> p & 1]
            shape = tuple(_dim(tape, work, label) for label in kept)
            places.append((node, 1, shape, 1))
        elif not work.pieces[node.leaf].inverse:
            piece, key = work.pieces[node.leaf], work.keys[node.leaf]
            uses = values.scale_uses[key] if key is not None else 1
            # A result is scaled in place, an input needs a new array.
            passes = 2 if tape.is_input(piece.ref) else 1
            places.append((node, passes, tape.shape(piece.ref), max(1, uses)))
    if len(places) < 2:
        return places[0][0] if places else None

    def cheapest(sizes: Numbers) -> Tree:
        costs = [passes * volume(shape, sizes) / uses for _, passes, shape, uses in places]
        # Of nearly equals the last: what stands below it may be known without the scalar.
        near = 1.5 * min(costs)
        return [node for (node, *_), cost in zip(places, costs, strict=True) if cost <= near][-1]

    return tape.decide(cheapest)


def _execute(tape: Tape, work: _Work, tree: Tree, spot: Tree | None, rank: list[int]) -> Piece:
    made: dict[int, Piece] = {}
    out = tuple(dict.fromkeys(work.find(label) for label in work.out))
    orders = [out, *(piece.labels for piece in work.pieces)]
    for node in _trees(tree):
        if node.leaf >= 0:
            piece = work.pieces[node.leaf]
        else:
            assert node.left is not None
            assert node.right is not None
            keep = {label for p, label in enumerate(rank) if node.labels >> p & 1}
            piece = join(tape, made[id(node.left)], made[id(node.right)], keep, orders)
        made[id(node)] = scaled(tape, piece, work.scalar) if node is spot else piece
    return made[id(tree)]


# ---- padding -------------------------------------------------------------------------


def _pad(
    tape: Tape, wired: Wired, node: Product, work: _Work, axis: int, start: int, length: int
) -> Wired:
    """Zeros along one axis, the value in start … start + length."""
    done = [a for a, _, _ in work.padding]
    later = done[done.index(axis) + 1 :]
    lengths = {a: n for a, _, n in work.padding}
    inner = tuple(
        lengths[a] if a == axis or a in later else dim for a, dim in enumerate(node.shape)
    )
    shape = tuple(dim if a == axis else inner[a] for a, dim in enumerate(node.shape))
    ref = dense(tape, wired, inner)
    zeros = tape.fresh("zeros", Dims(shape), shape=shape)
    index = tuple((start, start + length) if a == axis else None for a in range(len(shape)))
    window = tape.slice(zeros, index, inner)
    return plain(tape.write("copyto", window, zeros, ref), len(shape))
