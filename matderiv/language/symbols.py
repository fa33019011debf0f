"""The symbol table.

How a run of letters splits, and whether `f(x)` is a call, depends on names declared
anywhere in the text: so the table is full before any word is read.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from matderiv.language.alphabet import canonical_name, is_single_name, leading_pieces
from matderiv.language.syntax import Span
from matderiv.language.tokens import Token, span_of

__all__ = ["CLOSES", "OPENS", "Piece", "Symbols", "find_uses", "size_of"]

OPENS, CLOSES = frozenset(("LPAR", "LSQB", "LBRACE")), frozenset(("RPAR", "RSQB", "RBRACE"))
_SHAPED = {"eye": 0, "ones": 0, "zeros": 0, "commutation": 0, "reshape": 1}
_VALUES = frozenset(("True", "False", "None", "true", "false"))

Piece = Token | tuple[int, int]
"""A made token, or the range of raw tokens of an expression."""


@dataclass
class Symbols:
    """Every name of a program, by canonical form, with the place where it got its role."""

    declared: dict[str, Span | None] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    assigned: dict[str, Span] = field(default_factory=dict)
    dimensions: dict[str, Span | None] = field(default_factory=dict)
    loops: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    euler: bool = True
    split: set[str] = field(default_factory=set)
    bold: set[str] = field(default_factory=set)  # Greek letters of vectors
    thin: set[str] = field(default_factory=set)  # and those of numbers
    numbers: set[str] = field(default_factory=set)  # declared by the word `scalar`

    def is_variable(self, name: str) -> bool:
        return name in self.declared or name in self.assigned

    def knows(self, name: str) -> bool:
        return (
            self.is_variable(name)
            or name in self.functions
            or name in self.dimensions
            or name in self.loops
        )


def size_of(name: str, symbols: Symbols) -> str | int | None:
    """The size that a name states: n for the identity I_n and for the ones 𝟏_n and 𝟏_3.

    None for other names, and where the name or its subscript is a variable.  `used` must be
    complete: a capital that stands elsewhere is a matrix.
    """
    head, size = name[:1], name[1:].removeprefix("_")
    if head not in ("I", "𝟏") or not size or symbols.knows(name) or symbols.is_variable(size):
        return None
    if size.isdigit():
        return int(size) if head == "𝟏" and 0 < int(size) < 10**9 else None
    return size if is_single_name(size) and (size.islower() or size not in symbols.used) else None


def find_uses(
    tokens: list[Token], pieces: list[Piece], symbols: Symbols, reserved: Container[str]
) -> None:
    """Record single names that expressions use, and the sizes given to eye, ones, …"""
    for piece in pieces:
        if isinstance(piece, Token):
            continue
        # For each open bracket: the arguments to skip before sizes begin, or None.
        sizes: list[int | None] = []
        start, end = piece
        for position in range(start, end):
            token = tokens[position]
            kind = token.type
            if kind in OPENS:
                before = tokens[position - 1] if position > start else token
                method = position > start + 1 and tokens[position - 2].type == "DOT"
                sizes.append(_sizes_after(before, method, symbols) if kind == "LPAR" else None)
            elif kind in CLOSES and sizes:
                sizes.pop()
            elif kind == "COMMA" and sizes and sizes[-1]:
                sizes[-1] -= 1
            elif kind == "WORD":
                if sizes and sizes[-1] == 0:
                    _find_sizes(token, symbols)
                follows = tokens[position + 1].type if position + 1 < end else ""
                if not (token in reserved or token in _VALUES or follows == "EQUALS"):
                    _use(token, follows, symbols)
    for name in sorted(symbols.used | symbols.split):
        size = size_of(name, symbols)
        if isinstance(size, str):
            symbols.dimensions.setdefault(size, None)


def _sizes_after(word: Token, method: bool, symbols: Symbols) -> int | None:
    """How many arguments of a call come before its sizes; None where it has none."""
    if word.type != "WORD" or word not in _SHAPED or symbols.knows(canonical_name(word)):
        return None
    return max(0, _SHAPED[word] - method)


def _find_sizes(word: Token, symbols: Symbols) -> None:
    """The names of sizes in one word among the arguments of eye, ones, …"""
    for part in [word] if is_single_name(word) else leading_pieces(word) or [word]:
        name = canonical_name(part)
        if not symbols.is_variable(name):
            symbols.dimensions.setdefault(name, span_of(word))


def _use(token: Token, follows: str, symbols: Symbols) -> None:
    name = canonical_name(token)
    if symbols.knows(name) or is_single_name(token):
        if name == "e" and follows != "CARET":
            symbols.euler = False
        symbols.used.add(name)
    elif (pieces := leading_pieces(token)) is not None:
        names = [canonical_name(piece) for piece in pieces]
        symbols.split.update(names)
        if "e" in (names if follows != "CARET" else names[:-1]):
            symbols.euler = False
