"""`matderiv flops`, `memory` and `plan`: what a value and its derivatives cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from matderiv.commands.command import Namespace, command, option
from matderiv.commands.options import AT, FORCE, ORDER, OUTPUT, SHAPE, formats
from matderiv.commands.terminal import progress, show
from matderiv.commands.words import asked_program, numbers, sizes, wanted, write
from matderiv.errors import UnsupportedError

__all__ = ["flops", "memory", "plan"]

TABLES = ("text", "markdown", "latex", "csv")
FLOAT = option("--dtype", choices=("float64", "float32"), default="float64", help="of the inputs")


@command(
    "flops",
    "FLOPs of forward and backward, operation by operation",
    options=(
        SHAPE,
        ORDER,
        AT,
        option("--weights", metavar="exp=20", help="FLOPs that one value of a function counts"),
        option("--modes", action="store_true", help="reverse, forward and auto side by side"),
        formats(*TABLES, "json"),
    ),
    examples=(
        'flops "||X w - y||^2" wrt w --at n=1000,m=20',
        'flops "||X w - y||^2" wrt w --format markdown',
    ),
)
def flops(options: Namespace) -> int:
    from matderiv.generate import program_choices, program_cost

    program, names, _ = asked_program(options)
    at = sizes(options)
    if options.modes:
        if options.order != 1:
            raise UnsupportedError("--modes compares first derivatives: leave out --order")
        from matderiv.reports.modes import compare, mode_costs

        show(compare(mode_costs(program, wanted(program, names), at), options.format, at), "table")
        return 0
    names = program.names_of(names)
    cost = program_cost(program, names, options.order, at)
    report = cost.report(at, numbers(options.weights, "--weights exp=20,tanh=15"))
    show(report.to(options.format), "table")
    if options.format == "text":
        for line in program_choices(program, names, options.order, at).lines():
            show(line, "note")
    return 0


@command(
    "memory",
    "bytes of forward, backward and training",
    options=(
        SHAPE,
        ORDER,
        AT,
        FLOAT,
        option(
            "--timeline",
            nargs="?",
            const="",
            metavar="FILE.svg",
            help="what is cached, from when to when, as text or as a picture",
        ),
        formats(*TABLES, "svg"),
        OUTPUT,
        FORCE,
    ),
    examples=('memory "||tanh(X W) - Y||^2" wrt W --at n=1000,m=20',),
)
def memory(options: Namespace) -> int:
    from matderiv.generate import program_plan
    from matderiv.program.memory import FLOATS
    from matderiv.reports.memory import MemoryReport

    program, names, _ = asked_program(options)
    at = sizes(options)
    made = program_plan(program, program.names_of(names), options.order, sizes=at).plan
    made = replace(made, item=FLOATS[options.dtype])
    options.output = options.output or options.timeline or None
    svg = options.format == "svg" or Path(options.output or "").suffix == ".svg"
    if options.timeline is None and not svg:  # the picture is the timeline's
        table = MemoryReport(made, at).to(options.format)
        if options.output is not None:
            return write(options, table)
        show(table, "table")
        return 0
    if options.format not in ("text", "svg"):
        raise UnsupportedError("a timeline is written as text or svg")
    from matderiv.pictures import timeline

    return write(options, timeline(made, at).to("svg" if svg else "text"))


@command(
    "plan",
    "code in less memory, for more FLOPs: the curve, or one point of it",
    options=(
        SHAPE,
        AT,
        FLOAT,
        option("--budget", metavar="2GB", help="memory of value and gradients"),
        option("--segments", metavar="sqrt", help="so many, sqrt for the square root"),
        formats(*TABLES),
        OUTPUT,
        FORCE,
    ),
    examples=('plan "||tanh(tanh(X A) B)||^2" wrt A --at n=1000,m=20,k=30,p=40',),
)
def plan(options: Namespace) -> int:
    from matderiv.generate import program_plan, tradeoff
    from matderiv.program.memory import FLOATS
    from matderiv.reports.quantities import read_bytes
    from matderiv.reports.rematerialization import curve_picture, curve_table, summary
    from matderiv.reports.tables import render

    program, names, _ = asked_program(options)
    at = sizes(options)
    made = program_plan(program, wanted(program, names), sizes=at).plan
    made = replace(made, item=FLOATS[options.dtype])
    with progress("schedules") as report:
        found = tradeoff(made, at, report)
        if options.budget:
            shown = "\n".join(summary(found, found.within(read_bytes(options.budget))))
        elif options.segments:
            shown = "\n".join(summary(found, found.segments(options.segments)))
        else:
            shown = render(curve_table(found), options.format)
    show(shown, "" if options.budget or options.segments else "table")
    if options.output is not None:
        return write(options, curve_picture(found))
    return 0
