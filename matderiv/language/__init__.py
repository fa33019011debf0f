"""Text to typed program: the language of `grammar/matderiv.lark`.

    raw tokens -> latex -> symbols -> emission -> bars -> parser -> inference

>>> program = read("||X w - y||^2")
>>> {name: value.shape for name, value in program.inputs.items()}
{'X': ('n', 'm'), 'w': ('m',), 'y': ('n',)}
>>> program.output.kind, program.notes
('scalar', ('inferred X: (n, m), w: (m), y: (n)',))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from matderiv.language.alphabet import canonical_name
from matderiv.language.lower import Lowered, lower

if TYPE_CHECKING:
    from matderiv.language.typed import TypedProgram

__all__ = ["Lowered", "canonical_name", "lower", "read"]


def read(
    source: str,
    *,
    shapes: Mapping[str, Iterable[str | int]] | None = None,
    attributes: Mapping[str, str | Iterable[str]] | None = None,
) -> TypedProgram:
    """Return the typed program of a text; raise `MatderivError` for every other text.

    shapes      {"X": ("n", "d"), "t": ()}: adds to the declarations in the text
    attributes  {"A": "symmetric"} or {"A": ["posdef", …]}
    """
    from matderiv.language.reading import read_program

    return read_program(source, shapes or {}, attributes or {})
