"""matderiv: symbolic matrix derivatives, checked before they are shown.

>>> import matderiv as md
>>> print(md.diff("||Xw - y||^2", "w"))
2 Xᵀ(X w - y)
"""

from matderiv.api import check, compile, cost, diff, modes, parse, verify
from matderiv.check import CheckReport
from matderiv.errors import (
    DomainError,
    LimitError,
    MatderivError,
    NameResolutionError,
    ParseError,
    ShapeError,
    UnsupportedError,
)
from matderiv.limits import limits
from matderiv.notebook import load_ipython_extension as load_ipython_extension
from matderiv.results import Derivative, Program

__version__ = "0.1.0"

__all__ = [
    "CheckReport",
    "Derivative",
    "DomainError",
    "LimitError",
    "MatderivError",
    "NameResolutionError",
    "ParseError",
    "Program",
    "ShapeError",
    "UnsupportedError",
    "check",
    "compile",
    "cost",
    "diff",
    "limits",
    "modes",
    "parse",
    "verify",
]
