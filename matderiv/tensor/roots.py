"""Square roots of matrices beside themselves.

For L = chol(A):  L L' = A,  L⁻ᵀ L⁻¹ = A⁻¹,  Σ log L_ii = ½ log det A;  for S = sqrtm(A):
S S = A,  S⁻¹ S⁻¹ = A⁻¹;  and det(L) = det(S) = √det A.  An A that might not be semidefinite
stays inside its chol, which is an error where it is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from matderiv.tensor.nodes import Factor, Name, Node, Number, Product
from matderiv.tensor.properties import is_semidefinite, is_symmetric
from matderiv.tensor.stable import inside

if TYPE_CHECKING:
    from matderiv.tensor.arena import Arena
    from matderiv.tensor.products import Labels

__all__ = ["merge_roots", "root_of"]


def root_of(node: Node) -> Node | None:
    """A where a matrix is sqrtm(A), or chol(A) of an A known to be semidefinite."""
    return _triangle_of(node) or _inside(node, "sqrtm")


def _triangle_of(node: Node) -> Node | None:
    whole = _inside(node, "chol")
    return whole if whole is not None and is_semidefinite(whole) else None


def _inside(node: Node, name: str) -> Node | None:
    return inside(_unnamed(node), name) if node.order == 2 else None


def _unnamed(node: Node) -> Node:
    while isinstance(node, Name):
        node = node.definition
    return node


def merge_roots(
    arena: Arena, factors: list[Factor], ends: Sequence[int], labels: Labels
) -> list[Factor]:
    """Put A for two of its roots, ½ log det A for a sum of logarithms; or the same list."""
    uses: Counter[int] = Counter()
    for factor in factors:
        for summed, used, make in _patterns(arena, factor, factors):
            if not uses:
                uses.update(labels.find(k) for f in factors for k in f.labels)
                uses.update(labels.find(end) for end in ends)
            if uses[summed] == len(used):
                labels.dead.add(summed)
                return [*(f for f in factors if not any(f is one for one in used)), make()]
    return factors


def _patterns(
    arena: Arena, factor: Factor, factors: list[Factor]
) -> Iterator[tuple[int, list[Factor], Callable[[], Factor]]]:
    """A label, what alone may carry it, once for each time, and what stands in their place."""
    node, axes, exponent = factor
    if (log := inside(node, "log")) is not None and exponent == 1:
        if (found := _powers_of_diagonal(Factor(log, axes, 1))) is not None:
            whole, power = found
            yield axes[0], len(axes) * [factor], partial(_halved, arena, whole, power)
        return
    for first, second in _squares(arena, node):
        near, summed = axes[1 - first], axes[first]
        if exponent == 2 and first == second:
            yield summed, [factor], partial(_squared, arena, node, (near, near))
        for other in factors if exponent == 1 else ():
            if other is not factor and other[::2] == (node, 1) and other.labels[second] == summed:
                far = other.labels[1 - second]
                yield summed, [factor, other], partial(_squared, arena, node, (near, far))
    node = _unnamed(node)
    if exponent == 2 and isinstance(node, Product):
        for end, summed in zip(node.out, axes, strict=True):
            if _begins(arena, node, end):
                rest = tuple(k for k in axes if k != summed)
                twice = [(node, axes, 1), (node, axes, 1)]
                squared = arena.product(1, twice, rest, inline=frozenset({node.id}))
                yield summed, [factor], partial(Factor, squared, rest, 1)


def _halved(arena: Arena, whole: Node, power: Number) -> Factor:
    return Factor(arena.apply("logdet", whole) * power / 2, (), 1)


def _powers_of_diagonal(factor: Factor) -> tuple[Node, Number] | None:
    """A and k where a factor is L_ii^k, or the entry i of diag(L)^k."""
    node, axes, exponent = factor
    diagonal = 2 * axes[:1]
    if isinstance(node, Product) and len(node.factors) == len(node.out) == node.coefficient == 1:
        diagonal = 2 * node.out
        node, axes, exponent = node.factors[0]
    whole = _triangle_of(node) if axes == diagonal else None
    return None if whole is None else (whole, exponent)


def _squares(arena: Arena, node: Node) -> Sequence[tuple[int, int]]:
    """The axes over which two of a root, or of the inverse of one, are summed to a square."""
    inverse = _inside(node, "inv")
    root = node if inverse is None else inverse
    if _triangle_of(root) is not None:
        return [(1, 1)] if inverse is None else [(0, 0)]
    if _inside(root, "sqrtm") is None:
        return []
    return [(1, 0), (0, 0), (1, 1)] if is_symmetric(arena, node) else [(1, 0)]


def _squared(arena: Arena, node: Node, ends: tuple[int, int]) -> Factor:
    inverse = _inside(node, "inv")
    whole = root_of(node if inverse is None else inverse)
    assert whole is not None
    return Factor(whole if inverse is None else arena.apply("inv", whole), ends, 1)


def _begins(arena: Arena, node: Product, end: int) -> bool:
    """Whether an axis of a product is that of a root alone: Σ_k (R v)_k² = v' (R' R) v."""
    carriers = [f for f in node.factors if end in f.labels]
    return len(carriers) == node.out.count(end) == 1 and any(
        first == second and carriers[0].labels[first] == end
        for first, second in _squares(arena, carriers[0].node)
    )
