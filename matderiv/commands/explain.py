"""`matderiv explain ShapeError`: what an error means, with an input that meets it and its fix.

The text is the error's own docstring.
"""

from __future__ import annotations

import inspect

from matderiv import errors
from matderiv.commands.command import Namespace, command
from matderiv.errors import MatderivError, NameResolutionError
from matderiv.language.hints import near

__all__ = ["explain", "explanation"]


@command(
    "explain",
    "what an error means, with an input that meets it and its fix",
    examples=("explain ShapeError", "explain"),
    words="[ERROR]",
    timed=False,
)
def explain(options: Namespace) -> int:
    print(explanation(" ".join(options.words)))
    return 0


def explanation(name: str = "") -> str:
    """The help page of an error, or a list of them all.

    >>> print(explanation("DomainError").splitlines()[0])
    DomainError: a value lies outside the domain of an operation.
    """
    known = {kind.__name__: kind for kind in MatderivError.__subclasses__()}
    pages = {
        kind: inspect.cleandoc(known[kind].__doc__ or "")
        for kind in errors.__all__
        if kind in known
    }
    if not name:
        width = max(map(len, pages))
        return "\n".join(f"{kind:{width}}  {page.splitlines()[0]}" for kind, page in pages.items())
    asked = name.lower().removesuffix("error")
    kind = next((kind for kind in pages if kind.lower().removesuffix("error") == asked), None)
    if kind is None:
        raise NameResolutionError(
            f"there is no error {name!r}{near(name, pages)}", hint="matderiv explain"
        )
    page = pages[kind]
    return f"{kind}: {page[0].lower()}{page[1:]}"
