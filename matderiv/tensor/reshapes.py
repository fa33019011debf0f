"""Reshapes inside products: a fused label comes apart where all who carry it can.

    Σ_(ij) (A ⊗ B)_(ij),(kl) …   =   Σ_i,j A_ik B_jl …

An axis that a reshape fused from axes i, j is split again when it is summed and every
factor on it is such a reshape, or a vector.  This makes tr(A ⊗ X) = tr(A) tr(X) and
vec(X)' vec(Y) = Σ X_ij Y_ij without a rule for either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from matderiv.tensor.canonical import connected
from matderiv.tensor.dims import Shape, divide_dims, multiply_dims
from matderiv.tensor.nodes import Apply, Factor, Node, Number, Product, Sum

if TYPE_CHECKING:
    from matderiv.tensor.arena import Arena
    from matderiv.tensor.products import Labels

__all__ = [
    "blocks",
    "dyad_factors",
    "fuse_outputs",
    "kronecker_factors",
    "split_identity",
    "split_labels",
    "split_product",
    "unfused",
]


def blocks(old: Shape, new: Shape) -> list[tuple[Shape, Shape]]:
    """The finest pairing of consecutive axes with equal sizes, in C order.

    >>> from matderiv.tensor.dims import multiply_dims
    >>> blocks(("m", "n", "k"), (multiply_dims("m", "n"), "k"))
    [(('m', 'n'), (Composite(coefficient=1, names=('m', 'n')),)), (('k',), ('k',))]
    >>> blocks(("n", 1), (1, "n"))
    [(('n', 1), (1, 'n'))]
    """
    pairs: list[tuple[Shape, Shape]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        a, b = i + 1, j + 1
        while a <= len(old) and b <= len(new):
            left, right = multiply_dims(*old[i:a]), multiply_dims(*new[j:b])
            if left == right:
                break
            if divide_dims(left, right) is not None:
                b += 1
            else:
                a += 1
        else:
            a, b = len(old), len(new)
        if pairs and (i == a or j == b):  # axes of size 1 at the end pair with nothing
            before = pairs.pop()
            pairs.append((before[0] + old[i:a], before[1] + new[j:b]))
            break
        pairs.append((old[i:a], new[j:b]))
        i, j = a, b
    return pairs


def _fused_axes(node: Node) -> dict[int, Shape]:
    """axis -> the sizes it was fused from, for a reshape node."""
    if not isinstance(node, Apply) or node.primitive.key != "reshape":
        return {}
    (inner,) = node.arguments
    axes, dims = node.parameters
    assert isinstance(axes, int)
    assert isinstance(dims, tuple)
    found, at = {}, node.order - len(dims)
    for old, new in blocks(inner.shape[inner.order - axes :], dims):
        if len(new) == 1 and len(old) > 1:
            found[at] = old
        at += len(new)
    return found


def _fuses(node: Node, axes: Sequence[int], dims: Shape) -> bool:
    """Whether each of these axes was fused from axes of these sizes."""
    fused = _fused_axes(node) if axes else {}
    return all(fused.get(axis) == dims for axis in axes)


def _open(arena: Arena, node: Node, splits: Mapping[int, Shape]) -> Node:
    """A node with some axes split; a reshape that fused them gives its argument back."""
    dims = [dim for k, size in enumerate(node.shape) for dim in splits.get(k, (size,))]
    first = min(splits)
    return arena.reshape(node, node.order - first, tuple(dims[first:]))


def split_labels(
    arena: Arena, factors: list[Factor], ends: Sequence[int], labels: Labels
) -> list[Factor]:
    """Split one summed label that a reshape fused; the same list where there is none.

    A label is left whole where a reshape on it keeps another axis fused: beside a matrix E,
    (A ⊗ B)(C ⊗ D) E stays a product of three.
    """
    if not any(isinstance(f.node, Apply) and f.node.primitive.key == "reshape" for f in factors):
        return factors
    closed = {labels.find(end) for end in ends}
    for factor in factors:
        for axis, dims in _fused_axes(factor.node).items():
            label = labels.find(factor.labels[axis])
            if label in closed:
                continue
            others = {
                labels.find(carrier.labels[k]): made_of
                for carrier in factors
                if _places(carrier, label, labels)
                for k, made_of in _fused_axes(carrier.node).items()
            }
            wanted = {k: made_of for k, made_of in others.items() if k not in closed}
            wanted[label] = dims
            if all(_comes_apart(factors, k, made_of, labels) for k, made_of in wanted.items()):
                return _split_carriers(arena, factors, label, dims, labels)
    return factors


def _places(factor: Factor, label: int, labels: Labels) -> list[int]:
    return [k for k, axis in enumerate(factor.labels) if labels.find(axis) == label]


def _comes_apart(factors: list[Factor], label: int, dims: Shape, labels: Labels) -> bool:
    """Whether all who carry a label are fused so on it, or are vectors."""
    return all(
        factor.node.order < 2 or _fuses(factor.node, _places(factor, label, labels), dims)
        for factor in factors
    )


def _split_carriers(
    arena: Arena, factors: list[Factor], label: int, dims: Shape, labels: Labels
) -> list[Factor]:
    # Only now: a label made in vain would be alive, and count as a sum of ones.
    fresh = [labels.new(dim) for dim in dims]
    changed: list[Factor] = []
    for factor in factors:
        at = _places(factor, label, labels)
        if not at:
            changed.append(factor)
            continue
        long = [part for part, dim in zip(fresh, dims, strict=True) if dim != 1]
        if len(long) == 1 and not _fuses(factor.node, at, dims):
            # A vector that stays as it is: an axis of size 1 splits nothing.
            changed.append(Factor(factor.node, (long[0],), factor.exponent))
            continue
        opened = _open(arena, factor.node, dict.fromkeys(at, dims))
        spread = [
            part for k, axis in enumerate(factor.labels) for part in (fresh if k in at else (axis,))
        ]
        changed.append(Factor(opened, tuple(spread), factor.exponent))
    labels.dead.add(label)
    return changed


def split_product(arena: Arena, x: Product, axes: int, dims: Shape) -> Node | None:
    """reshape(x) as a Product again, where it only splits axes that come apart."""
    lead = x.order - axes
    splits: dict[int, Shape] = {}
    for at, (old, new) in enumerate(blocks(x.shape[lead:], dims), start=lead):
        if len(old) != 1 or not new:
            return None
        if len(new) > 1:
            splits[at] = new
    new_labels: dict[int, tuple[int, ...]] = {}
    sizes = dict(enumerate(x.sizes))
    for axis, parts in splits.items():
        label = x.out[axis]
        if any(k not in splits or splits[k] != parts for k, o in enumerate(x.out) if o == label):
            return None
        if label not in new_labels:
            names = tuple(range(len(sizes), len(sizes) + len(parts)))
            sizes.update(zip(names, parts, strict=True))
            new_labels[label] = names
    factors = []
    for node, labels, exponent in x.factors:
        opening = {k: splits[x.out.index(o)] for k, o in enumerate(labels) if o in new_labels}
        fused = _fused_axes(node)
        if node.order > 1 and any(fused.get(k) != parts for k, parts in opening.items()):
            return None
        opened = _open(arena, node, opening) if opening else node
        spread = [part for label in labels for part in new_labels.get(label, (label,))]
        factors.append(Factor(opened, tuple(spread), exponent))
    out = [part for label in x.out for part in new_labels.get(label, (label,))]
    return arena.product(x.coefficient, factors, out, sizes)


def split_identity(arena: Arena, x: Node, axes: int, dims: Shape) -> Node | None:
    """I[(i,j), i', j'], an identity with its second axis split, as δ_ii' δ_jj' fused."""
    bare = isinstance(x, Product) and not x.factors and x.out == (0, 0)
    if not bare or axes != 1:
        return None
    assert isinstance(x, Product)
    joined = arena.reshape(arena.delta(dims), len(dims), x.shape[:1])
    return arena.scale(x.coefficient, arena.transpose(joined, [len(dims), *range(len(dims))]))


def fuse_outputs(
    arena: Arena,
    coefficient: Number,
    factors: list[Factor],
    ends: Sequence[int],
    labels: Labels,
) -> Node | None:
    """A product on a fused output axis as the fusion of the product on its parts.

    So (A ⊗ B) x = vec(…) is fused once, at the end, and its derivative likewise.
    """
    tensors = [f for f in factors if f.labels]
    for factor in tensors:
        if len(tensors) == 1 and sorted(factor.labels) == sorted(ends):
            return None  # fused, and turned at most
        axes = _fused_axes(factor.node)
        if len(axes) > 1:  # A ⊗ B stays one matrix beside another
            continue
        for axis, dims in axes.items():
            fused = factor.labels[axis]
            carriers = [k for f in factors for k in f.labels].count(fused)
            if ends.count(fused) != 1 or carriers != 1:
                continue
            parts = [labels.new(dim) for dim in dims]
            opened = _open(arena, factor.node, {axis: dims})
            others = [f for f in factors if f is not factor]
            spread = (*factor.labels[:axis], *parts, *factor.labels[axis + 1 :])
            at = ends.index(fused)
            out = [*ends[:at], *ends[at + 1 :], *parts]
            inner = arena.product(
                coefficient,
                [*others, Factor(opened, spread, factor.exponent)],
                out,
                dict(enumerate(labels.dims)),
            )
            joined = arena.reshape(inner, len(parts), (labels.dims[fused],))
            last = len(ends) - 1
            return arena.transpose(joined, [*range(at), last, *range(at, last)])
    return None


def is_outer(node: Node) -> bool:
    """Whether a value is an outer product, which only moves entries about."""
    return isinstance(node, Product) and node.wiring and len(node.factors) > 1


def kronecker_factors(node: Node) -> tuple[Node, Node] | None:
    """A and B where a value is A ⊗ B: the fusion of A[i,j] B[k,l] at [i,k,j,l].

    A factor of a matrix may be a vector: a row, A[i,j] b[k] at [i,jk], or a column, at [ik,j].

    >>> from matderiv.tensor.arena import Arena
    >>> arena = Arena()
    >>> A, B = arena.variable("A", ("m", "n")), arena.variable("B", ("p", "q"))
    >>> rows, columns = arena.total_size(("m", "p")), arena.total_size(("n", "q"))
    >>> kron = arena.reshape(arena.einsum("ij,kl->ikjl", A, B), 4, (rows, columns))
    >>> kronecker_factors(kron) == (A, B)
    True
    """
    if not isinstance(node, Apply) or node.primitive.key != "reshape":
        return None
    (outer,) = node.arguments
    if not isinstance(outer, Product):
        return None
    for ends in _sides(node, outer):
        if (parts := _apart(outer, *ends)) is not None:
            return parts
    return None


def dyad_factors(node: Apply) -> tuple[Node, Node] | None:
    """A and B where a reshape is vec(A') vec(B')': the fusion of A[i,j] B[k,l] at [i,j,k,l]."""
    (outer,) = node.arguments
    if not isinstance(outer, Product) or outer.order != 4:
        return None
    if node.shape != (multiply_dims(*outer.shape[:2]), multiply_dims(*outer.shape[2:])):
        return None
    return _apart(outer, outer.out[:2], outer.out[2:])


def _apart(outer: Product, *ends: tuple[int, ...]) -> tuple[Node, Node] | None:
    """The two factors of a product that hang together with these and with those outputs."""
    parts = connected([*ends, *(factor.labels for factor in outer.factors)])
    if any({0, 1} <= set(part) for part in parts):
        return None
    right = next({place - 2 for place in part} for part in parts if 1 in part)
    sides: tuple[list[Factor], list[Factor]] = [], []
    for place, factor in enumerate(outer.factors):
        sides[place in right].append(factor)
    sizes = dict(enumerate(outer.sizes))
    first, second = (
        outer.arena.product(1, side, end, sizes) for side, end in zip(sides, ends, strict=True)
    )
    return first, second


def _sides(node: Node, outer: Product) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """The output labels of the two factors that a fusion may be the Kronecker product of."""
    grouped = tuple(multiply_dims(*outer.shape[k : k + 2]) for k in range(0, outer.order, 2))
    if node.order <= 2 and outer.order == 2 * node.order and node.shape == grouped:
        yield outer.out[::2], outer.out[1::2]
    if node.order == 2 and outer.order == 3:
        first, second, third = outer.out
        if node.shape[0] == outer.shape[0]:
            yield (first, second), (third,)
            yield (second,), (first, third)
        elif node.shape[1] == outer.shape[2]:
            yield (first,), (second, third)
            yield (first, third), (second,)


def _is_reshape(node: Node) -> bool:
    """Whether a value is a reshape, or a turned one; chains of sums are not looked into."""
    if isinstance(node, Product):
        tensors = [factor.node for factor in node.factors if factor.labels]
        node = tensors[0] if len(tensors) == 1 else node
    return isinstance(node, Apply) and node.primitive.key == "reshape"


def unfused(node: Node) -> tuple[Node, tuple[Shape, ...]]:
    """A value with its fused axes split, and the sizes that each axis was made of.

    A sum is split where all its terms are reshapes that are fused alike.

    >>> from matderiv.tensor.arena import Arena
    >>> arena = Arena()
    >>> X = arena.variable("X", ("m", "n"))
    >>> opened, parts = unfused(arena.reshape(X, 2, (arena.total_size(("m", "n")),)))
    >>> opened is X, parts
    (True, (('m', 'n'),))
    """
    arena = node.arena
    if isinstance(node, Sum) and node.terms and all(map(_is_reshape, node.children)):
        found = [unfused(child) for child in node.children]
        (first, parts), *_ = found
        if all(dims == parts for _, dims in found):
            terms = zip((t.coefficient for t in node.terms), (n for n, _ in found), strict=True)
            return arena.sum(terms, first.shape), parts
    if not isinstance(node, Product):
        axes = _fused_axes(node)
        parts = tuple(axes.get(k, (dim,)) for k, dim in enumerate(node.shape))
        return (_open(arena, node, axes) if axes else node), parts
    tensors = [factor for factor in node.factors if factor.labels]
    if len(tensors) != 1 or tensors[0].exponent != 1:
        return node, tuple((dim,) for dim in node.shape)
    inner, inner_parts = unfused(tensors[0].node)
    made_of = dict(zip(tensors[0].labels, inner_parts, strict=True))
    if tuple(made_of[label] for label in tensors[0].labels) != inner_parts:
        return node, tuple((dim,) for dim in node.shape)  # one label on axes of other parts
    split: dict[int, tuple[int, ...]] = {}
    sizes = dict(enumerate(node.sizes))
    for label, dims in made_of.items():
        split[label] = tuple(range(len(sizes), len(sizes) + len(dims)))
        sizes |= zip(split[label], dims, strict=True)
    labels = [part for label in tensors[0].labels for part in split[label]]
    out = [part for label in node.out for part in split.get(label, (label,))]
    scalars = [factor for factor in node.factors if not factor.labels]
    turned = [Factor(inner, tuple(labels), 1), *scalars]
    opened = arena.product(node.coefficient, turned, out, sizes, frozenset({inner.id}))
    return opened, tuple(made_of.get(label, (node.sizes[label],)) for label in node.out)
