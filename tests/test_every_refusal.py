"""The wording of every error outside the language, whole, with caret and hint.

tests/golden/refusals.txt holds calls, after ">>> ", and command lines, after "$ ", each with
what it says.  After a change of wording `python -m tests.test_every_refusal` writes it anew;
read the diff.  The messages of the language are held by tests/language.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv.commands import read_options
from matderiv.commands.repl import Session
from matderiv.errors import MatderivError
from matderiv.notebook import answer
from matderiv.pictures import computation_graph, timeline
from matderiv.reports.modes import compare
from matderiv.serve import serve
from matderiv.serve.mathematics import copy
from matderiv.serve.requests import Request

ROOT = Path(md.__file__).parent
GOLDEN = Path(__file__).parent / "golden" / "refusals.txt"
# Those of the engine have tests of their own; what the page is told is in tests/serve.
ELSEWHERE = (
    "language",
    "tensor",
    "calculus",
    "notation",
    "program",
    "sympy_bridge",
    "wrappers",
    "serve/answers.py",
    "serve/server.py",
)
# Raised where the engine itself is wrong, or the machine is at its end: no input does it.
UNREACHABLE = {
    "check.py": ["an array is too large to check"],
    "notebook.py": ["the derivative is not shown"],
    "commands/completion.py": ["written by shtab, which is not installed"],
    "pictures/picture.py": ["laid out by grandalf, which is not installed"],
    "source.py": ["the arrays are too large"],
}
NAMES: dict[str, Any] = {
    "md": md,
    "np": np,
    "Session": Session,
    "answer": answer,
    "copy": copy,
    "compare": compare,
    "serve": serve,
    "Request": Request,
    "computation_graph": computation_graph,
    "timeline": timeline,
}


def blocks() -> list[str]:
    """The calls and command lines of the golden file."""
    return re.findall(r"^(?:>>>|\$) .*$", GOLDEN.read_text("utf-8"), re.MULTILINE)


def error_of(block: str) -> MatderivError:
    """The error that a block raises."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            if block.startswith(">>> "):
                eval(block[4:], dict(NAMES))
            else:
                options = read_options(shlex.split(block[2:])[1:])
                with md.limits(seconds=getattr(options, "seconds", None)):
                    options.run(options)
    except MatderivError as error:
        return error
    raise AssertionError(f"nothing is raised by {block}")


@contextlib.contextmanager
def folder(path: Path) -> Iterator[None]:
    """Where files are written: one of them is there already."""
    with contextlib.chdir(path):
        Path("there.py").write_text("", encoding="utf-8")
        yield


def page() -> str:
    return "\n".join(f"{block}\n{error_of(block)}\n" for block in blocks())


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MatderivError]:
    with folder(tmp_path_factory.mktemp("refusals")):
        return {block: error_of(block) for block in blocks()}


def test_every_wording(found: dict[str, MatderivError]) -> None:
    stored = dict(
        block.split("\n", 1)
        for block in re.split(r"\n\n(?=>>> |\$ )", GOLDEN.read_text("utf-8").strip())
    )
    assert {block: str(error) for block, error in found.items()} == stored


def test_a_caret_stands_in_the_line_above_it(found: dict[str, MatderivError]) -> None:
    for error in found.values():
        if error.span is not None and error.source is not None:
            lines = str(error).splitlines()
            assert set(lines[2].strip()) == {"^"}
            assert len(lines[2]) <= len(lines[1]) + 1


def sites() -> dict[tuple[str, int], str]:
    """Every raise of one of our errors outside the language and the engine."""
    made = {}
    for path in ROOT.rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        if name in ELSEWHERE or name.split("/")[0] in ELSEWHERE:
            continue
        source = path.read_text("utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                called = ast.unparse(node.exc.func)
                if called.endswith("Error") and called != "AssertionError":
                    for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                        made[name, line] = f"{name}:{node.lineno}: {ast.unparse(node.exc)}"
    return made


def raised_at(error: BaseException) -> Iterator[tuple[str, int]]:
    """The places of an error and of those it was made from."""
    while error is not None:
        trace = error.__traceback__
        while trace is not None:
            path = Path(trace.tb_frame.f_code.co_filename)
            if path.is_relative_to(ROOT):
                yield path.relative_to(ROOT).as_posix(), trace.tb_lineno
            trace = trace.tb_next
        error = error.__context__  # type: ignore[assignment]


def test_every_place_that_refuses_is_reached(found: dict[str, MatderivError]) -> None:
    known = sites()
    reached = {known[at] for error in found.values() for at in raised_at(error) if at in known}
    missing = {
        text
        for (name, _), text in known.items()
        if text not in reached and not any(words in text for words in UNREACHABLE.get(name, ()))
    }
    assert not missing, "\n".join(sorted(missing))


if __name__ == "__main__":
    import tempfile

    with folder(Path(tempfile.mkdtemp())):
        text = page()
    GOLDEN.write_text(text, encoding="utf-8")
