"""`matderiv completion bash`: how a shell completes commands, options and their choices."""

from __future__ import annotations

import argparse
import sys

from matderiv.commands.command import Namespace, command
from matderiv.errors import MatderivError, UnsupportedError, one_of

__all__ = ["SHELLS", "completion"]

SHELLS = ("bash", "zsh", "fish")
_FILES = ("words", "output", "timeline")


@command(
    "completion",
    "a script that teaches bash, zsh or fish to complete",
    examples=("completion bash",),
    words="SHELL",
    timed=False,
)
def completion(options: Namespace) -> int:
    try:
        import shtab
    except ImportError:
        raise UnsupportedError(
            "completion is written by shtab, which is not installed",
            hint="pip install 'matderiv[completion]'",
        ) from None
    if len(options.words) != 1:
        raise MatderivError("for which shell?", hint="matderiv completion bash")
    script: str = shtab.complete(_completed(shtab.FILE), one_of(options.words[0], SHELLS, "shell"))
    sys.stdout.write(script)
    return 0


def _completed(file: object) -> argparse.ArgumentParser:
    """The parser of every command, with files where a command takes one."""
    from matderiv.commands import overview

    parser = overview()
    for known in parser._actions:
        if isinstance(known.choices, dict):
            for action in (action for each in known.choices.values() for action in each._actions):
                if action.dest in _FILES:
                    action.complete = file
    return parser
