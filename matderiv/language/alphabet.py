"""Letters and names: which texts are one name, and which names are the same.

A name is one letter (Latin or Greek, or the spelled name of a Greek letter) with
optional digits, subscripts and accents.  Its *canonical form* is what the engine
keeps: Greek letters as letters, a first numeric subscript as plain digits, other
subscripts after `_`, accents as `_hat`, `_bar`, `_tilde`.

>>> [canonical_name(text) for text in ("w_1", "w₁", "lambda", "𝐱", "ŷ", "W_{in}", "loss")]
['w1', 'w1', 'λ', 'x', 'y_hat', 'W_in', 'loss']
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = [
    "BOLD_GREEK",
    "GREEK",
    "LETTERS",
    "canonical_name",
    "default_rank",
    "is_single_name",
    "leading_pieces",
    "look_alike",
]

_LOWER = (
    "alpha α beta β gamma γ delta δ epsilon ε zeta ζ eta η theta θ iota ι kappa κ lambda λ mu μ "
    "nu ν xi ξ pi π rho ρ sigma σ tau τ upsilon υ phi φ chi χ psi ψ omega ω "
    "varepsilon ϵ vartheta ϑ varphi ϕ varpi ϖ varrho ϱ varsigma ς varkappa ϰ"
)
_UPPER = "Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Phi Φ Psi Ψ Omega Ω"
_PAIRS = (_LOWER + " " + _UPPER).split()

GREEK: dict[str, str] = dict(zip(_PAIRS[::2], _PAIRS[1::2], strict=True))
"""The spelled name of each Greek letter that does not look Latin -> the letter."""

LETTERS = "A-Za-z𝟏" + "".join(GREEK.values())
_ACCENTS = {"\u0302": "_hat", "\u0303": "_tilde", "\u0304": "_bar", "\u0305": "_bar"}
_SUBSCRIPTS = re.compile("[₀-₉ₐₑₒₓₕₖₗₘₙₚₛₜᵢᵣᵤᵥⱼ]+")
_SINGLE = re.compile(rf"(?:{'|'.join(GREEK)}|[{LETTERS}])[0-9]*(?:_(?:[0-9]+|[{LETTERS}]+[0-9]*))*")
_PIECE = re.compile(rf"[{LETTERS}][0-9]*(?:_[0-9]+)*(?:_(?:hat|bar|tilde)(?![{LETTERS}]))?")
_TAIL = re.compile(rf"[{LETTERS}][0-9]*(?:_(?:[0-9]+|[{LETTERS}]+[0-9]*))+")
BOLD_GREEK = {
    chr(int(unicodedata.decomposition(chr(code)).split()[1], 16)): chr(code)
    for code in (*range(0x1D6C2, 0x1D6DB), *range(0x1D6DC, 0x1D6E2))
}
"""Each small Greek letter -> the bold one, which is the letter of a vector."""

_ONE_STROKE = str.maketrans(
    {bold: letter for letter, bold in BOLD_GREEK.items()}
    | {"µ": "μ", "∆": "Δ", "Ω": "Ω", "𝟏": "𝟏", "𝟙": "𝟏"}
)


def plain(text: str) -> str:
    """The text in Latin and Greek letters, ASCII digits and `_`.

    >>> plain("𝐱₁"), plain("W_{12}")
    ('x_1', 'W_12')
    """
    if text.isascii():
        return text.replace("{", "").replace("}", "")
    text = text.translate(_ONE_STROKE)
    text = _SUBSCRIPTS.sub(lambda match: "_" + unicodedata.normalize("NFKD", match[0]), text)
    letters = []
    for letter in text:
        if "Ͱ" <= letter <= "Ͽ" or letter == "𝟏":
            letters.append(letter)
        else:
            letters.extend(
                _ACCENTS.get(part, part) for part in unicodedata.normalize("NFKD", letter)
            )
    return "".join(letters).replace("{", "").replace("}", "")


@lru_cache(maxsize=4096)
def canonical_name(text: str) -> str:
    r"""The one form of all spellings of a name.

    >>> canonical_name("beta_hat"), canonical_name("W1_2"), canonical_name("yhat")
    ('β_hat', 'W1_2', 'yhat')
    >>> canonical_name("lambda_1"), canonical_name(r"\lambda_1"), canonical_name("λ₁")
    ('λ1', 'λ1', 'λ1')
    """
    head, *parts = plain(text.strip().lstrip("\\")).split("_")
    digits = head.rstrip("0123456789")
    name = GREEK.get(digits, digits) + head[len(digits) :]
    for part in parts:
        joined = part.isdigit() and not name[-1:].isdigit() and "_" not in name
        name += part if joined else "_" + GREEK.get(part, part)
    return name


def is_single_name(text: str) -> bool:
    """Whether a text is one letter with digits, subscripts, accents; or a Greek name.

    >>> [is_single_name(text) for text in ("x_hat", "lambda2", "Xw", "W_in", "yhat")]
    [True, True, False, True, False]
    """
    return _SINGLE.fullmatch(plain(text)) is not None


def leading_pieces(run: str) -> list[str] | None:
    """The one-letter names that a run of letters splits into, or None.

    The pieces are consecutive parts of the run as typed.

    >>> leading_pieces("XW1"), leading_pieces("w_1x"), leading_pieces("Xy_i"), leading_pieces("a_")
    (['X', 'W1'], ['w_1', 'x'], ['X', 'y_i'], None)
    """
    text = plain(run)
    if len(text) != len(run):  # subscripts and accents change the length: split by marks
        return _marked_pieces(run)
    pieces, position = [], 0
    while position < len(text):
        match = _TAIL.match(text, position)
        if match is None or match.end() < len(text) or _PIECE.fullmatch(match[0]):
            match = _PIECE.match(text, position)
        if match is None:
            return None
        pieces.append(run[position : match.end()])
        position = match.end()
    return pieces


def _marked_pieces(run: str) -> list[str] | None:
    """The pieces of a run that carries subscript or accent characters, which end no piece."""
    starts = [
        k
        for k, letter in enumerate(run)
        if plain(letter)[:1].isalpha() and not _SUBSCRIPTS.match(letter) and "_" not in run[:k]
    ]
    pieces = [run[a:b] for a, b in zip(starts, [*starts[1:], len(run)], strict=True)]
    return pieces if starts[:1] == [0] and all(map(is_single_name, pieces)) else None


def default_rank(name: str) -> int:
    """The rank of an undeclared name, by its (canonical) first letter.

    >>> default_rank("λ"), default_rank("x_hat"), default_rank("Σ")
    (0, 1, 2)
    """
    if name[0] in GREEK.values() and name[0].islower():
        return 0
    return 1 if name[0].islower() else 2


def look_alike(letter: str) -> str:
    """What to call a character that is no letter of the language."""
    name = unicodedata.name(letter, "unnamed character").lower()
    return f"U+{ord(letter):04X} ({name})"
