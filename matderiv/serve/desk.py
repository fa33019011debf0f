"""Worker processes, lent to one request at a time.

A request that takes too long, or whose page has gone on to another, loses its worker:
the process is stopped and a fresh one takes its place.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Lock, Thread

import matderiv
from matderiv.errors import MatderivError
from matderiv.serve.requests import error_part
from matderiv.serve.worker import END

__all__ = ["Desk"]

_TICK = 0.05


class Worker:
    """A process that answers one request at a time and can be stopped at any moment."""

    def __init__(self) -> None:
        package = str(Path(matderiv.__file__).parents[1])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            # -P: a file numpy.py where the server was started is not NumPy.
            [sys.executable, "-P", "-m", "matderiv.serve.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Small arrays gain nothing from threads, and each one takes address space.
            env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(b"")

    def ask(self, request: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended: `next` says so
            self._process.stdin.write(request + b"\n")
            self._process.stdin.flush()

    def next(self, seconds: float) -> bytes | None:
        """The next line, none yet, or b"" after the process has ended."""
        try:
            return self._lines.get(timeout=seconds)
        except Empty:
            return None

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()


class Desk:
    """Lends at most `places` workers; each request may take `seconds`.

    A worker whose page is gone may finish within `patience`, which is cheaper than
    starting another.
    """

    def __init__(self, places: int = 3, seconds: float = 20, patience: float = 0.5) -> None:
        self.seconds = seconds
        self.patience = patience
        self._places = BoundedSemaphore(places)
        self._idle = [Worker()]
        self._all = set(self._idle)
        self._lock = Lock()

    def answer(
        self, request: bytes, send: Callable[[bytes], object], gone: Callable[[], bool]
    ) -> None:
        """Send the parts of an answer, a JSON object a line, while the page is there."""
        if not self._places.acquire(timeout=self.seconds):
            send(_failure("other formulas are being worked on; try again"))
            return
        try:
            worker = self._take()
            if self._run(worker, request, send, gone):
                with self._lock:
                    self._idle.append(worker)
            else:
                self._replace(worker)
        finally:
            self._places.release()

    def close(self) -> None:
        with self._lock:
            for worker in self._all:
                worker.stop()
            self._idle.clear()
            self._all.clear()

    def _take(self) -> Worker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            worker = Worker()
            self._all.add(worker)
            return worker

    def _replace(self, worker: Worker) -> None:
        worker.stop()
        with self._lock:
            if worker in self._all:  # not after `close`
                self._all.remove(worker)
                fresh = Worker()
                self._all.add(fresh)
                self._idle.append(fresh)

    def _run(
        self,
        worker: Worker,
        request: bytes,
        send: Callable[[bytes], object],
        gone: Callable[[], bool],
    ) -> bool:
        """Whether the worker is free again."""
        worker.ask(request)
        start = time.monotonic()
        left: float | None = None
        while True:
            line = worker.next(_TICK)
            now = time.monotonic()
            if line == END:
                return True
            if left is None and (line is None and gone()):
                left = now
            if left is not None and now - left > self.patience:
                return False
            late = now - start > self.seconds
            if line == b"" or late:
                line = _failure(
                    f"this takes longer than {self.seconds:g} seconds, the limit of this page"
                    if late
                    else "this was too much for the process that works on it"
                )
                late = True
            if line is not None and left is None:
                try:
                    send(line)
                except OSError:
                    left = now
            if late:
                return False


def _failure(message: str) -> bytes:
    return json.dumps(error_part(MatderivError(message)), ensure_ascii=False).encode() + b"\n"
