"""Bytes as people write them: 2 GB, 512 MiB, 1.5e6.

>>> read_bytes("2MB"), read_bytes("1.5 GiB"), read_bytes(4096)
(2000000, 1610612736, 4096)
>>> bytes_text(2_000_000), bytes_text(999), bytes_text(17_153_024)
('2 MB', '999 bytes', '17.2 MB')
"""

from __future__ import annotations

import re

from matderiv.errors import MatderivError

__all__ = ["bytes_text", "read_bytes"]

_UNITS = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1000**k for k, letter in enumerate("kmgt", 1)},
    **{f"{letter}ib": 1024**k for k, letter in enumerate("kmgt", 1)},
}
_WRITTEN = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?(?:e[0-9]+)?)\s*([a-z]*)\s*")


def read_bytes(text: str | int) -> int:
    """A number of bytes; raises MatderivError for anything else."""
    if isinstance(text, int) and not isinstance(text, bool) and text > 0:
        return text
    found = _WRITTEN.fullmatch(str(text).lower())
    if found is None or found[2] not in _UNITS or float(found[1]) <= 0:
        raise MatderivError(f"{text!r} is no number of bytes", hint="2GB, 512MiB or 4096")
    return int(float(found[1]) * _UNITS[found[2]])


def bytes_text(count: int) -> str:
    """Three digits and a unit of a power of a thousand."""
    for letter, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {letter}B"
    return f"{count} bytes"
