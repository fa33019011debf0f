"""Options that several commands share."""

from __future__ import annotations

from matderiv.commands.command import Option, option

__all__ = [
    "AT",
    "DERIVATIVE",
    "DIAGONAL",
    "FORCE",
    "LAYOUT",
    "ORDER",
    "OUTPUT",
    "SHAPE",
    "formats",
]

SHAPE = option(
    "--shape",
    action="append",
    default=[],
    metavar="X=n,d",
    help="declare a shape; b= is a scalar, w=d a vector; once for each name",
)
LAYOUT = option(
    "--layout",
    choices=("mixed", "numerator", "denominator"),
    default="mixed",
    help="mixed gives a gradient its variable's shape, and is meant otherwise",
)
ORDER = option("--order", type=int, default=1, metavar="N", help="2 is the Hessian, and so on")
MODE = option(
    "--mode",
    choices=("auto", "reverse", "forward"),
    default="auto",
    help="the mode of accumulation",
)
STRUCTURED = option(
    "--structured",
    action="store_true",
    help="the gradient inside the space of symmetric, diagonal, … matrices that is declared",
)
DIAGONAL = option(
    "--diagonal",
    action="store_true",
    help="of a Jacobian or Hessian the diagonal alone, in the shape of the variable",
)
DERIVATIVE = (LAYOUT, SHAPE, ORDER, MODE, STRUCTURED)
"""What says which derivative is meant."""

AT = option(
    "--at",
    metavar="n=64,d=512",
    help="sizes: for numbers in place of formulas, and for the order of operations in code",
)
OUTPUT = option("-o", "--output", metavar="FILE", help="write to a file, which must not exist")
FORCE = option("--force", action="store_true", help="replace FILE where it exists")


def formats(*names: str) -> Option:
    """`--format`, of which the first is the default."""
    return option(
        "--format", choices=names, default=names[0], help=f"{names[0]} unless another is asked for"
    )
