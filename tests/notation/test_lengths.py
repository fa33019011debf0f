"""No print of many derivatives gets longer."""

from __future__ import annotations

import pytest

from tests.notation.lengths import Line, measured, recorded

LINES = recorded()


@pytest.mark.parametrize("line", LINES, ids=[f"{n.wrt}{n.order}-{n.program}" for n in LINES])
def test_no_print_is_longer_than_recorded(line: Line) -> None:
    """`python -m tests.notation.lengths` writes the lengths anew once prints are shorter."""
    found = measured(line.program, line.wrt, line.order)
    assert found.tokens <= line.tokens, f"{found.text}\nwas {line.text}"
