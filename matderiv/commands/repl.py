"""`matderiv repl`: a program line by line, and commands on it.

    matderiv> h = relu(x W)
    matderiv> ||h||^2
    matderiv> wrt W

Python's `readline` gives history and completion where the system has it.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from matderiv.commands.command import Namespace, command
from matderiv.commands.options import SHAPE
from matderiv.commands.terminal import show
from matderiv.errors import MatderivError, ParseError

__all__ = ["Session", "repl"]

PROMPT, MORE = "matderiv> ", "     ...> "
HELP = """\
A line is a statement (h = relu(x W), x: (n, d), f(t) = t^2) or a formula; a line that ends
in an operator, a comma or an open bracket goes on in the next.  On the program so far:
  wrt W [--order 2 …]          its derivative, with the options of matderiv diff
  flops wrt W, steps wrt W …   any other command, without the formula
  verify wrt W equals FORMULA
  show, undo, clear, help, quit"""
_STATEMENT = re.compile(
    r"\s*(?:repeat\s+\w|(?P<name>\w+)\s*=|\w+\([\w\s,]*\)\s*=|\w+(\s*,\s*\w+)*\s*(?::|∈|in\s))"
)


class Session:
    """The statements and the formula so far; `answer` takes a line, or lines, and prints.

    >>> session = Session()
    >>> session.answer("h = X w")
    h: (n,)
    >>> session.answer("||h||^2")
    hᵀ h
    where h = X w
    inferred X: (n, m), w: (m)
    >>> session.answer("wrt w --format ascii")
    2 X' h where h = X w
    """

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.formula = ""

    @property
    def program(self) -> str:
        return "\n".join([*self.statements, *([self.formula] if self.formula else [])])

    def answer(self, text: str) -> None:
        """Add a statement or a formula, or run a command on the program."""
        from matderiv.commands import COMMANDS

        text = text.strip()
        first = (text.split() or [""])[0]
        try:
            if first in ("show", "undo", "clear", "help") and text == first:
                self._manage(first)
            elif first in (*COMMANDS, "wrt", "steps") and not _STATEMENT.match(text):
                self._command(text)
            elif _STATEMENT.match(text):
                self._state(text)
            elif text:
                formula, wrt, rest = text.partition(" wrt ")
                self._value(formula)
                if wrt:
                    self._command(f"wrt {rest}")
        except MatderivError as error:
            show(error, "error", error=True)

    def _manage(self, word: str) -> None:
        if word == "help":
            print(HELP)
        elif word == "show":
            print(self.program or "nothing yet")
        elif word == "clear":
            self.statements, self.formula = [], ""
        elif self.formula:
            self.formula = ""
        elif self.statements:
            self.statements.pop()

    def _state(self, text: str) -> None:
        """A statement; another one of the same name takes the place of the first."""
        from matderiv.api import parse
        from matderiv.tensor.dims import shape_text

        match = _STATEMENT.match(text)
        name = match["name"] if match else None
        kept = list(self.statements)
        heads = [found and found["name"] for found in map(_STATEMENT.match, kept)]
        at = heads.index(name) if name in heads and name else len(kept)
        kept[at : at + 1] = [text]
        lines = "\n".join(kept[: at + 1] if name else [*kept, "0"])
        output = parse(lines).output
        if name:
            show(f"{name}: {shape_text(output.shape)}", "note")
        self.statements = kept

    def _value(self, text: str) -> None:
        from matderiv.api import parse

        program = parse("\n".join([*self.statements, text]))
        self.formula = text
        show(program, "formula")
        for note in program.notes:
            show(note, "note")

    def _command(self, text: str) -> None:
        from matderiv.commands import COMMANDS, main

        text, equals, claim = text.partition(" equals ")
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise ParseError(f"{error}".lower()) from None
        if words[0] == "wrt":
            words.insert(0, "diff")
        elif words[0] == "steps":
            words = ["diff", *words[1:], "--steps"]
        if "EXPR" in COMMANDS[words[0]].words and self.program:
            words.insert(1, self.program)
        with suppress(SystemExit):  # the command has said what is wrong
            main([*words, *(["equals", claim.strip(' "')] if equals else [])])

    def completions(self, text: str) -> Iterable[str]:
        """What may follow these letters: commands, functions, names, options."""
        from matderiv.commands import COMMANDS
        from matderiv.language.functions import spellings

        options = (flag for each in COMMANDS["diff"].options for flag in each.flags)
        names = re.findall(r"\w+", self.program)
        known = {*COMMANDS, "wrt", "steps", *spellings(), *names, *options}
        return sorted(word for word in known if word.startswith(text))


@command(
    "repl",
    "a program line by line, with history, and commands on it",
    options=(SHAPE,),
    examples=("repl",),
    words="[EXPR]",
    timed=False,
)
def repl(options: Namespace) -> int:
    from matderiv.language.statements import is_unfinished

    session = Session()
    talks = sys.stdin.isatty()
    if talks:
        _remember(session)
        print("help lists what there is; Ctrl+D ends")
    if options.words:
        session.answer(" ".join(options.words))
    text = ""
    while True:
        try:
            line = input((MORE if text else PROMPT) if talks else "")
        except EOFError:
            if talks:
                print()
            session.answer(text)
            return 0
        except KeyboardInterrupt:
            print()
            text = ""
            continue
        if not text and line.strip() in ("quit", "exit"):
            return 0
        text = f"{text}\n{line}" if text else line
        if line.strip() and is_unfinished(text):
            continue
        session.answer(text)
        text = ""


def _remember(session: Session) -> None:
    """History from one time to the next, and completion, where there is readline."""
    try:
        import readline
    except ImportError:
        return
    import atexit
    import os

    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    history = Path(state) / "matderiv" / "history"
    with suppress(OSError):
        history.parent.mkdir(parents=True, exist_ok=True)
        readline.read_history_file(history)
    readline.set_history_length(1000)
    readline.set_completer_delims(" \t\n()[]{},;=+*/@'")
    readline.parse_and_bind("tab: complete")
    readline.set_completer(lambda text, k: dict(enumerate(session.completions(text))).get(k))

    def save() -> None:
        with suppress(OSError):
            readline.write_history_file(history)

    atexit.register(save)
