"""Sums over any axes of two arrays as one product of two matrices.

It is what `np.tensordot` does behind microseconds of Python: each operand's axes fold into
two, those summed over and the others, and the axes of the product unfold again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matderiv.program.pieces import seen
from matderiv.program.steps import Ref, Step
from matderiv.tensor.dims import Shape

__all__ = ["Fold", "folds", "unfolds"]


class Fold(NamedTuple):
    """An operand as a matrix or a vector.

    ref      the operand, its axes in the order in which they fold
    groups   the axes that become one, or none where no two do; each with whether they are
             summed over
    turned   whether the matrix is then transposed
    """

    ref: Ref
    groups: tuple[tuple[Shape, bool], ...] = ()
    turned: bool = False


def folds(step: Step, shapes: Sequence[Shape] | Mapping[int, Shape]) -> list[Fold]:
    """The two operands of a sum over some axes as matrices.

    The second is read as it lies where its summed axes come last.
    """
    sides = dict(step.options)["axes"]
    assert isinstance(sides, tuple)
    found = []
    for second, (operand, axes) in enumerate(zip(step.refs, sides, strict=True)):
        assert isinstance(axes, tuple)
        lengths = operand.shape(shapes)
        summed = [axis for axis in axes if axis is not None]
        free = [k for k in range(len(lengths)) if k not in summed]
        few = max(len(free), len(summed)) < 2
        lies = [*free, *summed] == list(range(len(lengths)))
        first = bool(second and free and (few or not lies))  # the summed axes come first
        ref = seen(operand, [*summed, *free] if first else [*free, *summed])
        if few:
            found.append(Fold(ref))
            continue
        groups = [(tuple(lengths[k] for k in side), side is summed) for side in (free, summed)]
        ordered = tuple(group for group in groups[:: -1 if first else 1] if group[0])
        found.append(Fold(ref, ordered, bool(second and free and not first)))
    return found


def unfolds(step: Step, shapes: Sequence[Shape] | Mapping[int, Shape]) -> bool:
    """Whether the axes of the product are those of the result only after a reshape."""
    sides = dict(step.options)["axes"]
    assert isinstance(sides, tuple)
    return any(
        len(operand.shape(shapes)) > len(axes) + 1
        for operand, axes in zip(step.refs, sides, strict=True)
        if isinstance(axes, tuple)
    )
