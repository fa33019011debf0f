"""Near matches for names that are not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["near"]


def near(name: str, known: Iterable[str], prefix: str = "") -> str:
    """A clause that lists the known names nearest to one, or nothing.

    >>> near("sotfmax", ["softmax", "sum"]), near("qq", ["softmax"])
    ('; did you mean softmax?', '')
    """
    close = get_close_matches(name, sorted(set(known)), n=3, cutoff=0.7) if len(name) < 40 else []
    return f"; did you mean {' or '.join(prefix + match for match in close)}?" if close else ""
