"""The long hunt: `python -m tests.fuzz --count 100000 [--start 0] [--minutes 30]`.

Prints progress, every failing program in its smallest form, and a summary; exit status
1 if a law was broken.  With `--malformed` the inputs are those that nobody means.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections import Counter

from tests.fuzz.hunt import hunt, shrink
from tests.fuzz.malformed import probe

_MEMORY = 6 << 30  # bytes: what asks for more fails like anything else


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--every", action="store_true", help="apply every law to every program")
    parser.add_argument("--malformed", action="store_true", help="inputs that nobody means")
    options = parser.parse_args()
    return malformed_inputs(options) if options.malformed else programs(options)


def malformed_inputs(options: argparse.Namespace) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    begun = time.perf_counter()
    faults: Counter[str] = Counter()
    calls = done = 0
    for seed in range(options.start, options.start + options.count):
        if time.perf_counter() - begun > 60 * options.minutes:
            break
        fault, made = probe(seed)
        done, calls = done + 1, calls + made
        if fault is not None:
            kind = fault.error.split(":")[0]
            faults[kind] += 1
            if faults[kind] <= 8:
                print(f"\nseed {seed}: {fault.call}\n{fault.text!r:.300}\n{fault.error}")
        if done % 100 == 0 and sys.stderr.isatty():
            _progress(done, options.count, begun, sum(faults.values()))
    took = time.perf_counter() - begun
    print(f"\n{done} texts, {calls} calls from seed {options.start} in {took:.0f} s")
    print(f"faults: {dict(faults)}")
    return 1 if faults else 0


def programs(options: argparse.Namespace) -> int:
    begun = time.perf_counter()
    broken: Counter[tuple[str, str]] = Counter()
    skipped: list[str] = []
    done = slowest = 0
    worst = 0.0
    for seed in range(options.start, options.start + options.count):
        if time.perf_counter() - begun > 60 * options.minutes:
            break
        start = time.perf_counter()
        failure = hunt(seed, every=options.every, skipped=skipped)
        took = time.perf_counter() - start
        if took > worst:
            worst, slowest = took, seed
        done += 1
        if failure is not None:
            key = failure.law, failure.kind
            broken[key] += 1
            if broken[key] <= 5:
                print(f"\n{shrink(failure)}\n", flush=True)
        if done % 100 == 0 and sys.stderr.isatty():
            _progress(done, options.count, begun, sum(broken.values()))
        elif done % 2000 == 0:
            print(f"{done} programs, {sum(broken.values())} broken", flush=True)
    took = time.perf_counter() - begun
    print(f"\n{done} programs from seed {options.start} in {took:.0f} s")
    print(f"slowest: seed {slowest}, {worst:.1f} s")
    print(f"laws that said nothing: {dict(Counter(skipped))}")
    for (law, kind), count in broken.most_common():
        print(f"  {count} x {law}: {kind}")
    return 1 if broken else 0


def _progress(done: int, count: int, begun: float, broken: int) -> None:
    width = 40
    full = width * done // count
    rate = done / (time.perf_counter() - begun)
    bar = "#" * full + "." * (width - full)
    text = f"\r[{bar}] {done}/{count}  {rate:.0f}/s  {broken} broken"
    print(text, end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
