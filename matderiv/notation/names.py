"""Names as each dialect writes them, and new names that collide with none.

>>> ascii_name("λ2"), ascii_name("δz1"), latex_name("x_hat"), latex_name("W_in")
('lambda2', 'delta_z1', '\\\\hat{x}', 'W_{in}')
>>> unicode_name("T_0"), latex_name("δz1"), latex_name("yhat")
('T₀', '\\\\delta_{z_{1}}', '\\\\mathrm{yhat}')
"""

from __future__ import annotations

import re
from collections.abc import Collection
from html import escape
from itertools import count

from matderiv.language.alphabet import GREEK, canonical_name

__all__ = [
    "DIGITS_BELOW",
    "ascii_name",
    "fresh_names",
    "latex_name",
    "mathml_function",
    "mathml_name",
    "unicode_name",
]

_SPELLED: dict[str, str] = {}
for _word, _letter in GREEK.items():
    _SPELLED.setdefault(_letter, _word)

DIGITS_BELOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_ACCENTS = {"hat": r"\hat", "bar": r"\bar", "tilde": r"\tilde"}
_MARKS = {"hat": "^", "bar": "¯", "tilde": "~"}


def unicode_name(name: str) -> str:
    """The name as it is, a generated T_0 with its index below."""
    generated = re.fullmatch(r"T_(\d+)", name)
    return "T" + generated[1].translate(DIGITS_BELOW) if generated else name


def ascii_name(name: str) -> str:
    """Greek letters spelled; δz1, the cotangent of z1, is delta_z1."""
    spelled = []
    for place, letter in enumerate(name):
        word = _SPELLED.get(letter, letter)
        following = name[place + 1 : place + 2]
        spelled.append(word + "_" * (len(word) > 1 and following.isalpha()))
    return "".join(spelled)


def latex_name(name: str) -> str:
    """Letters with subscripts and accents; a word upright."""
    if len(name) > 1 and name[0] in "δd" and name[1].isalpha() and name[0] != name[1:]:
        inner = latex_name(name[1:])
        return rf"\delta_{{{inner}}}" if name[0] == "δ" else rf"\mathrm{{d}}{inner}"
    head, *parts = name.split("_")
    letters = head.rstrip("0123456789")
    digits = head[len(letters) :]
    accents = [part for part in parts if part in _ACCENTS]
    below = [digits] * bool(digits) + [_latex_word(p, "") for p in parts if p not in _ACCENTS]
    text = _latex_word(letters, r"\mathrm")
    for accent in accents:
        text = f"{_ACCENTS[accent]}{{{text}}}"
    return f"{text}_{{{','.join(below)}}}" if below else text


def _latex_word(word: str, font: str) -> str:
    pieces = [rf"\{_SPELLED[c]}" if c in _SPELLED else c for c in word]
    if len(word) == 1:
        return pieces[0]
    text = " ".join(pieces) if any(c in _SPELLED for c in word) else "".join(pieces)
    return f"{font}{{{text}}}" if font else text


def mathml_name(name: str) -> str:
    """One element, with accents, and the digits after a single letter as its subscript.

    >>> mathml_name("w1"), mathml_name("x_hat")
    ('<msub><mi>w</mi><mn>1</mn></msub>', '<mover><mi>x</mi><mo>^</mo></mover>')
    """
    if len(name) > 1 and name[0] in "δd" and name[1].isalpha() and name[0] != name[1:]:
        inner = mathml_name(name[1:])
        if name[0] == "δ":
            return f"<msub><mi>δ</mi>{inner}</msub>"
        return f'<mrow><mi mathvariant="normal">d</mi>{inner}</mrow>'
    head, *parts = name.split("_")
    digits = head[1:] if head[1:].isdecimal() else ""
    text = f"<mi>{escape(head.removesuffix(digits))}</mi>"
    for part in parts:
        if part in _MARKS:
            text = f"<mover>{text}<mo>{_MARKS[part]}</mo></mover>"
    below = [f"<mn>{digits}</mn>"] * bool(digits)
    for part in parts:
        if part not in _MARKS:
            below.append(f"<mn>{part}</mn>" if part.isdecimal() else f"<mi>{escape(part)}</mi>")
    if not below:
        return text
    joined = below[0] if len(below) == 1 else f"<mrow>{'<mo>,</mo>'.join(below)}</mrow>"
    return f"<msub>{text}{joined}</msub>"


def mathml_function(name: str) -> str:
    """The name of a function: a word as it is, so that diag is no differential.

    >>> mathml_function("diag"), mathml_function("f1")
    ('<mi>diag</mi>', '<msub><mi>f</mi><mn>1</mn></msub>')
    """
    return f"<mi>{escape(name)}</mi>" if len(name) > 2 else mathml_name(name)


def fresh_names(wanted: Collection[str], taken: Collection[str]) -> dict[str, str]:
    """A final name for each wanted one: "#12" is T_0, T_1 …; "z#12", a second z, is z_2.

    >>> fresh_names(["#7", "z", "#9", "z#4"], ["T0", "x"])
    {'#7': 'T_1', 'z': 'z', '#9': 'T_2', 'z#4': 'z_2'}
    """
    plain = [name for name in wanted if "#" not in name]
    used = {canonical_name(ascii_name(name)) for name in (*taken, *plain)}
    final: dict[str, str] = {}
    for name in wanted:
        base, mark, _ = name.partition("#")
        final[name] = name
        if mark:
            numbers = count(2) if base else count()
            final[name] = next(
                new
                for new in (f"{base or 'T'}_{number}" for number in numbers)
                if canonical_name(ascii_name(new)) not in used
            )
            used.add(canonical_name(ascii_name(final[name])))
    return final
