"""From nodes to formulas: matrix notation, names for shared parts, four dialects.

    nodes ─ lift.py ─▶ terms ─ render.py ─▶ text

`present` is the way in.
"""

from matderiv.notation.presentation import (
    JointPresentation,
    Presentation,
    present,
    present_entries,
    present_joint,
)
from matderiv.notation.render import render

__all__ = [
    "JointPresentation",
    "Presentation",
    "present",
    "present_entries",
    "present_joint",
    "render",
]
