"""What the words behind a formula mean."""

from __future__ import annotations

from argparse import Namespace

import pytest

from matderiv.commands.words import asked_program


@pytest.mark.parametrize("text", ["x y", "x, y", "x,y", "x ,y", "x , y"])
def test_names_stand_apart_by_spaces_or_commas(text: str) -> None:
    _, names, then = asked_program(Namespace(words=["x' y", "wrt", *text.split()], shape=[]))
    assert (names, then) == (["x", "y"], [])
    _, names, then = asked_program(
        Namespace(words=["x' A y", "wrt", "A", "then", *text.split()], shape=[])
    )
    assert (names, then) == (["A"], ["x", "y"])
