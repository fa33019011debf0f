"""Whether the tests would notice: `nice python -m tests.fuzz.mutants matderiv/calculus`.

One expression of the engine is turned at a time (`turns.py`).  Everything is imported and
collected once; then each test is run to see which statements it executes, and each mutant
in a process forked from there, against the tests that reach it: first the fastest of each
test function, then the next fastest of each, until one fails.  A test that takes five times
its own time is timed out, which counts as noticed by some and is counted apart.  A mutant
survives what was run: all tests that reach it, or those that fit into `--seconds`.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

import pytest

from tests.fuzz.explained import explained, key_of, stale
from tests.fuzz.turns import ROOT, Engine, Mutant, mutants, observed

__all__ = ["Hunt"]

TESTS = [
    *("tests/tensor", "tests/calculus", "tests/loops/test_derivatives.py"),
    *("tests/loops/test_prints.py", "tests/program/test_tables.py", "tests/fuzz/test_found.py"),
    *("tests/test_corpus.py", "tests/language/test_corpus.py", "tests/notation/test_prints.py"),
    *("tests/notation/test_weight.py", "tests/notation/test_lengths.py"),
    "tests/notation/test_derivatives.py",
    *("tests/program/test_compressed.py", "tests/test_results.py", "tests/test_limits.py"),
    "tests/test_every_rule.py",
    *("matderiv/tensor", "matderiv/calculus"),
]
PATHS = ["matderiv/calculus", "matderiv/tensor"]
_SLOWEST = 1.5  # seconds of a test; slower ones are left out
_FORKS_BADLY = ("jax", "torch")
_MEMORY = 6 << 30
Say = Callable[[str], None]


class Hunt:
    """A plugin that runs tests again and again, in the place of pytest's loop."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.ends: Counter[str] = Counter()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        places = [ROOT / path for path in self.options.paths]
        found = {f for place in places for f in ([place] if place.suffix else place.rglob("*.py"))}
        self.files = sorted(found)
        self.engine = Engine(self.files)
        gc.freeze()  # children share what is here, as long as they do not touch it
        self.items = {
            item.nodeid: item
            for item in session.items
            if not any(word in item.nodeid for word in _FORKS_BADLY)
        }
        self._hunt(self._reached())
        return True

    # ----- which tests reach what -----------------------------------------------------
    def _reached(self) -> dict[str, tuple[float, dict[str, list[int]]]]:
        """Test -> its seconds, and the sites in each file; kept between runs."""
        digest = hashlib.sha256("\n".join(self.items).encode())
        for file in sorted({*self.files, *(item.path for item in self.items.values())}):
            digest.update(file.read_bytes())
        kept = Path(tempfile.gettempdir()) / f"matderiv-reached-{digest.hexdigest()[:16]}.json"
        if not kept.exists():
            names, count = list(self.items), self.options.workers
            jobs = [lambda say, k=k: self._record(names[k::count], say) for k in range(count)]
            found = dict(json.loads(line) for _, _, lines in _forked(jobs, count) for line in lines)
            print(f"{len(found)} tests of {len(names)} pass, and were recorded", flush=True)
            kept.write_text(json.dumps(found), "utf-8")
        return dict(json.loads(kept.read_text("utf-8")))

    def _record(self, names: Sequence[str], say: Say) -> None:
        seen: dict[str, set[int]] = {
            file.relative_to(ROOT).as_posix(): set() for file in self.files
        }
        for file, sites in zip(self.files, seen.values(), strict=True):
            self.engine.install(file, observed(file), __seen__=sites.add)
        for name in names:
            for sites in seen.values():
                sites.clear()
            begun = time.process_time()
            if self._passes(name, None):
                reach = {file: sorted(sites) for file, sites in seen.items() if sites}
                say(json.dumps([name, [time.process_time() - begun, reach]]))

    def _passes(self, name: str, following: str | None) -> bool:
        item = self.items[name]
        before = item.session.testsfailed
        then = self.items[following] if following else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=then)
        return item.session.testsfailed == before

    # ----- the mutants ----------------------------------------------------------------
    def _hunt(self, reached: dict[str, tuple[float, dict[str, list[int]]]]) -> None:
        times = {name: seconds for name, (seconds, _) in reached.items() if seconds <= _SLOWEST}
        tests: dict[tuple[str, int], list[str]] = defaultdict(list)
        for name in sorted(times, key=times.__getitem__):
            for file, sites in reached[name][1].items():
                for site in sites:
                    tests[file, site].append(name)
        every = self._wanted()
        found: Counter[str] = Counter()  # test -> mutants that it has noticed so far

        def jobs() -> Iterator[Callable[[Say], int]]:
            for mutant in every:
                reaching = tests[mutant.file, mutant.site]
                chosen, whole = _chosen(reaching, times, found, self.options.seconds)
                yield lambda say, m=mutant, c=chosen, w=whole: self._try(m, c, w, times, say)

        ends_at = time.monotonic() + 60 * self.options.minutes
        with Path(self.options.log).open("a", encoding="utf-8") as log:
            for place, status, lines in _forked(jobs(), self.options.workers, ends_at):
                test = lines[-1] if lines else ""
                end = _ENDS.get(os.waitstatus_to_exitcode(status), "timed out")
                self.ends[end] += 1
                found[test] += end == "noticed"
                print(json.dumps([end, str(every[place]), test]), file=log, flush=True)
                if end.startswith("survived"):
                    print(every[place], flush=True)
                if sum(self.ends.values()) % 100 == 0:
                    print(f"{sum(self.ends.values())}: {dict(self.ends)}", flush=True)
        print(f"{sum(self.ends.values())} of {len(every)} mutants: {dict(self.ends)}")

    def _wanted(self) -> list[Mutant]:
        """The mutants in random order, without those that are explained or in the log."""
        every = [mutant for file in self.files for mutant in mutants(file)]
        if self.options.only:
            wanted = set(Path(self.options.only).read_text("utf-8").splitlines())
            every = [mutant for mutant in every if str(mutant) in wanted]
        else:
            reasons = explained()
            for entry in stale(every) if self.options.paths == PATHS else ():
                print("explained, and not there:", *entry, sep="\n  ", flush=True)
            every = [mutant for mutant in every if key_of(mutant) not in reasons]
        random.Random(self.options.seed).shuffle(every)
        log = Path(self.options.log)
        lines = log.read_text("utf-8").splitlines() if log.is_file() else []
        done = {json.loads(line)[1] for line in lines}
        return [mutant for mutant in every if str(mutant) not in done]

    def _try(
        self,
        mutant: Mutant,
        names: Sequence[str],
        whole: bool,
        times: dict[str, float],
        say: Say,
    ) -> int:
        if not names:
            return 5
        if not self.engine.install(mutant.path, mutant.tree()):
            return 6
        for name, following in zip(names, [*names[1:], None], strict=True):
            say(name)
            signal.setitimer(signal.ITIMER_PROF, 1 + 5 * times[name])
            if not self._passes(name, following):
                return 2
        return 3 if whole else 4


_ENDS = {
    1: "noticed",
    2: "noticed",
    3: "survived",
    4: "survived some tests",
    5: "not reached",
    6: "not installed",
}


def _chosen(
    names: Sequence[str], times: dict[str, float], found: Counter[str], seconds: float
) -> tuple[list[str], bool]:
    """Tests, sorted by time, in the order in which they are run; and whether these are all.

    First those that have noticed most mutants in little time, then some of each function.
    """
    turn: Counter[str] = Counter()
    ranks = {}
    for name in names:
        function = name.partition("[")[0]
        ranks[name] = turn[function]
        turn[function] += 1
    best = sorted(names, key=lambda name: -found[name] / (times[name] + 0.01))[:40]
    order = {name: -1 for name in best if found[name]}
    chosen, total = [], 0.0
    for name in sorted(names, key=lambda n: (order.get(n, ranks[n] // 4), times[n])):
        total += times[name]
        if total > seconds and chosen:
            return chosen, False
        chosen.append(name)
    return chosen, True


def _forked(
    jobs: Iterable[Callable[[Say], int | None]], workers: int, ends_at: float = float("inf")
) -> Iterator[tuple[int, int, list[str]]]:
    """Jobs in processes of their own: place, status at the end, what the job has said."""
    running: dict[int, tuple[int, TextIO]] = {}
    waiting = iter(enumerate(jobs))
    while True:
        while len(running) < workers and time.monotonic() < ends_at:
            place, job = next(waiting, (-1, None))
            if job is None:
                break
            said = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
            child = os.fork()
            if not child:
                _alone(job, said)
            running[child] = place, said
        if not running:
            return
        child, status = os.wait()
        place, said = running.pop(child)
        with said:
            said.seek(0)
            yield place, status, said.read().splitlines()


def _alone(job: Callable[[Say], int | None], said: TextIO) -> None:
    """Run a job in this process and leave it."""
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    status: int | None = 1
    try:
        status = job(lambda line: print(line, file=said, flush=True))
    finally:
        said.flush()
        os._exit(status or 0)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.mutants")
    parser.add_argument("paths", nargs="*", default=PATHS)
    parser.add_argument("--tests", nargs="*", default=TESTS)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--seconds", type=float, default=20, help="of tests for one mutant")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="a file of mutants, as they are printed")
    parser.add_argument(
        "--log", default=os.devnull, help="lines of JSON; what it has is not run again"
    )
    options = parser.parse_args()
    os.chdir(ROOT)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # threads do not survive a fork
    quiet = ["-q", "-s", "--tb=no", "--assert=plain", "-p", "no:cacheprovider"]
    return int(pytest.main([*quiet, *options.tests], plugins=[Hunt(options)]))


if __name__ == "__main__":
    sys.exit(main())
