"""Time generated code against hand-written NumPy and the frameworks that are installed.

    python -m benchmarks.suite [--sizes small,medium,large] [--only TEXT] [--threads 1]

Each case checks the answers of all contestants against each other before any is timed.
All run in this process with the same number of threads, in turns; a figure is the ratio
of medians to hand-written NumPy, less is faster.  "first" is what comes before the first
answer: for generated code reading, deriving, generating and loading, for the frameworks
tracing and compiling.
"""

from __future__ import annotations

import argparse
import os
import sys

parser = argparse.ArgumentParser(prog="benchmarks.suite", description=__doc__)
parser.add_argument("--sizes", default="small,medium,large")
parser.add_argument("--only", default="", help="cases whose name holds this text")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seconds", type=float, default=0.4, help="for each case and size")


def main() -> int:
    options = parser.parse_args()
    # Before NumPy is loaded: libraries read these once.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    if options.threads == 1:
        os.environ["XLA_FLAGS"] = (
            "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        )
    from benchmarks.suite.race import race

    return race(options.sizes.split(","), options.only, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
