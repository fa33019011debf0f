"""What one call may take: so many characters of text, seconds of work, entries of an array.

A text may be short and its derivative beyond any machine.  Each public function has a
time, and refuses where it is spent; the work asks the clock at each node that it makes.
The clock is that of the processor, so that a busy machine changes nothing.

>>> import matderiv as md
>>> with md.limits(characters=10):
...     md.parse("||X w - y||^2")
Traceback (most recent call last):
matderiv.errors.LimitError: LimitError: the text has 13 characters; the limit is 10
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from matderiv.errors import LimitError, MatderivError

__all__ = ["SECONDS", "limited", "limits", "refuse_large", "refuse_long", "tick"]

SECONDS = 8.0  # so that all is over in 10: some steps look at the clock but once a second
CHARACTERS = 1_000_000
ENTRIES = 50_000_000

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


_seconds = ContextVar("seconds", default=SECONDS)
_characters = ContextVar("characters", default=CHARACTERS)
_entries = ContextVar("entries", default=ENTRIES)
_deadline = ContextVar("deadline", default=(math.inf, math.inf))
"""When the public call that runs must end: on the clock of its thread, and on that of the wall,
which is read six times as fast and never behind."""


@contextmanager
def limits(
    *, seconds: float | None = None, characters: int | None = None, entries: int | None = None
) -> Iterator[None]:
    """Within it, calls of this package have other limits; one that is not given stays.

    seconds     of processor time, for each call (8); `float("inf")` is none
    characters  of a text (1,000,000)
    entries     of an array that the evaluator makes (50,000,000)

    A call beyond them raises LimitError; a limit that is no number from 0, MatderivError.

    >>> import matderiv as md
    >>> with md.limits(seconds=60):
    ...     print(md.diff("x' x", "x"))
    2 x
    """
    for limit in (seconds, characters, entries):
        if limit is not None and not (isinstance(limit, int | float) and limit >= 0):
            raise MatderivError(f"a limit is a number from 0, not {limit!r:.40}")
    time_before = _seconds.set(_seconds.get() if seconds is None else seconds)
    length_before = _characters.set(_characters.get() if characters is None else characters)
    size_before = _entries.set(_entries.get() if entries is None else entries)
    try:
        yield
    finally:
        _entries.reset(size_before)
        _seconds.reset(time_before)
        _characters.reset(length_before)


def limited(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """A public function whose call must end in time; what it calls shares its time."""

    @functools.wraps(function)
    def call(*arguments: Parameters.args, **options: Parameters.kwargs) -> Result:
        if _deadline.get()[0] < math.inf:
            return function(*arguments, **options)
        seconds = _seconds.get()
        token = _deadline.set((time.thread_time() + seconds, time.monotonic() + seconds))
        try:
            return function(*arguments, **options)
        finally:
            _deadline.reset(token)

    return call


def tick() -> None:
    """Raise LimitError where the public call that runs is past its time."""
    of_thread, of_wall = _deadline.get()
    if time.monotonic() > of_wall and time.thread_time() > of_thread:
        raise LimitError(
            f"this takes more than {_seconds.get():g} seconds of processor time, the limit "
            "of a call; --seconds sets another, and md.limits(seconds=…) in Python"
        )


def refuse_long(text: str) -> None:
    """Raise LimitError for a text of more characters than a call may read."""
    most = _characters.get()
    if len(text) > most:
        raise LimitError(f"the text has {len(text):,} characters; the limit is {most:,}")


def refuse_large(shape: Sequence[int]) -> None:
    """Raise LimitError for an array of more entries than the evaluator may make."""
    count, most = math.prod(shape), _entries.get()
    if count > most:
        raise LimitError(f"an array has {count:,} entries; the limit is {most:,}")
