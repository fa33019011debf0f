"""`matderiv graph` and `serve`: the computation graph, and everything on a page."""

from __future__ import annotations

from pathlib import Path

from matderiv.commands.command import Namespace, command, option
from matderiv.commands.options import FORCE, OUTPUT, SHAPE
from matderiv.commands.words import asked_program, write
from matderiv.errors import UnsupportedError

__all__ = ["graph", "serve"]

_ELSEWHERE = frozenset((".png", ".pdf", ".jpg", ".jpeg", ".gif", ".ps", ".eps", ".tex"))
_SUFFIXES = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid"}


@command(
    "graph",
    "the computation graph",
    options=(
        SHAPE,
        option(
            "--format",
            choices=("svg", "dot", "mermaid"),
            help="else what FILE ends in, else mermaid",
        ),
        OUTPUT,
        FORCE,
    ),
    examples=('graph "(<x, w> - y)^2 where y: ()" wrt w',),
)
def graph(options: Namespace) -> int:
    from matderiv.pictures import computation_graph

    program, names, _ = asked_program(options)
    suffix = Path(options.output or "").suffix
    if options.format is None and suffix in _ELSEWHERE:
        raise UnsupportedError(
            f"a graph is written as svg, dot or mermaid, not as {suffix[1:]}",
            hint=f"write FILE.svg, or FILE.dot, of which dot -T{suffix[1:]} makes one",
        )
    format = options.format or _SUFFIXES.get(suffix, "mermaid")
    return write(options, computation_graph(program, names).to(format))


@command(
    "serve",
    "all of it as you type, on a page of your own machine",
    options=(
        SHAPE,
        option("--port", type=int, metavar="N", help="where it listens; 8417 otherwise"),
        option("--no-open", action="store_true", help="open no browser"),
    ),
    examples=("serve", 'serve "||X w - y||^2" wrt w --port 8000 --no-open'),
    words="[EXPR [wrt NAME …]]",
    timed=False,
)
def serve(options: Namespace) -> int:
    from matderiv.serve import serve

    state = {}
    if options.words:
        program, names, _ = asked_program(options)
        state = {"f": program.source, "wrt": names}
    serve(options.port, open_browser=not options.no_open, state=state)
    return 0
