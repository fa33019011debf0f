"""Dimension names: which of them steps read, which inputs show, what numbers to plan with."""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Iterable, Mapping, Sequence

from matderiv.errors import NameResolutionError, ShapeError
from matderiv.program.steps import Dims, Length, Ref, Step, nested
from matderiv.tensor.dims import Dim, Shape, dimension_names
from matderiv.tensor.nodes import Node, Variable
from matderiv.tensor.traverse import dimensions

__all__ = ["bound_sizes", "checked_sizes", "least_sizes", "names_in", "sample_sizes", "sizes_read"]


def names_in(dims: Iterable[Dim]) -> list[str]:
    """The names that sizes are made of, each once.

    >>> from matderiv.tensor.dims import Composite
    >>> names_in(("n", 3, Composite(2, ("m", "n"))))
    ['n', 'm']
    """
    return list(dict.fromkeys(dimension_names(dims)))


def sample_sizes(
    roots: Sequence[Node],
    inputs: Sequence[Variable],
    wrt: Sequence[Variable],
    given: Mapping[str, int],
) -> dict[str, int]:
    """Numbers for the names without one, all of one magnitude, neighbours distinct.

    Only a gain in degree then decides, A (B x) over (A B) x; between equal degrees the
    sizes of parameters count as larger than those of data, so that a batch axis is
    summed last, as in backpropagation.
    """
    dims = [dim for v in inputs for dim in v.shape] + list(dimensions(roots))
    parameters = {name for v in wrt for name in names_in(v.shape)}
    numbers = _whole_numbers(given)
    for name in names_in(dims):
        if name not in numbers:
            numbers[name] = (90 if name in parameters else 70) + len(numbers) % 20
    return numbers


def checked_sizes(given: Mapping[str, int], known: Collection[str]) -> dict[str, int]:
    """The sizes that somebody gives, of which the names must be known.

    Raises NameResolutionError for another name, ShapeError for what is no size.

    >>> checked_sizes({"n": 3}, ["m", "n"])
    {'n': 3}
    """
    numbers = _whole_numbers(given)
    unknown = numbers.keys() - set(known)
    if unknown:
        names = ", ".join(known) or "none"
        raise NameResolutionError(f"{min(unknown)} is no size here; the sizes are {names}")
    return numbers


def _whole_numbers(given: Mapping[str, int]) -> dict[str, int]:
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise ShapeError(f"sizes are numbers by name, {{'n': 90}}, not {reprlib.repr(given)}")
    for name, number in given.items():
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise ShapeError(f"the size {name} is a positive integer, not {reprlib.repr(number)}")
    return dict(given)


def sizes_read(steps: Iterable[Step], folds: bool = True) -> list[str]:
    """The names whose numbers the steps read, in order of first use.

    folds: sums over any axes are written as products of matrices, unfolded again.
    """
    dims: list[Dim] = []
    for step in nested(steps):
        if step.body is not None:
            made = (o.shape for o in step.body.outputs if o.kind == "array")
            dims += [step.body.count, *(dim for shape in made for dim in shape)]
        if step.strips is not None:
            dims += [step.strips.length, *step.strips.widths]
            dims += [dim for output in step.outputs for dim in output.shape]
        if step.buffer is not None or (folds and step.function == "tensordot"):
            dims += step.shape
        for operand in step.operands:
            if isinstance(operand, Length):
                dims.append(operand.dim)
            elif isinstance(operand, Dims):
                dims += operand.shape
    return names_in(dims)


def bound_sizes(inputs: Iterable[Variable]) -> set[str]:
    """The names that the shapes of inputs determine; a product does with one unknown."""
    dims = [dim for variable in inputs for dim in variable.shape]
    bound = {dim for dim in dims if isinstance(dim, str)}
    for dim in dims:
        missing = [name for name in names_in((dim,)) if name not in bound]
        if len(missing) == 1:
            bound.add(missing[0])
    return bound


def least_sizes(steps: Iterable[Step], shapes: Sequence[Shape]) -> dict[str, int]:
    """The least numbers for which every slice lies inside its array."""
    least: dict[str, int] = {}
    for step in steps:
        base = step.operands[0] if step.operands else None
        if step.function == "getitem" and isinstance(base, Ref):
            for dim, part in zip(shapes[base.value], step.index, strict=True):
                if part is not None and isinstance(dim, str):
                    least[dim] = max(least.get(dim, 0), part[1])
    return least
