"""`matderiv compile` and `bench`: generated code, and how fast it is here."""

from __future__ import annotations

from matderiv.commands.command import Namespace, command, option
from matderiv.commands.options import AT, DIAGONAL, FORCE, LAYOUT, ORDER, OUTPUT, SHAPE
from matderiv.commands.terminal import progress, show, show_code
from matderiv.commands.words import asked_program, sizes, write
from matderiv.errors import UnsupportedError

__all__ = ["bench", "compile"]


@command(
    "compile",
    "a module that computes the value and its derivatives",
    options=(
        LAYOUT,
        SHAPE,
        ORDER,
        DIAGONAL,
        AT,
        option("--backend", default="numpy", help="numpy, numba, jax or torch"),
        option(
            "--budget",
            metavar="2GB",
            help="memory of value and gradients at the sizes of --at; some values are "
            "computed twice to stay below",
        ),
        option(
            "--segments",
            metavar="sqrt",
            help="keep the values between so many parts, or between blocks of the layers of "
            "a loop; sqrt for the square root",
        ),
        OUTPUT,
        FORCE,
    ),
    examples=(
        'compile "sum(log(1 + exp(-y ⊙ X w)))" wrt w',
        'compile "||X w - y||^2" wrt w --backend torch',
    ),
)
def compile(options: Namespace) -> int:
    from matderiv.api import compile

    program, names, then = asked_program(options)
    if then:
        raise UnsupportedError("compile takes wrt NAME …; for a higher order give --order")
    compiled = compile(
        program,
        names,
        order=options.order,
        layout=options.layout,
        diagonal=options.diagonal,
        backend=options.backend,
        sizes=sizes(options),
        budget=options.budget,
        segments=options.segments,
    )
    if options.output is None:
        show_code(compiled.source)
    else:
        write(options, compiled.source)
    return 0


@command(
    "bench",
    "how fast generated code is on this machine, next to what the machine could do",
    options=(SHAPE, ORDER, AT),
    examples=('bench "||X w - y||^2" wrt w --at n=1000,m=20',),
    timed=False,
)
def bench(options: Namespace) -> int:
    from matderiv.bench import bench, timing_table

    program, names, _ = asked_program(options)
    with progress("done") as report:
        found = bench(program, names, sizes(options), order=options.order, report=report)
    show(timing_table(found), "table")
    return 0
