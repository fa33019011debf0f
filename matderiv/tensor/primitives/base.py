"""What a primitive is: the dataclass of a declaration, and functions that stay names.

The adjoint is written in the tensor language itself, g being the cotangent of the
value y: <g, dy> = <adjoint, dx>.  Leading axes of g (those of the root) and of the
arguments (a batch) are the ellipsis of `einsum`.  Derivatives of every order, in both
modes, printing, costs and code follow from it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from matderiv.tensor.dims import Dim, Shape

if TYPE_CHECKING:
    from matderiv.tensor.nodes import Apply, Node

__all__ = [
    "ARGUMENTS",
    "AbstractFunction",
    "Adjoint",
    "Parameters",
    "Primitive",
    "PrimitiveFunction",
    "apply",
    "einsum",
    "transposed",
]

Parameters = tuple[Hashable, ...]
Adjoint = Callable[..., "Node"] | None

ARGUMENTS = ("x", "z", "w", "v", "u", "t")
"""The names of the arguments in `numpy` programs and `latex` templates, in order."""


class PrimitiveFunction(Protocol):
    """What an `Apply` needs of its primitive."""

    @property
    def key(self) -> Hashable: ...
    @property
    def name(self) -> str: ...
    @property
    def nonnegative(self) -> bool: ...
    @property
    def unit(self) -> bool: ...
    @property
    def keeps_symmetry(self) -> bool: ...
    @property
    def is_inverse(self) -> bool: ...
    @property
    def sums_to_one(self) -> bool: ...
    @property
    def linear_in(self) -> tuple[int, ...]: ...

    def shape(self, shapes: tuple[Shape, ...], parameters: Parameters) -> Shape: ...
    def pull_back(self, argument: int, g: Node, y: Apply, value: Node | None = None) -> Node | None:
        """The cotangent of an argument; None where the derivative is 0.

        `value` is y by the name that its user gave it.
        """


@dataclass(frozen=True, kw_only=True)
class Primitive:
    """One primitive y = f(x, …).

    signature      core axes as NumPy's gufuncs write them; a repeated name is a square
    adjoint        for each argument, (g, y, x, …) ↦ cotangent; None: derivative 0
    reference      arrays ↦ array on leading batch axes, the evaluator's; NumPy alone
    numpy          the program for generated code, as for elementwise functions; calls
                   of `linalg.` and of other NumPy functions are allowed, and of SciPy
                   where NumPy has no such function: erf, expm, expm_frechet, sqrtm,
                   solve_sylvester
    numpy_posdef   a program for a positive definite argument, taken where it costs less
    numpy_factored a program of `k`, where the argument is L L' and k = L⁻¹ is computed once
    flops          multiplications and additions for one batch element, as a polynomial
                   in the signature's names: "2/3 n^3"; m ≥ n for a matrix of (m, n)
    source         where the adjoint comes from
    domain         what tests sample: "real", "well_conditioned", "posdef"
    sums_to_one    whether the entries along the last axis sum to 1
    unit           values lie in [0, 1]
    linear_in      the arguments in which the value is linear
    infer          the shape from shapes and parameters, where a signature cannot say it
    bars           the suffix of ‖x‖, where the value is a norm
    meaning        the value in words, for functions that results may name and few know
    """

    name: str
    signature: str
    adjoint: tuple[Adjoint, ...]
    reference: Callable[..., Any]
    numpy: str
    flops: str
    latex: str
    source: str
    aliases: tuple[str, ...] = ()
    domain: str = "real"
    nonnegative: bool = False
    unit: bool = False
    keeps_symmetry: bool = False
    is_inverse: bool = False
    numpy_posdef: str = ""
    numpy_factored: str = ""
    sums_to_one: bool = False
    linear_in: tuple[int, ...] = ()
    infer: Callable[[tuple[Shape, ...], Any], Shape] | None = None
    kink: str = ""
    bars: str = ""
    meaning: str = ""

    @property
    def key(self) -> Hashable:
        return self.name

    @property
    def arity(self) -> int:
        return len(self.adjoint)

    @property
    def cores(self) -> tuple[tuple[str, ...], ...]:
        """The names of the core axes of each argument, then of the value."""
        inputs, _, output = self.signature.partition("->")
        parts = [part.strip("()") for part in inputs.split("),")] if inputs else []
        parts.append(output.strip("()"))
        return tuple(tuple(name for name in part.split(",") if name) for part in parts)

    def shape(self, shapes: tuple[Shape, ...], parameters: Parameters) -> Shape:
        """The batch of the argument that has most of it, then the core of the value.

        The batch of each argument is the end of the longest one, as in NumPy.
        """
        if self.infer is not None:
            return self.infer(shapes, parameters)
        *inputs, output = self.cores
        sizes: dict[str, Dim] = {}
        batches: list[Shape] = [()]
        for core, shape in zip(inputs, shapes, strict=True):
            lead = len(shape) - len(core)
            if lead < 0:
                raise ValueError(f"{self.name} needs {len(core)} axes, not {shape}")
            batches.append(shape[:lead])
            for name, dim in zip(core, shape[lead:], strict=True):
                if sizes.setdefault(name, dim) != dim:
                    raise ValueError(f"{self.name}{self.signature} does not fit {shape}")
        batch = max(batches, key=len)
        if any(batch[len(batch) - len(other) :] != other for other in batches):
            raise ValueError(f"{self.name}: the batches {batches[1:]} do not fit together")
        return batch + tuple(sizes[name] for name in output)

    def pull_back(self, argument: int, g: Node, y: Apply, value: Node | None = None) -> Node | None:
        rule = self.adjoint[argument]
        if rule is None:
            return None
        cotangent = rule(g, y if value is None or y.parameters else value, *y.arguments)
        # An argument without the batch was repeated along it: sum over the batch.
        lead = g.order - y.order
        shared = cotangent.order - lead - y.arguments[argument].order
        return y.arena.sum_axes(cotangent, range(lead, lead + shared)) if shared else cotangent


@dataclass(frozen=True)
class AbstractFunction:
    """A scalar function that stays a name: l, ∂l/∂o, ∂²l/∂o∂y.

    `slots` lists the arguments it has been differentiated by, ascending; the shape is
    that of those arguments in that order.
    """

    name: str
    slots: tuple[int, ...] = ()
    nonnegative: bool = False
    unit: bool = False
    keeps_symmetry: bool = False
    is_inverse: bool = False
    sums_to_one: bool = False
    linear_in: tuple[int, ...] = ()

    @property
    def key(self) -> Hashable:
        return ("abstract", self.name, self.slots)

    def shape(self, shapes: tuple[Shape, ...], parameters: Parameters) -> Shape:
        return tuple(dim for slot in self.slots for dim in shapes[slot])

    def pull_back(self, argument: int, g: Node, y: Apply, value: Node | None = None) -> Node | None:
        arena = y.arena
        slots = tuple(sorted((*self.slots, argument)))
        higher = arena.apply(AbstractFunction(self.name, slots), *y.arguments)
        # The new axes stand after the last slot of this argument; move them to the end.
        place = len(slots) - 1 - slots[::-1].index(argument)
        start = sum(y.arguments[slot].order for slot in slots[:place])
        count = y.arguments[argument].order
        axes = list(range(higher.order))
        moved = axes[:start] + axes[start + count :] + axes[start : start + count]
        root = g.order - y.order
        out = [*range(-root, 0), *axes[len(axes) - count :]]
        labels = [moved.index(axis) for axis in axes]
        factors = [(g, [*range(-root, 0), *range(y.order)], 1), (higher, labels, 1)]
        return arena.product(1, factors, out)


# ----- words for adjoints -----------------------------------------------------------
def einsum(spec: str, *nodes: Node) -> Node:
    return nodes[0].arena.einsum(spec, *nodes)


def apply(primitive: str | Primitive, *nodes: Node) -> Node:
    return nodes[0].arena.apply(primitive, *nodes)


def transposed(node: Node) -> Node:
    """The last two axes swapped."""
    return einsum("...ij->...ji", node)
