"""What a run of letters is.

In this order: a declared or assigned name, a function or keyword, a Greek name, one
letter, a differential dX, and at last a product of one-letter names.  A run that
could surprise is refused instead of being split.
"""

from __future__ import annotations

import re

from matderiv.errors import NameResolutionError, ParseError
from matderiv.language.alphabet import (
    BOLD_GREEK,
    GREEK,
    canonical_name,
    is_single_name,
    leading_pieces,
    plain,
)
from matderiv.language.attributes import ATTRIBUTES
from matderiv.language.bars import COMPARISON
from matderiv.language.elsewhere import ELSEWHERE, SPECIAL, SUBSCRIPTED, VALUES
from matderiv.language.hints import near
from matderiv.language.latex_commands import EXPECTATION
from matderiv.language.symbols import Symbols
from matderiv.language.tokens import Notes, Token, make, span_of

__all__ = ["Words"]

_KEYWORDS = frozenset(("where", "repeat", "in"))
_MODULES = frozenset(("np", "numpy", "jnp", "torch", "nn", "math", "scipy", "tf"))
_INDEXED = re.compile(r"([^\W\d_])_([i-n]{1,4})")
_BOLD = frozenset(BOLD_GREEK.values())
_LARGE = {"Σ": "sum", "Π": "product"}
_FACTORS = frozenset(("WORD", "NUMBER", "LPAR", "LBRACE", "BAR", "OPENNORM", "OPENABS", "LANGLE"))
_STATEMENTS = frozenset(("if", "else", "for", "while", "with", "is", "and", "or", "not", "given"))


class Words:
    """Reads words with a symbol table; `functions` maps each spelling to its name."""

    def __init__(
        self, symbols: Symbols, functions: dict[str, str], methods: frozenset[str], notes: Notes
    ) -> None:
        self.symbols = symbols
        self.functions = functions
        self.methods = methods
        self.notes = notes
        self._noted: set[str] = set()
        self.splits: list[tuple[tuple[int, int], str]] = []

    def note(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self.notes.append(text)

    def is_variable(self, word: str) -> bool:
        return self.symbols.is_variable(canonical_name(word))

    def check_transpose_letter(self, word: Token) -> None:
        """`X^T` with T declared has two readings."""
        if self.is_variable("T"):
            raise ParseError(
                "^T is the transpose or the power T, which is declared; "
                "write ' for the transpose, ^(T) is not read either",
                span=span_of(word),
            )

    def method(self, word: Token) -> str:
        if word in self.methods or word in self.functions:
            return str(word)
        known = [*self.methods, *self.functions]
        raise NameResolutionError(
            f"there is no method {word}{near(word, known)}", span=span_of(word)
        )

    def read(self, word: Token, following: Token | None) -> list[Token]:
        """The tokens of a word, given the raw token after it."""
        symbols, place = self.symbols, span_of(word)
        name = canonical_name(word)
        called = following is not None and following.type == "LPAR"
        raised = following is not None and following.type in ("CARET", "DOTPOWER", "STARSTAR")
        if not word.isascii():
            self._note_alphabet(word)
        dotted = following is not None and following.type == "DOT"
        if dotted and word in _MODULES and not symbols.knows(name):
            raise NameResolutionError(
                f"{word} is a module of Python: write its functions without it, norm(x) for "
                f"{word}.norm(x), and .* for a product entry by entry, which * is not here",
                span=place,
            )
        if symbols.knows(name):
            if symbols.is_variable(name) and self._hides(word, name, called):
                self.note(f"{word} is the declared name, nothing else")
            if called and name in symbols.numbers:
                self.note(f"{word}(…) is a product; a function is declared {word}: scalar function")
            return [make("NAME", name, *place)]
        if str(word) in self.functions and (called or name != "σ"):
            return [make("CALL" if called else "FUNCTION", self.functions[word], *place)]
        if name == "σ" and called:
            return [make("CALL", "sigmoid", *place)]
        if called and len(word) > 2 and (known := self.functions.get(word.lower())):
            self.note(f"{word} is read as {known}")
            return [make("CALL", known, *place)]
        if word in _KEYWORDS:
            raise ParseError(f"'{word}' is a keyword and stands elsewhere", span=place)
        if name == "D" and called and symbols.functions:
            return [make("CALL", "D", *place)]
        if name == "e" and symbols.euler and raised:
            return [make("NUMBER", "e", *place)]
        if is_single_name(word):
            self._check_eigenvalue(word, following)
            self._check_sum(name, word, following)
            self._check_indices(name, word)
            self._check_weight(name, word)
            self._note_product(name, word, following)
            return [make("NAME", name, *place)]
        if name[0] == "d" and self._is_differential(name, place):
            return [make("NAME", name, *place)]
        return self._split(word, called)

    def _hides(self, word: Token, name: str, called: bool) -> bool:
        """Whether a name hides a function or a constant."""
        return str(word) in self.functions or name in ("I", "π") or (name == "σ" and called)

    def _note_alphabet(self, word: Token) -> None:
        letters = "".join(letter for letter in word if ord(letter) > 0x2100)
        if "𝔼" in letters:
            raise ParseError(EXPECTATION, span=span_of(word))
        if letters and "𝟏" not in letters and word[0] not in _BOLD:
            self.note(f"{word} is read as {plain(word)}")

    def _note_product(self, name: str, word: Token, following: Token | None) -> None:
        if following is None or following.type != "LPAR" or name in ("I", "π", "𝟏"):
            return
        if span_of(following)[0] == span_of(word)[1]:
            if word in SPECIAL:
                raise NameResolutionError(
                    f"{word}(…) is a function in most books: {SPECIAL[word]}; one that stays a "
                    f"name is declared, {word}: elementwise, and the product has a space, "
                    f"{word} (…)",
                    span=span_of(word),
                )
            self.note(
                f"{word}(…) is a product; if {word} is a function, declare {word}: elementwise"
            )

    def _check_eigenvalue(self, word: Token, following: Token | None) -> None:
        """λ_max(A), σ_min(A) are functions wherever they are written."""
        if following is None or following.type != "LPAR" or not word.endswith(("_max", "_min")):
            return
        if span_of(following)[0] == span_of(word)[1]:
            raise NameResolutionError(
                f"{word} is an unknown function; {VALUES}; put a space for a product",
                span=span_of(word),
            )

    def _check_indices(self, name: str, word: Token) -> None:
        """A_ij B_jk and A_ij x_i are sums over entries, no products of what has these names."""
        own = _INDEXED.fullmatch(name)
        if own is None or len(own[2]) == 1:
            return
        for used in sorted(self.symbols.used - {name}):
            other = _INDEXED.fullmatch(used)
            if other and set(other[2]) & set(own[2]):
                raise NameResolutionError(
                    f"{name} and {used} share an index, and indices are not read: write A B for "
                    "the matrix product, A .* B entry by entry, tr(A' B) for its sum; or declare "
                    f"{name} and {used}, two names",
                    span=span_of(word),
                )

    def _check_weight(self, name: str, word: Token) -> None:
        """A small Greek letter is a number, in bold a vector, and not both."""
        if name[0] not in BOLD_GREEK:
            return
        bold = word[0] in _BOLD
        own, other = [self.symbols.thin, self.symbols.bold][:: -1 if bold else 1]
        own.add(name)
        if name in other:
            raise ParseError(
                f"{name} stands here in bold, as a vector, and not in bold: write it alike, or "
                "give one of the two another name",
                span=span_of(word),
            )
        if bold:
            self.note(f"{name} is bold, so a vector")

    def _check_sum(self, name: str, word: Token, following: Token | None) -> None:
        """Σ_i log(a_i' x) is a sum over i in a book, and a matrix Σ_i where nobody says so."""
        own = _INDEXED.fullmatch(name)
        if own is None or own[1] not in _LARGE or following is None:
            return
        indexed = {used for used in self.symbols.used - {name} if used.endswith(f"_{own[2]}")}
        if indexed and following.type in _FACTORS:
            raise ParseError(
                f"{name} before a factor has two readings: a {_LARGE[own[1]]} over {own[2]}, which "
                f"is not read, and a matrix {name}, which is declared, {name}: (n, n); sum(x) is "
                "the sum over all entries, x' y a sum of products",
                span=span_of(word),
            )

    def _is_differential(self, name: str, place: tuple[int, int]) -> bool:
        """`dX` is one name where X is a name of the program."""
        symbols, variable = self.symbols, name[1:]
        if variable not in symbols.used | symbols.split and not symbols.is_variable(variable):
            return False
        if symbols.is_variable("d"):
            raise NameResolutionError(
                f"d{variable} is the differential of {variable} or d times {variable}",
                span=place,
                hint=f"d {variable}",
            )
        self.note(f"d{variable} is the differential of {variable}, one name")
        return True

    # ---- splitting ---------------------------------------------------------------

    def _split(self, word: Token, called: bool) -> list[Token]:
        start, end = span_of(word)
        if called and word in ELSEWHERE:
            self._refuse_elsewhere(word)
        head, _, below = plain(word).partition("_")
        lowered = below.isdigit() or "=" in below or is_single_name(below)
        if lowered and (head in self.functions or head in SUBSCRIPTED):
            instead = SUBSCRIPTED.get(head, "functions have no subscripts here")
            raise NameResolutionError(f"{_short(word)} is not read: {instead}", span=(start, end))
        if "=" in below and (large := _LARGE.get(canonical_name(head))):
            instead = SUBSCRIPTED["sum" if large == "sum" else "prod"]
            raise NameResolutionError(f"{_short(word)} is not read: {instead}", span=(start, end))
        if re.search(r"[-+=]", below) and is_single_name(head):
            raise NameResolutionError(
                f"{_short(word)} is unknown: a subscript is letters or digits, {head}_1 or "
                f"{head}_next",
                span=(start, end),
            )
        prefix = self._function_prefix(word)
        pieces = leading_pieces(word)
        known = [name for name in (*self.symbols.declared, *self.symbols.assigned) if len(name) > 1]
        close = near(word, [*self.functions, *self.symbols.functions, *known, *GREEK])
        if prefix and not (called and close):
            rest = word[len(prefix) :]
            follows = is_single_name(rest) or self.symbols.is_variable(canonical_name(rest))
            raise NameResolutionError(
                f"{_short(word)} is unknown; it begins with the function {prefix}",
                span=(start, end),
                hint=f"{prefix} {rest}" if follows else None,
            )
        if called:
            raise NameResolutionError(
                f"{_short(word)} is an unknown function{close}; declare "
                f"{_short(word)}: elementwise, or put a space for a product",
                span=(start, end),
            )
        if word in ATTRIBUTES:
            raise NameResolutionError(
                f"{word} is an attribute: it follows a name and a colon, and a shape if there is "
                f"one, as in A: (n, n) {word}",
                span=(start, end),
            )
        if pieces is None:
            raise NameResolutionError(f"{_short(word)} is unknown{close}", span=(start, end))
        names = [canonical_name(piece) for piece in pieces]
        strangers = [
            name for name in names[:-1] if "a" <= name[0] <= "z" and not self.symbols.knows(name)
        ]
        if strangers and word in ELSEWHERE:
            self._refuse_elsewhere(word)
        if strangers and word in ("if", "else"):
            raise ParseError(COMPARISON, span=(start, end))
        if strangers and word in _STATEMENTS:
            raise NameResolutionError(
                f"'{word}' has no meaning here: what is declared or named stands after 'where', "
                "x' A x where A: (n, n) symmetric",
                span=(start, end),
            )
        if strangers:
            raise NameResolutionError(
                f"{_short(word)} is unknown{close}; it is not split into a product because "
                f"{strangers[0]} is not declared; put spaces for a product, "
                f"{_short(' '.join(pieces))}, or declare {_short(word)}: ()",
                span=(start, end),
            )
        self._check_lost_marks(word, pieces)
        self.splits.append(((start, end), _short(word)))
        self.note(f"{_short(word)} is read as {_short(' '.join(pieces))}")
        made, position = [], start
        for piece, name in zip(pieces, names, strict=True):
            made.append(make("NAME", name, position, position + len(piece)))
            position += len(piece)
        return made

    def _refuse_elsewhere(self, word: Token) -> None:
        raise NameResolutionError(
            f"{word} is no function here: {ELSEWHERE[word]}", span=span_of(word)
        )

    def _check_lost_marks(self, word: Token, pieces: list[str]) -> None:
        """XTX was XᵀX before it was copied, Id is the identity as often as I times d."""
        symbols, text = self.symbols, ""
        if word == "Id" and not symbols.is_variable("d"):
            text, product = "I, the identity,", "I d"
        elif "T" in pieces[1:] and not (symbols.is_variable("T") or "T" in symbols.used):
            text = " ".join(pieces).replace(" T", "^T")
            text, product = f"{text}, whose mark a copy lost,", " ".join(pieces)
        if text:
            raise NameResolutionError(
                f"{_short(word)} has two readings: {text} and the product {product}",
                span=span_of(word),
            )

    def _function_prefix(self, word: str) -> str:
        longest = min(len(word) - 1, 16)
        for length in range(longest, 1, -1):
            if word[:length] in self.functions:
                return word[:length]
        return ""


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "…"
