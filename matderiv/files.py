"""Files are written whole or not at all, and an existing one is kept."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from matderiv.errors import MatderivError

__all__ = ["write_file"]


def write_file(
    path: str | os.PathLike[str], text: str, *, force: bool = False, spelled: str = "force=True"
) -> Path:
    """Write text to a file; return its path.

    Raises MatderivError if the file exists, unless `force`, or cannot be written; `spelled`
    is how the caller's user asks for force.
    """
    target = Path(path)
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, suffix=".tmp")
        partial = Path(name)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
            partial.chmod(0o644)
            if force:
                partial.replace(target)
            else:
                os.link(partial, target)  # fails, at once, if the file exists
        finally:
            partial.unlink(missing_ok=True)
    except FileExistsError:
        raise MatderivError(f"{target} exists", hint=f"{spelled} to replace it") from None
    except (OSError, ValueError) as error:  # a name with a null byte, a lone surrogate
        reason = getattr(error, "strerror", None) or error
        raise MatderivError(f"{str(target)!r} cannot be written: {reason}") from error
    return target
