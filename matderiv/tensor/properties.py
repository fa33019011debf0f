"""What is known of a value from its structure: symmetric, nonnegative.

Answers are proofs: False means "not proved".  They are kept in the arena.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING

from matderiv.tensor.nodes import (
    Apply,
    Factor,
    Last,
    Map,
    Name,
    Node,
    Number,
    Product,
    Size,
    Stack,
    Sum,
    Variable,
)
from matderiv.tensor.stable import one_plus
from matderiv.tensor.traverse import reachable

if TYPE_CHECKING:
    from matderiv.tensor.arena import Arena

__all__ = [
    "is_distributed",
    "is_factor_nonnegative",
    "is_nonnegative",
    "is_positive_definite",
    "is_semidefinite",
    "is_sum_of_squares",
    "is_symmetric",
    "splits_over_power",
]

SYMMETRIC = frozenset({"symmetric", "posdef", "diagonal"})
NONNEGATIVE = frozenset({"positive", "stochastic"})


def is_distributed(node: Sum) -> bool:
    """Whether products over this sum are written term by term, so that they become matrices.

    Sums of order > 2 are, but for T - X: a tensor, and tensors or contractions of several.
    """
    products = [term for term in node.children if isinstance(term, Product | Sum)]
    whole = len(products) < len(node.children) and all(map(_contracts, products))
    return node.order > 2 and not whole


def _contracts(node: Node) -> bool:
    return isinstance(node, Product) and len(set(node.out)) < len(node.sizes)


def is_symmetric(arena: Arena, node: Node) -> bool:
    """Whether A' = A is known.  A Product is symmetric when its transpose is itself."""
    if node.order != 2 or node.shape[0] != node.shape[1]:
        return False
    known = arena.symmetric
    if node.id not in known:
        # Parts are asked first: chains of them are long.
        for part in reachable([node], lambda n: n.id in known or not _is_symmetric_by_parts(n)):
            if part.id not in known:
                known[part.id] = False  # while the transpose is under construction
                known[part.id] = _is_symmetric(arena, part)
    return known[node.id]


def _is_symmetric_by_parts(node: Node) -> bool:
    """Whether a square matrix is symmetric where its children are, which are as large."""
    if isinstance(node, Apply):
        return node.primitive.keeps_symmetry
    return isinstance(node, Map | Name | Sum)


def _is_symmetric(arena: Arena, node: Node) -> bool:
    if isinstance(node, Variable):
        return bool(node.attributes & SYMMETRIC)
    if isinstance(node, Map):
        return all(is_symmetric(arena, child) for child in node.children)
    if isinstance(node, Sum):
        # A + A' is symmetric though its terms are not.
        loose = {
            (t.coefficient, t.node.id): t for t in node.terms if not is_symmetric(arena, t.node)
        }
        return len(loose) <= 8 and all(
            (t.coefficient, arena.transpose(t.node).id) in loose for t in loose.values()
        )
    if isinstance(node, Apply):
        return node.primitive.keeps_symmetry and is_symmetric(arena, node.arguments[0])
    if isinstance(node, Name):
        return is_symmetric(arena, node.definition)
    if isinstance(node, Last | Stack):  # a last value is a value of the body
        return is_symmetric(arena, _in_body(node))
    assert isinstance(node, Product)
    sizes = dict(enumerate(node.sizes))
    return arena.product(node.coefficient, node.factors, node.out[::-1], sizes) is node


def _kept(proof: Callable[[Node], bool]) -> Callable[[Node], bool]:
    """Answers are kept; the parts of sums and products are asked first: chains of them are long."""

    @wraps(proof)
    def ask(node: Node) -> bool:
        known = node.arena.proofs.setdefault(proof, {})
        if node.id not in known:
            for part in reachable(
                [node], lambda n: n.id in known or not isinstance(n, Name | Product | Sum)
            ):
                if part.id not in known:
                    known[part.id] = proof(part)
        return known[node.id]

    return ask


@_kept
def is_nonnegative(node: Node) -> bool:
    """Whether every entry is known to be ≥ 0."""
    if isinstance(node, Variable):
        return bool(node.attributes & NONNEGATIVE)
    if isinstance(node, Size):
        return True
    if isinstance(node, Map):
        return node.function.nonnegative
    if isinstance(node, Apply):
        return node.primitive.nonnegative
    if isinstance(node, Name):
        return is_nonnegative(node.definition)
    if isinstance(node, Last | Stack):
        return is_nonnegative(_in_body(node))
    if _is_one_and_unit(node):
        return True
    if isinstance(node, Sum):
        return all(t.coefficient > 0 and is_nonnegative(t.node) for t in node.terms)
    assert isinstance(node, Product)
    return node.coefficient > 0 and all(map(is_factor_nonnegative, node.factors))


@_kept
def is_positive_definite(node: Node) -> bool:
    """Whether a matrix is known to be symmetric and positive definite: A'A + t I with t > 0."""
    if isinstance(node, Variable):
        return "posdef" in node.attributes
    if isinstance(node, Name):
        return is_positive_definite(node.definition)
    if isinstance(node, Sum):
        return all(t.coefficient > 0 and is_semidefinite(t.node) for t in node.terms) and any(
            is_positive_definite(t.node) for t in node.terms
        )
    if isinstance(node, Apply):
        return node.primitive.is_inverse and is_positive_definite(node.arguments[0])
    if not isinstance(node, Product) or node.coefficient <= 0 or len(node.out) != 2:
        return False
    if node.out[0] == node.out[1]:  # a diagonal
        return all(_is_positive(f.node) for f in node.factors)
    matrices, scalars = (
        [f for f in node.factors if f.labels],
        [f for f in node.factors if not f.labels],
    )
    return (
        len(matrices) == 1
        and matrices[0].exponent == 1
        and set(matrices[0].labels) == set(node.out)
        and is_positive_definite(matrices[0].node)
        and all(_is_positive(f.node) for f in scalars)
    )


@_kept
def _is_positive(node: Node) -> bool:
    """Whether every entry is known to be > 0."""
    if isinstance(node, Name):
        return _is_positive(node.definition)
    if isinstance(node, Sum):
        return all(t.coefficient > 0 for t in node.terms) and (
            all(is_nonnegative(t.node) for t in node.terms)
            and any(_is_positive(t.node) for t in node.terms)
        )
    if isinstance(node, Product):
        return node.coefficient > 0 and (
            len(set(node.out)) == len(node.out) and all(_is_positive(f.node) for f in node.factors)
        )
    return isinstance(node, Size) or (isinstance(node, Variable) and "positive" in node.attributes)


@_kept
def is_semidefinite(node: Node) -> bool:
    """Whether A is known to be symmetric with x'A x ≥ 0.

    So are diag(w) for w ≥ 0, sums, entrywise products (Schur), and u u' and B' C B for a
    semidefinite C.
    """
    if is_positive_definite(node):
        return True
    if isinstance(node, Name):
        return is_semidefinite(node.definition)
    if isinstance(node, Sum):
        return is_symmetric(node.arena, node) and bends_up(node)
    if not isinstance(node, Product) or node.coefficient < 0 or len(node.out) != 2:
        return False
    first, second = node.out
    if first == second:
        return all(map(is_factor_nonnegative, node.factors))
    sizes = dict(enumerate(node.sizes))
    schur, left, right, rest = list[Factor](), list[Factor](), list[Factor](), list[Factor]()
    for f in node.factors:
        at = {first, second}.intersection(f.labels)
        (schur if len(at) == 2 else left if first in at else right if at else rest).append(f)
    if schur:
        return all(
            isinstance(f.exponent, int)
            and f.exponent > 0
            and len(f.labels) == 2
            and is_semidefinite(f.node)
            for f in schur
        ) and is_semidefinite(node.arena.product(1, [*left, *right, *rest], node.out, sizes))
    inner = _mirror(left, right, first, second)
    if inner is None:
        return False
    apart = [(one, other) for one, other in inner.items() if one != other]
    if not apart:  # for each of the labels that both sides share, u u'
        return all(map(is_factor_nonnegative, rest))
    if len(inner) > 1:
        return False
    return is_semidefinite(node.arena.product(1, rest, apart[0], sizes))


@_kept
def bends_up(node: Node) -> bool:
    """Whether x'A x ≥ 0 is known of an A that need not be symmetric."""
    if isinstance(node, Variable):
        return not node.attributes.isdisjoint(("posdef", "definite"))
    if isinstance(node, Name):
        return bends_up(node.definition)
    if isinstance(node, Sum):
        return all(t.coefficient > 0 and bends_up(t.node) for t in node.terms)
    if isinstance(node, Product) and node.coefficient > 0:
        scalars = [f for f in node.factors if not f.labels]
        matrices = [(f.node, f.exponent) for f in node.factors if set(f.labels) == set(node.out)]
        if len(matrices) == 1 == len(node.factors) - len(scalars) and matrices[0][1] == 1:
            return bends_up(matrices[0][0]) and all(map(is_factor_nonnegative, scalars))
    return is_semidefinite(node)


def _mirror(
    left: list[Factor], right: list[Factor], first: int, second: int
) -> dict[int, int] | None:
    """The labels of factors, each with that of its place in equal factors beside `second`."""
    if len(left) != len(right):
        return None
    image = {first: second}
    for f, g in zip(left, right, strict=True):
        if f.node is not g.node or f.exponent != g.exponent:
            return None
        for one, other in zip(f.labels, g.labels, strict=True):
            if image.setdefault(one, other) != other:
                return None
    del image[first]
    return image if len(set(image.values())) == len(image) else None


def _is_one_and_unit(node: Node) -> bool:
    """Whether this is 1 - f or 1 + f for a function f with values in [0, 1]."""
    found = one_plus(node)
    if found is None:
        return False
    f = found[1]
    return f.function.unit if isinstance(f, Map) else isinstance(f, Apply) and f.primitive.unit


def _in_body(node: Last | Stack) -> Node:
    """The part of a loop's body whose values these are."""
    return node.loop.carries[node.index].next if isinstance(node, Last) else node.body


def is_factor_nonnegative(factor: Factor) -> bool:
    exponent = factor.exponent
    # An even numerator squares; an even denominator is a root, which is ≥ 0 where it exists.
    return (
        exponent.numerator % 2 == 0 or exponent.denominator % 2 == 0 or is_nonnegative(factor.node)
    )


def splits_over_power(node: Node, inner: Number, outer: Number) -> bool:
    """Whether (node^inner)^outer = node^(inner·outer) wherever the left side exists."""
    if outer.denominator == 1 or is_nonnegative(node):
        return True
    return inner.numerator % 2 == 1


@_kept
def is_sum_of_squares(node: Node) -> bool:
    """Whether a scalar is Σ Π of squares, as ‖x‖² is: its power -k/2 is 0 at 0 by our rule."""
    if isinstance(node, Name):
        return is_sum_of_squares(node.definition)
    if isinstance(node, Sum):
        return bool(node.terms) and all(
            t.coefficient > 0 and is_sum_of_squares(t.node) for t in node.terms
        )
    return (
        isinstance(node, Product)
        and bool(node.factors)
        and node.coefficient > 0
        and not node.out
        and all(
            f.exponent.numerator % 2 == 0 or (f.exponent > 0 and is_sum_of_squares(f.node))
            for f in node.factors
        )
    )
