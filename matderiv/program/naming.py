"""Names of users as identifiers of Python.

An identifier is compared by Python in its NFKC form, so names are put in that form
first; what no identifier may hold is spelled out; what is taken gets an underscore.
"""

from __future__ import annotations

import builtins
import keyword
import unicodedata

from matderiv.program.steps import Callee
from matderiv.tensor.primitives import AbstractFunction

__all__ = ["Namer", "function_name", "identifier"]

_SPELLED = {"∂": "d", "'": "_prime", "′": "_prime", "″": "_prime2", "ᵀ": "T", "⊤": "T"}


def identifier(text: str) -> str:
    """The identifier nearest to a name.

    >>> identifier("h1'"), identifier("∂L/∂z"), identifier("λ"), identifier("2x")
    ('h1_prime', 'dL_dz', 'λ', '_2x')
    >>> identifier("lambda")
    'lambda_'
    """
    if not (text.isascii() and text.isidentifier()):
        text = "".join(_SPELLED.get(letter, letter) for letter in text)
        text = unicodedata.normalize("NFKC", text)
        text = "".join(letter if f"_{letter}".isidentifier() else "_" for letter in text)
        if not text.isidentifier():
            text = f"_{text}"
    return f"{text}_" if keyword.iskeyword(text) or text.startswith("__") else text


def function_name(function: Callee) -> str:
    """The argument that stands for an abstract function or a derivative of one.

    >>> from matderiv.tensor.elementwise import AbstractElementwise
    >>> function_name(AbstractElementwise("phi", (2,)))
    'phi_prime2'
    >>> function_name(AbstractElementwise("f", (1, 0)))  # by its first argument
    'f_1_0'
    >>> function_name(AbstractFunction("l", (0,)))  # the gradient by its first argument
    'dl_0'
    """
    if isinstance(function, AbstractFunction):
        return "_".join(
            [f"d{function.name}" if function.slots else function.name, *map(str, function.slots)]
        )
    if not any(function.orders):
        return function.name
    if len(function.orders) == 1:
        (order,) = function.orders
        return f"{function.name}_prime{order if order > 1 else ''}"
    return "_".join([function.name, *map(str, function.orders)])


# What a generated module itself calls something, and what Python does.
_RESERVED = frozenset(
    {
        *dir(builtins),
        *("np", "math", "njit", "scipy", "forward", "backward", "value_and_grad", "derivative"),
        *("cache", "cotangent", "release", "value", "gradients", "derivatives", "sizes", "kind"),
        "found",
        "held",
        "threading",
    }
)


class Namer:
    """Gives each thing of a module an identifier of its own."""

    def __init__(self) -> None:
        self._taken = set(_RESERVED)

    def unique(self, text: str) -> str:
        """A free identifier, the name itself if it can be."""
        name = identifier(text)
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name
