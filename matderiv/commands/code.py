"""`matderiv compile` and `bench`: generated code, and how fast it is here."""

from __future__ import annotations

from matderiv.commands.command import Namespace, command, option
from matderiv.commands.options import AT, FORCE, LAYOUT, ORDER, OUTPUT, SHAPE
from matderiv.commands.terminal import progress, show_code
from matderiv.commands.words import asked_program, sizes
from matderiv.errors import UnsupportedError

__all__ = ["bench", "compile"]


@command(
    "compile",
    "a module that computes the value and its derivatives",
    options=(
        LAYOUT,
        SHAPE,
        ORDER,
        AT,
        option("--backend", default="numpy", help="numpy, jax or torch"),
        option(
            "--budget",
            metavar="2GB",
            help="memory of value and gradients at the sizes of --at; some values are "
            "computed twice to stay below",
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
        backend=options.backend,
        sizes=sizes(options),
        budget=options.budget,
    )
    if options.output is None:
        show_code(compiled.source)
    else:
        compiled.save(options.output, force=options.force)
        print(f"wrote {options.output}")
    return 0


@command(
    "bench",
    "how fast generated code is on this machine, next to what the machine could do",
    options=(SHAPE, ORDER, AT),
    examples=('bench "||X w - y||^2" wrt w --at n=1000,m=20',),
    timed=False,
)
def bench(options: Namespace) -> int:
    from matderiv.bench import bench

    program, names, _ = asked_program(options)

    with progress("done") as report:
        found = bench(program, names, sizes(options), order=options.order, report=report)
    rates = found[0].rates
    print(f"this machine: {rates.flops / 1e9:.1f} GFLOP/s, {rates.bytes / 1e9:.1f} GB/s")
    for timing in found:
        print(timing)
    return 0
