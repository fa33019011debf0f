"""`matderiv bench`: the rates of the machine, a time and a floor for each function."""

from __future__ import annotations

import pytest

import matderiv as md
from matderiv import bench as module
from matderiv.bench import Rates, Timing, bench
from matderiv.commands import main


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SECONDS", 0.0)
    monkeypatch.setattr(module, "measure_rates", lambda: Rates(flops=1e10, bytes=1e10, call=1e-6))


def test_each_function_has_a_time_and_a_floor() -> None:
    heard: list[str] = []
    program = md.parse("X: (n, d); w: (d)\nsoftmax(X w)")
    found = bench(program, ["w"], {"n": 30, "d": 20}, report=heard.append)
    assert [timing.function for timing in found] == ["forward", "value_and_grad", "derivative"]
    assert all(timing.seconds > 0 and timing.floor > 0 for timing in found)
    assert found[0].bytes == 8 * (30 * 20 + 20 + 30)
    assert "timing derivative" in heard


def test_the_command_prints_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "||X w - y||^2", "wrt", "w", "--at", "n=40,m=10"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("this machine: 10.0 GFLOP/s in a product, 10.0 GB/s in a copy")
    assert "value_and_grad" in printed


def test_the_bound_is_the_longest_of_three_times() -> None:
    rates = Rates(flops=1e9, bytes=1e9, call=1e-6)
    bounds = {
        "FLOPs": Timing("f", 1.0, flops=1e9, bytes=1e3, rate=1e9, calls=3, rates=rates),
        "memory": Timing("f", 1.0, flops=1e3, bytes=1e9, rate=1e9, calls=3, rates=rates),
        "calls": Timing("f", 1.0, flops=1e3, bytes=1e3, rate=1e9, calls=9, rates=rates),
    }
    assert {timing.bound for timing in bounds.values()} == set(bounds)
    assert all(timing.bound == bound for bound, timing in bounds.items())
    assert bounds["FLOPs"].floor == 1.0


def test_a_copy_of_what_fits_in_a_cache_has_a_rate_of_its_own() -> None:
    program = md.parse("X: (n, d); w: (d)\nX w")
    (found, *_) = bench(program, ["w"], {"n": 30, "d": 20})
    assert found.rate > 0
    assert found.calls == 1


def test_a_missing_size_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "||X w - y||^2", "wrt", "w", "--at", "n=40"]) == 2
    assert "no size is given for m" in capsys.readouterr().err


def test_sizes_beyond_memory_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "||X w - y||^2", "wrt", "w", "--at", "n=100000000,m=1000"]) == 2
    assert "GiB" in capsys.readouterr().err
