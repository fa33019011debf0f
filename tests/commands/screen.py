"""A command run in a pseudo-terminal, as a person would see it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).parents[2]
ESCAPE = "\x1b["

# The child takes the terminal as its own, so that Ctrl+C reaches it, and listens to it: what
# a shell runs in the background ignores it, and so do its children.
_CHILD = """
import fcntl, runpy, signal, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("matderiv", run_name="__main__", alter_sys=True)
"""


class Screen:
    """A process whose three streams are a terminal; `wait_for` reads until a text has come."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.here, there = pty.openpty()
        kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM", "COLUMNS")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _CHILD, *arguments],
            stdin=there,
            stdout=there,
            stderr=there,
            cwd=ROOT,
            env={**kept, "TERM": "xterm-256color", **environment},
            start_new_session=True,
        )
        os.close(there)
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self.here, text.encode())

    def wait_for(self, text: str, seconds: float = 60) -> str:
        """What came until the text, and it; the rest is kept for the next call."""
        end = monotonic() + seconds
        while text not in self.shown and monotonic() < end and self._read(end - monotonic()):
            pass
        assert text in self.shown, self.shown
        before, _, self.shown = self.shown.partition(text)
        return before + text

    def settle(self, seconds: float = 0.5) -> None:
        """Wait until nothing comes for a while, as a person would before the next key.

        Python's readline can miss a Ctrl+C that comes while it still draws the line.
        """
        while self._read(seconds):
            pass

    def rest(self, seconds: float = 60) -> int:
        """Read until the process ends; its exit status."""
        end = monotonic() + seconds
        while monotonic() < end and self._read(end - monotonic()):
            pass
        return self.process.wait(seconds)

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.here)

    def _read(self, seconds: float) -> bool:
        ready = select.select([self.here], [], [], max(seconds, 0))[0]
        try:
            piece = os.read(self.here, 65536) if ready else b""
        except OSError:  # the other side is closed
            piece = b""
        self.shown += piece.decode(errors="replace").replace("\r\n", "\n")
        return bool(piece)


def run(*arguments: str, **environment: str) -> tuple[str, int]:
    """All that a command shows in a terminal, and its exit status."""
    with Screen(*arguments, **environment) as screen:
        status = screen.rest()
        return screen.shown, status
