"""Index notation: one entry of a value of any order.

    [i,j,k,l] = -X⁻¹[i,k] X⁻¹[l,j]

A Product falls apart into parts joined by summed labels; a part with at most two free
labels is written in matrix notation with its indices behind, so that Σ is left for
what matrices cannot say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import chain as concatenate
from itertools import count

from matderiv.notation.forms import multiply_number, power
from matderiv.notation.numbers import scale
from matderiv.notation.scalars import scalar_factors
from matderiv.notation.signs import add, negate, settle
from matderiv.notation.terms import (
    Call,
    Delta,
    Einsum,
    Entry,
    Juxtaposed,
    Mark,
    Postfix,
    Power,
    Sigma,
    Sum,
    Term,
    walk,
)
from matderiv.tensor.dims import Shape, dimension_names
from matderiv.tensor.nodes import Factor, Map, Node, Product
from matderiv.tensor.nodes import Sum as SumNode
from matderiv.tensor.reshapes import unfused

__all__ = ["LETTERS", "index_letters", "lift_entries"]

Lift = Callable[[Node], Term]

LETTERS = "ijklmnpqrstuvw"
_MOST_TERMS = 12


def index_letters() -> Iterator[str]:
    return concatenate(LETTERS, (f"i{k}" for k in count(1)))


def lift_entries(
    node: Node, lift: Lift, *, explicit: bool = False, term: Term | None = None
) -> tuple[tuple[str, ...], Term]:
    """The indices and the entry at them; `explicit` writes every sum as Σ.

    `term` is the node in full, where `lift` gives a name that the entry is to define.
    Along an axis that was fused of others the index is that of its parts: [n i + j, k].
    """
    letters = index_letters()
    opened, parts = unfused(node)
    if opened is node:
        indices = tuple(next(letters) for _ in node.shape)
        return indices, _entry(node, indices, lift, explicit, term)
    sizes = frozenset(name for dims in parts for name in dimension_names(dims))
    free = (letter for letter in letters if letter not in sizes)
    groups = [tuple(next(free) for _ in dims) for dims in parts]
    entry = _entry(opened, tuple(concatenate(*groups)), lift, explicit, outside=sizes)
    return tuple(_position(group, dims) for group, dims in zip(groups, parts, strict=True)), entry


def _position(indices: tuple[str, ...], dims: Shape) -> str:
    """The place of an entry along an axis that was fused in C order: n i + j."""
    place = indices[0]
    for index, dim in zip(indices[1:], dims[1:], strict=True):
        place = f"{dim} ({place}) + {index}" if " " in place else f"{dim} {place} + {index}"
    return place


def _entry(
    node: Node,
    indices: tuple[str, ...],
    lift: Lift,
    explicit: bool,
    term: Term | None = None,
    outside: frozenset[str] = frozenset(),
) -> Term:
    """The entry of a node at indices; `outside` are letters that mean something around it."""
    term = lift(node) if term is None else term
    if not indices:
        return term
    plain = not _has_einsum(term)
    if isinstance(node, SumNode) and (explicit or not plain):
        return _sum(node, indices, lift, explicit, outside)
    if isinstance(node, Product) and (explicit or not plain):
        return _product(node, indices, lift, explicit, outside)
    if isinstance(node, Map) and not plain:
        arguments = tuple(
            _entry(argument, indices, lift, explicit, outside=outside) if part.order else part
            for argument, part in zip(node.arguments, term.parts, strict=True)
        )
        if isinstance(term, Power):
            base, exponent = arguments
            return Power(base, exponent, elementwise=False, order=0)
        assert isinstance(term, Call)
        return Call(term.function, arguments, order=0, latex=term.latex, primes=term.primes)
    return Entry(term, indices)


def _has_einsum(term: Term) -> bool:
    return any(isinstance(part, Einsum) for part in walk(term))


def _sum(
    node: SumNode, indices: tuple[str, ...], lift: Lift, explicit: bool, outside: frozenset[str]
) -> Term:
    members = []
    for coefficient, child in node.terms:
        term = _entry(child, indices, lift, explicit, outside=outside)
        sign = 1 if coefficient > 0 else -1
        if isinstance(term, Sum) and term.is_negation:
            sign, term = -sign, term.members[0][1]
        term = multiply_number(abs(Fraction(coefficient)), term)
        members.append(settle(sign, term, spoil=False))
    return add(members, 0)


def _product(
    node: Product, indices: tuple[str, ...], lift: Lift, explicit: bool, outside: frozenset[str]
) -> Term:
    term = _factors(node, indices, lift, explicit, outside)
    expanded = _expand(node)
    if expanded is not None:
        other = _entry(expanded, indices, lift, explicit, outside=outside)
        term = min(term, other, key=lambda t: t.weight)
    return term


def _expand(node: Product) -> Node | None:
    """The Product distributed over its first factor that is a Sum of order > 2."""
    for place, factor in enumerate(node.factors):
        child = factor.node
        if isinstance(child, SumNode) and child.order > 2 and factor.exponent == 1:
            if not 0 < len(child.terms) <= _MOST_TERMS:
                return None
            sizes = dict(enumerate(node.sizes))
            terms = []
            for coefficient, part in child.terms:
                factors = list(node.factors)
                factors[place] = factor._replace(node=part)
                terms.append((coefficient, node.arena.product(1, factors, node.out, sizes)))
            total = node.arena.sum(terms, node.shape)
            # A content that all terms share goes back outside: that expanded nothing.
            result = node.arena.scale(node.coefficient, total)
            return None if isinstance(total, Product) or result is node else result
    return None


def _factors(
    node: Product, indices: tuple[str, ...], lift: Lift, explicit: bool, outside: frozenset[str]
) -> Term:
    letters: dict[int, str] = {}
    scalars = [factor for factor in node.factors if not factor.labels]
    coefficient = Fraction(node.coefficient)
    magnitude, above, below = scalar_factors(abs(coefficient), scalars, lift)
    for label, index in zip(node.out, indices, strict=True):
        if label in letters:
            above.append(Delta((letters[label], index)))
        else:
            letters[label] = index
    taken = outside | set(indices)
    fresh = (letter for letter in index_letters() if letter not in taken)
    for part in _parts(node):
        free = [label for label in letters if any(label in factor.labels for factor in part)]
        free = [label for label in free if label in node.out]
        written = None
        if not explicit and len(free) <= 2:
            written = _in_matrices(node, part, free, letters, lift)
        if written is not None:
            factor = part[0]
            single = len(part) == 1 and all(label in letters for label in factor.labels)
            if single and factor.exponent < 0:
                below.append(power(_subscripted(factor, letters, lift), -Fraction(factor.exponent)))
            else:
                above.append(written)
            continue
        summed = list(dict.fromkeys(k for f in part for k in f.labels if k not in node.out))
        for label in summed:
            letters[label] = next(fresh)
        up, down = list[Term](), list[Term]()
        for factor in part:
            at = tuple(letters[k] for k in factor.labels)
            around = taken | set(letters.values())
            entry = _entry(factor.node, at, lift, explicit, outside=around)
            entry = power(entry, abs(Fraction(factor.exponent)))
            (up if factor.exponent > 0 else down).append(entry)
        if summed:
            body = scale(Fraction(1), up, down, None)
            above.append(Sigma(tuple(letters[label] for label in summed), body))
        else:
            above, below = above + up, below + down
    sign, term = settle(1 if coefficient > 0 else -1, scale(magnitude, above, below, None))
    return term if sign > 0 else negate(term)


def _subscripted(factor: Factor, letters: dict[int, str], lift: Lift) -> Term:
    return Entry(lift(factor.node), tuple(letters[k] for k in factor.labels))


def _parts(node: Product) -> list[list[Factor]]:
    """The factors grouped by the summed labels they share."""
    parts: list[tuple[set[int], list[Factor]]] = []
    for factor in node.factors:
        if not factor.labels:
            continue
        inner = {label for label in factor.labels if label not in node.out}
        joined = [factor]
        rest = []
        for labels, members in parts:
            if labels & inner:
                inner |= labels
                joined = members + joined
            else:
                rest.append((labels, members))
        parts = [*rest, (inner, joined)]
    return [members for _, members in parts]


def _in_matrices(
    node: Product, part: Sequence[Factor], free: list[int], letters: dict[int, str], lift: Lift
) -> Term | None:
    """A part as a matrix, vector or scalar with its indices behind; the lighter way round."""
    sizes = dict(enumerate(node.sizes))
    candidates = []
    for out in [free, free[::-1]] if len(free) == 2 else [free]:
        term = lift(node.arena.product(1, part, out, sizes))
        if _has_einsum(term):
            return None
        indices = tuple(letters[label] for label in out)
        if isinstance(term, Juxtaposed) and len(out) == 1 and term.factors[0].order == 0:
            return None
        candidates.append(Entry(term, indices) if indices else term)
    return min(candidates, key=lambda t: (t.weight, _turned(t)))


def _turned(term: Term) -> int:
    marks = (Mark.TRANSPOSE, Mark.INVERSE_TRANSPOSE)
    return sum(isinstance(part, Postfix) and part.mark in marks for part in walk(term))
