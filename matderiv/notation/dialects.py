"""The dialects: how each thing is written in unicode, ascii, LaTeX and MathML.

A dialect is a table of templates; `render.py` fills them in and knows no dialect.
Operands come in already bracketed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from matderiv.notation.names import (
    DIGITS_BELOW,
    ascii_name,
    latex_name,
    mathml_function,
    mathml_name,
    unicode_name,
)
from matderiv.notation.terms import Mark

__all__ = ["DIALECTS", "Dialect", "dialect"]


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """Templates over {x} and {y}; `joiner` strings stand between operands.

    function    how the name of a function is written, where that is not as a symbol
    tight       a bracket follows a superscript without space: Xᵀ(X w - y)
    stacked     a quotient is an operand of its own, needing no brackets around its parts
    """

    symbol: Callable[[str], str]
    number: str
    scientific: str  # x times 10 to the n
    power_of_ten: str
    brackets: str
    marks: dict[Mark, str]
    power: str
    elementwise_power: str
    superscript: Callable[[str], str | None]
    subscript: Callable[[str], str | None]
    juxtaposition: str
    hadamard: str
    divide: str
    kronecker: str
    plus: str
    minus: str
    negative: str
    quotient: str
    bars: str
    norm: str
    ones: str
    ones_matrix: str
    zeros: str
    identity: str
    call: str
    comma: str
    axis: str
    prime: str
    partial: str
    partial_by: str
    entry: str
    index: str
    delta: str
    sigma: str
    equals: str
    where: str
    line: str
    span: str
    between: str
    document: str = "{x}"
    unnamed: str = ""
    function: Callable[[str], str] | None = None
    letter: str = "{x}"
    long_index: str = ","
    degree: str = "^{x}"
    tight: bool = False
    stacked: bool = False
    templates: bool = False


_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def _raised(text: str) -> str | None:
    return text.translate(_RAISED) if text.removeprefix("-").isdigit() else None


def _lowered(text: str) -> str | None:
    return text.translate(DIGITS_BELOW) if text.isdecimal() else None


def _none(text: str) -> str | None:
    return None


_UNICODE = Dialect(
    symbol=unicode_name,
    number="{x}",
    scientific="{x}e{n}",
    power_of_ten="1e{n}",
    brackets="({x})",
    marks={
        Mark.TRANSPOSE: "{x}ᵀ",
        Mark.INVERSE: "{x}⁻¹",
        Mark.INVERSE_TRANSPOSE: "{x}⁻ᵀ",
    },
    power="{x}^{y}",
    elementwise_power="{x}.^{y}",
    superscript=_raised,
    subscript=_lowered,
    juxtaposition=" ",
    hadamard=" ⊙ ",
    divide=" ./ ",
    kronecker="{x} ⊗ {y}",
    plus=" + ",
    minus=" - ",
    negative="-{x}",
    quotient="{x}/{y}",
    bars="‖{x}‖",
    norm="{x}_{y}",
    ones="𝟏",
    ones_matrix="𝟏 𝟏ᵀ",
    zeros="0",
    identity="I",
    call="{x}({y})",
    comma=", ",
    axis="axis={x}",
    prime="'",
    partial="∂{n}{x}/{y}",
    partial_by="∂{x}{n}",
    entry="{x}[{y}]",
    index=",",
    delta="δ[{y}]",
    sigma="Σ_{y} {x}",
    equals=" = ",
    where="\nwhere ",
    between="\n",
    line="\n      ",
    span="{x}   ({i} = {a} … {b})",
    tight=True,
)

_ASCII = Dialect(
    symbol=ascii_name,
    number="{x}",
    scientific="{x}e{n}",
    power_of_ten="1e{n}",
    brackets="({x})",
    marks={
        Mark.TRANSPOSE: "{x}'",
        Mark.INVERSE: "{x}^-1",
        Mark.INVERSE_TRANSPOSE: "{x}^-T",
    },
    power="{x}^{y}",
    elementwise_power="{x}.^{y}",
    superscript=_none,
    subscript=_none,
    juxtaposition=" ",
    hadamard=" .* ",
    divide=" ./ ",
    kronecker="kron({x}, {y})",
    plus=" + ",
    minus=" - ",
    negative="-{x}",
    quotient="{x}/{y}",
    bars="||{x}||",
    norm="{x}_{y}",
    ones="ones({x})",
    ones_matrix="ones({x})",
    zeros="zeros({x})",
    identity="eye({x})",
    call="{x}({y})",
    comma=", ",
    axis="axis={x}",
    prime="'",
    partial="D({x}, {y})",
    partial_by="{x}",
    entry="{x}[{y}]",
    index=",",
    delta="delta[{y}]",
    sigma="sum_{y} {x}",
    equals=" = ",
    where=" where ",
    between="\n",
    line="; ",
    span="{x} ({i} = {a} .. {b})",
)

_LATEX = Dialect(
    symbol=latex_name,
    number="{x}",
    scientific=r"{x} \cdot 10^{{{n}}}",
    power_of_ten="10^{{{n}}}",
    brackets=r"\left({x}\right)",
    marks={
        Mark.TRANSPOSE: r"{x}^{{\top}}",
        Mark.INVERSE: r"{x}^{{-1}}",
        Mark.INVERSE_TRANSPOSE: r"{x}^{{-\top}}",
    },
    power="{x}^{{{y}}}",
    elementwise_power=r"{x}^{{\odot {y}}}",
    superscript=_none,
    subscript=_none,
    juxtaposition=" ",
    hadamard=r" \odot ",
    divide=r" \oslash ",
    kronecker=r"{x} \otimes {y}",
    plus=" + ",
    minus=" - ",
    negative="-{x}",
    quotient=r"\frac{{{x}}}{{{y}}}",
    bars=r"\left\lVert {x} \right\rVert",
    norm="{x}_{{{y}}}",
    ones=r"\mathbf{{1}}",
    ones_matrix=r"\mathbf{{1}} \mathbf{{1}}^{{\top}}",
    zeros="0",
    identity="I",
    call=r"{x}\left({y}\right)",
    comma=", ",
    axis=r"\mathrm{{axis}}={x}",
    prime="'",
    partial=r"\frac{{\partial{n} {x}}}{{{y}}}",
    partial_by=r"\partial {x}{n}",
    entry="{x}_{{{y}}}",
    index="",
    delta=r"\delta_{{{y}}}",
    sigma=r"\sum_{{{y}}} {x}",
    equals=" = ",
    where=r" \quad \text{{where }} ",
    between=r", \; ",
    line=r", \; ",
    span=r"{x} \quad ({i} = {a}, \dots, {b})",
    unnamed=r"[\,\cdot\,]",
    stacked=True,
    templates=True,
)


_MATHML = Dialect(
    symbol=mathml_name,
    number="<mn>{x}</mn>",
    scientific="<mn>{x}</mn><mo>·</mo><msup><mn>10</mn><mn>{n}</mn></msup>",
    power_of_ten="<msup><mn>10</mn><mn>{n}</mn></msup>",
    brackets="<mrow><mo>(</mo>{x}<mo>)</mo></mrow>",
    marks={
        Mark.TRANSPOSE: "<msup>{x}<mo>⊤</mo></msup>",
        Mark.INVERSE: "<msup>{x}<mrow><mo>−</mo><mn>1</mn></mrow></msup>",
        Mark.INVERSE_TRANSPOSE: "<msup>{x}<mrow><mo>−</mo><mo>⊤</mo></mrow></msup>",
    },
    power="<msup>{x}<mrow>{y}</mrow></msup>",
    elementwise_power="<msup>{x}<mrow><mo>⊙</mo>{y}</mrow></msup>",
    superscript=_none,
    subscript=_none,
    juxtaposition="<mo>&#8290;</mo>",
    hadamard="<mo>⊙</mo>",
    divide="<mo>⊘</mo>",
    kronecker="{x}<mo>⊗</mo>{y}",
    plus="<mo>+</mo>",
    minus="<mo>−</mo>",
    negative="<mrow><mo>−</mo>{x}</mrow>",
    quotient="<mfrac><mrow>{x}</mrow><mrow>{y}</mrow></mfrac>",
    bars="<mrow><mo>‖</mo>{x}<mo>‖</mo></mrow>",
    norm="<msub>{x}{y}</msub>",
    ones='<mi mathvariant="bold">1</mi>',
    ones_matrix=(
        '<mrow><mi mathvariant="bold">1</mi><msup><mi mathvariant="bold">1</mi>'
        "<mo>⊤</mo></msup></mrow>"
    ),
    zeros="<mn>0</mn>",
    identity="<mi>I</mi>",
    call="<mrow>{x}<mo>&#8289;</mo><mo>(</mo>{y}<mo>)</mo></mrow>",
    comma="<mo>,</mo>",
    axis="<mrow><mi>axis</mi><mo>=</mo><mn>{x}</mn></mrow>",
    prime="<mo>′</mo>",
    partial="<mfrac><mrow><mo>∂</mo>{n}{x}</mrow><mrow>{y}</mrow></mfrac>",
    partial_by="<mrow><mo>∂</mo>{x}{n}</mrow>",
    entry="<msub><mrow>{x}</mrow><mrow>{y}</mrow></msub>",
    index="<mo>,</mo>",
    function=mathml_function,
    letter="<mi>{x}</mi>",
    long_index="<mo>,</mo>",
    degree="<msup><mrow></mrow><mn>{x}</mn></msup>",
    delta="<msub><mi>δ</mi><mrow>{y}</mrow></msub>",
    sigma="<mrow><munder><mo>∑</mo><mrow>{y}</mrow></munder>{x}</mrow>",
    equals="<mo>=</mo>",
    where="<mspace width='1em'/><mtext>where&#xa0;</mtext>",
    between="<mo>,</mo><mspace width='1em'/>",
    line="<mo>,</mo><mspace width='1em'/>",
    span=(
        "{x}<mspace width='1em'/><mrow><mo>(</mo><mi>{i}</mi><mo>=</mo><mi>{a}</mi>"
        "<mo>…</mo><mi>{b}</mi><mo>)</mo></mrow>"
    ),
    document="<math xmlns='http://www.w3.org/1998/Math/MathML'><mrow>{x}</mrow></math>",
    stacked=True,
)

DIALECTS: dict[str, Dialect] = {
    "unicode": _UNICODE,
    "ascii": _ASCII,
    "latex": _LATEX,
    "mathml": _MATHML,
}


def dialect(name: str, taken: Collection[str] = ()) -> Dialect:
    """The dialect of a name; where T is the name of a value, X^-T is a power to a reader."""
    table = DIALECTS[name]
    if name == "ascii" and "T" in taken:
        return replace(table, marks={**table.marks, Mark.INVERSE_TRANSPOSE: "{x}^-1'"})
    return table
