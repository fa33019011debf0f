"""A bounded hunt at every run of the tests; the long one is `python -m tests.fuzz`."""

from __future__ import annotations

import os
import time

import pytest

from tests.fuzz import malformed, oracles
from tests.fuzz.explained import stale
from tests.fuzz.grow import grow
from tests.fuzz.hunt import broken, hunt, shrink
from tests.fuzz.mutants import PATHS
from tests.fuzz.oracles import Case, Disagreement
from tests.fuzz.rules import RULES
from tests.fuzz.trees import Loop
from tests.fuzz.turns import ROOT, mutants

# MATDERIV_SEED=… runs other programs than those of every day.
START = int(os.environ.get("MATDERIV_SEED", "0"))
SECONDS = 12.0


def test_random_programs_obey_the_laws(capsys: pytest.CaptureFixture[str]) -> None:
    begun, seed = time.perf_counter(), START
    while time.perf_counter() - begun < SECONDS:
        failure = hunt(seed)
        if failure is not None:
            pytest.fail(str(shrink(failure)))
        seed += 1
    with capsys.disabled():
        print(f"\nfuzz: programs of seeds {START} to {seed - 1} obey the laws")
    assert seed > START + 20


def test_malformed_inputs_are_answered_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    begun, seed, made = time.perf_counter(), START, 0
    while time.perf_counter() - begun < SECONDS:
        fault, calls = malformed.probe(seed)
        assert fault is None, fault
        seed, made = seed + 1, made + calls
    with capsys.disabled():
        print(f"\nfuzz: {made} malformed inputs of seeds {START} to {seed - 1} are refused well")
    assert made > 100


def test_a_seed_is_one_program() -> None:
    for seed in range(20):
        assert grow(seed).text() == grow(seed).text()


def test_programs_reach_the_whole_grammar() -> None:
    """Every rule of the fuzzer that has a weight is used by some of the first programs."""
    used = set()
    for seed in range(6000):
        program = grow(seed)
        trees = [program.output]
        trees += [b.start if isinstance(b, Loop) else b for _, b in program.statements]
        used |= {part.text for tree in trees for part in tree.walk()}
    missing = {entry.text for entry in RULES if entry.weight} - used
    assert not missing


def test_a_broken_law_is_found_and_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_inverse(case: Case) -> None:
        if "^-1" in case.program.body():
            raise Disagreement("planted: an inverse")

    monkeypatch.setattr(oracles, "LAWS", {no_inverse: 1})
    monkeypatch.setattr("tests.fuzz.hunt.LAWS", {no_inverse: 1})
    program = next(p for p in map(grow, range(500)) if "^-1" in p.body() and len(p.body()) > 60)
    names = sorted(program.inputs)
    failure = broken(no_inverse, Case(program, names[0]), 0)
    assert failure is not None
    smaller = shrink(failure).program.body()
    assert "^-1" in smaller
    assert len(smaller) < 25


def test_every_explained_mutant_is_there() -> None:
    """A line that changed takes its explanation with it: it is read again, and run."""
    every = [m for path in PATHS for file in (ROOT / path).rglob("*.py") for m in mutants(file)]
    assert not stale(every)
