"""What the command line says of itself: help with examples, and near misses."""

from __future__ import annotations

import argparse
import re
from difflib import get_close_matches
from typing import NoReturn

__all__ = ["EXAMPLES", "Parser"]

BAD = 2

EXAMPLES = """\
examples:
  matderiv diff "||Xw - y||^2" wrt w
  matderiv diff "||Xw - y||^2" wrt w --order 2
  matderiv diff "log det(X' X + λ I)" wrt X --format latex
  matderiv diff "tr(A X B)" wrt A B --layout numerator
  matderiv diff "X^-1" wrt X --form vjp
  matderiv diff "w' x + b" wrt w --shape b=
  matderiv flops "||X w - y||^2" wrt w --at n=1000,m=20
  matderiv memory "||tanh(X W) - Y||^2" wrt W --at n=1000,m=20
  matderiv compile "sum(log(1 + exp(-y ⊙ X w)))" wrt w
  matderiv check "softmax(A x)" wrt x
  matderiv verify "tr(A X B)" wrt X equals "A' B'"
  matderiv explain ShapeError
  matderiv serve

A formula may also be a file, or - for standard input.  Exit status: 0, 1 for a failed
check, 2 for bad input.
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, with what was probably meant."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD, f"{self.prog}: {_plain(message)}{self._meant(message)}\n")

    def _meant(self, message: str) -> str:
        wrong = re.search(r"invalid choice: '([^']*)'|arguments: (\S+)", message)
        if wrong is None:
            return f"; see {self.prog} --help"
        known = re.findall(r"[\w-]+", message.partition("choose from")[2])
        known = known or [name for name in self._option_string_actions if name.startswith("--")]
        word = wrong[1] or wrong[2].partition("=")[0]
        close = get_close_matches(word, known, n=1, cutoff=0.6)
        return f"; did you mean {close[0]}?" if close else f"; see {self.prog} --help"


def _plain(message: str) -> str:
    """argparse's words, without quotation marks around every choice."""
    message = message.removeprefix("argument ").replace("unrecognized arguments", "no option")
    message = message.replace("ambiguous option", "more than one option begins so")
    return re.sub(r"'([\w-]+)'", r"\1", message)
