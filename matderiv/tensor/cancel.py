"""An inverse beside its argument: X⁻¹ X = I, Q'Q = I, (X'X)⁻¹ X'X = I; and Σ p = 1.

The argument of an inverse may itself be a product of matrices; it is then found as a
path of those matrices in the surrounding product.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from matderiv.tensor.nodes import Apply, Factor, Node, Product, Variable
from matderiv.tensor.properties import is_symmetric

if TYPE_CHECKING:
    from matderiv.tensor.arena import Arena
    from matderiv.tensor.products import Labels

__all__ = ["cancel_inverses", "is_orthogonal", "without_square"]

Link = tuple[Node, bool]  # a matrix, and whether it stands transposed


def cancel_inverses(
    arena: Arena, factors: list[Factor], ends: Sequence[int], labels: Labels
) -> bool:
    """Remove one inverse and its argument from `factors`; tell whether there was one."""
    candidates = [f for f in factors if f.exponent in (1, 2) and _may_cancel(f.node)]
    if not candidates:
        return False
    uses = Counter(k for f in factors for k in f.labels)
    uses.update(2 * [labels.find(end) for end in ends])
    for factor in candidates:
        if _is_stochastic(factor.node):
            if factor.exponent == 1 and uses[factor.labels[-1]] == 1:
                factors.remove(factor)
                labels.dead.add(factor.labels[-1])
                return True
            continue
        if factor.exponent == 2:
            if is_orthogonal(factor.node) and _drop_square(factor, factors, uses, labels):
                return True
            continue
        for port in (0, 1):
            path = _match(arena, factor, port, factors, uses)
            if path is None:
                continue
            used, far, inner = path
            near = factor.labels[1 - port]
            for item in (factor, *used):
                factors.remove(item)
            labels.dead.update(inner)
            labels.unify(near, far)
            return True
    return False


def without_square(node: Product) -> Iterator[Node]:
    """(A B)⁻¹ A = B⁻¹ and B (A B)⁻¹ = A⁻¹ for square A, B: invertible where A B is."""
    arena = node.arena
    factors = list(node.factors)
    uses = Counter(k for f in factors for k in f.labels)
    uses.update(2 * node.out)
    for factor in factors:
        inverse = factor.node
        if not isinstance(inverse, Apply) or not inverse.primitive.is_inverse:
            continue
        chain = _chain(inverse.arguments[0]) if inverse.order == 2 else None
        if chain is None or factor.exponent != 1:
            continue
        for port, links in ((1, chain), (0, [(n, not t) for n, t in reversed(chain)])):
            walk = list(_walk(arena, links, factor, factor.labels[port], factors, uses))
            near, dim = factor.labels[1 - port], inverse.shape[0]
            for count, (used, far, _) in enumerate(walk[: len(links) - 1], start=1):
                if node.sizes[far] != dim:
                    continue
                path = [
                    Factor(n, (k + 1, k) if turned else (k, k + 1), 1)
                    for k, (n, turned) in enumerate(links[count:])
                ]
                ends = (0, len(path)) if port == 1 else (len(path), 0)
                left = arena.apply("inv", arena.product(1, path, ends))
                others = [f for f in factors if f is not factor and f not in used]
                others.append(Factor(left, (near, far) if port == 1 else (far, near), 1))
                sizes = dict(enumerate(node.sizes))
                yield arena.product(node.coefficient, others, node.out, sizes)


def _may_cancel(node: Node) -> bool:
    if isinstance(node, Variable):
        return not node.attributes.isdisjoint(("orthogonal", "stochastic"))
    if not isinstance(node, Apply):
        return False
    # A batch of inverses is left alone: its first axis is no row.
    return node.primitive.sums_to_one or (node.primitive.is_inverse and node.order == 2)


def _is_stochastic(node: Node) -> bool:
    """Whether the entries along the last axis sum to 1."""
    if isinstance(node, Variable):
        return "stochastic" in node.attributes
    return isinstance(node, Apply) and node.primitive.sums_to_one


def is_orthogonal(node: Node) -> bool:
    return isinstance(node, Variable) and "orthogonal" in node.attributes


def _drop_square(factor: Factor, factors: list[Factor], uses: Counter[int], labels: Labels) -> bool:
    """Σ_i Q_ij² = 1 where label i is met nowhere else."""
    for port in (0, 1):
        if uses[factor.labels[port]] == 1:
            factors.remove(factor)
            labels.dead.add(factor.labels[port])
            return True
    return False


def _match(
    arena: Arena, inverse: Factor, port: int, factors: list[Factor], uses: Counter[int]
) -> tuple[list[Factor], int, list[int]] | None:
    """Follow the argument of an inverse away from one of its ports.

    Returns the factors on the way, the label where the path ends, and those inside.
    """
    node = inverse.node
    if isinstance(node, Variable):
        chain: list[Link] = [(node, True)]  # Q⁻¹ = Q'
    else:
        assert isinstance(node, Apply)
        chain = _chain(node.arguments[0])
    # From port 1 of X⁻¹ the argument is met at its axis 0, from port 0 at its axis 1.
    links = chain if port == 1 else [(n, not t) for n, t in reversed(chain)]
    walk = list(_walk(arena, links, inverse, inverse.labels[port], factors, uses))
    return walk[-1] if len(walk) == len(links) else None


def _walk(
    arena: Arena,
    links: Sequence[Link],
    inverse: Factor,
    label: int,
    factors: Sequence[Factor],
    uses: Counter[int],
) -> Iterator[tuple[list[Factor], int, list[int]]]:
    """The factors met so far, the label reached and those left behind, link by link."""
    used, inner = list[Factor](), list[int]()
    for matrix, transposed in links:
        if uses[label] != 2:
            return
        entry, leave = (1, 0) if transposed else (0, 1)
        step = _step(arena, matrix, entry, label, factors, (inverse, *used))
        if step is None:
            return
        found, leave_at = step
        inner.append(label)
        label = found.labels[leave if leave_at is None else leave_at]
        used.append(found)
        yield list(used), label, list(inner)


def _step(
    arena: Arena,
    matrix: Node,
    entry: int,
    label: int,
    factors: Sequence[Factor],
    taken: tuple[Factor, ...],
) -> tuple[Factor, int | None] | None:
    for factor in factors:
        if factor.node is not matrix or factor.exponent != 1 or factor in taken:
            continue
        if factor.labels[entry] == label:
            return factor, None
        if factor.labels[1 - entry] == label and is_symmetric(arena, matrix):
            return factor, entry
    return None


def _chain(node: Node) -> list[Link]:
    """A matrix as a product of matrices from its first axis to its second."""
    if not isinstance(node, Product):
        return [(node, False)]
    a, b = node.out
    if node.coefficient != 1 or any(len(f.labels) != 2 or f.exponent != 1 for f in node.factors):
        return [(node, False)]
    rest, label, links = list(node.factors), a, list[Link]()
    while step := next((f for f in rest if label in f.labels), None):
        rest.remove(step)
        transposed = step.labels[0] != label
        links.append((step.node, transposed))
        label = step.labels[0 if transposed else 1]
    is_path = not rest and label == b and len(node.sizes) == len(links) + 1
    return links if is_path else [(node, False)]
