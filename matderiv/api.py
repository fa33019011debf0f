"""The public functions; see the package's docstring for an example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, overload

from matderiv.calculus.derive import checked_order
from matderiv.check import CheckReport
from matderiv.errors import MatderivError, UnsupportedError, one_of
from matderiv.limits import limited
from matderiv.reports.quantities import read_bytes
from matderiv.results import Derivative, Derivatives, Program, differentiate
from matderiv.values import is_sympy
from matderiv.verify import VerifyReport, verify_claim

if TYPE_CHECKING:
    from matderiv.program.compiled import CompiledFunction
    from matderiv.program.cost import Cost

__all__ = ["check", "compile", "cost", "diff", "modes", "parse", "verify"]

Shapes = Mapping[str, Any] | None
Attributes = Mapping[str, Any] | None
Options = tuple[int, str, str, int | None, int | str | None, bool, bool, bool, bool]
Source = Any  # text, a Program, or a SymPy expression, which has no type here


@limited
def parse(source: Source, *, shapes: Shapes = None, attributes: Attributes = None) -> Program:
    """Read a program: a text, or a SymPy expression (an (n, 1) MatrixSymbol is a vector).

    Raises ParseError, NameResolutionError, ShapeError or UnsupportedError, each with the
    place in the text and, where one can be computed, a hint.

    >>> parse("x' A x").inputs["A"].shape
    ('n', 'n')
    """
    if isinstance(source, Program):
        return source
    if not isinstance(source, str) and not is_sympy(source):
        raise UnsupportedError(
            f"a source is text, a Program or a SymPy expression, not {type(source).__name__}"
        )
    return Program.read(source, shapes, attributes)


@overload
def diff(
    source: Source,
    wrt: str,
    *,
    order: int = 1,
    layout: str = "mixed",
    mode: str = "auto",
    structured: bool = False,
    diagonal: bool = False,
    shapes: Shapes = None,
    attributes: Attributes = None,
) -> Derivative: ...
@overload
def diff(
    source: Source,
    wrt: Sequence[str],
    *,
    order: int = 1,
    layout: str = "mixed",
    mode: str = "auto",
    structured: bool = False,
    diagonal: bool = False,
    shapes: Shapes = None,
    attributes: Attributes = None,
) -> Derivatives: ...
@limited
def diff(
    source: Source,
    wrt: str | Sequence[str],
    *,
    order: int = 1,
    layout: str = "mixed",
    mode: str = "auto",
    structured: bool = False,
    diagonal: bool = False,
    shapes: Shapes = None,
    attributes: Attributes = None,
) -> Derivative | Derivatives:
    """∂source/∂wrt; for a list of names, a mapping whose derivatives share intermediates.

    layout  "mixed" (a gradient has its variable's shape), "numerator" or "denominator"
    mode    "reverse", "forward" or "auto"
    order   2 is the Hessian, and so on
    structured  for a variable declared symmetric, diagonal, lower, upper or orthogonal:
            the gradient inside that space, not the free-entry one
    diagonal  the diagonal of a Jacobian by a variable of the value's shape, or of a Hessian,
            in the shape of the variable (`calculus.diagonal`)

    >>> print(diff("x' A x", "x").to("ascii"))
    (A + A') x
    """
    program = parse(source, shapes=shapes, attributes=attributes)
    checked_order(order)
    names = program.names_of(wrt)
    chains = [(name,) * order for name in names]
    groups = [chains] if order == 1 else [[chain] for chain in chains]
    result: dict[str, Derivative] = {}
    for group in groups:
        result |= differentiate(program, group, layout, mode, structured, diagonal)
    if isinstance(wrt, str) or is_sympy(wrt):
        return result[names[0]]
    return Derivatives({str(a): result[name] for a, name in zip(wrt, names, strict=True)})


@limited
def check(
    source: Source,
    wrt: str | Sequence[str],
    *,
    order: int = 1,
    layout: str = "mixed",
    diagonal: bool = False,
    shapes: Shapes = None,
    attributes: Attributes = None,
    seed: int = 0,
) -> CheckReport:
    """Differentiate, and compare with finite differences at random points.

    Of several derivatives the report is that of all: passed if each of them is, with the
    largest error.

    >>> bool(check("logdet(X)", "X"))
    True
    """
    made: Derivative | Derivatives = diff(
        source,
        wrt,
        order=order,
        layout=layout,
        diagonal=diagonal,
        shapes=shapes,
        attributes=attributes,
    )
    if isinstance(made, Derivative):
        return made.check(seed)
    reports = [derivative.check(seed) for derivative in made.values()]
    if not reports:
        raise MatderivError("no variable is given to differentiate by", hint='"w", or ["w", "b"]')
    return CheckReport(
        all(reports),
        max(report.max_relative_error for report in reports),
        min(report.points for report in reports),
    )


@limited
def verify(
    source: Source,
    wrt: str,
    formula: str,
    *,
    order: int = 1,
    layout: str = "mixed",
    shapes: Shapes = None,
    attributes: Attributes = None,
) -> VerifyReport:
    """Say whether a formula that somebody claims is the derivative, or how it differs.

    The formula may use the program's names, f for its value, and dX for the differential of
    X, as in dL = tr(G' dX).

    >>> print(verify("||X w - y||^2", "w", "X' (X w - y)"))
    off by a factor: the claim is 1/2 times the derivative
    ∂f/∂w = 2 Xᵀ(X w - y)
    """
    derivative = diff(source, wrt, order=order, layout=layout, shapes=shapes, attributes=attributes)
    if not isinstance(derivative, Derivative):
        raise UnsupportedError("a claim is of the derivative by one name, not by a list of names")
    return verify_claim(derivative, formula)


@limited
def compile(
    source: Source,
    wrt: str | Sequence[str] = (),
    *,
    order: int = 1,
    layout: str = "mixed",
    diagonal: bool = False,
    compressed: bool = False,
    workspace: bool = False,
    blocked: bool = False,
    backend: str = "numpy",
    sizes: Mapping[str, int] | None = None,
    budget: int | str | None = None,
    segments: int | str | None = None,
    shapes: Shapes = None,
    attributes: Attributes = None,
) -> CompiledFunction:
    """Generate the module of a value and its derivatives, for numpy, numba, jax or torch.

    Arrays are float64, or float32 where all inputs are.  `sizes={"n": 1000, "k": 20}` are
    the numbers for which the order of operations is chosen; any others may be passed to
    the functions.  `budget="2MB"` keeps fewer values for backward and computes others
    again, so that at these sizes the peak of `value_and_grad` stays below; `segments` keeps
    the values between so many parts, "sqrt" for the square root, at any sizes; NumPy alone
    obeys.  `diagonal` computes the diagonal alone of a Jacobian or Hessian; `compressed`
    leaves its deltas, ones and outer products unexpanded, `derivative` then returns
    `Compressed` sums of small arrays.  With a `workspace` the temporaries of a NumPy module
    stay allocated from call to call, for each thread its own; results are new arrays.
    `blocked` makes what is as long as a batch in blocks of rows that stay in the cache.  The
    same text with the same options is generated once in a process.

    >>> f = compile("||X w - y||^2", "w")
    >>> f is compile("||X w - y||^2", "w")
    True
    """
    from matderiv.program.emitters import BACKENDS

    one_of(backend, BACKENDS, "backend")
    if (budget is not None or segments is not None) and backend != "numpy":
        raise UnsupportedError("a budget of memory is kept by numpy alone")
    if budget is not None and segments is not None:
        raise UnsupportedError("a budget and a number of segments are two plans: give one")
    most = None if budget is None else read_bytes(budget)
    plain = backend == "numpy" and budget is None and segments is None
    for asked_for, what in ((workspace, "a workspace is"), (blocked, "blocks of rows are")):
        if asked_for and not plain:
            raise UnsupportedError(f"{what} of numpy's code without a budget or segments")
    options = order, layout, backend, most, segments, diagonal, compressed, workspace, blocked
    given = sizes, shapes, attributes
    if isinstance(source, str) and all(isinstance(part, Mapping | None) for part in given):
        try:
            asked = wrt if isinstance(wrt, str) else tuple(wrt)
            key = (*map(_frozen, given),)
            return _compiled(source, asked, options, key)
        except TypeError:  # an option that is no key
            pass
    return _compile(source, wrt, options, sizes, shapes, attributes)


def _frozen(options: Mapping[str, Any] | None) -> Any:
    if options is None:
        return None
    parts = {k: v if isinstance(v, str | int) else tuple(v) for k, v in options.items()}
    return tuple(parts.items())


@lru_cache(maxsize=256)
def _compiled(
    source: str, wrt: str | tuple[str, ...], options: Options, frozen: tuple[Any, ...]
) -> CompiledFunction:
    sizes, shapes, attributes = (None if part is None else dict(part) for part in frozen)
    return _compile(source, wrt, options, sizes, shapes, attributes)


def _compile(
    source: Source,
    wrt: str | Sequence[str],
    options: Options,
    sizes: Mapping[str, int] | None,
    shapes: Shapes,
    attributes: Attributes,
) -> CompiledFunction:
    from matderiv.generate import compile_program

    order, layout, backend, budget, segments, diagonal, compressed, workspace, blocked = options
    program = parse(source, shapes=shapes, attributes=attributes)
    names = program.names_of(wrt)
    asked = [wrt] if isinstance(wrt, str) or is_sympy(wrt) else wrt
    spelled = dict(zip(names, map(str, asked), strict=True))
    return compile_program(
        program,
        names,
        order,
        layout,
        spelled,
        backend=backend,
        sizes=sizes,
        budget=budget,
        segments=segments,
        diagonal=diagonal,
        compressed=compressed,
        workspace=workspace,
        blocked=blocked,
    )


@limited
def cost(
    source: Source,
    wrt: str | Sequence[str] = (),
    *,
    order: int = 1,
    diagonal: bool = False,
    sizes: Mapping[str, int] | None = None,
    shapes: Shapes = None,
    attributes: Attributes = None,
) -> Cost:
    """FLOPs and memory of a value and its derivatives, as formulas in the dimensions.

    `sizes` are those for which the order of operations is chosen, where it depends on them.
    """
    from matderiv.generate import program_cost

    program = parse(source, shapes=shapes, attributes=attributes)
    names = program.names_of(wrt)
    return program_cost(program, names, order, sizes, diagonal=diagonal)


@limited
def modes(
    source: Source,
    wrt: str | Sequence[str],
    *,
    sizes: Mapping[str, int] | None = None,
    shapes: Shapes = None,
    attributes: Attributes = None,
) -> dict[str, Cost]:
    """The costs of first derivatives by "reverse", "forward" and "auto" accumulation.

    `sizes` are those for which "auto" is chosen.  FLOPs are in `Cost.derivative`:

    >>> {mode: str(cost.derivative) for mode, cost in modes("sin(c' x)", "x").items()}
    {'reverse': '3*n - 1', 'forward': '3*n - 1', 'auto': '3*n - 1'}
    """
    from matderiv.reports.modes import mode_costs

    program = parse(source, shapes=shapes, attributes=attributes)
    return mode_costs(program, program.names_of(wrt), sizes)
