"""An argument parser whose errors are one line, with what was probably meant."""

from __future__ import annotations

import argparse
import re
from difflib import get_close_matches
from typing import NoReturn

__all__ = ["Parser"]

BAD = 2


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(BAD, f"{self.prog}: {_plain(message)}{self._meant(message)}\n")

    def _meant(self, message: str) -> str:
        wrong = re.search(r"invalid choice: '([^']*)'|arguments: (\S+)", message)
        if wrong is None:
            return f"; see {self.prog} --help"
        if wrong[1] is not None:
            return self._near(wrong[1], re.findall(r"[\w-]+", message.partition("choose from")[2]))
        word = wrong[2].partition("=")[0]
        if owners := _owners().get(word):
            return f"; it is one of {', '.join(owners)}"
        return self._near(word, [*self._option_string_actions])

    def _near(self, word: str, known: list[str]) -> str:
        close = get_close_matches(word, known, n=1, cutoff=0.6)
        return f"; did you mean {close[0]}?" if close else f"; see {self.prog} --help"


def _owners() -> dict[str, list[str]]:
    """Each option -> the commands that have it."""
    from matderiv.commands import COMMANDS

    found: dict[str, list[str]] = {}
    for command in COMMANDS.values():
        for option in command.options:
            for flag in option.flags:
                found.setdefault(flag, []).append(command.name)
    return found


def _plain(message: str) -> str:
    """argparse's words, without quotation marks around every choice."""
    message = message.removeprefix("argument ").replace("COMMAND: invalid choice", "no command")
    message = message.replace("unrecognized arguments: ", "there is no option ")
    message = message.replace("ambiguous option", "more than one option begins so")
    return re.sub(r"'([\w-]+)'", r"\1", message)
