r"""LaTeX source, token by token, to the plain tokens it stands for.

Commands become the plain token (`\odot` is ⊙), fonts and spacing vanish, `\frac` and
`\sqrt` become brackets of width zero, accents join their letter.  Every token keeps
its place in the user's text.  TeX's rule holds that a command without braces takes
one character: `\frac12` is 1/2 and `\hat yx` is ŷ x.
"""

from __future__ import annotations

from typing import NamedTuple

from matderiv.errors import ParseError, UnsupportedError
from matderiv.language.alphabet import BOLD_GREEK, is_single_name
from matderiv.language.functions import spellings
from matderiv.language.hints import near
from matderiv.language.latex_commands import (
    ACCENTS,
    BOLD,
    EXPECTATION,
    FONTS,
    FRACTIONS,
    LEFT,
    REFUSED,
    RIGHT,
    SIZES,
    SPACES,
    SYMBOLS,
)
from matderiv.language.tokens import Notes, Token, make, span_of

__all__ = ["plain_tokens"]


class _Open(NamedTuple):
    """An argument being read: its kind, where its command began, where its tokens begin."""

    kind: str
    start: int
    mark: int
    braced: bool
    detail: str = ""


def plain_tokens(tokens: list[Token], notes: Notes, functions: frozenset[str]) -> list[Token]:
    """Return the tokens with every trace of LaTeX replaced.

    `functions` holds the names of functions: each is also a command (`\\log`, `\\tr`).
    """
    marked = {"COMMAND", "ESCAPE", "DOLLAR", "TILDE", "UNDERSCORE"}
    if not any(token.type in marked for token in tokens):
        return _stripped(tokens)
    return _Reader(_stripped(tokens), notes, functions).read()


def _stripped(tokens: list[Token]) -> list[Token]:
    """The tokens without `$`, an enclosing `\\[ \\]` or `\\( \\)`, and a final `.` or `,`."""
    blank = ("NEWLINE", "DOLLAR")
    first, last = 0, len(tokens)
    while first < last and tokens[first].type in blank:
        first += 1
    final = ("DOT", "COMMA", *blank)
    while last > first and tokens[last - 1].type in final:
        last -= 1
    if last - first > 3:
        pair = tokens[first].type, tokens[first + 1].type, tokens[last - 1].type
        if (
            pair in (("BACKSLASH", "LSQB", "RSQB"), ("BACKSLASH", "LPAR", "RPAR"))
            and tokens[last - 2].type == "BACKSLASH"
        ):
            first, last = first + 2, last - 2
            while last > first and tokens[last - 1].type in final:
                last -= 1
    return [token for token in tokens[first:last] if token.type != "DOLLAR"]


def _bold(token: Token) -> Token:
    """θ in bold is the letter of a vector."""
    if token.type != "WORD" or token[0] not in BOLD_GREEK or not is_single_name(token):
        return token
    return make("WORD", BOLD_GREEK[token[0]] + token[1:], *span_of(token))


class _Reader:
    def __init__(self, tokens: list[Token], notes: Notes, functions: frozenset[str]) -> None:
        self.tokens = tokens
        self.notes = notes
        self.functions = functions
        self.out: list[Token] = []
        self.open: list[_Open] = []
        self.waiting: list[_Open] = []  # an argument that the next token opens
        self.side = ""  # after \left or \right
        self.groups: list[bool] = []  # whether each \left[ groups
        self.divided = 0  # where the last fraction ended
        self.position = 0

    def read(self) -> list[Token]:
        while self.position < len(self.tokens):
            token = self.tokens[self.position]
            self.position += 1
            if self.waiting:
                self._open_argument(token)
                if token.type == "LBRACE":
                    continue
            self._token(token)
        for argument in (*self.waiting, *self.open):
            if argument.kind != "plain":
                raise ParseError(
                    "the argument of this command is missing or never closed",
                    span=(argument.start, argument.start + 1),
                )
        return self.out

    # ---- arguments ---------------------------------------------------------------

    def _await(self, kind: str, start: int, detail: str = "") -> None:
        self.waiting.append(_Open(kind, start, 0, False, detail))

    def _open_argument(self, token: Token) -> None:
        waiting = self.waiting.pop()
        start = span_of(token)[0]
        if waiting.kind in ("numerator", "denominator", "radicand"):
            self.out.append(make("LPAR", "(", start, start))
        self.open.append(waiting._replace(mark=len(self.out), braced=token.type == "LBRACE"))

    def _end_atom(self, end: int) -> None:
        """After a token or group: close the arguments that take just one."""
        while self.open and not self.open[-1].braced and not self.waiting:
            self._close(self.open.pop(), end)

    def _close(self, argument: _Open, end: int) -> None:
        kind, start = argument.kind, argument.start
        if kind == "numerator":
            self.out.append(make("RPAR", ")", end, end))
            self.out.append(make("SLASH", "/", start, end))
            self._await("denominator", start)
        elif kind == "denominator":
            self.out.append(make("RPAR", ")", end, end))
            self.out.append(make("RPAR", ")", end, end))
            self.divided = len(self.out)
        elif kind == "radicand":
            self.out.append(make("RPAR", ")", end, end))
        elif kind == "accent":
            inside = self.out[argument.mark :]
            if len(inside) != 1 or inside[0].type != "WORD" or not is_single_name(inside[0]):
                raise ParseError("an accent stands over one letter", span=(start, end))
            letter = inside[0] if argument.detail else _bold(inside[0])
            self.out[argument.mark :] = [make("WORD", letter + argument.detail, start, end)]
        elif kind == "font":
            inside = self.out[argument.mark :]
            if argument.detail in BOLD:
                inside = [_bold(token) for token in inside]
            if len(inside) == 1 and len(inside[0]) == 1:  # its text is \mathbf{x}, not x}
                inside = [make(inside[0].type, str(inside[0]), start, end)]
            self.out[argument.mark :] = inside
        elif kind == "subscript":
            text = "".join(self.out[argument.mark :])
            del self.out[argument.mark :]
            self._subscript(make("SUBSCRIPT", "_" + text, start, end))

    # ---- tokens ------------------------------------------------------------------

    def _token(self, token: Token) -> None:
        start, end = span_of(token)
        if token.type == "COMMAND":
            self._command(token[1:], start, end)
        elif token.type == "ESCAPE":
            self._escape(token, start, end)
        elif token.type == "LBRACE":
            self.open.append(_Open("plain", start, len(self.out), True))
            self.out.append(token)
        elif token.type == "RBRACE":
            self._close_brace(token, start, end)
        elif token.type == "SUBSCRIPT":
            self._subscript(token)
        elif token.type == "UNDERSCORE":
            if self._next("PLUS"):
                raise ParseError(
                    "_+ is not read: the positive part is relu(x), or max(x, 0)", span=(start, end)
                )
            self._await("subscript", start)
        elif token.type == "BAR":
            self._bar(token, start, end)
        elif token.type in ("WORD", "NUMBER"):
            self._letters(token, start, end)
        elif token.type != "TILDE":
            if token.type == "DOT" and self.side:
                raise ParseError("\\left. and \\right. pair with nothing here", span=(start, end))
            if self.side and token in ("[", "]"):
                token = self._square(token, start, end)
            self.side = ""
            self.out.append(token)

    def _letters(self, token: Token, start: int, end: int) -> None:
        argument = self.open[-1] if self.open else None
        single = argument is not None and not argument.braced
        if single and len(token) > 1 and token[0] != ".":
            # TeX: one character; the rest of the word is read again.
            kind = "SUBSCRIPT" if token[1] == "_" else "DOT" if token[1:] == "." else token.type
            if token.type == "NUMBER" and token[1].isalpha():
                kind = "WORD"
            rest = make(kind, token[1:], start + 1, end)
            self.position -= 1
            self.tokens[self.position] = rest
            token, end = make(token.type, token[0], start, start + 1), start + 1
        fonts = [a.detail for a in self.open if a.kind == "font"]
        if fonts and fonts[-1] in BOLD and token == "1":
            token = make("WORD", "𝟏", start, end)
        elif fonts and fonts[-1] == "mathbb" and token == "E":
            raise ParseError(EXPECTATION, span=(argument.start if argument else start, end))
        elif fonts and fonts[-1] == "mathbb" and token == "R":
            token = make("WORD", "ℝ", start, end)
        self.out.append(token)
        self._end_atom(end)

    def _close_brace(self, token: Token, start: int, end: int) -> None:
        if not self.open or not self.open[-1].braced:
            self.out.append(token)  # unbalanced: reported where brackets are matched
            return
        argument = self.open.pop()
        if argument.kind == "plain":
            self.out.append(token)
        else:
            if argument.mark == len(self.out) and argument.kind != "font":
                raise ParseError("an argument in braces is empty", span=(start, end))
            self._close(argument, end)
        self._end_atom(end)

    def _subscript(self, token: Token) -> None:
        end = span_of(token)[1]
        if self.out and self.out[-1].type == "WORD":
            word = self.out.pop()
            token = make("WORD", word + token, span_of(word)[0], end)
        self.out.append(token)
        self._end_atom(end)

    def _bar(self, token: Token, start: int, end: int) -> None:
        norm = token == "‖"
        if self.side:
            kind = ("OPEN" if self.side == "left" else "CLOSE") + ("NORM" if norm else "ABS")
            token = make(kind, token, start, end)
        self.side = ""
        self.out.append(token)

    def _square(self, token: Token, start: int, end: int) -> Token:
        """2 \\left[ x + y \\right] groups; directly after a name \\left[ 0 \\right] is an index."""
        if token == "]":
            return make("RPAR", "]", start, end) if self.groups and self.groups.pop() else token
        before = self.out[-1] if self.out else None
        raised = len(self.out) > 1 and self.out[-2].type == "CARET"
        groups = (
            before is None
            or self.divided == len(self.out)
            or str(before) in "+-*/=(,"
            or str(before) in spellings()
            or (before.type == "NUMBER" and not raised)
        )
        self.groups.append(groups)
        return make("LPAR", "[", start, end) if groups else token

    def _escape(self, token: Token, start: int, end: int) -> None:
        symbol = token[1]
        if symbol == "\\":
            raise ParseError(
                "a LaTeX line break \\\\ is not read; paste one formula at a time",
                span=(start, end),
            )
        if symbol == "|":
            self._bar(make("BAR", "‖", start, end), start, end)
        elif symbol in "{}":
            self.side = ""
            self.out.append(
                make("LPAR", "(", start, end) if symbol == "{" else make("RPAR", ")", start, end)
            )

    def _command(self, name: str, start: int, end: int) -> None:
        if name in FRACTIONS:
            self.out.append(make("LPAR", "(", start, start))
            self._await("numerator", start)
        elif name == "sqrt":
            if self._next("LSQB"):
                raise UnsupportedError(
                    "\\sqrt with a degree is not read; write the power ^(1/3)", span=(start, end)
                )
            self.out.append(make("WORD", "sqrt", start, end))
            self._await("radicand", start)
        elif name in ACCENTS and not (name == "vec" and self._next("LPAR")):
            self._await("accent", start, ACCENTS[name])
        elif name in FONTS:
            self._await("font", start, name)
        elif name in LEFT or name in RIGHT:
            self.side = "left" if name in LEFT else "right"
        elif name in SYMBOLS:
            kind, value = SYMBOLS[name]
            if kind == "BAR":
                self._bar(make("BAR", value, start, end), start, end)
                return
            self.side = ""
            if kind == "WORD":
                self._note_solve(name, start)
            self.out.append(make(kind, value, start, end))
            self._end_atom(end)
        elif name in REFUSED and not (name in ("min", "max") and self._bracket_follows()):
            raise ParseError(f"\\{name} is not read: {REFUSED[name]}", span=(start, end))
        elif name in self.functions:
            self.out.append(make("WORD", name, start, end))
        elif name not in SPACES and name not in SIZES:
            prefix = "\\"
            known = [*SYMBOLS, *FONTS, *ACCENTS, *FRACTIONS, *REFUSED, *self.functions]
            raise ParseError(
                f"the LaTeX command \\{name} is not known{near(name, known, prefix)}; "
                f"to solve A x = b write A \\ b with spaces",
                span=(start, end),
            )

    def _next(self, kind: str) -> bool:
        return self.position < len(self.tokens) and self.tokens[self.position].type == kind

    def _bracket_follows(self) -> bool:
        position = self.position
        while position < len(self.tokens) and self.tokens[position][1:] in LEFT + SIZES:
            position += 1
        return position < len(self.tokens) and self.tokens[position] in ("(", "\\{")

    def _note_solve(self, name: str, start: int) -> None:
        """`A\\mu` is LaTeX, though a reader may mean `A \\ mu`."""
        before = self.out[-1] if self.out else None
        if before is None or self.open or before.type not in ("WORD", "RPAR"):
            return
        if span_of(before)[1] == start and len(before) == 1 and (before.isupper() or before == ")"):
            self.notes.append(f"\\{name} is read as the letter; to solve write {before} \\ {name}")
