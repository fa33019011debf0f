"""Derivatives as matrices: ∂vec(Y)/∂vec(X)ᵀ with columns stacked, in Kronecker products.

Entry [i + m j, k + p l] is ∂Y[i,j]/∂X[k,l], for Y with m rows and X with p.  The derivative
is written as a sum of products, and each product is a walk (`walks.py`).  What no walk
says, a value of three axes or a factor of three, is `reshape(einsum(…), m*n, p*q)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from typing import NamedTuple

from matderiv.notation.entries import index_letters
from matderiv.notation.forms import multiply_number, transpose
from matderiv.notation.lift import lift_all
from matderiv.notation.presentation import Presentation, present_term
from matderiv.notation.signs import add
from matderiv.notation.terms import Einsum, Term, Zeros, walk
from matderiv.notation.walks import lift_vec, lift_walk
from matderiv.tensor.dims import Dim, Shape, dim_text, multiply_dims
from matderiv.tensor.nodes import Apply, Factor, Name, Node, Number, Product, Sum
from matderiv.tensor.reshapes import blocks
from matderiv.tensor.traverse import reachable

__all__ = ["VecForm", "stack_columns", "vec_form"]

Lift = Callable[[Node], Term]
Labels = tuple[int, ...]
_MOST_TERMS = 40


def stack_columns(derivative: Node, rows: int) -> Node:
    """The matrix whose rows are the first `rows` axes and whose columns are the others.

    >>> from matderiv.tensor.arena import Arena
    >>> stack_columns(Arena().variable("D", ("m", 2, 3)), 1).shape
    ('m', 6)
    """
    order = derivative.order
    axes = (*range(rows)[::-1], *range(rows, order)[::-1])
    shape = multiply_dims(*derivative.shape[:rows]), multiply_dims(*derivative.shape[rows:])
    return derivative.arena.reshape(derivative.arena.transpose(derivative, axes), order, shape)


def _entry_rule(shape: Shape, rows: int, names: Sequence[str]) -> tuple[str, str]:
    """What the matrix is called, and which derivative stands in which of its entries.

    >>> print("\\n".join(_entry_rule(("m", "p", "q"), 1, ["X"])))
    ∂Y/∂vec(X)ᵀ
      columns stacked: entry [i, j + p k] is ∂Y[i]/∂X[j,k]
    """
    names_of_sizes = {word for dim in shape for word in dim_text(dim).split()}
    free = (letter for letter in index_letters() if letter not in names_of_sizes)
    letters = list(islice(free, len(shape)))
    above, below = letters[:rows], letters[rows:]
    *others, name = names
    value = f"∂Y/{' '.join(f'∂{other}' for other in others)}" if others else "Y"
    top = f"vec({value})" if rows > 1 else f"({value})" if others else value
    bottom = f"vec({name})ᵀ" if len(below) > 1 else f"{name}ᵀ" if below else name
    value = f"({value})" if others else value
    value += f"[{','.join(above)}]" if above else ""
    entry = f"∂{value}/∂{name}" + (f"[{','.join(below)}]" if below else "")
    place = f"{_place(above, shape[:rows])}, {_place(below, shape[rows:])}"
    return f"∂{top}/∂{bottom}", f"  columns stacked: entry [{place}] is {entry}"


def _place(letters: Sequence[str], shape: Shape) -> str:
    """i + m j for the ends i, j of sizes m, n."""
    stride: Dim = 1
    parts = []
    for letter, size in zip(letters, shape, strict=True):
        parts.append(letter if stride == 1 else f"{dim_text(stride)} {letter}")
        stride = multiply_dims(stride, size)
    return " + ".join(parts) or "0"


class VecForm(NamedTuple):
    """`head = presentation`, and which derivative stands in which entry."""

    head: str
    presentation: Presentation
    note: str


def vec_form(
    derivative: Node, rows: int, names: Sequence[str], *, taken: Iterable[str] = ()
) -> VecForm:
    """How to print ∂vec(Y)/∂vec(X)' for a derivative of shape Y + X, Y of `rows` axes.

    >>> from matderiv.tensor.arena import Arena
    >>> arena = Arena()
    >>> A, B = arena.variable("A", ("m", "n")), arena.variable("B", ("p", "q"))
    >>> vec_form(arena.einsum("ik,lj->ijkl", A, B), 2, ["X"]).presentation.text()
    'Bᵀ ⊗ A'
    """
    head, note = _entry_rule(derivative.shape, rows, names)
    lifter = lift_all([derivative])
    term = _lift(derivative, rows, lifter)
    if term is None or any(isinstance(part, Einsum) for part in walk(term)):
        derivative = stack_columns(derivative, rows)
        lifter = lift_all([derivative])
        term = lifter.definition(derivative)
        if any(isinstance(part, Einsum) for part in walk(term)):
            note = f"{note}\n  no Kronecker form is known: the tensor is reshaped"
    return VecForm(head, present_term(term, derivative, lifter, taken), note)


def _lift(derivative: Node, rows: int, lift: Lift) -> Term | None:
    columns = derivative.order - rows
    if not columns:
        return lift_vec(derivative, lift) if rows <= 2 else None
    if not rows:
        return transpose(lift_vec(derivative, lift)) if columns <= 2 else None
    if rows == columns == 1:
        return lift(derivative)
    members: list[tuple[int, Term]] = []
    for coefficient, node in _terms(derivative):
        found = lift_walk(*_opened(node, rows), lift)
        if found is None:
            return None
        sign, term = found
        members.append((sign if coefficient > 0 else -sign, _times(coefficient, term)))
    if not members:
        stacked = multiply_dims(*derivative.shape[:rows]), multiply_dims(*derivative.shape[rows:])
        return Zeros(stacked, order=2)
    return members[0][1] if len(members) == 1 and members[0][0] > 0 else add(members, 2)


def _times(coefficient: Number, term: Term) -> Term:
    return multiply_number(abs(Fraction(coefficient)), term)


# ----- sums of products ---------------------------------------------------------------
def _terms(node: Node) -> list[tuple[Number, Node]]:
    """The node as a sum, distributed over its parts of more than two axes."""
    done: list[tuple[Number, Node]] = []
    pending: list[tuple[Number, Node]] = [(1, node)]
    while pending:
        coefficient, node = pending.pop()
        while isinstance(node, Name):
            node = node.definition
        terms = node.terms if isinstance(node, Sum) else _distributed(node)
        if terms is None or len(pending) + len(done) > _MOST_TERMS:
            done.append((coefficient, node))
        else:
            pending += [(coefficient * number, child) for number, child in terms[::-1]]
    return done


def _distributed(node: Node) -> list[tuple[Number, Node]] | None:
    """A Product over its first factor of more than two axes that comes apart."""
    for place, factor in enumerate(node.factors if isinstance(node, Product) else ()):
        assert isinstance(node, Product)
        child = factor.node.definition if isinstance(factor.node, Name) else factor.node
        if child.order <= 2 or factor.exponent != 1 or not isinstance(child, Sum | Product):
            continue
        made: list[tuple[Number, Node]] = []
        for coefficient, part in child.terms if isinstance(child, Sum) else [(1, child)]:
            factors = [*node.factors]
            factors[place] = factor._replace(node=part)
            sizes = dict(enumerate(node.sizes))
            inline = frozenset([part.id])
            whole = node.arena.product(node.coefficient, factors, node.out, sizes, inline)
            made.append((coefficient, whole))
        if all(part is not node for _, part in made):
            return made
    return None


# ----- axes that are stacked already --------------------------------------------------
def _opened(node: Node, rows: int) -> tuple[Node, tuple[int, ...], tuple[int, ...]]:
    """The node, the axes of its rows and of its columns, fused axes taken apart.

    An axis fused from (q, p), p running fastest, is vec of a value of shape (p, q).
    """
    sides = [tuple(range(rows)), tuple(range(rows, node.order))]
    for side in (1, 0):
        if len(sides[side]) == 1:
            (axis,) = sides[side]
            opened = _split_axis(node, axis)
            if opened is not None:
                node = opened
                sides[side] = (axis + 1, axis)
                if side == 0:
                    sides[1] = tuple(axis + 1 for axis in sides[1])
    return node, sides[0], sides[1]


def _split_axis(node: Node, axis: int) -> Node | None:
    """The node with one axis as the two of which some reshape knows it to be made."""
    ends = tuple(range(node.order))
    factors: tuple[Factor, ...] = (Factor(node, ends, 1),)
    out = ends
    sizes = dict(enumerate(node.shape))
    if isinstance(node, Product):
        factors, out, sizes = node.factors, node.out, dict(enumerate(node.sizes))
    label, fresh = out[axis], (len(sizes), len(sizes) + 1)
    if out.count(label) > 1:
        return None
    coefficient = node.coefficient if isinstance(node, Product) else 1
    for parts in _pairs(node, node.shape[axis]):
        sizes |= dict(zip(fresh, parts, strict=True))
        split = [_split_factor(factor, label, fresh, parts) for factor in factors]
        if all(factor is not None for factor in split):
            ends = _replaced(out, label, fresh)
            return node.arena.product(coefficient, filter(None, split), ends, sizes)
    return None


def _pairs(node: Node, size: Dim) -> Iterator[Shape]:
    """The pairs of sizes with this product that a reshape below the node joins or parts."""
    for below in reachable([node]):
        if isinstance(below, Apply) and below.primitive.key == "reshape":
            axes, dims = below.parameters
            (inner,) = below.arguments
            assert isinstance(axes, int)
            assert isinstance(dims, tuple)
            for block in blocks(inner.shape[inner.order - axes :], dims):
                pairs = (part for part in block if len(part) == 2)
                yield from (pair for pair in pairs if multiply_dims(*pair) == size)


def _split_factor(factor: Factor, label: int, fresh: Labels, parts: Shape) -> Factor | None:
    """A factor with each axis of a label as two; None where that takes another reshape."""
    node, labels, exponent = factor
    if label not in labels:
        return factor
    shape: Shape = ()
    for axis, size in zip(labels, node.shape, strict=True):
        shape += parts if axis == label else (size,)
    opened = node.arena.reshape(node, node.order, shape)
    if isinstance(opened, Apply) and opened.primitive.key == "reshape" and node.order > 1:
        return None
    return Factor(opened, _replaced(labels, label, fresh), exponent)


def _replaced(labels: Labels, label: int, fresh: Labels) -> Labels:
    return tuple(part for k in labels for part in (fresh if k == label else (k,)))
