"""The pipeline from a text to its typed program."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

from lark.exceptions import UnexpectedToken

from matderiv.errors import MatderivError, NameResolutionError, ParseError
from matderiv.language.alphabet import canonical_name
from matderiv.language.attributes import ATTRIBUTES, attributes_in, no_attribute
from matderiv.language.bars import pair_bars
from matderiv.language.checker import Checker
from matderiv.language.emission import Emission
from matderiv.language.faults import explain
from matderiv.language.functions import METHODS, spellings
from matderiv.language.glued import refuse_glued
from matderiv.language.grammar import parse_tokens, raw_tokens
from matderiv.language.inference import Given, infer
from matderiv.language.latex import plain_tokens
from matderiv.language.statements import read_statements
from matderiv.language.symbols import Piece, Symbols, find_uses
from matderiv.language.tokens import Token, span_of
from matderiv.language.typed import TypedProgram
from matderiv.language.words import Words
from matderiv.limits import refuse_long
from matderiv.tensor.dims import Composite, Dim

__all__ = ["read_program"]


def read_program(
    source: str,
    shapes: Mapping[str, Iterable[str | int]],
    attributes: Mapping[str, str | Iterable[str]],
) -> TypedProgram:
    """See `matderiv.language.read`."""
    if not isinstance(source, str):
        raise ParseError(f"the source is a text, not {type(source).__name__}")
    refuse_long(source)
    try:
        return _read(source, _given(shapes, attributes))
    except MatderivError as error:
        error.source = source if error.source is None else error.source
        raise


def _read(source: str, given: dict[str, Given]) -> TypedProgram:
    check = Checker(source)
    raw = plain_tokens(raw_tokens(source), check.notes, frozenset(spellings()))
    if not any(token.type not in ("NEWLINE", "SEMICOLON") for token in raw):
        raise ParseError("the text is empty: there is no expression")
    symbols = Symbols()
    for name, (dims, _) in given.items():
        symbols.declared[name] = None
        for dim in dims or ():
            for part in dim.names if isinstance(dim, Composite) else (dim,):
                if isinstance(part, str):
                    symbols.dimensions[part] = None
    pieces = read_statements(raw, symbols)
    find_uses(raw, pieces, symbols, spellings())
    words = Words(symbols, spellings(), METHODS, check.notes)
    tokens = _emit(source, raw, pieces, words, check)
    check.splits = words.splits
    check.taken = (
        set(symbols.declared)
        | set(symbols.functions)
        | set(symbols.assigned)
        | set(symbols.dimensions)
        | symbols.loops
        | symbols.used
        | symbols.split
    )
    try:
        program = parse_tokens(tokens)
    except UnexpectedToken as error:
        raise explain(error, tokens, source) from None
    return infer(program, symbols, check, given, _spellings(tokens, source))


def _emit(
    source: str, raw: list[Token], pieces: list[Piece], words: Words, check: Checker
) -> list[Token]:
    emission = Emission(source, words, check.notes)
    tokens: list[Token] = []
    for piece in pieces:
        if isinstance(piece, Token):
            tokens.append(piece)
        else:
            paired = pair_bars(emission.expression(raw, *piece), source, check.notes)
            refuse_glued(paired, words.symbols)
            tokens += paired
    return tokens


def _spellings(tokens: list[Token], source: str) -> dict[str, str]:
    """The first spelling of each name in the text."""
    known: dict[str, str] = {}
    for token in tokens:
        if token.type in ("NAME", "DECLARED", "TARGET"):
            text = source[slice(*span_of(token))]
            whole = "\\" not in text and text.count("{") == text.count("}")
            known.setdefault(str(token), text if whole else str(token))
    return known


def _given(
    shapes: Mapping[str, Iterable[str | int]], attributes: Mapping[str, str | Iterable[str]]
) -> dict[str, Given]:
    """Shapes and attributes from outside the text, in canonical names."""
    given: dict[str, Given] = {}
    for name, shape in shapes.items():
        dims = (shape,) if isinstance(shape, str | int) else _members(shape, "a shape", name)
        given[_name(name)] = tuple(_dim(dim, name) for dim in dims), frozenset()
    for name, marks in attributes.items():
        texts = (marks,) if isinstance(marks, str) else _members(marks, "attributes", name)
        said = [word for text in texts for word in str(text).replace(",", " ").split()]
        words = list(attributes_in(said))
        for word in words:
            if word not in ATTRIBUTES:
                raise NameResolutionError(no_attribute(word))
        key = _name(name)
        dims_or_none = given[key][0] if key in given else None
        given[key] = dims_or_none, frozenset(words)
    return given


def _members(value: object, what: str, name: object) -> tuple[Any, ...]:
    if not isinstance(value, Iterable) or isinstance(value, bytes | Mapping):
        raise ParseError(f"{what} of {name} are a list, not {reprlib.repr(value)}")
    return tuple(value)


def _name(name: object) -> str:
    if not isinstance(name, str) or not name.strip():
        raise NameResolutionError(f"{name!r} is no name of a variable")
    return canonical_name(name)


def _dim(dim: object, name: object) -> Dim:
    if isinstance(dim, Composite):
        return dim
    if isinstance(dim, str) and dim.strip().isdigit():
        dim = int(dim)
    if isinstance(dim, str) and dim.strip().replace("_", "").isalnum():
        return canonical_name(dim.strip())
    if hasattr(dim, "__index__") and not isinstance(dim, bool) and dim.__index__() > 0:
        return int(dim.__index__())
    raise ParseError(f"a size is a name or a positive integer, not {dim!r} in the shape of {name}")
