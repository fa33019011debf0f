"""Several derivatives, written down together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from matderiv.calculus.layout import differential_quotient
from matderiv.results.derivative import Derivative
from matderiv.source import taken_names

if TYPE_CHECKING:
    from matderiv.notation import JointPresentation

__all__ = ["Derivatives", "together"]


def together(
    derivatives: Sequence[Derivative], head: Callable[[Derivative], str], used: Iterable[str] = ()
) -> Iterator[tuple[list[Derivative], JointPresentation]]:
    """The derivatives that share lines, each behind its head, and these lines.

    Only what was computed together shares any; a name stands for one value in all of them.
    """
    from matderiv.notation import present_joint

    taken = set(used)
    for arena in dict.fromkeys(d.node.arena for d in derivatives):
        group = {head(d): d for d in derivatives if d.node.arena is arena}
        first = next(iter(group.values()))
        joint = present_joint(
            {text: d.node for text, d in group.items()},
            rows=[text for text, d in group.items() if d.is_row],
            taken=taken | taken_names(first.program),
        )
        taken |= {*joint.names.values()}
        yield list(group.values()), joint


class Derivatives(dict[str, Derivative]):
    """Derivatives by several variables, by name; in print they share lines.

    >>> import matderiv as md
    >>> print(md.diff("logdet(A B + C)", ["A", "C"]))
    ∂f/∂A = (B T₀)ᵀ
    ∂f/∂C = T₀ᵀ
    where T₀ = (A B + C)⁻¹
    """

    def __str__(self) -> str:
        if any(len(d.shape) > 2 for d in self.values()):
            return "\n".join(
                f"{_quotient(d)}{': ' if len(d.shape) > 2 else ' = '}{d}" for d in self.values()
            )
        return "\n".join(joint.text() for _, joint in together(list(self.values()), _quotient))


def _quotient(derivative: Derivative) -> str:
    names = derivative.wrt if isinstance(derivative.wrt, tuple) else (derivative.wrt,)
    return f"{'diag ' if derivative.diagonal else ''}{differential_quotient(names, 'f')}"
