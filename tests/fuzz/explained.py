"""Mutants that are the same program, or only slower: `explained.txt` says why of each.

    matderiv/tensor/canonical.py
      while stack and leaves < _BUDGET:
        comparison: leaves < _BUDGET
          The bound of a search: past it forms are right, not canonical.

A file, the text of a line in it, what is turned there (several may share a reason), and the
reason.  An entry is found by these texts, so one whose line has changed is stale: it is
printed by `python -m tests.fuzz.mutants`, and a test fails.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.fuzz.turns import Mutant

__all__ = ["Key", "explained", "key_of", "stale"]

Key = tuple[str, str, str]  # the file, the line without its indentation, what is turned
TABLE = Path(__file__).with_name("explained.txt")


def explained() -> dict[Key, str]:
    """Each explained mutant with its reason.

    >>> all(reason for reason in explained().values())
    True
    """
    reasons: dict[Key, str] = {}
    above = ["", ""]
    waiting: list[Key] = []
    for text in filter(str.strip, TABLE.read_text("utf-8").splitlines()):
        depth = (len(text) - len(text.lstrip())) // 2
        if depth < 2:
            assert not waiting, f"no reason is given for {waiting}"
            above[depth] = text.strip()
        elif depth == 2:
            waiting.append((above[0], above[1], text.strip()))
        else:
            assert not reasons.keys() & set(waiting), f"explained twice: {waiting}"
            reasons |= dict.fromkeys(waiting, text.strip())
            waiting = []
    assert not waiting, f"no reason is given for {waiting}"
    return reasons


def key_of(mutant: Mutant) -> Key:
    return mutant.file, mutant.line, mutant.turned


def stale(every: Iterable[Mutant]) -> set[Key]:
    """Entries of the table that are no longer among all mutants of the engine."""
    return explained().keys() - {key_of(mutant) for mutant in every}
