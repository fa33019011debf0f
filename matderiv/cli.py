"""The command line: `matderiv diff "||Xw - y||^2" wrt w`.

Exit status: 0, or 1 for a failed check, or 2 for bad input or usage.  Errors are one
short message on standard error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matderiv.errors import MatderivError, NameResolutionError, UnsupportedError
from matderiv.usage import EXAMPLES, Parser
from matderiv.values import shape_text, superscript

if TYPE_CHECKING:
    from matderiv.results import Derivative, Form, Program

__all__ = ["COMMANDS", "asked_derivatives", "main", "read_options"]

FAILED, BAD = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    sys.stdout.reconfigure(errors="replace") if hasattr(sys.stdout, "reconfigure") else None
    options = read_options(sys.argv[1:] if arguments is None else arguments)
    try:
        command: Callable[[argparse.Namespace], int] = options.run
        return command(options)
    except MatderivError as error:
        print(error, file=sys.stderr)
        return BAD
    except BrokenPipeError:
        return 0


def read_options(words: Sequence[str]) -> argparse.Namespace:
    """The words of a command line; a fault in them ends the program with status 2."""
    return _parser().parse_intermixed_args(_guarded(words))


def _guarded(words: Sequence[str]) -> list[str]:
    """A formula may begin with a minus: argparse takes a word with a space for no option."""
    before = ["", *words]
    return [
        f" {word}"
        if word.startswith("-")
        and word not in ("-", "-o", "-h")
        and not word.startswith("--")
        and last in (*COMMANDS, "equals")
        else word
        for last, word in zip(before, words, strict=False)
    ]


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="matderiv",
        description="Symbolic matrix derivatives: formula, costs and code, checked.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=sorted(COMMANDS), help=" · ".join(COMMANDS))
    parser.add_argument(
        "words",
        nargs="*",
        metavar="EXPR wrt NAME …",
        help="a formula, a file, or - for standard input; then wrt NAME [NAME …] [then NAME …]; "
        "for verify, then equals FORMULA",
    )
    parser.add_argument("--layout", choices=("mixed", "numerator", "denominator"), default="mixed")
    parser.add_argument(
        "--shape", action="append", default=[], metavar="X=n,d", help="declare a shape"
    )
    parser.add_argument("--order", type=int, default=1)
    parser.add_argument("--mode", choices=("auto", "reverse", "forward"), default="auto")
    parser.add_argument(
        "--format",
        default="unicode",
        help="unicode, ascii, latex, index, json, numpy, sympy; "
        "of flops text, markdown, latex, csv, json; of graph svg, dot, mermaid",
    )
    parser.add_argument(
        "--form",
        choices=("differential", "vjp", "jvp", "hvp", "vec", "index"),
        help="the derivative as a linear map, or by its entries",
    )
    parser.add_argument(
        "--structured", action="store_true", help="the gradient inside the structured space"
    )
    parser.add_argument(
        "--steps", action="store_true", help="the derivation, in unicode, markdown or latex"
    )
    parser.add_argument(
        "--style",
        choices=("backpropagation", "differential"),
        default="backpropagation",
        help="of --steps",
    )
    parser.add_argument("--no-check", action="store_true", help="print without the check")
    parser.add_argument(
        "--at",
        metavar="B=64,D=512",
        help="sizes for cost formulas, and for the order of operations in code",
    )
    parser.add_argument(
        "--budget", metavar="2GB", help="of `plan` and `compile`: memory of value and gradients"
    )
    parser.add_argument(
        "--segments", metavar="sqrt", help="of `plan`: so many, sqrt for the square root"
    )
    parser.add_argument(
        "--timeline", action="store_true", help="of `memory`: what is cached, from when to when"
    )
    parser.add_argument(
        "--weights", metavar="exp=20", help="FLOPs that one value of a function counts"
    )
    parser.add_argument(
        "--modes", action="store_true", help="of flops: reverse, forward and auto side by side"
    )
    parser.add_argument(
        "--backend",
        default="numpy",
        help="what `compile` writes for: numpy, jax or torch",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="where commands write")
    parser.add_argument("--force", action="store_true", help="overwrite FILE")
    parser.add_argument("--port", type=int, metavar="N", help="where `serve` listens")
    parser.add_argument("--no-open", action="store_true", help="`serve` opens no browser")
    parser.set_defaults(run=_run)
    return parser


def _run(options: argparse.Namespace) -> int:
    return COMMANDS[options.command](options)


# ---- reading the words -----------------------------------------------------------------


def _read(options: argparse.Namespace) -> tuple[Program, list[str], list[str]]:
    """The program, the names after `wrt` and those after `then`."""
    from matderiv.api import parse

    words: list[str] = options.words
    if not words:
        raise MatderivError("no formula is given", hint='matderiv diff "x\' A x" wrt x')
    source, rest = words[0], words[1:]
    if rest and rest[0] != "wrt":
        raise MatderivError(
            f"after the formula comes wrt, not {rest[0]!r}",
            hint="put the formula in quotation marks",
        )
    names = [name.strip(",") for name in rest[1:]]
    then: list[str] = []
    if "then" in names:
        at = names.index("then")
        names, then = names[:at], [name for name in names[at + 1 :] if name != "then"]
    if source == "-":
        source = sys.stdin.read()
    elif "\n" not in source and len(source) < 1024 and Path(source).is_file():
        source = Path(source).read_text(encoding="utf-8")
    return parse(source, shapes=_shapes(options.shape)), names, then


def _shapes(declared: Sequence[str]) -> dict[str, tuple[str | int, ...]]:
    shapes: dict[str, tuple[str | int, ...]] = {}
    for text in declared:
        name, equals, dims = text.partition("=")
        if not equals:
            raise MatderivError(f"--shape wants NAME=SIZES, not {text!r}", hint="--shape X=n,d")
        parts = [dim.strip() for dim in dims.strip("() ").split(",") if dim.strip()]
        shapes[name.strip()] = tuple(int(dim) if dim.isdecimal() else dim for dim in parts)
    return shapes


def _numbers(text: str | None, example: str) -> dict[str, int]:
    """name=number, separated by commas, as in the example."""
    numbers: dict[str, int] = {}
    for part in (text or "").split(","):
        if part.strip():
            name, _, number = part.partition("=")
            if not number.strip().isdecimal() or int(number) < 1:
                option = example.partition(" ")[0]
                raise MatderivError(f"{option} wants NAME=NUMBER, not {part!r}", hint=example)
            numbers[name.strip()] = int(number)
    return numbers


def _wanted(program: Program, names: Sequence[str]) -> list[str]:
    """The names that are differentiated by, of which there must be some."""
    if not names:
        raise NameResolutionError(
            "differentiate by what?", hint=f"wrt {next(iter(program.inputs), 'x')}"
        )
    return [program.name_of(name) for name in names]


def asked_derivatives(options: argparse.Namespace) -> list[Derivative]:
    """The derivatives that the words after `wrt` ask for."""
    from matderiv.results import differentiate

    program, names, then = _read(options)
    resolved = _wanted(program, names)
    order = options.order
    if order < 1:
        raise MatderivError(f"the order of a derivative is a positive integer, not {order}")
    if then:
        if len(names) > 1 or order > 1:
            raise UnsupportedError("wrt x then y takes one name before then, and no --order")
        chains = [(resolved[0], *(program.name_of(name) for name in then))]
    else:
        chains = [(name,) * order for name in resolved]
    groups = [chains] if order == 1 and not then else [[chain] for chain in chains]
    return [
        derivative
        for group in groups
        for derivative in differentiate(
            program, group, options.layout, options.mode, options.structured
        ).values()
    ]


# ---- commands --------------------------------------------------------------------------


def _diff(options: argparse.Namespace) -> int:
    derivatives = asked_derivatives(options)
    reports = []
    if not options.no_check:
        for derivative in derivatives:
            report = derivative.check()
            if not report:
                print(
                    f"∂/∂{_by(derivative)}: {report}: the derivative is not shown",
                    file=sys.stderr,
                )
                return FAILED
            reports.append(report)
    if options.steps:
        return _steps(derivatives, options.style, options.format)
    if options.form:
        for derivative in derivatives:
            print(_form(derivative, options.form, options.format))
        return 0
    if options.format != "unicode":
        for derivative in derivatives:
            print(derivative.to(options.format))
        return 0
    print(_statements(derivatives))
    program = derivatives[0].program
    for note in dict.fromkeys(note for d in derivatives for note in d.notes):
        print(note)
    if derivatives[0].order == 1:
        print(_flops_line(program, [str(derivative.wrt) for derivative in derivatives]))
    if reports:
        worst = max(reports, key=lambda report: report.max_relative_error)
        print(worst)
    return 0


def _steps(derivatives: Sequence[Derivative], style: str, format: str) -> int:
    """One derivation for all derivatives, every equation of it checked."""
    from matderiv.steps import Steps

    if format not in ("unicode", "markdown", "latex"):
        raise UnsupportedError("--steps are written as unicode, markdown or latex")
    if len(derivatives) == 1:
        steps = derivatives[0].steps()
    else:
        names = [str(derivative.wrt) for derivative in derivatives]
        steps = Steps(derivatives[0].program, names, derivatives[0].layout)
    report = steps.check()
    if not report:
        print(report, file=sys.stderr)
        return FAILED
    print(steps.text(style) if format == "unicode" else getattr(steps, format)(style))
    if format == "unicode":
        print(f"\n{report}")
    return 0


def _form(derivative: Derivative, form: str, format: str) -> str:
    if form == "index":
        return str(derivative.to("index"))
    made: Form = getattr(derivative, form)()
    return str(made) if format == "unicode" else made.to(format)


def _by(derivative: Derivative) -> str:
    wrt = derivative.wrt
    return wrt if isinstance(wrt, str) else "∂".join(wrt)


def _statements(derivatives: Sequence[Derivative]) -> str:
    """∂/∂w f = formula for each, the lines that name their parts, shapes and index rules."""
    if len(derivatives) == 1 or any(len(d.shape) > 2 for d in derivatives):
        return "\n".join(f"{_statement(d)}\n{_shape_line(d)}" for d in derivatives)
    from matderiv.notation import present_joint
    from matderiv.source import taken_names

    heads = {f"{_head(d)} {_value_text(d.program)}": d for d in derivatives}
    joint = present_joint(
        {head: d.node for head, d in heads.items()},
        rows=[head for head, d in heads.items() if d.is_row],
        taken=taken_names(derivatives[0].program),
    )
    shapes = [f"{_head(d)}:{_shape_line(d)[1:]}" for d in derivatives]
    return "\n".join([joint.text("unicode"), *shapes])


def _statement(derivative: Derivative) -> str:
    value, text = _value_text(derivative.program), str(derivative)
    link = "\n" if len(derivative.shape) > 2 else " = "
    return f"{_head(derivative)} {value}{link}{text}"


def _shape_line(derivative: Derivative) -> str:
    return f"  shape {shape_text(derivative.shape)}{_index_rule(derivative)}"


def _head(derivative: Derivative) -> str:
    """∂/∂w, ∂²/∂w², ∂²/(∂x ∂y)."""
    names = derivative.wrt if isinstance(derivative.wrt, tuple) else (derivative.wrt,)
    if len(names) == 1:
        return f"∂/∂{names[0]}"
    power = superscript(len(names))
    if len(set(names)) == 1:
        return f"∂{power}/∂{names[0]}{power}"
    return f"∂{power}/({' '.join(f'∂{name}' for name in names)})"


def _value_text(program: Program) -> str:
    """The value as the user wrote it where that is shorter, else as it is read."""
    start, end = program.typed.output.span
    written = " ".join(program.source[start:end].split())
    read = str(program).partition("\n")[0]
    return written if "\\" not in written and len(written) + 4 < len(read) else read


def _index_rule(derivative: Derivative) -> str:
    rule = derivative.index_rule
    return f", {derivative.layout} layout: {rule}" if rule else ""


def _flops_line(program: Program, names: list[str]) -> str:
    from matderiv.generate import program_cost
    from matderiv.reports.flops import ratio_text

    counts = program_cost(program, names).polynomials
    ratio = ratio_text(counts.backward, counts.forward)
    return f"FLOPs  forward {counts.forward} · backward {counts.backward} · ratio {ratio}"


def _check(options: argparse.Namespace) -> int:
    status = 0
    for derivative in asked_derivatives(options):
        report = derivative.check()
        print(f"∂/∂{_by(derivative)}: {report}")
        if not report:
            status = FAILED
    return status


def _verify(options: argparse.Namespace) -> int:
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
    print(report)
    return 0 if report else FAILED


def _compile(options: argparse.Namespace) -> int:
    from matderiv.api import compile

    program, names, then = _read(options)
    if then:
        raise UnsupportedError("compile takes wrt NAME …; for a higher order give --order")
    compiled = compile(
        program,
        names,
        order=options.order,
        layout=options.layout,
        backend=options.backend,
        sizes=_numbers(options.at, "--at n=1000,d=20"),
        budget=options.budget,
    )
    if options.output is None:
        print(compiled.source, end="")
    else:
        compiled.save(options.output, force=options.force)
        print(f"wrote {options.output}")
    return 0


def _bench(options: argparse.Namespace) -> int:
    from matderiv.bench import bench

    program, names, _ = _read(options)
    sizes = _numbers(options.at, "--at n=1000,d=20")

    def report(line: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{line} …", end="", file=sys.stderr, flush=True)

    found = bench(program, names, sizes, order=options.order, report=report)
    report("done")
    rates = found[0].rates
    print(f"this machine: {rates.flops / 1e9:.1f} GFLOP/s, {rates.bytes / 1e9:.1f} GB/s")
    for timing in found:
        print(timing)
    return 0


def _flops(options: argparse.Namespace) -> int:
    from matderiv.generate import program_choices, program_cost

    program, names, _ = _read(options)
    sizes = _numbers(options.at, "--at n=1000,d=20")
    if options.modes:
        from matderiv.reports.modes import compare, mode_costs

        costs = mode_costs(program, _wanted(program, names), sizes)
        print(compare(costs, "text" if options.format == "unicode" else options.format, sizes))
        return 0
    cost = program_cost(program, names, options.order, sizes)
    report = cost.report(sizes, _numbers(options.weights, "--weights exp=20,tanh=15"))
    print(report.to("text" if options.format == "unicode" else options.format))
    if options.format in ("unicode", "text"):
        for line in program_choices(program, names, options.order, sizes).lines():
            print(line)
    return 0


def _memory(options: argparse.Namespace) -> int:
    from matderiv.generate import program_plan
    from matderiv.reports.memory import MemoryReport

    program, names, _ = _read(options)
    sizes = _numbers(options.at, "--at n=1000,d=20")
    made = program_plan(program, program.names_of(names), options.order, sizes=sizes)[0]
    if not options.timeline:
        text = options.format == "unicode"
        print(MemoryReport(made, sizes).to("text" if text else options.format))
        return 0
    from matderiv.pictures import timeline

    svg = options.format == "svg" or Path(options.output or "").suffix == ".svg"
    return _write(options, timeline(made, sizes).to("svg" if svg else "text"))


def _plan(options: argparse.Namespace) -> int:
    from matderiv.generate import program_plan, tradeoff
    from matderiv.reports.quantities import read_bytes
    from matderiv.reports.rematerialization import curve_picture, curve_table, summary
    from matderiv.reports.tables import render

    program, names, _ = _read(options)
    sizes = _numbers(options.at, "--at n=1000,d=20")
    wanted = _wanted(program, names)
    found = tradeoff(program_plan(program, wanted, sizes=sizes)[0], sizes)
    if options.budget:
        print("\n".join(summary(found, found.within(read_bytes(options.budget)))))
    elif options.segments:
        print("\n".join(summary(found, found.segments(options.segments))))
    else:
        format = "text" if options.format == "unicode" else options.format
        print(render(curve_table(found), format))
    if options.output is not None:
        return _write(options, curve_picture(found))
    return 0


def _write(options: argparse.Namespace, text: str) -> int:
    """Write to the file asked for, or print."""
    from matderiv.files import write_file

    if options.output is None:
        print(text, end="" if text.endswith("\n") else "\n")
    else:
        print(f"wrote {write_file(options.output, text, force=options.force)}")
    return 0


def _graph(options: argparse.Namespace) -> int:
    from matderiv.files import write_file
    from matderiv.pictures import computation_graph

    program, names, _ = _read(options)
    graph = computation_graph(program, names)
    suffix = Path(options.output or "").suffix
    format = _PICTURES.get(suffix, "mermaid") if options.format == "unicode" else options.format
    text = graph.to(format)
    if options.output is None:
        print(text)
    else:
        print(f"wrote {write_file(options.output, text, force=options.force)}")
    return 0


_PICTURES = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid"}


def _serve(options: argparse.Namespace) -> int:
    from matderiv.serve import serve

    words: list[str] = options.words
    state = {}
    if words:
        program, names, _ = _read(options)
        state = {"f": program.source, "wrt": names}
    serve(options.port, open_browser=not options.no_open, state=state)
    return 0


def _explain(options: argparse.Namespace) -> int:
    from matderiv.explain import explain

    print(explain(" ".join(options.words)))
    return 0


COMMANDS: dict[str, Callable[[Any], int]] = {
    "diff": _diff,
    "compile": _compile,
    "flops": _flops,
    "memory": _memory,
    "plan": _plan,
    "bench": _bench,
    "graph": _graph,
    "check": _check,
    "verify": _verify,
    "serve": _serve,
    "explain": _explain,
}

if __name__ == "__main__":
    sys.exit(main())
