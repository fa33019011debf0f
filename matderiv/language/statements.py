"""The walk over raw tokens that finds statements, before anything is parsed.

Declarations, targets and loop headers become made tokens, and fill the symbol table;
expressions stay ranges of raw tokens in between.
"""

from __future__ import annotations

import re

from matderiv.errors import NameResolutionError, ParseError
from matderiv.language.alphabet import canonical_name, is_single_name
from matderiv.language.attributes import ATTRIBUTES, PHRASES, is_meant, no_attribute
from matderiv.language.bars import COMPARISON
from matderiv.language.hints import near
from matderiv.language.symbols import CLOSES, OPENS, Piece, Symbols
from matderiv.language.tokens import Token, make, span_of

__all__ = ["is_unfinished", "read_statements"]

_KINDS = ("elementwise", "scalar", "vector", "matrix")
_SIGNS = "PLUS MINUS STAR SLASH CIRCLE DOTTIMES DOTDIVIDE BACKSLASH COMMA CARET DOTPOWER STARSTAR"
_CONTINUES = frozenset(_SIGNS.split())
_FORMULA = "a function of one number is written f(t) = t^2 sin(t): elementwise"
_TWO_SIZES = re.compile(r"[A-Za-z]\d*x[A-Za-z]\d*")  # nxn
_DECLARATION = "a declaration is written X: (n, d), λ: (), A: (n, n) symmetric or phi: elementwise"


def read_statements(tokens: list[Token], symbols: Symbols) -> list[Piece]:
    """Return the program as made tokens and ranges of expressions; fill the table."""
    walk = _Walk(tokens, symbols)
    walk.statements()
    return walk.pieces


def is_unfinished(text: str) -> bool:
    """Whether a text can only be the beginning of one: a bracket is open, an operand is due.

    >>> is_unfinished("||X w -"), is_unfinished("repeat l in N {"), is_unfinished("x y")
    (True, True, False)
    """
    from matderiv.language.grammar import raw_tokens

    kinds = [token.type for token in raw_tokens(text) if token.type != "NEWLINE"]
    depth = sum((kind in OPENS) - (kind in CLOSES) for kind in kinds)
    return depth > 0 or (bool(kinds) and kinds[-1] in (*_CONTINUES, "EQUALS"))


def _list_ends(tokens: list[Token]) -> dict[int, int]:
    """For each word, where the list `A, B, …` that goes on with it ends."""
    ends: dict[int, int] = {}
    for at in reversed(range(len(tokens))):
        if tokens[at].type == "WORD":
            after = at + 1
            if after < len(tokens) and tokens[after].type == "COMMA":
                ends[at] = ends.get(after + 1, 0)
            else:
                ends[at] = after
    return ends


class _Walk:
    def __init__(self, tokens: list[Token], symbols: Symbols) -> None:
        self.tokens = tokens
        self.symbols = symbols
        self.pieces: list[Piece] = []
        self.blocks: list[Token] = []  # opening braces of `repeat`
        self.position = 0
        self.pending: Token | None = None  # the separator before the next statement
        self.list_ends = _list_ends(tokens)

    # ---- looking -----------------------------------------------------------------

    def kind(self, ahead: int = 0) -> str:
        position = self.position + ahead
        return self.tokens[position].type if position < len(self.tokens) else ""

    def word(self, ahead: int = 0) -> str:
        return str(self.tokens[self.position + ahead]) if self.kind(ahead) == "WORD" else ""

    def take(self, kind: str, value: str | None = None) -> Token:
        token = self.tokens[self.position]
        self.position += 1
        made = make(kind, token if value is None else value, *span_of(token))
        self.pieces.append(made)
        return made

    def fail(self, message: str) -> ParseError:
        if self.position < len(self.tokens):
            return ParseError(message, span=span_of(self.tokens[self.position]))
        end = span_of(self.tokens[-1])[1]
        return ParseError(message, span=(end, end + 1))

    def _names_ahead(self) -> int:
        """The number of tokens of a list `A, B` here, if a declaration can follow it."""
        end = self.list_ends.get(self.position, 0)
        ahead = end - self.position
        if ahead > 0 and (self.kind(ahead) in ("COLON", "ELEMENT") or self.word(ahead) == "in"):
            return ahead
        return 0

    def _starts_item(self) -> bool:
        return (
            bool(self._names_ahead())
            or (self.kind() == "WORD" and self.kind(1) == "EQUALS")
            or bool(self._heading_ahead())
        )

    def _heading_ahead(self) -> int:
        """The number of tokens of `f(t) =` or `f(s, t) =` here, else 0."""
        if self.kind() != "WORD" or self.kind(1) != "LPAR":
            return 0
        ahead = self.list_ends.get(self.position + 2, 0) - self.position
        closed = ahead > 0 and self.kind(ahead) == "RPAR" and self.kind(ahead + 1) == "EQUALS"
        return ahead + 2 if closed else 0

    # ---- statements --------------------------------------------------------------

    def statements(self) -> None:
        while self.position < len(self.tokens):
            kind = self.kind()
            if kind in ("NEWLINE", "SEMICOLON"):
                self._separate()
            elif self.word() == "where":
                self._refuse_call_of_where()
                self.pending = None
                self.take("WHERE")
            elif kind == "RBRACE" and self.blocks:
                self.pending = None
                self.blocks.pop()
                self.take("RBRACE")
            else:
                if self.pending is not None:
                    self.pieces.append(self.pending)
                    self.pending = None
                self._statement()
        if self.blocks:
            raise ParseError("'{' is never closed", span=span_of(self.blocks[-1]))

    def _separate(self) -> None:
        token = self.tokens[self.position]
        self.position += 1
        last = self.pieces[-1] if self.pieces else None
        opening = isinstance(last, Token) and last.type in ("WHERE", "LBRACE", "SEPARATOR")
        if last is not None and not opening and self.pending is None:
            self.pending = make("SEPARATOR", ";", *span_of(token))

    def _statement(self) -> None:
        names = self._names_ahead()
        if names:
            self._declaration(names)
        elif self.word() == "repeat" and self.kind(1) == "WORD":
            self._repeat()
        elif self.kind() == "WORD" and self.kind(1) == "EQUALS":
            target = self.take("TARGET", canonical_name(self.word()))
            self.symbols.assigned.setdefault(target, span_of(target))
            self.take("EQUALS")
            self._expression()
        else:
            heading = self._heading_ahead()
            if not (heading and self._definition(heading)):
                self._expression()

    def _expression(self) -> None:
        start = self.position
        self._skip_expression()
        self.pieces.append((start, self.position))
        if self.kind() == "COMMA":
            self._separate()

    def _skip_expression(self, also: str = "") -> None:
        """Go to the end of an expression, or to a token of the kind `also` before it."""
        start, depth = self.position, 0
        while self.position < len(self.tokens):
            token = self.tokens[self.position]
            kind = token.type
            if kind in OPENS:
                depth += 1
            elif kind in CLOSES:
                if depth == 0 and kind == "RBRACE" and self.blocks:
                    break
                depth -= 1
            elif kind == "WORD" and token == "where":
                self._refuse_call_of_where()
                break
            elif depth <= 0:
                if kind in ("SEMICOLON", also):
                    break
                if kind == "NEWLINE" and not self._continues(start):
                    break
                if kind == "COMMA" and self._comma_separates():
                    break
            self.position += 1

    def _refuse_call_of_where(self) -> None:
        """where(x > 0, x, 0) of NumPy, written in one as calls are."""
        word = self.tokens[self.position]
        if (
            self.kind(1) == "LPAR"
            and span_of(self.tokens[self.position + 1])[0] == span_of(word)[1]
        ):
            raise ParseError(COMPARISON, span=span_of(word))

    def _continues(self, start: int) -> bool:
        return self.position > start and self.tokens[self.position - 1].type in _CONTINUES

    def _comma_separates(self) -> bool:
        self.position += 1
        separates = self._starts_item()
        self.position -= 1
        return separates

    # ---- declarations ------------------------------------------------------------

    def _declaration(self, count: int) -> None:
        names = []
        for _ in range(count):
            if self.kind() == "COMMA":
                self.take("COMMA")
            else:
                name = self.take("DECLARED", canonical_name(self.word()))
                names.append(name)
        spaced = self.kind() != "COLON" or self._is_reals(1)
        kind = ""
        if spaced:
            self.take("IN")
            self._space()
        else:
            self.take("COLON")
            if not self._attributes() or self.kind() == "LPAR":
                kind = self._shape_or_kind()
        self._attributes()
        self._end_declaration()
        for name in names:
            self._declare(name, kind)

    def _attributes(self) -> bool:
        """Take the attributes that stand here; whether there are any."""
        first = self.position
        while self.word() in ATTRIBUTES:
            phrase = PHRASES.get((self.word(), self.word(1)))
            self.take("ATTRIBUTE", phrase)
            self.position += phrase is not None
        return self.position > first

    def _definition(self, heading: int) -> bool:
        """`f(t) = t^2 sin(t): elementwise`; False, and nothing taken, if no colon follows."""
        first = self.position
        self.position += heading
        body = self.position
        self._skip_expression("COLON")
        end = self.position
        if self.kind() != "COLON":
            self.position = first
            return False
        if self.word(1) != "elementwise":
            self.position += 1
            raise self.fail(_FORMULA)
        self.position = first
        name = self.take("TARGET", canonical_name(self.word()))
        if heading != 5:
            raise self.fail(f"{name} is of several arguments: {_FORMULA}")
        self.take("LPAR")
        argument = self.word()
        if not is_single_name(argument) or canonical_name(argument) in (name, "e", "π", "I"):
            raise self.fail(f"{argument} is no letter for the argument of {name}: {_FORMULA}")
        self.take("TARGET", canonical_name(argument))
        self.take("RPAR")
        self.take("EQUALS")
        self.pieces.append((body, end))
        self.position = end
        self.take("COLON")
        self.take("KIND")
        if self.word() not in ("", "where"):
            raise self.fail(_FORMULA)
        self._end_declaration()
        self._declare(name, "formula")
        return True

    def _declare(self, name: Token, kind: str) -> None:
        table = self.symbols
        if str(name) in table.functions or table.declared.get(name) is not None:
            raise NameResolutionError(f"{name} is declared twice", span=span_of(name))
        if kind in ("elementwise", "scalar function", "formula"):
            table.declared.pop(name, None)
            table.functions[name] = kind.split()[0]
        else:
            table.declared[name] = span_of(name)
            if kind == "scalar":
                table.numbers.add(name)

    def _shape_or_kind(self) -> str:
        if self.kind() == "LPAR":
            self._shape()
            return ""
        word = self.word()
        if word not in _KINDS:
            if not word:
                raise self.fail(_DECLARATION)
            if is_meant(word):
                raise self.fail(no_attribute(word))
            close = near(word, [*_KINDS, *ATTRIBUTES])
            inner = "; the product A : B is <A, B>" if word.isupper() else ""
            raise self.fail(f"{word} is no shape, kind or attribute{close}: {_DECLARATION}{inner}")
        start, end = span_of(self.tokens[self.position])
        self.position += 1
        if word == "scalar" and self.word() == "function":
            word, end = "scalar function", span_of(self.tokens[self.position])[1]
            self.position += 1
        self.pieces.append(make("KIND", word, start, end))
        return word

    def _shape(self) -> None:
        self.take("LPAR")
        while self.kind() != "RPAR":
            self._size()
            if self.kind() == "COMMA":
                self.take("COMMA")
            elif self.kind() != "RPAR":
                raise self.fail("a shape is a list of names and positive integers: X: (n, 3)")
        self.take("RPAR")

    def _is_reals(self, ahead: int) -> bool:
        return self.word(ahead) in ("R", "ℝ") and self.kind(ahead + 1) in ("CARET", "")

    def _space(self) -> None:
        if self.word() not in ("R", "ℝ"):
            raise self.fail("a space is written R, R^n or R^{n×d}")
        self.take("REALS")
        if self.kind() != "CARET":
            return
        self.take("POWER")
        if self.kind() not in ("LBRACE", "LPAR"):
            joined = _TWO_SIZES.fullmatch(self.word())
            if not joined:
                self._size()
            if joined or self.kind() == "STAR" or self.word() == "x":
                raise self.fail("the sizes of a matrix stand in brackets: R^{n×d} or R^(n x d)")
            return
        close = "RBRACE" if self.kind() == "LBRACE" else "RPAR"
        self.take("LPAR")
        self._size()
        while self.kind() != close:
            if self.kind() != "STAR" and self.word() != "x":
                raise self.fail("sizes are separated by × or x: R^{n×d} or R^(n x d)")
            self.take("TIMES")
            self._size()
        self.take("RPAR")

    def _size(self) -> None:
        if self.kind() == "WORD":
            name = canonical_name(self.word())
            self.symbols.dimensions.setdefault(name, span_of(self.tokens[self.position]))
            self.take("DIMENSION", name)
            return
        text = self.tokens[self.position] if self.position < len(self.tokens) else ""
        if self.kind() != "NUMBER":
            raise self.fail("a size is a name or a positive integer: X: (n, 3)")
        if not text.isdigit() or len(text) > 18 or int(text) == 0:
            raise self.fail(f"a size is a name or a positive integer, not {text[:20]}")
        self.take("INTEGER")

    def _end_declaration(self) -> None:
        kind = self.kind()
        if kind == "COMMA":
            self._separate()
        elif kind == "WORD" and self.word() != "where":
            raise self.fail(no_attribute(self.word()))
        elif kind not in ("", "NEWLINE", "SEMICOLON", "WORD", "RBRACE"):
            raise self.fail(_DECLARATION)

    # ---- loops -------------------------------------------------------------------

    def _repeat(self) -> None:
        form = "a loop is written repeat l in N { z = relu(z W[l]) }"
        self.take("REPEAT")
        index = self.take("TARGET", canonical_name(self.word()))
        self.symbols.loops.add(index)
        if self.word() != "in":
            raise self.fail(form)
        self.take("IN")
        self._size()
        if self.kind() != "LBRACE":
            raise self.fail(form)
        self.blocks.append(self.take("LBRACE"))
