"""The parser: one instance for the process, made at the first use.

The grammar speaks of made tokens; `MadeTokens` hands them to lark as they are.  The
same grammar page lists the raw terminals, which a lark lexer of its own cuts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from lark import Lark, utils
from lark.common import LexerConf
from lark.lexer import BasicLexer, Lexer, LexerState

from matderiv.language.building import Build
from matderiv.language.syntax import Syntax
from matderiv.language.tokens import Token
from matderiv.limits import tick

__all__ = ["grammar_text", "parse_tokens", "raw_tokens"]


def grammar_text() -> str:
    """The grammar page: from the installed package, or from the checkout it is run in."""
    packaged = resources.files("matderiv") / "grammar" / "matderiv.lark"
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    checkout = Path(__file__).parents[2] / "grammar" / "matderiv.lark"
    return checkout.read_text(encoding="utf-8")


class _RawTerminals:
    """Names the terminals that no rule mentions, or lark would drop them."""

    def __init__(self, names: list[str]) -> None:
        self.always_accept = names

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


class MadeTokens(Lexer):
    """Hands over tokens that are made already; owns the lexer of raw tokens."""

    raw: BasicLexer

    def __init__(self, conf: LexerConf) -> None:
        # The tests check the terminals once, strictly; a user need not wait for it.
        conf.skip_validation = not conf.strict
        type(self).raw = BasicLexer(conf)

    def lex(self, data: list[Token]) -> Iterator[Token]:  # type: ignore[override]
        for token in data:
            tick()
            yield token


def build_parser(**options: Any) -> Lark:
    """A parser of the grammar; `strict=True` makes lark refuse any conflict."""
    text = grammar_text()
    raw = re.findall(r"^([A-Z]+)(?:\.-?\d+)?:", text, re.MULTILINE)
    return Lark(
        text,
        parser="lalr",
        lexer=MadeTokens,
        postlex=_RawTerminals(raw),
        transformer=Build(),
        keep_all_tokens=True,
        maybe_placeholders=False,
        **options,
    )


@cache
def _parser() -> Lark:
    return build_parser()


def raw_tokens(source: str) -> list[Token]:
    """Cut a text into raw tokens; no text fails, odd characters become BAD."""
    _parser()
    slice_ = getattr(utils, "TextSlice", None)  # from lark 1.3 on
    text: Any = source if slice_ is None else slice_(source, 0, len(source))
    return list(MadeTokens.raw.lex(LexerState(text), None))


def parse_tokens(tokens: list[Token]) -> Syntax:
    """Parse made tokens; raises lark's UnexpectedToken."""
    tree: Any = _parser().parse(tokens)  # the transformer makes Syntax, not Tree
    assert isinstance(tree, Syntax)
    return tree
