"""`matderiv bench`: the rates of the machine, a time and a floor for each function."""

from __future__ import annotations

import pytest

import matderiv as md
from matderiv import bench as module
from matderiv.bench import Rates, bench
from matderiv.commands import main


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SECONDS", 0.0)
    monkeypatch.setattr(module, "measure_rates", lambda: Rates(flops=1e10, bytes=1e10))


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
    assert printed.startswith("this machine: 10.0 GFLOP/s, 10.0 GB/s")
    assert "value_and_grad" in printed


def test_a_missing_size_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "||X w - y||^2", "wrt", "w", "--at", "n=40"]) == 2
    assert "no size is given for m" in capsys.readouterr().err


def test_sizes_beyond_memory_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "||X w - y||^2", "wrt", "w", "--at", "n=100000000,m=1000"]) == 2
    assert "GiB" in capsys.readouterr().err
