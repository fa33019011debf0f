"""The documentation is true: its transcripts, its examples and its diffs are run.

A ```console block holds commands after "$ " and what they print.  After a change of the
output, `python tests/test_docs.py` writes the new one into every page, and the table of
functions anew; read the diff.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import runpy
import shlex
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from matderiv.commands import main
from matderiv.language.functions import function_table, spellings

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DIFF = re.compile(r"^```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


# ---- transcripts -----------------------------------------------------------------------


def commands(block: str) -> Iterator[tuple[str, str]]:
    """The commands of a block, each with what it prints."""
    command, printed = "", list[str]()
    for line in block.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, "\n".join(printed).strip("\n")
            command, printed = line[2:], []
        else:
            printed.append(line)
    if command:
        yield command, "\n".join(printed).strip("\n")


def run(command: str, status: int = 0) -> tuple[str, int]:
    """What a command prints on both streams, in this folder, and its exit status."""
    program, *arguments = shlex.split(command)
    printed = io.StringIO()
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        if program == "matderiv":
            status = main(arguments)
        elif program == "python" and arguments[0].startswith("examples/"):
            runpy.run_path(arguments[0], run_name="__main__")
        elif program == "python":
            made = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
            print(made.stdout + made.stderr, end="")
            status = made.returncode
        elif program == "cat":
            print(Path(arguments[0]).read_text("utf-8"), end="")
        elif command == "echo $?":
            print(status)
        else:
            raise ValueError(f"the pages do not run {program!r}")
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    return "\n".join(lines).strip("\n"), status


def settled(text: str) -> str:
    """Rounding differs between machines."""
    return re.sub(r"relative error [0-9.e+-]+", "relative error …", text)


def transcripts() -> list[tuple[str, str]]:
    return [
        (page.relative_to(ROOT).as_posix(), block)
        for page in PAGES
        for block in CONSOLE.findall(page.read_text("utf-8"))
    ]


@contextlib.contextmanager
def user_folder() -> Iterator[None]:
    """A folder of a user who has the examples and nothing else, for one transcript."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        Path("examples").symlink_to(ROOT / "examples")
        yield


@pytest.mark.parametrize("page, block", transcripts())
def test_transcript_is_what_the_command_prints(page: str, block: str) -> None:
    status = 0
    with user_folder():
        for command, printed in commands(block):
            found, status = run(command, status)
            assert settled(found) == settled(printed), f"{page}: $ {command}"


def rewrite(page: Path) -> None:
    """Put the present output of the commands into a page."""

    def fresh(match: re.Match[str]) -> str:
        status, lines = 0, []
        with user_folder():
            for command, _ in commands(match[1]):
                found, status = run(command, status)
                lines += [f"$ {command}", *([found] if found else [])]
        return "```console\n" + "\n".join(lines) + "\n```"

    text = page.read_text("utf-8")
    page.write_text(CONSOLE.sub(fresh, text), encoding="utf-8")


# ---- examples --------------------------------------------------------------------------


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_says_what_it_is(path: Path) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        module = runpy.run_path(str(path), run_name="__main__")
    assert printed.getvalue().strip()
    assert module["__doc__"]


def test_examples_are_listed() -> None:
    listed = (ROOT / "examples" / "README.md").read_text("utf-8")
    for path in EXAMPLES:
        assert f"`{path.name}`" in listed


# ---- the README ------------------------------------------------------------------------


def test_readme_begins_with_two_commands() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert readme.index("```") == readme.index("```sh")
    first, second = SHELL.findall(readme)[0].splitlines()
    assert first.endswith('matderiv diff "||Xw - y||^2" wrt w')
    assert second.endswith(".venv/bin/python -m pytest -q -n auto")


def test_what_the_readme_offers_runs() -> None:
    """Each command in the table of the first screen, in a user's folder."""
    screen = (ROOT / "README.md").read_text("utf-8").split("## What it does")[0]
    offered = re.findall(r"`(matderiv [^`]*\bwrt\b[^`]*)`", screen)
    assert len(offered) >= 6
    with user_folder():
        for command in offered:
            printed, status = run(command)
            assert status == (1 if "verify" in command else 0), printed


def test_what_is_not_there_is_refused() -> None:
    """Each command under "Not there yet" ends in an UnsupportedError, status 2."""
    section = (ROOT / "README.md").read_text("utf-8").split("## Not there yet")[1]
    found = re.findall(r"^\| .* \| `(matderiv .*)` \|$", section, re.MULTILINE)
    assert found
    for command in found:
        printed, status = run(command.replace(r"\|", "|"))
        assert status == 2, command
        assert printed.startswith("UnsupportedError"), (command, printed)


# ---- the pages about the language ------------------------------------------------------


def test_every_function_is_documented() -> None:
    page = (ROOT / "docs" / "functions.md").read_text("utf-8")
    missing = [spelling for spelling in spellings() if f"`{spelling}`" not in page]
    assert not missing
    for name in function_table():
        assert f"`{name}`" in page


def test_the_table_of_functions_is_fresh() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "functions.py"))["page"]()
    assert made == (ROOT / "docs" / "functions.md").read_text("utf-8"), (
        "run: python tests/test_docs.py"
    )


def test_the_reference_is_fresh() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "api.py"))["page"]()
    assert made == (ROOT / "docs" / "api.md").read_text("utf-8"), "run: python tests/test_docs.py"


def test_the_page_of_commands_is_fresh() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "commands.py"))["page"]()
    fresh = made == (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert fresh, "run: python tests/test_docs.py"


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(r"[\w-]+\.md", (ROOT / "mkdocs.yml").read_text("utf-8"))
    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


# ---- the diffs of CONTRIBUTING.md ------------------------------------------------------


def apply(diff: str, root: Path) -> None:
    """Apply a unified diff of one hunk; its context must be found exactly once."""
    path = re.search(r"^\+\+\+ b/(.*)$", diff, re.MULTILINE)
    assert path is not None
    hunk = [line for line in diff.splitlines() if not line.startswith(("---", "+++", "@@"))]
    before = "".join(f"{line[1:]}\n" for line in hunk if not line.startswith("+"))
    after = "".join(f"{line[1:]}\n" for line in hunk if not line.startswith("-"))
    target = root / path[1]
    text = target.read_text("utf-8")
    assert text.count(before) == 1, f"the context of the diff is not in {path[1]}"
    target.write_text(text.replace(before, after), encoding="utf-8")


def contribution(title: str, root: Path) -> None:
    """A copy of the package and its tests with the diffs of a section applied."""
    section = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split(f"## {title}")[1]
    diffs = DIFF.findall(section.split("\n## ")[0])
    assert diffs
    for folder in ("matderiv", "grammar", "tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in (".py", ".lark", ".typed", ".json"):
                copy = root / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
    (root / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    for diff in diffs:
        apply(diff, root)


def python(root: Path, *arguments: str) -> str:
    finished = subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_a_primitive_is_one_declaration(tmp_path: Path) -> None:
    """The diff alone makes it parse, differentiate, print, cost, compile and be tested."""
    contribution("Add a primitive", tmp_path)
    script = """
        import math
        import numpy as np
        import matderiv as md
        gradient = md.diff("sum(asinh(x))", "x")
        assert md.__file__.startswith({root!r})
        assert gradient.check()
        assert md.check("sum(asinh(A x))", "x", order=2)
        x = np.array([-2.0, 0.0, 3.0])
        np.testing.assert_allclose(gradient.evaluate({{"x": x}}), 1 / np.sqrt(1 + x * x))
        value = md.parse("asinh(x)")
        assert str(value) == "asinh(x)"
        assert r"asinh" in md.diff("asinh(α) asinh(β)", "α").to("latex")
        again = md.parse(gradient.to("ascii"))
        np.testing.assert_allclose(again.evaluate({{"x": x}}), 1 / np.sqrt(1 + x * x))
        compiled = md.compile("sum(asinh(x))", "x")
        total, gradients = compiled.value_and_grad({{"x": x}})
        assert math.isclose(float(total), float(np.arcsinh(x).sum()))
        np.testing.assert_allclose(gradients["x"], 1 / np.sqrt(1 + x * x))
        assert str(md.cost("asinh(x)").evaluations) == "{{'arcsinh': n}}"
    """
    python(tmp_path, "-c", textwrap.dedent(script).format(root=str(tmp_path)))
    laws = python(
        tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "asinh", "tests/tensor"
    )
    appeared = re.search(r"(\d+) passed", laws)
    assert appeared is not None
    assert int(appeared[1]) >= 3


def test_a_rewrite_rule_is_one_line_and_a_row_of_its_test(tmp_path: Path) -> None:
    contribution("Add a rewrite rule", tmp_path)
    script = """
        import numpy as np
        import matderiv as md
        assert md.__file__.startswith({root!r})
        program = md.parse("log1p(expm1(x))")
        assert str(program) == "x"
        assert str(md.diff("sum(log1p(expm1(x)))", "x")) == "𝟏"
        assert md.check("log1p(expm1(A x))", "x")
    """
    python(tmp_path, "-c", textwrap.dedent(script).format(root=str(tmp_path)))
    rules = "tests/tensor/test_rules.py"
    chosen = "log1p or every_rule"
    laws = python(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen, rules)
    passed = re.search(r"(\d+) passed", laws)
    assert passed is not None
    assert int(passed[1]) >= 3  # it fires, it keeps the value, and no rule is without a row


if __name__ == "__main__":
    for made in ("functions.py", "api.py", "commands.py"):
        table = runpy.run_path(str(ROOT / "docs" / made))
        table["TARGET"].write_text(table["page"](), encoding="utf-8")
    for each in PAGES:
        rewrite(each)
