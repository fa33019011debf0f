"""The table of primitives that are not elementwise: each declared once, here.

The adjoint is written in the tensor language itself, g being the cotangent of the
value y: <g, dy> = <adjoint, dx>.  Leading axes of g (those of the root) and of the
arguments (a batch) are the ellipsis of `einsum`.  Derivatives of every order, in both
modes, printing, costs and code follow from it.

Sources: Giles, "An extended collection of matrix derivative results for forward and
reverse mode algorithmic differentiation" (2008) for inv, det, logdet; the others by
differentiating the definition.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from matderiv.tensor.dims import Dim, Shape, dim_value, multiply_dims

if TYPE_CHECKING:
    from matderiv.tensor.nodes import Apply, Node

__all__ = ["PRIMITIVES", "AbstractFunction", "Primitive", "PrimitiveFunction"]

Parameters = tuple[Hashable, ...]


class PrimitiveFunction(Protocol):
    """What an `Apply` needs of its primitive."""

    @property
    def key(self) -> Hashable: ...
    @property
    def name(self) -> str: ...
    @property
    def nonnegative(self) -> bool: ...
    @property
    def keeps_symmetry(self) -> bool: ...
    @property
    def is_inverse(self) -> bool: ...
    @property
    def is_linear(self) -> bool: ...

    def shape(self, shapes: tuple[Shape, ...], parameters: Parameters) -> Shape: ...
    def pull_back(self, argument: int, g: Node, y: Apply) -> Node | None:
        """The cotangent of an argument; None where the derivative is 0."""


@dataclass(frozen=True, kw_only=True)
class Primitive:
    """One primitive y = f(x, …).

    signature      core axes as NumPy's gufuncs write them; a repeated name is a square
    adjoint        for each argument, (g, y, x, …) ↦ cotangent; None: derivative 0
    reference      arrays ↦ array on leading batch axes, the evaluator's
    numpy          the program for generated code, as for elementwise functions; calls
                   of `linalg.` and of other NumPy functions are allowed
    flops          multiplications and additions for one batch element, as a polynomial
                   in the signature's names: "2/3 n^3"
    domain         what tests sample: "real", "well_conditioned", "posdef"
    infer          the shape from shapes and parameters, where a signature cannot say it
    """

    name: str
    signature: str
    adjoint: tuple[Callable[..., Node] | None, ...]
    reference: Callable[..., Any]
    numpy: str
    flops: str
    latex: str
    aliases: tuple[str, ...] = ()
    domain: str = "real"
    nonnegative: bool = False
    keeps_symmetry: bool = False
    is_inverse: bool = False
    is_linear: bool = False
    infer: Callable[[tuple[Shape, ...], Any], Shape] | None = None
    kink: str = ""

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
        if self.infer is not None:
            return self.infer(shapes, parameters)
        *inputs, output = self.cores
        sizes: dict[str, Dim] = {}
        batch: Shape = ()
        for core, shape in zip(inputs, shapes, strict=True):
            lead = len(shape) - len(core)
            if lead < 0:
                raise ValueError(f"{self.name} needs {len(core)} axes, not {shape}")
            batch = max(batch, shape[:lead], key=len)
            for name, dim in zip(core, shape[lead:], strict=True):
                if sizes.setdefault(name, dim) != dim:
                    raise ValueError(f"{self.name}{self.signature} does not fit {shape}")
        return batch + tuple(sizes[name] for name in output)

    def pull_back(self, argument: int, g: Node, y: Apply) -> Node | None:
        rule = self.adjoint[argument]
        return None if rule is None else rule(g, y, *y.arguments)


@dataclass(frozen=True)
class AbstractFunction:
    """A scalar function that stays a name: l, ∂l/∂o, ∂²l/∂o∂y.

    `slots` lists the arguments it has been differentiated by, ascending; the shape is
    that of those arguments in that order.
    """

    name: str
    slots: tuple[int, ...] = ()
    nonnegative: bool = False
    keeps_symmetry: bool = False
    is_inverse: bool = False
    is_linear: bool = False

    @property
    def key(self) -> Hashable:
        return ("abstract", self.name, self.slots)

    def shape(self, shapes: tuple[Shape, ...], parameters: Parameters) -> Shape:
        return tuple(dim for slot in self.slots for dim in shapes[slot])

    def pull_back(self, argument: int, g: Node, y: Apply) -> Node | None:
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
        labels = [0] * higher.order
        for position, axis in enumerate(moved):
            labels[axis] = position
        factors = [(g, [*range(-root, 0), *range(y.order)], 1), (higher, labels, 1)]
        return arena.product(1, factors, out)


_TABLE: list[Primitive] = []


def primitive(
    name: str, signature: str, *adjoint: Callable[..., Node] | None, **fields: Any
) -> None:
    _TABLE.append(Primitive(name=name, signature=signature, adjoint=adjoint, **fields))


def _e(spec: str, *nodes: Node) -> Node:
    return nodes[0].arena.einsum(spec, *nodes)


def _f(name: str, *nodes: Node) -> Node:
    return nodes[0].arena.apply(name, *nodes)


def _softmax(x: Any) -> Any:
    shifted = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return shifted / np.sum(shifted, axis=-1, keepdims=True)


def _logsumexp(x: Any) -> Any:
    top = np.max(x, axis=-1, keepdims=True)
    return np.squeeze(top, -1) + np.log(np.sum(np.exp(x - top), axis=-1))


# ----- inverse and determinant ------------------------------------------------------
primitive(
    "inv",
    "(n,n)->(n,n)",
    lambda g, y, x: -_e("...ij,...ik,...lj->...kl", g, y, y),
    reference=np.linalg.inv,
    numpy="linalg.inv(x)",
    flops="2 n^3",
    latex="{x}^{{-1}}",
    domain="well_conditioned",
    keeps_symmetry=True,
    is_inverse=True,
)
primitive(
    "det",
    "(n,n)->()",
    lambda g, y, x: _e("...,...,...ij->...ji", g, y, _f("inv", x)),
    reference=np.linalg.det,
    numpy="linalg.det(x)",
    flops="2/3 n^3",
    latex=r"\det({x})",
    domain="well_conditioned",
)
primitive(
    "logdet",
    "(n,n)->()",
    lambda g, y, x: _e("...,...ij->...ji", g, _f("inv", x)),
    reference=lambda x: np.linalg.slogdet(x)[1],
    numpy="linalg.slogdet(x)[1]",
    flops="2/3 n^3",
    latex=r"\log\det({x})",
    domain="posdef",
)

# ----- along the last axis ----------------------------------------------------------
primitive(
    "softmax",
    "(n)->(n)",
    lambda g, y, x: _e("...i,...i->...i", g, y) - _e("...i,...i,...j->...j", g, y, y),
    reference=_softmax,
    numpy=(
        "a = amax(x, axis=-1, keepdims=True); b = subtract(x, a); c = exp(b); "
        "d = sum(c, axis=-1, keepdims=True); divide(c, d)"
    ),
    flops="5 n",
    latex=r"\operatorname{{softmax}}({x})",
    nonnegative=True,
)
primitive(
    "log_softmax",
    "(n)->(n)",
    lambda g, y, x: g - _e("...i,...j->...j", g, _f("softmax", x)),
    reference=lambda x: x - np.expand_dims(_logsumexp(x), -1),
    numpy=(
        "a = amax(x, axis=-1, keepdims=True); b = subtract(x, a); c = exp(b); "
        "d = sum(c, axis=-1, keepdims=True); e = log(d); subtract(b, e)"
    ),
    flops="5 n",
    latex=r"\operatorname{{log\_softmax}}({x})",
)
primitive(
    "logsumexp",
    "(n)->()",
    lambda g, y, x: _e("...,...n->...n", g, _f("softmax", x)),
    reference=_logsumexp,
    numpy=(
        "a = amax(x, axis=-1, keepdims=True); b = subtract(x, a); c = exp(b); "
        "d = sum(c, axis=-1); e = log(d); f = squeeze(a, axis=-1); add(e, f)"
    ),
    flops="4 n",
    latex=r"\operatorname{{logsumexp}}({x})",
)
primitive(
    "max",
    "(n)->()",
    lambda g, y, x: _e("...,...n->...n", g, _f("onehot_max", x)),
    reference=lambda x: np.max(x, axis=-1),
    numpy="amax(x, axis=-1)",
    flops="n",
    latex=r"\max({x})",
    kink="the gradient goes to the first maximiser",
)
primitive(
    "min",
    "(n)->()",
    lambda g, y, x: _e("...,...n->...n", g, _f("onehot_max", -x)),
    reference=lambda x: np.min(x, axis=-1),
    numpy="amin(x, axis=-1)",
    flops="n",
    latex=r"\min({x})",
    kink="the gradient goes to the first minimiser",
)
primitive(
    "onehot_max",
    "(n)->(n)",
    None,
    reference=lambda x: np.eye(np.shape(x)[-1])[np.argmax(x, axis=-1)],
    numpy="a = argmax(x, axis=-1); b = eye(n); take(b, a, axis=0)",
    flops="n",
    latex=r"\operatorname{{onehot\_max}}({x})",
    nonnegative=True,
    kink="1 at the first maximiser, derivative 0",
)


# ----- structure --------------------------------------------------------------------
def _reshaped(shapes: tuple[Shape, ...], parameters: tuple[int, Shape]) -> Shape:
    axes, dims = parameters
    (shape,) = shapes
    kept = shape[: len(shape) - axes]
    if multiply_dims(*shape[len(kept) :]) != multiply_dims(*dims):
        raise ValueError(f"{shape} does not reshape to {dims}")
    return kept + dims


def _unreshape(g: Node, y: Apply, x: Node) -> Node:
    axes, dims = y.parameters
    assert isinstance(axes, int) and isinstance(dims, tuple)
    return g.arena.reshape(g, len(dims), x.shape[x.order - axes :])


primitive(
    "reshape",
    "x->y",
    _unreshape,
    reference=lambda x, *, shape: np.reshape(x, shape),
    numpy="reshape(x, shape)",
    flops="0",
    latex=r"\operatorname{{reshape}}({x})",
    is_linear=True,
    infer=_reshaped,
)
primitive(
    "select",
    "->(m,n)",
    reference=lambda *, parameters, sizes: np.eye(dim_value(parameters[0], sizes))[
        parameters[1] : parameters[2]
    ],
    numpy="",
    flops="0",
    latex="S",
    nonnegative=True,
    infer=lambda shapes, parameters: (parameters[2] - parameters[1], parameters[0]),
)

# ----- constants --------------------------------------------------------------------
primitive(
    "pi",
    "->()",
    reference=lambda: math.pi,
    numpy=repr(math.pi),
    flops="0",
    latex=r"\pi",
    aliases=("π",),
    nonnegative=True,
)
primitive(
    "e",
    "->()",
    reference=lambda: math.e,
    numpy=repr(math.e),
    flops="0",
    latex="e",
    nonnegative=True,
)

PRIMITIVES: dict[str, Primitive] = {entry.name: entry for entry in _TABLE}
if len(PRIMITIVES) != len(_TABLE):
    raise ValueError("a primitive is declared twice")
