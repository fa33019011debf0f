"""`matderiv repl`, in a terminal and in a pipe."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from matderiv.commands.repl import MORE, PROMPT, Session
from matderiv.language.statements import is_unfinished
from tests.commands.screen import Screen


def said(lines: Sequence[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What a session says to each line, with standard error."""
    session, answers = Session(), []
    for line in lines:
        session.answer(line)
        printed = capsys.readouterr()
        answers.append((printed.out + printed.err).strip())
    return answers


def test_a_program_grows_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    answers = said(
        ["X: (n, d)", "h = tanh(X w)", "||h||^2", "wrt w --format ascii", "flops wrt w"], capsys
    )
    assert answers[0] == ""
    assert answers[1] == "h: (n,)"
    assert answers[2].startswith("hᵀ h\nwhere h = tanh(X w)")
    assert answers[3] == "2 X' (h - h.^3) where h = tanh(X w)"
    assert "tanh" in answers[4]


def test_a_name_is_given_again(capsys: pytest.CaptureFixture[str]) -> None:
    answers = said(["h = X w", "g = h' h", "h = 2 X w", "g wrt w --format ascii"], capsys)
    assert answers[2] == "h: (n,)"
    assert answers[3].splitlines()[-1] == "4 X' h where h = 2 X w"


def test_what_is_wrong_is_not_kept(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session()
    for line in ("h = X w", "h h", "k = h h", "dif wrt w", "flops wrt q", "verify wrt w"):
        session.answer(line)
    assert session.program == "h = X w"
    err = capsys.readouterr().err
    assert err.count("ShapeError") == 2
    assert "'q' does not occur" in err
    assert "verify wants the claimed formula after equals" in err


def test_commands_of_the_session(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["x' A x", "show", "undo", "show", "h = x", "undo", "show", "y' y", "clear", "show"]
    answers = said(lines, capsys)
    assert answers[1] == "x' A x"
    assert [answers[k] for k in (3, 6, 9)] == ["nothing yet"] * 3


def test_a_formula_and_what_to_do_with_it_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    (answer,) = said(["x' A x wrt x --format ascii"], capsys)
    assert answer.splitlines()[-1] == "(A + A') x"


def test_steps_and_claims(capsys: pytest.CaptureFixture[str]) -> None:
    answers = said(["x' A x", "steps wrt x", "verify wrt x equals (A + A') x"], capsys)
    assert "Result" in answers[1]
    assert answers[2].startswith("right")


@pytest.mark.parametrize("text", ["||X w -", "relu(X", "f =", "x,", "repeat l in N {", "A @\n"])
def test_a_text_that_is_not_at_its_end(text: str) -> None:
    assert is_unfinished(text)


@pytest.mark.parametrize("text", ["", "x y", "relu(X)", "x)", "x'", "h = A x", "x: (n, d)"])
def test_a_text_that_is(text: str) -> None:
    assert not is_unfinished(text)


def test_the_session_in_the_docs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text("utf-8")
    (block,) = re.findall(rf"```text\n({PROMPT}.*?)```", page, re.DOTALL)
    entries = block.replace(f"\n{MORE}", "\0").split(PROMPT)[1:]
    lines = [entry.partition("\n")[0].replace("\0", "\n") for entry in entries]
    assert said(lines, capsys) == [entry.partition("\n")[2].strip() for entry in entries]


def test_completions_are_names_functions_commands_and_options() -> None:
    session = Session()
    session.answer("logits = X W")
    assert {"log", "logdet", "logits"} <= set(session.completions("log"))
    assert {"flops"} <= set(session.completions("fl"))
    assert {"--layout"} <= set(session.completions("--la"))


def test_in_a_terminal(tmp_path: Path) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path), "NO_COLOR": "1"}
    with Screen("repl", **state) as screen:
        screen.wait_for(PROMPT)
        screen.type("||X w -\n")
        screen.wait_for(MORE)
        screen.type("y||^2\n")
        assert "‖X w - y‖²" in screen.wait_for(PROMPT)
        screen.type("wrt w\n")
        assert "2 Xᵀ(X w - y)" in screen.wait_for(PROMPT)
        screen.type("softm\t")
        screen.wait_for("softmax")
        screen.settle()
        screen.type("\x03")  # Ctrl+C gives a new line
        screen.wait_for(PROMPT)
        screen.type("x y\n")
        assert "ShapeError" in screen.wait_for(PROMPT)
        screen.type("\x04")  # Ctrl+D ends
        assert screen.rest() == 0
    assert "wrt w\n" in (tmp_path / "matderiv" / "history").read_text("utf-8")
    with Screen("repl", **state) as again:
        again.wait_for(PROMPT)
        again.type("\x1b[A")  # the line before
        again.wait_for("x y")
        again.settle()
        again.type("\x03")
        again.wait_for(PROMPT)
        again.type("\x04")
        assert again.rest() == 0
