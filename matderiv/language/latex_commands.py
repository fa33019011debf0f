"""The LaTeX commands that are read, by what becomes of them."""

from __future__ import annotations

from matderiv.language.alphabet import GREEK

__all__ = [
    "ACCENTS",
    "BOLD",
    "EXPECTATION",
    "FONTS",
    "FRACTIONS",
    "LEFT",
    "REFUSED",
    "RIGHT",
    "SIZES",
    "SPACES",
    "SYMBOLS",
]

SYMBOLS: dict[str, tuple[str, str]] = {
    "cdot": ("STAR", "·"),
    "times": ("STAR", "×"),
    "ast": ("STAR", "*"),
    "otimes": ("STAR", "⊗"),
    "odot": ("CIRCLE", "⊙"),
    "circ": ("CIRCLE", "∘"),
    "oslash": ("CIRCLE", "⊘"),
    "div": ("SLASH", "/"),
    "setminus": ("BACKSLASH", "\\"),
    "backslash": ("BACKSLASH", "\\"),
    "langle": ("LANGLE", "<"),
    "rangle": ("RANGLE", ">"),
    "in": ("ELEMENT", "∈"),
    "colon": ("COLON", ":"),
    "top": ("SUPERSCRIPT", "⊤"),
    "intercal": ("SUPERSCRIPT", "⊤"),
    "dagger": ("SUPERSCRIPT", "†"),
    "prime": ("QUOTE", "'"),
    "ell": ("WORD", "l"),
    "infty": ("WORD", "inf"),
    "lVert": ("OPENNORM", "‖"),
    "rVert": ("CLOSENORM", "‖"),
    "Vert": ("BAR", "‖"),
    "lvert": ("OPENABS", "|"),
    "rvert": ("CLOSEABS", "|"),
    "vert": ("BAR", "|"),
    "mid": ("BAR", "|"),
    **{name: ("WORD", letter) for name, letter in GREEK.items()},
}
_BOLD_FONTS = "mathbf boldsymbol bm mathbb bold pmb symbf mathds"
_PLAIN_FONTS = (
    "mathrm mathit mathsf mathcal mathfrak mathtt mathnormal text textbf textit textrm textsf "
    "operatorname operatorname*"
)
BOLD = tuple(_BOLD_FONTS.split())
FONTS = (*BOLD, *_PLAIN_FONTS.split())
ACCENTS = {
    "hat": "_hat",
    "widehat": "_hat",
    "bar": "_bar",
    "overline": "_bar",
    "tilde": "_tilde",
    "widetilde": "_tilde",
    "vec": "",
    "overrightarrow": "",
}
FRACTIONS = ("frac", "tfrac", "dfrac", "cfrac", "nicefrac", "sfrac")
SPACES = ("quad", "qquad", "thinspace", "displaystyle", "textstyle", "limits", "nolimits")
LEFT = ("left", "bigl", "Bigl", "biggl", "Biggl")
RIGHT = ("right", "bigr", "Bigr", "biggr", "Biggr")
SIZES = ("big", "Big", "bigg", "Bigg", "middle")
_FUNCTION = "paste the function itself; the variable goes after wrt"
EXPECTATION = (
    "an expectation is not read: paste what stands under it, or write mean(x), the mean of entries"
)
REFUSED = {
    "sum": "write sum(…) for the sum over all entries, x' y for a sum of products",
    "prod": "a product over an index has no form here; exp(sum(log(x))) is one for x > 0",
    "int": "there are no integrals",
    "lim": "there are no limits",
    "partial": _FUNCTION,
    "nabla": _FUNCTION,
    "min": "paste the objective alone; min(x, c) is written with brackets",
    "max": "paste the objective alone; max(x, c) is written with brackets",
    "argmin": "paste the objective alone",
    "argmax": "paste the objective alone",
    "begin": "paste one formula without its environment",
    "end": "paste one formula without its environment",
    "label": "paste the formula alone",
    "tag": "paste the formula alone",
}
