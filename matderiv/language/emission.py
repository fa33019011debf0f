"""Raw tokens of an expression to the tokens that the grammar's rules speak of.

Decided here, with the symbol table at hand: which words are names, calls, functions,
or runs to be split; what `^`, `'` and superscripts mean; method spellings, keyword
arguments, norm suffixes.  Bars stay as they are; `bars.py` pairs them.
"""

from __future__ import annotations

import math
import re
import unicodedata

from matderiv.errors import ParseError
from matderiv.language.alphabet import canonical_name, look_alike
from matderiv.language.tokens import Notes, Token, make, span_of
from matderiv.language.words import Words

__all__ = ["Emission"]

_SIMPLE = {
    "PLUS": ("PLUS", "+"),
    "MINUS": ("MINUS", "-"),
    "SLASH": ("MULTIPLY", "/"),
    "BACKSLASH": ("MULTIPLY", "\\"),
    "DOTTIMES": ("HADAMARD", ".*"),
    "DOTDIVIDE": ("HADAMARD", "./"),
    "DOTPOWER": ("POWER", ".^"),
    "STARSTAR": ("POWER", "**"),
    "QUOTE": ("TRANSPOSE", "'"),
    "DOTQUOTE": ("TRANSPOSE", "'"),
    "COMMA": ("COMMA", ","),
    "LANGLE": ("LANGLE", "<"),
    "RANGLE": ("RANGLE", ">"),
    "STRING": ("STRING", ""),
    "BAR": ("BAR", ""),
    "OPENNORM": ("OPENNORM", ""),
    "CLOSENORM": ("CLOSENORM", ""),
    "OPENABS": ("OPENABS", ""),
    "CLOSEABS": ("CLOSEABS", ""),
}
_STARS = {"∗": "*", "⋅": "·", "∙": "·"}
_CIRCLES = {"⊙": ".*", "∘": ".*", "⊘": "./"}
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_SUPERSCRIPT_PART = re.compile("⁻?[⁰¹²³⁴-⁹]+|⁻?[ᵀ⊤]")
_SUPERSCRIPT_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_CONJUGATE = (
    "the conjugate transpose is for complex matrices; these are real: write ' for the transpose"
)
_BAD = {
    "&": "& aligns columns in LaTeX; paste one formula at a time",
    "%": "% has no meaning here; a comment starts with #",
    "∑": "∑ is not read: write sum(…) for the sum over all entries, x' y for a sum of products",
    "∂": "∂ is not read: paste the function itself; the variable goes after wrt",
    "∇": "∇ is not read: paste the function itself; the variable goes after wrt",
    '"': "this quote is never closed",
    "~": "~ is a space in LaTeX only",
    "√": "√ is not read: write sqrt(x)",
}


class Emission:
    """Makes the tokens of one program; `words` knows the symbol table."""

    def __init__(self, source: str, words: Words, notes: Notes) -> None:
        self.source = source
        self.words = words
        self.notes = notes
        self.tokens: list[Token] = []
        self.out: list[Token] = []
        self.brackets: list[Token] = []
        self.position = 0
        self.end = 0

    def expression(self, tokens: list[Token], start: int, end: int) -> list[Token]:
        """Return the made tokens of the raw tokens `start` to `end`, bars unpaired."""
        self.tokens, self.position, self.end = tokens, start, end
        self.out, self.brackets = [], []
        while self.position < self.end:
            token = tokens[self.position]
            self.position += 1
            simple = _SIMPLE.get(token.type)
            if simple is not None:
                kind, value = simple
                self.add(kind, value or str(token), *span_of(token))
            else:
                getattr(self, "_" + token.type.lower())(token, *span_of(token))
        return self.out

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

    # ---- brackets ----------------------------------------------------------------

    def _open(self, token: Token, start: int, end: int) -> None:
        self.brackets.append(token)
        self.add("LSQB" if token == "[" else "LPAR", str(token), start, end)

    _lpar = _lsqb = _lbrace = _open

    def _close(self, token: Token, start: int, end: int) -> None:
        if not self.brackets or _BRACKETS[self.brackets[-1]] != token:
            if self.brackets:
                opener = self.brackets[-1]
                raise ParseError(
                    f"'{opener}' is never closed: '{token}' comes first", span=span_of(opener)
                )
            raise ParseError(f"'{token}' closes a bracket that was never opened", span=(start, end))
        self.brackets.pop()
        self.add("RSQB" if token == "]" else "RPAR", str(token), start, end)

    _rpar = _rsqb = _rbrace = _close

    # ---- numbers and odd characters ----------------------------------------------

    def _number(self, token: Token, start: int, end: int) -> None:
        previous = self.out[-1] if self.out else None
        if previous is not None and previous.type == "NUMBER":
            raise ParseError(
                "two numbers in a row; write one number, or * between them", span=(start, end)
            )
        value = float(token)
        if math.isinf(value) or (value == 0 and token.lower().split("e")[0].strip("0.")):
            raise ParseError("this number is beyond what float64 can hold", span=(start, end))
        self.add("NUMBER", str(token), start, end)

    def _hexadecimal(self, token: Token, start: int, end: int) -> None:
        raise ParseError(
            "hexadecimal numbers are not read; write 0 x … for a product", span=(start, end)
        )

    def _bad(self, token: Token, start: int, end: int) -> None:
        message = _BAD.get(token)
        if message is None:
            category = unicodedata.category(token)
            kind = "is no letter of the language" if category[0] in "LMN" else "has no meaning here"
            message = f"{look_alike(token)} {kind}"
            if category[0] in "LN":
                message += "; letters are Latin or Greek, digits 0 to 9"
        raise ParseError(message, span=(start, end))

    _tilde = _dollar = _bad

    def _newline(self, token: Token, start: int, end: int) -> None:
        """A line break inside brackets, or after an operator, is a space."""

    def _semicolon(self, token: Token, start: int, end: int) -> None:
        opener = self.brackets[-1] if self.brackets else token
        raise ParseError(f"'{opener}' is never closed", span=span_of(opener))

    def _colon(self, token: Token, start: int, end: int) -> None:
        if not self.brackets or self.brackets[-1] != "[":
            raise ParseError(
                "':' declares names at the start of a statement, X: (n, d), or stands in a slice, "
                "X[0:2, :]; there are no Python lambdas: lambda is the letter λ",
                span=(start, end),
            )
        self.add("COLON", ":", start, end)

    def _element(self, token: Token, start: int, end: int) -> None:
        raise ParseError(
            "'∈' declares names at the start of a statement: x ∈ R^n", span=(start, end)
        )

    def _equals(self, token: Token, start: int, end: int) -> None:
        if self.last() == "KEYWORD":
            self.add("EQUALS", "=", start, end)
            return
        if len(self.out) > 1 and self.out[1].type == "LPAR":
            name = self.source[slice(*span_of(self.out[0]))]
            raise ParseError(
                f"'{name}(…) = …' is not read: paste the right-hand side alone, "
                f"or write {name.strip(chr(92))} = …",
                span=(start, end),
            )
        raise ParseError(
            "'=' assigns to one name at the start of a statement: z = A x", span=(start, end)
        )

    # ---- operators with several forms --------------------------------------------

    def _star(self, token: Token, start: int, end: int) -> None:
        self.add("MULTIPLY", _STARS.get(token, str(token)), start, end)

    def _circle(self, token: Token, start: int, end: int) -> None:
        self.add("HADAMARD", _CIRCLES[token], start, end)

    def _subscript(self, token: Token, start: int, end: int) -> None:
        made = make("SUFFIX", token.strip("_{}"), start, end)
        closing = ("BAR", "CLOSENORM")
        if self.last() in closing:
            self.out.append(made)
        elif self.last() == "NUMBER" and self.last(2) == "POWER" and self.last(3) in closing:
            self.out.insert(-2, made)  # ‖X‖^2_F is ‖X‖_F^2
        else:
            raise ParseError(
                "a subscript stands directly after a name or a norm", span=(start, end)
            )

    def _underscore(self, token: Token, start: int, end: int) -> None:
        raise ParseError("'_' needs a subscript: w_1, ||X||_F", span=(start, end))

    def _superscript(self, token: Token, start: int, end: int) -> None:
        if "ᴴ" in token or "†" in token:
            raise ParseError(_CONJUGATE, span=(start, end))
        position = 0
        while position < len(token):
            match = _SUPERSCRIPT_PART.match(token, position)
            if match is None:
                raise ParseError("this superscript is no power", span=(start, end))
            place = start + position, start + match.end()
            self._superscript_part(match[0], *place)
            position = match.end()

    def _superscript_part(self, text: str, start: int, end: int) -> None:
        if text in ("ᵀ", "⊤"):
            self.add("TRANSPOSE", "'", start, end)
        elif text == "⁻¹":
            self.add("INVERSE", "-1", start, end)
        elif text in ("⁻ᵀ", "⁻⊤"):
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
        self.add("TRANSPOSE", "'", start, begin + 1)
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
        elif token in ("T", "⊤") and not self.words.is_variable("T"):
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
            if text in ("T", "⊤", "ᵀ", "'"):
                self.add("TRANSPOSE", "'", start, end)
                self.position += 3
                return True
        if self.peek_kind(3) == closer and self._inverse(1, start):
            self.position += 4
            return True
        return False

    # ---- words -------------------------------------------------------------------

    def _dot(self, token: Token, start: int, end: int) -> None:
        word = self.peek()
        if word is None or word.type != "WORD":
            raise ParseError(
                "a '.' stands alone; elementwise operators are .* ./ .^", span=(start, end)
            )
        place = start, span_of(word)[1]
        called = self.peek_kind(1) == "LPAR"
        if not called and word in ("T", "mT"):
            self.add("TRANSPOSE", "'", *place)
        elif called:
            self.add("METHOD", self.words.method(word), *place)
        else:
            raise ParseError(
                f"'.{word}' is nothing known; the transpose is .T, methods have brackets",
                span=place,
            )
        self.position += 1

    def _word(self, token: Token, start: int, end: int) -> None:
        following = self.peek_kind()
        in_brackets = self.brackets[-1] if self.brackets else ""
        if following == "EQUALS" and in_brackets == "(":
            self.add("KEYWORD", str(token), start, end)
            return
        if self.last() == "EQUALS" and token in ("True", "False", "None", "true", "false"):
            self.add("NUMBER", token.title(), start, end)
            return
        name = canonical_name(token)
        if name in self.words.symbols.functions:
            self._abstract(name, start, end)
        else:
            self.out.extend(self.words.read(token, self.peek()))

    def _abstract(self, name: str, start: int, end: int) -> None:
        """`phi`, `phi'(z)`: a declared function and the primes that differentiate it."""
        primes = 0
        while self.peek_kind(primes) == "QUOTE":
            primes += 1
        if self.peek_kind(primes) == "LPAR":
            if primes:
                end = span_of(self.tokens[self.position + primes - 1])[1]
            self.position += primes
            self.add("CALL", name + "'" * primes, start, end)
        elif self.words.symbols.functions[name] == "elementwise" and not primes:
            self.add("FUNCTION", name, start, end)
        elif self.last() == "LPAR" and self.last(2) == "CALL" and self.out[-2] == "D":
            self.add("STRING", name, start, end)
        else:
            raise ParseError(
                f"{name} is a function; it needs its arguments in brackets", span=(start, end)
            )
