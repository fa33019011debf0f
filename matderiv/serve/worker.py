"""The process that answers: one JSON request a line in, one part a line out.

It stands alone, so that the server can stop it whatever it is doing.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys

from matderiv.serve.answers import answers

__all__ = ["END", "main"]

END = b'{"part": "end"}\n'
_MEMORY = 4 << 30


def main() -> None:
    """Answer until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server decides when to stop
    _limit_memory()
    output = sys.stdout.buffer
    for line in sys.stdin.buffer:
        for part in answers(json.loads(line)):
            output.write(json.dumps(part, ensure_ascii=False).encode() + b"\n")
            output.flush()
        output.write(END)
        output.flush()


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # not on every system

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


if __name__ == "__main__":
    main()
