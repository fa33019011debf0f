"""Shell completion, in the shells that are there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from matderiv.commands import COMMANDS, main
from matderiv.commands.completion import SHELLS

shtab = pytest.importorskip("shtab")
ROOT = Path(__file__).parents[2]

BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_shtab_matderiv
echo "${COMPREPLY[*]}"
"""


@pytest.fixture(params=SHELLS)
def script(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[str, Path]:
    assert main(["completion", request.param]) == 0
    path = tmp_path / request.param
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    return request.param, path


def test_a_script_names_every_command_and_option(script: tuple[str, Path]) -> None:
    shell, path = script
    text = path.read_text("utf-8")
    for name, command in COMMANDS.items():
        assert name in text
        for option in command.options:
            flag = option.flags[-1]
            assert (flag.removeprefix("--") if shell == "fish" else flag) in text


def test_the_shell_reads_it(script: tuple[str, Path]) -> None:
    shell, path = script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    assert subprocess.run([shell, "-n", str(path)], timeout=60).returncode == 0


@pytest.mark.parametrize(
    "words, found",
    [
        (["di"], "diff"),
        (["diff", "--la"], "--layout"),
        (["diff", "x", "wrt", "x", "--layout", "num"], "numerator"),
        (["flops", "x", "--format", "m"], "markdown"),
        (["diff", "READ"], "README.md"),
        (["plan", "x", "wrt", "x", "-o", "READ"], "README.md"),
    ],
)
def test_bash_completes(
    words: list[str], found: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["completion", "bash"])
    (tmp_path / "script").write_text(capsys.readouterr().out, encoding="utf-8")
    made = subprocess.run(
        ["bash", "-c", BASH, "bash", str(tmp_path / "script"), "matderiv", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert made.stdout.split() == [found]


def test_without_a_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion"]) == 2
    assert "for which shell?" in capsys.readouterr().err
    assert main(["completion", "tcsh"]) == 2
    assert "there is no shell 'tcsh'; the shells are bash, zsh, fish" in capsys.readouterr().err
