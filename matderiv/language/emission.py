"""Raw tokens of an expression to the tokens that the grammar's rules speak of.

Decided here, with the symbol table at hand: which words are names, calls, functions,
or runs to be split; what `^`, `'` and superscripts mean; method spellings, keyword
arguments, norm suffixes.  Bars stay as they are; `bars.py` pairs them.
"""

from __future__ import annotations

import unicodedata

from matderiv.errors import ParseError
from matderiv.language.alphabet import canonical_name, look_alike, plain
from matderiv.language.bars import COMPARISON
from matderiv.language.exponents import Exponents
from matderiv.language.latex_commands import REFUSED
from matderiv.language.tokens import Token, make, span_of

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
_BAD = {
    "&": "& aligns columns in LaTeX; paste one formula at a time",
    "%": "% has no meaning here; a comment starts with #",
    **dict.fromkeys("≤≥≠≈", COMPARISON),
    "∑": "∑ is not read: write sum(…) for the sum over all entries, x' y for a sum of products",
    "∂": "∂ is not read: paste the function itself; the variable goes after wrt",
    "∇": "∇ is not read: paste the function itself; the variable goes after wrt",
    '"': "this quote is never closed",
    "~": "~ is a space in LaTeX only",
    "∏": f"∏ is not read: {REFUSED['prod']}",
    "∫": f"∫ is not read: {REFUSED['int']}",
    "±": "± is two formulas: write + or -",
    "⊕": "⊕ is not read: the Kronecker sum of A and B is A ⊗ I + I ⊗ B",
    "!": "there are neither factorials nor comparisons here",
    "ᵗ": "ᵗ is not read: write A' for the transpose",
    **dict.fromkeys("•⋆⨂⨀⊠∧", "this product is not read: write A B, x' y, A .* B or A ⊗ B"),
    **dict.fromkeys("⌊⌋⌈⌉", "rounding is not read: its derivative is 0 wherever there is one"),
    **dict.fromkeys("→↦", f"arrows are not read: {REFUSED['partial']}"),
}


class Emission(Exponents):
    """Makes the tokens of one program; `words` knows the symbol table."""

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

    # ---- brackets ----------------------------------------------------------------

    def _open(self, token: Token, start: int, end: int) -> None:
        self.brackets.append(token)
        self.add("LSQB" if token.type == "LSQB" else "LPAR", str(token), start, end)

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
        self.add("RSQB" if token.type == "RSQB" else "RPAR", str(token), start, end)

    _rpar = _rsqb = _rbrace = _close

    # ---- odd characters ----------------------------------------------------------

    def _fraction(self, token: Token, start: int, end: int) -> None:
        """½ x is (1/2) x."""
        if self.last() == "NUMBER":
            raise ParseError(
                f"'{token}' after a number has two readings: a sum and a product",
                span=(start, end),
            )
        above, below = unicodedata.normalize("NFKD", token).split("⁄")
        self.add("LPAR", "(", start, start)
        self.add("NUMBER", above, start, end)
        self.add("MULTIPLY", "/", start, end)
        self.add("NUMBER", below, start, end)
        self.add("RPAR", ")", end, end)

    def _hexadecimal(self, token: Token, start: int, end: int) -> None:
        raise ParseError(
            "hexadecimal numbers are not read; write 0 x … for a product", span=(start, end)
        )

    def _bad(self, token: Token, start: int, end: int) -> None:
        message = _BAD.get(token)
        if self.source.startswith("%*%", start):
            message = "%*% of R is a product here: A b, or A @ b"
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
        if not self.brackets or self.brackets[-1].type != "LSQB":
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
        if self.source[start - 1 : start] in tuple("<>=!") or self.source[end : end + 1] == "=":
            raise ParseError(COMPARISON, span=(start, end))
        if len(self.out) > 1 and self.out[1].type == "LPAR":
            name = self.source[slice(*span_of(self.out[0]))]
            raise ParseError(
                f"'{name}(…) = …' is not read: paste the right-hand side alone, "
                f"or write {name.strip(chr(92))} = …; a function of one number ends with its kind, "
                "f(t) = t^2: elementwise",
                span=(start, end),
            )
        raise ParseError(
            "'=' assigns to one name at the start of a statement: z = A x", span=(start, end)
        )

    def _root(self, token: Token, start: int, end: int) -> None:
        """√(x' x), √n; √2 x is refused like sqrt 2 x."""
        self.add("CALL" if self.peek_kind() == "LPAR" else "FUNCTION", "sqrt", start, end)

    # ---- operators with several forms --------------------------------------------

    def _star(self, token: Token, start: int, end: int) -> None:
        self.add("MULTIPLY", _STARS.get(token, str(token)), start, end)

    def _circle(self, token: Token, start: int, end: int) -> None:
        self.add("HADAMARD", _CIRCLES[token], start, end)

    def _subscript(self, token: Token, start: int, end: int) -> None:
        made = make("SUFFIX", plain(token).strip("_"), start, end)
        closing = ("BAR", "CLOSENORM")
        if self.last() in closing:
            self.out.append(made)
        elif self.last() == "NUMBER" and self.last(2) == "POWER" and self.last(3) in closing:
            self.out.insert(-2, made)  # ‖X‖^2_F is ‖X‖_F^2
        elif token == "∞":
            raise ParseError("∞ stands in ‖x‖_∞ alone, the largest |x_i|", span=(start, end))
        else:
            ones = f"; for the vector of ones write ones({made})" if self.last() == "NUMBER" else ""
            raise ParseError(
                f"a subscript stands directly after a name or a norm{ones}", span=(start, end)
            )

    def _underscore(self, token: Token, start: int, end: int) -> None:
        raise ParseError("'_' needs a subscript: w_1, ||X||_F", span=(start, end))

    # ---- words -------------------------------------------------------------------

    def _dot(self, token: Token, start: int, end: int) -> None:
        word = self.peek()
        if word is None or word.type != "WORD":
            raise ParseError(
                "a '.' stands alone; elementwise operators are .* ./ .^", span=(start, end)
            )
        place = start, span_of(word)[1]
        bracket = self.peek(1)
        called = bracket is not None and bracket.type == "LPAR"
        touching = bracket is not None and span_of(bracket)[0] == place[1]
        if word in ("T", "mT") and not (called and touching):
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
        if token == "inf" and self.last() == "COMMA" and following == "RPAR":
            self.add("NUMBER", "inf", start, end)  # norm(x, inf)
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
        elif self.last() == "LPAR" and self.last(2) == "CALL" and self.out[-2] == "D":
            self.add("STRING", name, start, end)
        elif self.words.symbols.functions[name] != "scalar" and not primes:
            self.add("FUNCTION", name, start, end)
        else:
            raise ParseError(
                f"{name} is a function; it needs its arguments in brackets", span=(start, end)
            )
