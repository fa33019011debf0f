"""The constructor of products: everything that makes two equal products one node.

In order: children that only move values about are merged in; equal factors merge
into a power; an inverse meets its argument and both vanish; closed scalar parts are
split off as factors of their own (so ‖x‖ ‖x‖⁻¹ cancels); labels are renumbered.

A label is *alive* while it is an axis of something.  One that ends alive, summed and
carried by no factor is a sum of ones, the factor n; one eliminated by a cancellation
is dead and leaves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from matderiv.errors import DomainError
from matderiv.limits import tick
from matderiv.tensor.cancel import cancel_inverses
from matderiv.tensor.canonical import canonical_labels
from matderiv.tensor.dims import Dim
from matderiv.tensor.nodes import Factor, Node, Number, Product, Sum, rational
from matderiv.tensor.properties import is_factor_nonnegative, is_symmetric, splits_over_power
from matderiv.tensor.reshapes import fuse_outputs, split_labels
from matderiv.tensor.roots import merge_roots
from matderiv.tensor.rules import merge_pointwise
from matderiv.tensor.stable import stable_factors

if TYPE_CHECKING:
    from matderiv.tensor.arena import Arena

__all__ = ["build_product", "drop_axes", "repeated_axes"]

_LARGEST_POWER = 4096  # bits; a larger power of a number stays a factor


class Labels:
    """Labels with their sizes, and which of them have been unified."""

    __slots__ = ("dead", "dims", "parent", "unified")

    def __init__(self, dims: list[Dim]) -> None:
        self.parent = list(range(len(dims)))
        self.dims = dims
        self.dead: set[int] = set()
        self.unified = False

    def new(self, dim: Dim) -> int:
        self.parent.append(len(self.parent))
        self.dims.append(dim)
        return len(self.parent) - 1

    def find(self, label: int) -> int:
        parent = self.parent
        while parent[label] != label:
            parent[label] = parent[parent[label]]
            label = parent[label]
        return label

    def unify(self, a: int, b: int) -> None:
        a, b = self.find(a), self.find(b)
        if a != b:
            self.unified = True
            self.parent[max(a, b)] = min(a, b)


def build_product(
    arena: Arena,
    coefficient: Number,
    factors: Iterable[Factor | tuple[Node, Sequence[int], Number]],
    out: Sequence[int],
    sizes: Mapping[int, Dim],
    inline: frozenset[int],
) -> Node:
    names: dict[int, int] = {}
    dims: list[Dim] = []
    stack: list[Factor] = []
    for node, axes, exponent in factors:
        for axis, dim in zip(axes, node.shape, strict=True):
            if axis not in names:
                names[axis] = len(dims)
                dims.append(dim)
        stack.append(Factor(node, tuple([names[axis] for axis in axes]), exponent))
    carried = len(dims)
    for label in out:
        if label not in names:
            names[label] = len(dims)
            dims.append(sizes[label])
    ends = tuple([names[label] for label in out])
    key = (coefficient, tuple(stack), ends, tuple(dims[carried:]), inline)
    made = arena.products.get(key)
    if made is None:
        made = _build(arena, coefficient, stack[::-1], ends, Labels(dims), inline)
        arena.products[key] = made
    return made


def _build(
    arena: Arena,
    coefficient: Number,
    stack: list[Factor],
    ends: Sequence[int],
    labels: Labels,
    inline: frozenset[int],
) -> Node:
    shape = tuple([labels.dims[end] for end in ends])
    coefficient, flat = _expand(arena, coefficient, stack, labels, inline)
    if coefficient == 0:
        return arena.zero(shape)
    while True:
        tick()
        merged = _merge(arena, flat, labels)
        flat = stable_factors(arena, merge_pointwise(arena, merged))
        flat = split_labels(arena, flat, ends, labels)
        flat = merge_roots(arena, flat, ends, labels)
        if flat is not merged:
            coefficient, flat = _expand(arena, coefficient, flat, labels, frozenset())
        elif not cancel_inverses(arena, flat, ends, labels):
            break
    ends = [labels.find(end) for end in ends]
    carried = {label for factor in flat for label in factor.labels}
    for label in set(range(len(labels.parent))).difference(carried, labels.dead, ends):
        if labels.parent[label] == label:
            flat.append(Factor(arena.size(labels.dims[label]), (), 1))
            coefficient, flat = _expand(arena, coefficient, flat, labels, frozenset())
            flat = _merge(arena, flat, labels)
    flat = _hoist(arena, flat, ends, labels)
    while any(isinstance(f.node, Product) and not f.labels and _opens(arena, f) for f in flat):
        # A merger of scalars (‖x‖² ‖x‖⁻², √2 √2) leaves numbers and products of scalars.
        coefficient, flat = _expand(arena, coefficient, flat, labels, frozenset())
        flat = _merge(arena, flat, labels)
    if coefficient == 0:
        return arena.zero(shape)
    fused = fuse_outputs(arena, coefficient, flat, ends, labels)
    return fused or _finish(arena, coefficient, flat, ends, labels)


def _expand(
    arena: Arena, coefficient: Number, stack: list[Factor], labels: Labels, inline: frozenset[int]
) -> tuple[Number, list[Factor]]:
    """Merge wiring, numbers and the named children into the list of factors.

    Merged in as well is the reciprocal of an entrywise product that meets one of its
    factors: x (x/y)⁻¹ = y.
    """
    flat: list[Factor] = []
    beside = {factor.node.id for factor in stack}
    while stack:
        factor = stack.pop()
        node, axes, exponent = factor
        if exponent == 0:
            continue
        if isinstance(node, Sum) and not node.terms:
            if exponent < 0:
                raise DomainError("division by zero: a value here is identically 0")
            coefficient = 0  # and on: 0/0 is no 0
            continue
        if not isinstance(node, Product):
            flat.append(factor)
            continue
        if node.coefficient != 1:
            power = _number_power(node.coefficient, exponent)
            if power is not None:
                coefficient *= power
                rest = arena.product(1, node.factors, node.out, dict(enumerate(node.sizes)))
                stack.append(Factor(rest, axes, exponent))
                continue
        meets = (
            exponent < 0
            and _is_entrywise(node)
            and not beside.isdisjoint(child.node.id for child in node.factors)
        )
        if not (node.wiring or meets or node.id in inline) or not _mergeable(arena, node, exponent):
            if repeated := repeated_axes(node):  # what repeats along axes is taken once
                kept = tuple(k for i, k in enumerate(axes) if i not in repeated)
                stack.append(Factor(drop_axes(node, repeated), kept, exponent))
            else:
                flat.append(factor)
            continue
        inner: dict[int, int] = {}
        for label, axis in zip(node.out, axes, strict=True):
            if label in inner:
                labels.unify(inner[label], axis)
            inner[label] = axis
        for child, child_axes, child_exponent in node.factors:
            for label in child_axes:
                if label not in inner:
                    inner[label] = labels.new(node.sizes[label])
            power = rational(child_exponent * exponent)
            stack.append(Factor(child, tuple(inner[k] for k in child_axes), power))
    return rational(coefficient), flat if coefficient else []


def _is_entrywise(node: Product) -> bool:
    """Whether each entry is a product of single entries: nothing summed, no diagonal."""
    distinct = set(node.out)
    return len(distinct) == len(node.out) == len(node.sizes)


def repeated_axes(node: Node) -> frozenset[int]:
    """The axes along which a Product repeats its values: ones that no factor carries."""
    if not isinstance(node, Product):
        return frozenset()
    carried = {label for factor in node.factors for label in factor.labels}
    return frozenset(
        axis
        for axis, label in enumerate(node.out)
        if label not in carried and node.out.count(label) == 1
    )


def drop_axes(node: Node, axes: frozenset[int]) -> Node:
    """A Product without some of its repeated axes."""
    assert isinstance(node, Product)
    out = [label for axis, label in enumerate(node.out) if axis not in axes]
    return node.arena.product(node.coefficient, node.factors, out, dict(enumerate(node.sizes)))


def _opens(arena: Arena, factor: Factor) -> bool:
    """Whether `_expand` would merge this scalar."""
    node, _, exponent = factor
    assert isinstance(node, Product)
    if node.coefficient != 1:
        return _number_power(node.coefficient, exponent) is not None
    return node.wiring and _mergeable(arena, node, exponent)


def _number_power(base: Number, exponent: Number) -> Number | None:
    """base^exponent where that is rational and of reasonable size, else None."""
    exponent = Fraction(exponent)
    power = exponent.numerator
    if exponent.denominator != 1:
        if base < 0:
            return None
        base = Fraction(base)
        roots = [_root(n, exponent.denominator) for n in (base.numerator, base.denominator)]
        if None in roots:
            return None
        assert roots[0] is not None
        assert roots[1] is not None
        base = Fraction(roots[0], roots[1])
    base = Fraction(base)
    bits = max(abs(base.numerator), base.denominator).bit_length() - 1  # none for 1 and -1
    return base**power if abs(power) * bits <= _LARGEST_POWER else None


def _root(value: int, degree: int) -> int | None:
    if value < 2:
        return value
    if value.bit_length() > 512 or degree > 64:
        return None
    low, high = 1, 1 << (value.bit_length() // degree + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= value else (low, middle - 1)
    return low if low**degree == value else None


def _mergeable(arena: Arena, node: Product, exponent: Number) -> bool:
    if exponent == 1:
        return True
    if len(node.sizes) > len(set(node.out)):  # a power of a sum
        return False
    if len(node.out) > len(set(node.out)) and exponent < 0:  # 1/0 off the diagonal
        return False
    if node.coefficient != 1:
        return False
    if exponent.denominator == 1:
        return True
    if not all(splits_over_power(f.node, f.exponent, exponent) for f in node.factors):
        return False
    # (a b)^½ = a^½ b^½ needs every factor but one proved nonnegative.
    return sum(not is_factor_nonnegative(f) for f in node.factors) <= 1


def _merge(arena: Arena, factors: list[Factor], labels: Labels) -> list[Factor]:
    """Add the exponents of equal factors; drop the ones that vanish."""
    powers: dict[tuple[int, tuple[int, ...]], Factor] = {}
    for node, axes, exponent in factors:
        if labels.unified:
            axes = tuple([labels.find(k) for k in axes])
        if len(axes) == 2 and axes[0] > axes[1] and is_symmetric(arena, node):
            axes = axes[::-1]
        key = (node.id, axes)
        if key in powers:
            exponent = rational(powers[key].exponent + exponent)
        powers[key] = Factor(node, axes, exponent)
    return [factor for factor in powers.values() if factor.exponent != 0]


def _hoist(
    arena: Arena, factors: list[Factor], ends: Sequence[int], labels: Labels
) -> list[Factor]:
    """Replace each part that touches no output label by one scalar factor."""
    apart = _apart([factor for factor in factors if factor.labels], ends)
    if not apart:
        return factors
    kept = [factor for factor in factors if factor not in apart]
    while apart:
        rest = _apart(apart, apart[0].labels)
        part = [factor for factor in apart if factor not in rest]
        kept.append(Factor(_intern(arena, 1, part, (), labels), (), 1))
        apart = rest
    return _merge(arena, kept, labels)


def _apart(factors: list[Factor], labels: Iterable[int]) -> list[Factor]:
    """The factors that do not hang together with any of these labels."""
    reached, apart = set(labels), factors
    while apart:
        left = []
        for factor in apart:
            if reached.isdisjoint(factor.labels):
                left.append(factor)
            else:
                reached.update(factor.labels)
        if len(left) == len(apart):
            break
        apart = left
    return apart


def _finish(
    arena: Arena, coefficient: Number, factors: list[Factor], ends: Sequence[int], labels: Labels
) -> Node:
    if coefficient == 1 and len(factors) == 1:
        node, axes, exponent = factors[0]
        same = axes == tuple(ends) or (axes == tuple(ends)[::-1] and is_symmetric(arena, node))
        if exponent == 1 and same and len(set(axes)) == len(axes):
            return node
    return _intern(arena, coefficient, factors, ends, labels)


def _intern(
    arena: Arena, coefficient: Number, factors: list[Factor], ends: Sequence[int], labels: Labels
) -> Node:
    ordered, numbers = canonical_labels(factors, ends, lambda node: is_symmetric(arena, node))
    coefficient = rational(coefficient)
    out = tuple([numbers[end] for end in ends])
    sizes = tuple([labels.dims[label] for label in numbers])
    return arena.intern(
        ("product", coefficient, ordered, out, sizes),
        Product,
        tuple([sizes[k] for k in out]),
        children=tuple([factor.node for factor in ordered]),
        coefficient=coefficient,
        factors=ordered,
        out=out,
        sizes=sizes,
        wiring=_is_wiring(ordered, out, sizes),
    )


def _is_wiring(factors: Sequence[Factor], out: Sequence[int], sizes: Sequence[Dim]) -> bool:
    tensors = [factor for factor in factors if factor.labels]
    if len(tensors) <= 1:
        return not tensors or bool(out)
    if len(sizes) > len(set(out)):
        return False
    return all(len(out) > len(set(factor.labels)) for factor in tensors)
