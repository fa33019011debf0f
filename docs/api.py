"""Make docs/api.md from the docstrings: `python docs/api.py`.  The tests ask that it is fresh."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matderiv as md
from matderiv.check import CheckReport
from matderiv.program.compiled import CompiledFunction
from matderiv.program.cost import Cost
from matderiv.results import Form
from matderiv.steps import Steps
from matderiv.verify import VerifyReport

TARGET = Path(__file__).parent / "api.md"
HEAD = """# Python

`import matderiv as md`. Whatever is not on this page is private.

- `source` is text in the [language](language.md), a `Program`, or a SymPy matrix expression.
- `wrt` is a name, or a list of names for derivatives that share their intermediates.
- `shapes={"X": ("n", "d")}` and `attributes={"A": "symmetric"}` declare from outside.

Every error is a `MatderivError` with `message`, `span` (its place in the text), `hint` and
`source`: `ParseError`, `NameResolutionError`, `ShapeError`, `DomainError`, `UnsupportedError`,
`LimitError`.
"""
FUNCTIONS = ("parse", "diff", "check", "cost", "compile", "verify", "modes", "limits")
INNER = {"cut", "lowered", "presentation", "reread"}
CLASSES = (
    md.Program,
    md.Derivative,
    Form,
    Steps,
    CompiledFunction,
    Cost,
    CheckReport,
    VerifyReport,
)


def page() -> str:
    parts = [HEAD]
    for name in FUNCTIONS:
        function = getattr(md, name)
        parts.append(f"## md.{name}\n\n{_block(_signature(function, f'md.{name}'), function)}")
    for kind in CLASSES:
        members = "\n\n".join(_members(kind))
        parts.append(
            f"## {kind.__name__}\n\n{_block('', kind)}" + (f"\n\n{members}" if members else "")
        )
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _members(kind: type) -> Iterator[str]:
    for name, member in vars(kind).items():
        if name.startswith("_") or name in INNER or isinstance(member, (classmethod, staticmethod)):
            continue
        if isinstance(member, property) or hasattr(member, "func"):
            text = _summary(getattr(member, "fget", None) or member.func)
            if text:
                yield f"`.{name}`: {text}"
        elif inspect.isfunction(member) and member.__doc__:
            yield f"`{_signature(member, '.' + name)}`: {_summary(member)}"


def _signature(function: Callable[..., Any], name: str) -> str:
    """Names and defaults; the types are those of the prose."""
    signature = inspect.signature(function)
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    shown = signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)
    return f"{name}{shown}"


def _summary(found: object) -> str:
    return (inspect.getdoc(found) or "").partition("\n\n")[0].replace("\n", " ")


def _block(head: str, found: object) -> str:
    """The docstring up to its example, as it stands in the source."""
    text = (inspect.getdoc(found) or "").partition(">>>")[0].strip()
    return "```text\n" + (f"{head}\n\n" if head else "") + text + "\n```"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
