"""Time generated code against hand-written NumPy and the frameworks that are installed.

    python -m benchmarks.suite [--sizes small,medium,large] [--only TEXT] [--threads 1]

Each case checks the answers of all contestants against the hand-written code before any
is timed.  All run in this process on the same number of cores, in turns; a figure is
the ratio of medians to hand-written NumPy, less is faster.  "first" is what comes before
the first answer: for generated code reading, deriving, generating and loading, for the
frameworks tracing and compiling, the first call included.  A time is the lesser of wall
time and processor time.

With --save FILE the rows are kept, those of earlier runs too, and written as a page beside
it: RESULTS.md for results.json.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

parser = argparse.ArgumentParser(
    prog="benchmarks.suite", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
parser.add_argument("--sizes", default="small,medium,large")
parser.add_argument("--only", default="", help="cases whose name holds this text")
parser.add_argument("--contestants", default="", help="these alone, by commas")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seconds", type=float, default=0.3, help="for each contestant and row")
parser.add_argument("--save", type=Path, help="a JSON file of rows")


def main() -> int:
    options = parser.parse_args()
    # Before NumPy is loaded: libraries read these once.
    for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{library}_NUM_THREADS"] = str(options.threads)
    if hasattr(os, "sched_setaffinity"):  # XLA has threads of its own, whatever is set
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-options.threads :])
    from benchmarks.suite.page import Table, keep
    from benchmarks.suite.race import Row, race

    table = Table()
    contestants = [name for name in options.contestants.split(",") if name]

    def report(row: Row) -> None:
        table.line(row)
        if options.save:
            keep(options.save, [row], options.threads)

    rows = race(options.sizes.split(","), options.only, options.seconds, contestants, report)
    print(table.end(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
