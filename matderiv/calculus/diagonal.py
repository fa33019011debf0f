"""The diagonal of a derivative in closed form, without its other entries.

    of a Jacobian of y by x of one shape     d_i = ∂y_i/∂x_i
    of a Hessian of a scalar by X            D_ij = ∂²f/∂X_ij²
    of order k                               all k + 1 (of a scalar, k) groups of axes equal

Equal axes are equal labels: in a Product the labels of the diagonal are unified and the
factors that thereby have a label twice are asked for their own diagonal; a Sum and a Map
hand the question on.  Σ_a X_ai X_aj becomes Σ_a X_ai², and no array of the dense
derivative's order is left except where a primitive makes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matderiv.errors import UnsupportedError
from matderiv.tensor.dims import Shape, dim_text
from matderiv.tensor.nodes import Apply, Factor, Map, Name, Node, Product, Sum, Term
from matderiv.tensor.primitives import Primitive

__all__ = ["diagonal_labels", "tied"]


def diagonal_labels(value: Shape, by: Sequence[Shape]) -> tuple[int, ...]:
    """The labels of a derivative's axes on its diagonal, for the value's and variables' shapes.

    Raises UnsupportedError where there is no diagonal.

    >>> diagonal_labels((), [("m", "n"), ("m", "n")]), diagonal_labels(("n",), [("n",)])
    ((0, 1, 0, 1), (0, 0))
    """
    groups = [value, *by] if value else list(by)
    if not groups[0]:
        raise UnsupportedError("a derivative of a number by a number has no diagonal")
    if any(group != groups[0] for group in groups):
        shapes = " by ".join(_text(group) for group in groups)
        raise UnsupportedError(
            f"the diagonal is that of equal shapes, and the derivative is of {shapes}"
        )
    if len(groups) == 1:
        raise UnsupportedError("a gradient has no diagonal; the Hessian has, of order 2")
    return tuple(range(len(groups[0]))) * len(groups)


def _text(shape: Shape) -> str:
    return f"({', '.join(map(dim_text, shape))})" if shape else "a number"


class _Request(NamedTuple):
    """Entries of a node: one label for each axis, numbered by first appearance."""

    node: Node
    labels: tuple[int, ...]


def tied(root: Node, labels: tuple[int, ...]) -> Node:
    """The entries of a node where axes with one label have one index; an axis for each label.

    >>> from matderiv.tensor.arena import Arena
    >>> arena = Arena()
    >>> X = arena.variable("X", ("m", "n"))
    >>> tied(arena.einsum("ai,aj->ij", X, X), (0, 0)) is arena.einsum("ai,ai->i", X, X)
    True
    """
    first = _Request(root, labels)
    known: dict[tuple[int, tuple[int, ...]], Node] = {}
    waiting = [first]
    while waiting:
        request = waiting[-1]
        key = request.node.id, request.labels
        if key in known:
            waiting.pop()
            continue
        parts = _parts(request)
        missing = [part for part in parts if (part.node.id, part.labels) not in known]
        if missing:
            waiting += missing
        else:
            known[key] = _joined(request, [known[part.node.id, part.labels] for part in parts])
    return known[root.id, labels]


def _parts(request: _Request) -> list[_Request]:
    """What the entries of a node are made of."""
    node, labels = request
    if isinstance(node, Product):
        return [part for _, part in _product_parts(node, labels) if part is not None]
    if isinstance(node, Sum):
        return [_Request(term.node, labels) for term in node.terms]
    if isinstance(node, Name):
        return [_Request(node.definition, labels)]
    if isinstance(node, Map):
        return [_Request(argument, labels) for argument in node.arguments]
    if isinstance(node, Apply):
        batch = _batch(node, labels)
        if batch is not None:
            first = len(set(batch))  # of the labels of core axes
            return [
                _Request(a, (*batch, *range(first, first + a.order - len(batch))))
                for a in node.arguments
            ]
    return []


def _joined(request: _Request, parts: list[Node]) -> Node:
    """The entries of a node from those of its parts."""
    node, labels = request
    arena, shape = node.arena, dict(zip(labels, node.shape, strict=True))
    distinct = tuple(shape)
    if isinstance(node, Product):
        unified = _unified(node, labels)
        remaining = iter(parts)
        factors = []
        for (child, axes, exponent), part in _product_parts(node, labels):
            if part is None:
                factors.append(Factor(child, axes, exponent))
            else:
                factors.append(Factor(next(remaining), tuple(dict.fromkeys(axes)), exponent))
        out = {label: unified[end] for label, end in zip(labels, node.out, strict=True)}
        sizes = {unified[label]: dim for label, dim in enumerate(node.sizes)}
        return arena.product(node.coefficient, factors, out.values(), sizes)
    if isinstance(node, Sum):
        terms = [Term(t.coefficient, part) for t, part in zip(node.terms, parts, strict=True)]
        return arena.sum(terms, tuple(shape.values()))
    if isinstance(node, Map):
        return arena.map(node.function, *parts)
    if isinstance(node, Apply) and parts:
        return arena.apply(node.primitive, *parts)
    if isinstance(node, Name):
        return parts[0]
    return arena.product(1, [Factor(node, labels, 1)], distinct)


def _unified(node: Product, labels: Sequence[int]) -> list[int]:
    """For each label of a Product the one it equals once axes of `labels` are one."""
    parent = list(range(len(node.sizes)))

    def find(label: int) -> int:
        while parent[label] != label:
            label = parent[label]
        return label

    first: dict[int, int] = {}
    for label, end in zip(labels, node.out, strict=True):
        a, b = find(first.setdefault(label, end)), find(end)
        parent[max(a, b)] = min(a, b)
    return [find(label) for label in parent]


def _product_parts(node: Product, labels: Sequence[int]) -> list[tuple[Factor, _Request | None]]:
    """The factors of a Product on unified labels; with a request where a label is twice anew."""
    unified = _unified(node, labels)
    found: list[tuple[Factor, _Request | None]] = []
    for child, axes, exponent in node.factors:
        made = tuple(unified[axis] for axis in axes)
        anew = len(set(made)) < len(set(axes))
        number = {label: k for k, label in enumerate(dict.fromkeys(made))}
        part = _Request(child, tuple(number[label] for label in made)) if anew else None
        found.append((Factor(child, made, exponent), part))
    return found


def _batch(node: Apply, labels: tuple[int, ...]) -> tuple[int, ...] | None:
    """The labels of the batch axes of a primitive, if those alone are equal."""
    primitive = node.primitive
    if not isinstance(primitive, Primitive) or primitive.infer is not None:
        return None
    *inputs, output = primitive.cores
    lead = node.order - len(output)
    batch, core = labels[:lead], labels[lead:]
    whole = all(
        argument.order - len(names) == lead
        for argument, names in zip(node.arguments, inputs, strict=True)
    )
    apart = len(set(core)) == len(core) and not set(core) & set(batch)
    return batch if whole and apart else None
