"""`matderiv diff`, `check` and `verify`: a derivative, its check, and somebody's claim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matderiv.commands.command import FAILED, Namespace, command, option
from matderiv.commands.options import DERIVATIVE, DIAGONAL, formats
from matderiv.commands.terminal import show
from matderiv.commands.words import asked_derivatives
from matderiv.errors import MatderivError, UnsupportedError

if TYPE_CHECKING:
    from matderiv.results import Derivative, Form

__all__ = ["check", "diff", "verify"]


@command(
    "diff",
    "the derivative as a formula, checked before it is shown",
    options=(
        *DERIVATIVE,
        DIAGONAL,
        formats(
            "unicode",
            "ascii",
            "latex",
            "mathml",
            "index",
            "sympy",
            "numpy",
            "json",
            "markdown",
        ),
        option(
            "--form",
            choices=("differential", "vjp", "jvp", "hvp", "vec", "index"),
            help="as a linear map, as a Kronecker form, or by its entries",
        ),
        option("--steps", action="store_true", help="how it comes about, each step checked"),
        option(
            "--style",
            choices=("backpropagation", "differential"),
            default="backpropagation",
            help="of --steps",
        ),
        option("--no-check", action="store_true", help="print without the check"),
    ),
    examples=(
        'diff "||Xw - y||^2" wrt w',
        'diff "||Xw - y||^2" wrt w --order 2',
        'diff "||Xw - y||^2" wrt w --order 2 --diagonal',
        'diff "log det(X\' X + λ I)" wrt X --format latex',
        'diff "tr(A X B)" wrt A B --layout numerator',
        'diff "X^-1" wrt X --form vjp',
        'diff "w\' x + b" wrt w --shape b=',
        'diff "||X w - y||^2" wrt w --steps',
        'diff "x\' A y" wrt x then y',
    ),
    words="EXPR wrt NAME … [then NAME …]",
)
def diff(options: Namespace) -> int:
    from matderiv.commands.statements import by, diagonal_flops_line, flops_line, statements

    derivatives = asked_derivatives(options)
    reports = []
    if not options.no_check:
        for derivative in derivatives:
            report = derivative.check()
            if not report:
                said = f"∂/∂{by(derivative)}: {report}: the derivative is not shown"
                show(said, "check", error=True)
                return FAILED
            reports.append(report)
    if options.steps:
        return _steps(derivatives, options.style, options.format)
    if options.form:
        for derivative in derivatives:
            show(_form(derivative, options.form, options.format), "formula")
        return 0
    if options.format == "markdown":
        raise UnsupportedError("markdown is a format of --steps; the formula alone is latex")
    if options.format != "unicode":
        for derivative in derivatives:
            print(derivative.to(options.format))
        return 0
    show(statements(derivatives), "formula")
    program = derivatives[0].program
    for note in dict.fromkeys(note for d in derivatives for note in d.notes):
        show(note, "note")
    if derivatives[0].diagonal:
        for derivative in derivatives:
            show(diagonal_flops_line(derivative), "cost")
    elif derivatives[0].order == 1:
        show(flops_line(program, [str(derivative.wrt) for derivative in derivatives]), "cost")
    if reports:
        show(max(reports, key=lambda report: report.max_relative_error), "check")
    return 0


def _steps(derivatives: Sequence[Derivative], style: str, format: str) -> int:
    """One derivation for all derivatives, every equation of it checked."""
    from matderiv.steps import Steps

    if format not in ("unicode", "markdown", "latex"):
        raise UnsupportedError("--steps are written as unicode, markdown or latex")
    steps = Steps(derivatives) if len(derivatives) > 1 else derivatives[0].steps()
    report = steps.check()
    if not report:
        show(report, "check", error=True)
        return FAILED
    if format == "unicode":
        show(f"{steps.text(style)}\n", "steps")
        read = derivatives[0].program.notes
        for note in dict.fromkeys(note for d in derivatives for note in d.notes):
            if note not in read:  # what is taken at a kink, and for structured matrices
                show(note, "note")
        show(report, "check")
    else:
        print(getattr(steps, format)(style))
    return 0


def _form(derivative: Derivative, form: str, format: str) -> str:
    if form == "index":
        return str(derivative.to("index"))
    made: Form = getattr(derivative, form)()
    return str(made) if format == "unicode" else made.to(format)


@command(
    "check",
    "the numerical check alone",
    options=(*DERIVATIVE, DIAGONAL),
    examples=('check "softmax(A x)" wrt x',),
)
def check(options: Namespace) -> int:
    from matderiv.commands.statements import by

    status = 0
    for derivative in asked_derivatives(options):
        report = derivative.check()
        show(f"∂/∂{by(derivative)}: {report}", "check")
        if not report:
            status = FAILED
    return status


@command(
    "verify",
    "whether a claimed derivative is right, or how it differs",
    options=DERIVATIVE,
    examples=(
        'verify "tr(A X B)" wrt X equals "A\' B\'"',
        'verify "x\' A x" wrt x equals "(A + A\') x"',
        'verify "logdet(X)" wrt X equals "tr(X^-1 dX)"',
    ),
    words="EXPR wrt NAME equals FORMULA",
)
def verify(options: Namespace) -> int:
    from matderiv.verify import verify_claim

    words: list[str] = options.words
    if len(words) < 2 or words[-2] != "equals":
        raise MatderivError(
            "verify wants the claimed formula after equals",
            hint='matderiv verify "tr(A X B)" wrt X equals "A\' B\'"',
        )
    options.words, formula = words[:-2], words[-1]
    derivatives = asked_derivatives(options)
    if len(derivatives) > 1:
        raise UnsupportedError("verify takes one name after wrt")
    report = verify_claim(derivatives[0], formula)
    show(report, "verdict")
    return 0 if report else FAILED
