"""One product as a matrix: a walk of the pair of row ends to the pair of column ends.

For D[i,j,k,l], the pair (i, j) stands for row i + m j and has to come to (k, l).  A factor
on both ends of the pair is a diagonal matrix; one that leads an end to a new place is a
matrix on that side of a Kronecker product:

    A[i,k] B[l,j]            i → k by A, j → l by B'      B' ⊗ A
    δ[i,k] δ[j,l] C[i,j]     C on the pair                diag(vec(C))
    V[i,k] T[k,j] X[l,j]     V, then T, then X'           (I ⊗ V) diag(vec(T)) (X' ⊗ I)
    A[i,l] B[k,j]            the pair arrives as (l, k)   (B' ⊗ A) commutation(p, q)

An end that no factor holds goes to its goal by a matrix of ones.  Of all walks the
lightest is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from matderiv.notation.forms import chain, diagonal, split, transpose
from matderiv.notation.numbers import scale
from matderiv.notation.scalars import scalar_factors
from matderiv.notation.signs import negate, settle
from matderiv.notation.terms import Call, Identity, Kronecker, Ones, Sum, Term
from matderiv.tensor.arena import Arena
from matderiv.tensor.dims import Dim, multiply_dims
from matderiv.tensor.nodes import Factor, Node, Product

__all__ = ["lift_vec", "lift_walk"]

Lift = Callable[[Node], Term]
Labels = tuple[int, ...]

# Labels of ends that the product lacks: the second axis of a vector, of size 1, and the
# second of two axes that a δ makes one.
_NO_ROW, _NO_COLUMN, _SAME_ROW, _SAME_COLUMN = -1, -2, -3, -4
_ABSENT = (_NO_ROW, _NO_COLUMN)
_VEC = r"\operatorname{{vec}}({x})"


def lift_vec(node: Node, lift: Lift) -> Term:
    """vec of a matrix, v ⊗ u for u v', scalars in front; a vector as it is."""
    term = lift(node)
    if node.order < 2:
        return term
    if isinstance(term, Ones):
        return Ones((multiply_dims(*term.dims),), order=1)
    above, below, links = split(term)
    matrix = chain(links)
    stacked: Term = Call("vec", (matrix,), order=1, latex=_VEC, odd=True)
    for place in range(1, len(links)):
        left, right = chain(links[:place]), chain(links[place:])
        if left.order == right.order == 1:
            product = Kronecker(transpose(right), left, order=1)
            stacked = min(stacked, product, key=lambda term: term.weight)
    return scale(Fraction(1), above, below, stacked)


def lift_walk(
    node: Node, rows: Sequence[int], columns: Sequence[int], lift: Lift
) -> tuple[int, Term] | None:
    """The sign and the matrix of a value whose axes `rows` are stacked, and `columns` too."""
    if len(rows) > 2 or len(columns) > 2:
        return None
    if isinstance(node, Product):
        coefficient, factors, out = Fraction(node.coefficient), node.factors, node.out
        sizes = dict(enumerate(node.sizes))
    else:
        out = tuple(range(node.order))
        coefficient, factors = Fraction(1), (Factor(node, out, 1),)
        sizes = dict(enumerate(node.shape))
    scalars, pieces = _pieces(node.arena, factors, out, sizes)
    ends = tuple(out[k] for k in rows), tuple(out[k] for k in columns)
    web = _Web(node.arena, lift, pieces, sizes)
    found = [*_outer(web, *ends), *_walks(web, *ends)]
    if not found:
        return None
    sign, term = min((_product(links) for links in found), key=lambda pair: pair[1].weight)
    above, below, links = split(term)
    magnitude, up, down = scalar_factors(abs(coefficient), scalars, lift)
    term = scale(magnitude, up + above, down + below, chain(links))
    return settle(sign if coefficient > 0 else -sign, term)


@dataclass(frozen=True)
class _Web:
    """The tensor factors of a product, each on at most two ends where sums allow."""

    arena: Arena
    lift: Lift
    pieces: list[Factor]
    sizes: Mapping[int, Dim]

    def node(self, factors: Sequence[Factor], ends: Sequence[int]) -> Node:
        return self.arena.product(1, factors, ends, self.sizes)


def _pieces(
    arena: Arena, factors: Sequence[Factor], out: Labels, sizes: Mapping[int, Dim]
) -> tuple[list[Factor], list[Factor]]:
    """Scalars and tensors; factors that sums join are one where they have at most two ends."""
    parts: list[tuple[set[int], list[Factor]]] = []
    scalars = [factor for factor in factors if not factor.labels]
    for factor in factors:
        if not factor.labels:
            continue
        inner, joined, rest = set(factor.labels) - set(out), [factor], []
        for labels, members in parts:
            if labels & inner:
                inner, joined = inner | labels, members + joined
            else:
                rest.append((labels, members))
        parts = [*rest, (inner, joined)]
    pieces = list[Factor]()
    for _, members in parts:
        held = {label for factor in members for label in factor.labels}
        ends = tuple(label for label in dict.fromkeys(out) if label in held)
        if len(ends) > 2:
            pieces += members
        else:
            node = arena.product(1, members, ends, sizes)
            (pieces if ends else scalars).append(Factor(node, ends, 1))
    return scalars, pieces


def _product(links: Sequence[Term]) -> tuple[int, Term]:
    """The chain of links, their signs taken out."""
    sign, plain = 1, []
    for link in links:
        if isinstance(link, Sum) and link.is_negation:
            sign, link = -sign, link.members[0][1]
        plain.append(link)
    return sign, chain(plain)


def _outer(web: _Web, rows: Labels, columns: Labels) -> Iterator[list[Term]]:
    """vec(U) vec(V)', where nothing joins rows to columns."""
    sides: tuple[list[Factor], list[Factor]] = [], []
    for piece in web.pieces:
        sides[not set(piece.labels) & set(rows)].append(piece)
    left = {label for piece in sides[0] for label in piece.labels} | set(rows)
    right = {label for piece in sides[1] for label in piece.labels} | set(columns)
    if not left & right:
        u, v = web.node(sides[0], rows), web.node(sides[1], columns)
        yield [lift_vec(u, web.lift), transpose(lift_vec(v, web.lift))]


def _walks(web: _Web, rows: Labels, columns: Labels) -> Iterator[list[Term]]:
    """The links of every walk that arrives."""
    sizes = {**web.sizes, _NO_ROW: 1, _NO_COLUMN: 1}
    pieces = list(web.pieces)
    ends = []
    for pair, absent, same in ((rows, _NO_ROW, _SAME_ROW), (columns, _NO_COLUMN, _SAME_COLUMN)):
        first, second = pair if len(pair) == 2 else (pair[0], absent)
        if first == second:
            weights = [piece for piece in pieces if piece.labels == (first,)]
            pieces = [piece for piece in pieces if piece.labels != (first,)]
            diagonal_node = web.node(weights, (first, first))
            pieces.append(Factor(diagonal_node, (first, same), 1))
            sizes[same] = sizes[first]
            second = same
        ends.append((first, second))
    web = _Web(web.arena, web.lift, pieces, sizes)
    begin, last = ends
    for start in (begin, begin[::-1]) if begin[1] == _NO_ROW else (begin,):
        for goal in (last, last[::-1]):
            walk = _Walk(web, list(start), list(start), goal, list(pieces))
            links = walk.links_to_goal()
            if links is None:
                continue
            shape = sizes[last[0]], sizes[last[1]]
            if goal != last and last[1] != _NO_COLUMN:
                links.append(Call("commutation", (), sizes=shape, order=2))
            yield links or [Identity(multiply_dims(*shape))]


@dataclass
class _Walk:
    """A pair of ends on its way; end 0 runs down a column, end 1 from column to column."""

    web: _Web
    start: list[int]
    here: list[int]
    goal: tuple[int, int]
    rest: list[Factor]
    sides: tuple[list[Factor], list[Factor]] = field(default_factory=lambda: ([], []))
    links: list[Term] = field(default_factory=list)

    def links_to_goal(self) -> list[Term] | None:
        """The matrices of the walk, in order; None where it gets stuck.

        Each turn uses up a factor or brings an end to its goal, so this ends.
        """
        while self._meet() or self._step() or self._leap():
            pass
        if self.rest or tuple(self.here) != self.goal:
            return None
        self._close()
        return self.links

    def _meet(self) -> bool:
        """Multiply by what holds one end alone, or just the pair."""
        for side, label in enumerate(self.here):
            met = [factor for factor in self.rest if set(factor.labels) == {label}]
            if met:
                self.sides[side].extend(met)
                self._drop(met)
                return True
        met = [factor for factor in self.rest if set(factor.labels) == set(self.here)]
        if met:
            self._close()
            weights = lift_vec(self.web.node(met, self.here), self.web.lift)
            self.links.append(diagonal(weights))
            self._drop(met)
        return bool(met)

    def _step(self) -> bool:
        """Lead an end on by the one factor that holds it."""
        for side, label in enumerate(self.here):
            holders = self._holders(label)
            if label in self.goal or len(holders) != 1 or len(holders[0].labels) != 2:
                continue
            (target,) = set(holders[0].labels) - {label}
            if target not in self.here:
                self.here[side] = target
                self.sides[side].append(holders[0])
                self._drop(holders)
                return True
        return False

    def _leap(self) -> bool:
        """Bring an end that nothing holds to its goal, by a matrix of ones."""
        for side, label in enumerate(self.here):
            target = self.goal[side]
            if label not in self.goal and target not in self.here and not self._holders(label):
                self.here[side] = target
                return True
        return False

    def _holders(self, label: int) -> list[Factor]:
        return [factor for factor in self.rest if label in factor.labels]

    def _drop(self, met: Sequence[Factor]) -> None:
        self.rest = [factor for factor in self.rest if not any(factor is one for one in met)]

    def _close(self) -> None:
        """Write the steps since the last diagonal as one Kronecker product."""
        if self.start != self.here or any(self.sides):
            right, left = (self._side(side) for side in (0, 1))
            link = _kronecker(left, right)
            if link is not None:
                self.links.append(link)
        self.start, self.sides = list(self.here), ([], [])

    def _side(self, side: int) -> Term | None:
        """The matrix of one side; a row or a column where an end is absent."""
        start, stop = self.start[side], self.here[side]
        ends = [label for label in (start, stop) if label not in _ABSENT]
        if not ends:
            return None
        term = self.web.lift(self.web.node(self.sides[side], ends))
        return transpose(term) if start in _ABSENT else term


def _kronecker(left: Term | None, right: Term | None) -> Term | None:
    """left ⊗ right with the scalars and the sign of both in front; None is the number 1."""
    if left is None or right is None:
        return left or right
    (sign, left), (turn, right) = _product([left]), _product([right])
    (up, down, left_links), (more, less, right_links) = split(left), split(right)
    left, right = chain(left_links), chain(right_links)
    body: Term = Kronecker(left, right, order=2)
    if isinstance(left, Identity) and isinstance(right, Identity):
        body = Identity(multiply_dims(left.dim, right.dim))
    body = scale(Fraction(1), up + more, down + less, body)
    return body if sign == turn else negate(body)
