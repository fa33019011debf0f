"""What the page shows of a formula: a stream of parts, each a mapping for JSON.

    program     shapes, notes and the value as it was read
    derivative  formulas, shapes and index rules, with the verdict of the check
    cost        FLOPs and bytes, operation by operation
    code        the generated module
    graph       a picture of the computation
    steps       the derivation, in both styles
    error       what is wrong, in which part, and where in the text

A derivative whose check fails is not sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from matderiv.api import compile, parse
from matderiv.errors import DomainError, MatderivError, UnsupportedError
from matderiv.generate import program_cost
from matderiv.language.typed import Assignment
from matderiv.pictures import computation_graph
from matderiv.results import Derivative, differentiate
from matderiv.serve import mathematics
from matderiv.serve.requests import Request, error_part
from matderiv.source import Program
from matderiv.steps import STYLES, Steps
from matderiv.tensor.dims import shape_text

__all__ = ["answers"]

Part = dict[str, Any]

# A variable is more often what a reader asks for than the data that stand before it.
_USUAL = ("w", "x", "W", "w1", "W1", "X", "θ", "β", "Θ")
_LARGEST_PICTURE = 150
_COPIES = ("latex", "unicode", "ascii", "mathml")


def answers(data: Mapping[str, Any]) -> Iterator[Part]:
    """The parts of one request; an error ends those that need what failed."""
    try:
        request = Request.read(data)
        program = parse(request.source)
        wrt = [program.name_of(name) for name in request.wrt if _occurs(program, name)]
        wrt = wrt or _usual(program)
        yield _program(program, wrt)
        if not wrt:
            raise UnsupportedError("the formula has no variable to differentiate by")
        yield from _derivative(program, wrt, request)
    except Exception as error:  # also a fault of the engine: it must not end the page
        yield error_part(error)
        return
    for part, make in _LATER.items():
        try:
            yield make(program, wrt, request)
        except Exception as error:
            yield error_part(error, of=part)


def _occurs(program: Program, name: str) -> bool:
    try:
        program.name_of(name)
    except MatderivError:
        return False  # a name of the formula before the last keystroke
    return True


def _usual(program: Program) -> list[str]:
    names = [name for name in _USUAL if name in program.inputs]
    return (names or list(program.inputs))[:1]


def _program(program: Program, wrt: Sequence[str]) -> Part:
    return {
        "part": "program",
        "value": mathematics.value(program),
        "shape": shape_text(program.shape),
        "inputs": [
            {
                "name": name,
                "shape": shape_text(entry.shape),
                "attributes": sorted(entry.attributes),
                "declared": entry.declared,
            }
            for name, entry in program.inputs.items()
        ],
        "named": [s.name for s in program.typed.statements if isinstance(s, Assignment)],
        "notes": list(program.notes),
        "wrt": list(wrt),
    }


# ---- derivatives -----------------------------------------------------------------------


def _derivatives(program: Program, wrt: Sequence[str], request: Request) -> list[Derivative]:
    """One for each name; of order 1 they share their intermediates."""
    then = program.name_of(request.then) if request.then else None
    chains = [(name, *[then or name] * (request.order - 1)) for name in wrt]
    groups = [chains] if request.order == 1 else [[chain] for chain in chains]
    return [
        derivative
        for group in groups
        for derivative in differentiate(
            program, group, request.layout, "auto", request.structured
        ).values()
    ]


def _derivative(program: Program, wrt: Sequence[str], request: Request) -> Iterator[Part]:
    derivatives = _derivatives(program, wrt, request)
    reports = [derivative.check() for derivative in derivatives]
    worst = max(reports, key=lambda report: (not report.passed, report.max_relative_error))
    if not worst:
        raise DomainError(f"{worst}: the derivative is not shown")
    yield {
        "part": "derivative",
        "rows": mathematics.derivatives(derivatives, request.form),
        "notes": mathematics.notes(derivatives, request.form),
        "shapes": [
            {
                "head": mathematics.head(derivative),
                "shape": shape_text(derivative.shape),
                "rule": derivative.index_rule,
            }
            for derivative in derivatives
        ],
        "copies": _copies(derivatives, request.form),
        "verdict": str(worst),
    }


def _copies(derivatives: Sequence[Derivative], form: str) -> dict[str, str]:
    """format -> text, for the formats that this form has."""
    found = {}
    for format in _COPIES:
        with suppress(UnsupportedError):
            texts = [mathematics.copy(derivative, form, format) for derivative in derivatives]
            found[format] = "\n".join(texts)
    return found


# ---- costs and code --------------------------------------------------------------------


def _cost(program: Program, wrt: Sequence[str], request: Request) -> Part:
    _one_variable(request)
    cost = program_cost(program, wrt, request.order)
    sizes = {name: number for name, number in request.at.items() if name in cost.sizes}
    report = cost.report()
    counts = cost.polynomials
    numbers = cost.at(**sizes) if sizes.keys() == cost.sizes.keys() else None
    return {
        "part": "cost",
        "sizes": list(cost.sizes),
        "totals": [
            {
                "name": "forward",
                "exact": str(counts.forward),
                "unit": "FLOPs",
                "number": numbers and int(numbers.forward),
            },
            {
                "name": "backward",
                "exact": str(counts.backward),
                "unit": "FLOPs",
                "number": numbers and int(numbers.backward),
            },
            {
                "name": "kept for backward",
                "exact": str(counts.cache),
                "unit": "bytes",
                "number": numbers and numbers.cache_memory,
            },
            {
                "name": "peak",
                "exact": str(counts.peak),
                "unit": "bytes",
                "number": numbers and numbers.peak_memory,
            },
        ],
        "ratio": report.ratio,
        "rows": [
            {
                "phase": row.phase,
                "value": row.name,
                "operation": row.formula,
                "shape": shape_text(row.shape),
                "exact": str(row.exact),
            }
            for row in report.rows
        ],
    }


def _code(program: Program, wrt: Sequence[str], request: Request) -> Part:
    _one_variable(request)
    compiled = compile(program, wrt, order=request.order, layout=request.layout)
    return {"part": "code", "source": compiled.source}


def _graph(program: Program, wrt: Sequence[str], request: Request) -> Part:
    graph = computation_graph(program, wrt)
    if len(graph.vertices) > _LARGEST_PICTURE:
        raise UnsupportedError("the graph is too large for a picture of this size")
    return {"part": "graph", "svg": graph.to("svg")}


def _steps(program: Program, wrt: Sequence[str], request: Request) -> Part:
    steps = Steps(_derivatives(program, wrt, request))
    report = steps.check()
    if not report:
        raise DomainError(f"{report}: the steps are not shown")
    return {
        "part": "steps",
        "verdict": str(report),
        "styles": [
            {
                "name": style,
                "sections": mathematics.sections(steps.of(style)),
                "markdown": steps.markdown(style),
            }
            for style in STYLES
        ],
    }


def _one_variable(request: Request) -> None:
    if request.order > 1 and request.then not in (None, *request.wrt[:1]):
        raise UnsupportedError("costs and code of a mixed derivative are not there yet")


_LATER = {"cost": _cost, "code": _code, "graph": _graph, "steps": _steps}
