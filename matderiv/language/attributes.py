"""What a declaration may say of a name beyond its shape, in the words that people use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matderiv.language.hints import near

__all__ = ["ATTRIBUTES", "PHRASES", "attributes_in", "is_meant", "no_attribute"]

_WORDS = "symmetric posdef diagonal orthogonal lower upper positive integer stochastic"
ATTRIBUTES = frozenset(_WORDS.split())

PHRASES = {
    ("positive", "definite"): "posdef",
    ("lower", "triangular"): "lower",
    ("upper", "triangular"): "upper",
}
"""Two words that say what one attribute says."""

_SHAPE = "the shape says it, as in a: (), x: (n) or A: (n, n)"
_ASSUMED = "what is inverted is taken to have an inverse"
_MEANT = {
    **dict.fromkeys(("spd", "pd", "definite"), "a positive definite matrix is declared posdef"),
    **dict.fromkeys(
        ("psd", "semidefinite"),
        "posdef says positive definite, symmetric leaves the signs of eigenvalues open",
    ),
    "triangular": "say lower or upper",
    "hermitian": "numbers are real; say symmetric",
    "unitary": "numbers are real; say orthogonal",
    **dict.fromkeys(
        ("skew", "antisymmetric"), "a skew-symmetric matrix is written B - B' with a matrix B"
    ),
    "nonnegative": "positive says that no entry is 0 or below",
    **dict.fromkeys(("invertible", "nonsingular", "regular"), _ASSUMED),
    **dict.fromkeys(("scalar", "vector", "matrix", "square"), _SHAPE),
    **dict.fromkeys(("constant", "fixed"), "what is not asked for after wrt is constant"),
    "real": "all numbers are real",
}


def attributes_in(words: Sequence[str]) -> Iterator[str]:
    """The attributes that some words say; a word that is none as it stands.

    >>> list(attributes_in(["symmetric", "positive", "definite"]))
    ['symmetric', 'posdef']
    """
    place = 0
    while place < len(words):
        one = PHRASES.get((words[place], words[place + 1] if place + 1 < len(words) else ""))
        yield one or words[place]
        place += 2 if one else 1


def is_meant(word: str) -> bool:
    """Whether a word that is no attribute says what one would."""
    return word.lower() in _MEANT


def no_attribute(word: str) -> str:
    """Why a word is no attribute, and which is meant.

    >>> no_attribute("hermitian")
    'hermitian is no attribute: numbers are real; say symmetric'
    """
    meant = _MEANT.get(word.lower())
    if meant is not None:
        return f"{word} is no attribute: {meant}"
    known = ", ".join(sorted(ATTRIBUTES))
    return f"{word:.40} is no attribute{near(word, ATTRIBUTES)}; there are {known}"
