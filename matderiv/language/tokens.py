"""Making tokens, and the text between them."""

from __future__ import annotations

from typing import Protocol

from lark import Token

__all__ = ["Notes", "Token", "make", "span_of"]


class Notes(Protocol):
    """Where remarks on the reading of a text are collected."""

    def append(self, note: str, /) -> None: ...


def make(kind: str, value: str, start: int, end: int) -> Token:
    """A token of the user's text from `start` to `end` (equal for one that is implied)."""
    return Token(kind, value, start, None, None, None, None, end)


def span_of(token: Token) -> tuple[int, int]:
    """The place of a token in the user's text."""
    start, end = token.start_pos, token.end_pos
    assert isinstance(start, int)
    assert isinstance(end, int)
    return start, end
