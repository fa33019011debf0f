"""The parts of a generated module that are text: its docstrings."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from matderiv.program.plan import Plan
from matderiv.program.polynomial import Polynomial
from matderiv.program.steps import executed
from matderiv.tensor.dims import shape_text
from matderiv.tensor.nodes import Variable

__all__ = ["docstring", "filled", "module_docstring"]


def docstring(text: str) -> str:
    r"""Text as a docstring; whatever it holds, it stays text.

    >>> docstring("a backslash: \\, a control: \a")[3:-3]
    'a backslash: \\\\, a control: \\x07'
    """
    safe = text
    if not _is_plain(text.replace("\n", "")):
        odd = {letter for letter in set(text) if letter != "\n" and not _is_plain(letter)}
        safe = text.translate({ord(letter): _escaped(letter) for letter in odd})
    safe = safe.replace('"""', r"\"\"\"")
    if safe.endswith('"'):
        safe += " "
    return f'"""{safe}"""'


def filled(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """Text in lines of this width, indented by `first` and `rest`."""
    if len(first) + len(text) <= width:
        return [first + text]
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=rest)


def _is_plain(text: str) -> bool:
    return text.isprintable() and "\\" not in text


def _escaped(letter: str) -> str:
    return (
        "\\\\" if letter == "\\" else letter.encode("unicode_escape", "backslashreplace").decode()
    )


def module_docstring(
    plan: Plan, inputs: Mapping[Variable, str], title: str, equations: Sequence[str]
) -> str:
    lines = [title, ""]
    lines += [f"    {line}" for equation in equations for line in equation.splitlines()]
    lines += ["", "Inputs, of one float type:"]
    width = max((len(name) for name in inputs.values()), default=0)
    for variable, name in inputs.items():
        marks = ", ".join(sorted(variable.attributes))
        shape = f"shape {shape_text(variable.shape)}" if variable.shape else "a scalar"
        lines.append(f"    {name:{width}}  {shape}{', ' + marks if marks else ''}")
    if plan.functions:
        lines.append("and the functions that are given as arguments.")
    lines += ["", *_flops(plan)]
    lines += [_assumption(plan)] if plan.sizes else []
    return docstring("\n".join(lines) + "\n")


def _flops(plan: Plan) -> list[str]:
    parts = {"forward": plan.forward, "backward": plan.backward, "derivative": plan.derivative}
    lines = ["FLOPs, exactly (function evaluations, such as exp, apart):"]
    for name, steps in parts.items():
        steps = list(executed(steps))
        if steps:
            flops = Polynomial.total(step.flops for step in steps)
            calls = Polynomial.total(step.evaluations for step in steps)
            text = f"{flops}" + (f"  and {calls} evaluations" if calls else "")
            lines += filled(f"{name:10}  {text}", 88, "    ", " " * 16)
    return lines


def _assumption(plan: Plan) -> str:
    sizes = ", ".join(f"{name} = {size}" for name, size in plan.sizes.items())
    return "\n".join(filled(f"The order of operations was chosen for {sizes}.", 88))
