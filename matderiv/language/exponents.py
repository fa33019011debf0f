"""What stands high: `^`, superscripts, and the transposes and inverses they write."""

from __future__ import annotations

import math
import re

from matderiv.errors import ParseError
from matderiv.language.tokens import Notes, Token, make, span_of
from matderiv.language.words import Words

__all__ = ["Exponents"]

_SUPERSCRIPT_PART = re.compile("⁻?[⁰¹²³⁴-⁹]+|⁻?[ᵀ⊤⊺]")
_SUPERSCRIPT_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_CONJUGATE = (
    "the conjugate transpose is for complex matrices; these are real: write ' for the transpose"
)


class Exponents:
    """Reads the raw tokens `position` to `end`, adding made tokens to `out`."""

    def __init__(self, source: str, words: Words, notes: Notes) -> None:
        self.source = source
        self.words = words
        self.notes = notes
        self.tokens: list[Token] = []
        self.out: list[Token] = []
        self.brackets: list[Token] = []
        self.position = 0
        self.end = 0

    # ---- looking and adding ------------------------------------------------------

    def add(self, kind: str, value: str, start: int, end: int) -> None:
        self.out.append(make(kind, value, start, end))

    def peek(self, ahead: int = 0) -> Token | None:
        position = self.position + ahead
        return self.tokens[position] if position < self.end else None

    def peek_kind(self, ahead: int = 0) -> str:
        token = self.peek(ahead)
        return token.type if token is not None else ""

    def last(self, back: int = 1) -> str:
        return self.out[-back].type if len(self.out) >= back else ""

    # ---- numbers -----------------------------------------------------------------

    def _number(self, token: Token, start: int, end: int) -> None:
        previous = self.out[-1] if self.out else None
        if previous is not None and previous.type == "NUMBER":
            raise ParseError(
                "two numbers in a row; write one number, or * between them", span=(start, end)
            )
        touches = previous is not None and span_of(previous)[1] == start
        if touches and self.source[start - 1].isdigit() and token.startswith("."):
            raise ParseError(
                f"{token} directly after a digit of something else reads as the end of one "
                f"number, {self.source[start - 1]}{token}; write * or a space before it",
                span=(start, end),
            )
        value = float(token)
        if math.isinf(value) or (value == 0 and token.lower().split("e")[0].strip("0.")):
            raise ParseError("this number is beyond what float64 can hold", span=(start, end))
        self.add("NUMBER", str(token), start, end)

    # ---- exponents ---------------------------------------------------------------

    def _superscript(self, token: Token, start: int, end: int) -> None:
        if "ᴴ" in token or "†" in token:
            pseudo = "; for the pseudoinverse write pinv(A)" if "†" in token else ""
            raise ParseError(_CONJUGATE + pseudo, span=(start, end))
        position = 0
        while position < len(token):
            match = _SUPERSCRIPT_PART.match(token, position)
            if match is None:
                raise ParseError("this superscript is no power", span=(start, end))
            whole = match[0] == token  # however long it is in the text, as ^\top is
            place = (start, end) if whole else (start + position, start + match.end())
            self._superscript_part(match[0], *place)
            position = match.end()

    def _superscript_part(self, text: str, start: int, end: int) -> None:
        if text in ("ᵀ", "⊤", "⊺"):
            self.add("TRANSPOSE", "'", start, end)
        elif text == "⁻¹":
            self.add("INVERSE", "-1", start, end)
        elif text in ("⁻ᵀ", "⁻⊤", "⁻⊺"):
            self.add("INVERSE", "-T", start, end)
        else:
            self.add("POWER", "^", start, end)
            if text[0] == "⁻":
                self.add("MINUS", "-", start, start + 1)
            digits = text.lstrip("⁻").translate(_SUPERSCRIPT_DIGITS)
            self._number(make("NUMBER", digits, start, end), start, end)

    def _caret(self, token: Token, start: int, end: int) -> None:
        following = self.peek_kind()
        if following in ("LBRACE", "LPAR") and self._braced_exponent(start):
            return
        after = self.peek()
        if after is None:
            self.add("POWER", "^", start, end)
            return
        word = str(after)
        if following == "WORD" and word == "H" and not self.words.is_variable(word):
            raise ParseError(_CONJUGATE, span=(start, span_of(after)[1]))
        if following == "WORD" and self._is_transpose(word):
            self.words.check_transpose_letter(after)
            self._split_transpose(after, start)
        elif following == "SUPERSCRIPT" or following == "QUOTE":
            self.position += 1
            text = "ᵀ" if following == "QUOTE" else word
            self._superscript(
                make("SUPERSCRIPT", text, start, span_of(after)[1]), start, span_of(after)[1]
            )
        elif following == "STAR" and word == "*":
            raise ParseError(_CONJUGATE, span=(start, span_of(after)[1]))
        elif following == "MINUS" and self._inverse(0, start):
            self.position += 2
        else:
            self.add("POWER", "^", start, end)

    def _split_transpose(self, word: Token, start: int) -> None:
        """`w^Tx` is `w' x`: as in TeX, ^ takes one letter."""
        begin, end = span_of(word)
        self.add("TRANSPOSE", "'", start, end if len(word) == 1 else begin + 1)
        if len(word) == 1:
            self.position += 1
        else:
            self.tokens[self.position] = make("WORD", word[1:], begin + 1, end)

    def _is_transpose(self, word: str) -> bool:
        """T alone, or before letters that are no declared name with it."""
        return word == "T" or (
            word[0] == "T" and word[1].isalpha() and not self.words.is_variable(word)
        )

    def _inverse(self, ahead: int, start: int) -> bool:
        """Whether `-1` or `-T` stands `ahead`; if so its token is added."""
        token = self.peek(ahead + 1)
        if self.peek_kind(ahead) != "MINUS" or token is None:
            return False
        end = span_of(token)[1]
        if token == "1":
            self.add("INVERSE", "-1", start, end)
        elif token in ("T", "⊤", "⊺") and not self.words.is_variable("T"):
            self.add("INVERSE", "-T", start, end)
        else:
            return False
        return True

    def _braced_exponent(self, start: int) -> bool:
        """`^{T}`, `^{-1}`, `^{-T}` and their forms in round brackets."""
        tokens = [self.peek(ahead) for ahead in range(4)]
        closer = {"LBRACE": "RBRACE", "LPAR": "RPAR"}[self.peek_kind()]
        if self.peek_kind(2) == closer and tokens[1] is not None:
            end = span_of(tokens[2])[1] if tokens[2] is not None else start
            text = str(tokens[1])
            if text in ("H", "*", "†") and not self.words.is_variable("H"):
                raise ParseError(_CONJUGATE, span=(start, end))
            if text == "T":
                self.words.check_transpose_letter(tokens[1])
            if text in ("T", "⊤", "⊺", "ᵀ", "'"):
                self.add("TRANSPOSE", "'", start, end)
                self.position += 3
                return True
        index = [self.peek_kind(ahead) for ahead in range(1, 5)]
        if closer == "RBRACE" and index == ["LPAR", "NUMBER", "RPAR", "RBRACE"]:
            raise ParseError(
                f"^{{({self.peek(2)})}} has two readings: an index, as of layers and samples, "
                f"written _{self.peek(2)}, and the power ^{self.peek(2)}",
                span=(start, span_of(self.tokens[self.position + 4])[1]),
            )
        if self.peek_kind(3) == closer and self._inverse(1, start):
            self.position += 4
            return True
        return False
