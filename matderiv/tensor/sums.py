"""The constructor of sums: like terms merged, common content pulled out.

Content is the rational gcd (or what leaves short decimals, see `_content`), the sign of
the first term, and every scalar factor that all terms share; it becomes the surrounding
Product's, so that 2 (X w - y) and X w - y are built on one node.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import gcd, lcm
from typing import TYPE_CHECKING

from matderiv.tensor.dims import Shape
from matderiv.tensor.nodes import Apply, Factor, Node, Number, Product, Sum, Term, rational
from matderiv.tensor.products import drop_axes, repeated_axes
from matderiv.tensor.reshapes import is_outer

if TYPE_CHECKING:
    from matderiv.tensor.arena import Arena

__all__ = ["build_sum"]


def build_sum(
    arena: Arena,
    terms: Iterable[Term | tuple[Number, Node]],
    shape: Shape,
    inline: frozenset[int],
) -> Node:
    terms = tuple(terms)
    key = (terms, shape, inline)
    made = arena.sums.get(key)
    if made is None:
        made = arena.sums[key] = _build(arena, terms, shape, inline)
    return made


def _build(
    arena: Arena,
    terms: tuple[Term | tuple[Number, Node], ...],
    shape: Shape,
    inline: frozenset[int],
) -> Node:
    merged: dict[int, Number] = {}
    nodes: dict[int, Node] = {}
    stack = list(terms[::-1])
    while stack:
        coefficient, node = stack.pop()
        if node.shape != shape:
            raise ValueError(f"a term of shape {node.shape} in a sum of shape {shape}")
        if isinstance(node, Product) and node.coefficient != 1:
            coefficient *= node.coefficient
            node = arena.product(1, node.factors, node.out, dict(enumerate(node.sizes)))
        if isinstance(node, Sum) and (node.id in inline or not node.terms):
            stack += [(coefficient * c, n) for c, n in reversed(node.terms)]
            continue
        nodes[node.id] = node
        merged[node.id] = merged.get(node.id, 0) + coefficient
    kept = [(merged[k], nodes[k]) for k in sorted(merged) if merged[k] != 0]
    if not kept:
        return arena.zero(shape)
    if len(kept) == 1:
        return arena.scale(*kept[0])
    repeated = frozenset.intersection(*(repeated_axes(node) for _, node in kept))
    if repeated:  # a sum of values that all repeat along axes is taken once
        left = [axis for axis in range(len(shape)) if axis not in repeated]
        inner = arena.sum(
            [(c, drop_axes(node, repeated)) for c, node in kept], tuple(shape[k] for k in left)
        )
        return arena.broadcast(inner, shape, left)
    if (reshaped := _reshaped(arena, kept)) is not None:
        return reshaped
    content = _content([c for c, _ in kept])
    kept = [
        (rational(c * content if content in (1, -1) else Fraction(c) / content), node)
        for c, node in kept
    ]
    shared = _shared_scalars([node for _, node in kept])
    if shared:
        kept = [(c, _without(arena, node, shared)) for c, node in kept]
        inner = arena.sum(kept, shape)
    else:
        made = tuple([Term(c, node) for c, node in kept])
        children = tuple([node for _, node in kept])
        inner = arena.intern(("sum", made, shape), Sum, shape, children, terms=made)
        if content == 1:
            return inner
    axes = tuple(range(len(shape)))
    return arena.product(rational(content), [Factor(inner, axes, 1), *shared], axes)


def _reshaped(arena: Arena, kept: list[tuple[Number, Node]]) -> Node | None:
    """vec(X) + vec(Y) = vec(X + Y), but for outer products, which are fused each on its own."""
    first = kept[0][1]
    if not isinstance(first, Apply) or first.primitive.key != "reshape":
        return None
    (inner,) = first.arguments
    parts = []
    for coefficient, node in kept:
        if not isinstance(node, Apply) or node.primitive.key != "reshape":
            return None
        (part,) = node.arguments
        if part.shape != inner.shape or is_outer(part):
            return None
        parts.append((coefficient, part))
    axes, dims = first.parameters
    assert isinstance(axes, int)
    assert isinstance(dims, tuple)
    return arena.reshape(arena.sum(parts, inner.shape), axes, dims)


def _content(coefficients: list[Number]) -> Number:
    """The number to pull out, with the sign of the first coefficient.

    It is the gcd, which leaves integers: (3 x + 2 y)/6.  Where that would blow a decimal
    up to a power of ten, it is the largest: x' x + 1e-8 stays, no 100000000 x' x + 1.
    """
    top = gcd(*(c.numerator for c in coefficients))
    bottom = lcm(*(c.denominator for c in coefficients))
    content: Number = top
    if bottom != 1:
        content = Fraction(top, bottom)
        largest = max(abs(Fraction(c)) for c in coefficients)
        if (largest / content) % 10 == 0 and all(_is_decimal(c / largest) for c in coefficients):
            content = largest
    return content if coefficients[0] > 0 else -content


def _is_decimal(number: Number) -> bool:
    rest = number.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def _shared_scalars(nodes: list[Node]) -> list[Factor]:
    """The scalar factors of all terms, each with the exponent nearest to 0."""
    common = _scalar_factors(nodes[0])
    for node in nodes[1:]:
        scalars = _scalar_factors(node)
        both = common.keys() & scalars.keys()
        common = {
            k: min(common[k], scalars[k], key=lambda f: abs(Fraction(f.exponent)))
            for k in common
            if k in both and (common[k].exponent > 0) == (scalars[k].exponent > 0)
        }
    return list(common.values())


def _scalar_factors(node: Node) -> dict[int, Factor]:
    if isinstance(node, Product):
        scalars = {f.node.id: f for f in node.factors if not f.labels}
        if scalars:
            return scalars
    return {} if node.order else {node.id: Factor(node, (), 1)}


def _without(arena: Arena, node: Node, shared: list[Factor]) -> Node:
    axes = tuple(range(node.order))
    inverse = [factor._replace(exponent=-factor.exponent) for factor in shared]
    factors = [Factor(node, axes, 1), *inverse]
    # Merged in, or the scalars would stand beside their inverses without meeting them.
    return arena.product(1, factors, axes, inline=frozenset({node.id}))
