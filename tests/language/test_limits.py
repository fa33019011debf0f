"""Texts of any size and depth are answered or refused, and nothing else is raised."""

from __future__ import annotations

import contextlib
import random
import time
from itertools import pairwise

import pytest

import matderiv as md
from matderiv.errors import LimitError, MatderivError
from matderiv.language import lower, read
from matderiv.tensor.arena import Arena

DEEP = {
    "brackets": "(" * 5000 + "x" + ")" * 5000,
    "signs": "-" * 5000 + "x",
    "norms": "||" * 2000 + "x" + "||" * 2000,
    "norms in a row": "||x|| " * 3000,
    "calls": "sin(" * 3000 + "θ" + ")" * 3000,
    "sums to the right": "x + (" * 3000 + "x" + ")" * 3000,
    "terms": " + ".join(["X' y"] * 5000),
    "fractions": r"\frac{1}{" * 1000 + "θ" + "}" * 1000,
    "transposes": "x" + "'" * 5000,
    "statements": "h0 = x\n" + "".join(f"h{k + 1} = tanh(W{k} h{k})\n" for k in range(1000)),
}


@pytest.mark.parametrize("source", DEEP.values(), ids=list(DEEP))
def test_deep_and_long_texts_are_read_and_lowered(source: str) -> None:
    lower(read(source), Arena())


REFUSED = {
    "open brackets": "(" * 20_000,
    "bars": "|" * 5_001,
    "sizes within sizes": "ones(" * 5_000,
    "commas": "x," * 5_000,
    "letters": "x" * 100_000,
    "digits": "1" * 100_000,
    "zeros": "0." + "0" * 100_000 + "1",
    "semicolons": ";" * 20_000,
    "quotes": '"' * 20_000,
    "calls of calls": "\n".join(
        ["f(t) = t sin(t) + 1: elementwise"]
        + [f"{b}(t) = {a}({a}(t)): elementwise" for a, b in pairwise("fghjklmnopqrsuvwyz")]
        + ["z(x)"]
    ),
}


@pytest.mark.parametrize("source", REFUSED.values(), ids=list(REFUSED))
def test_odd_long_texts_are_refused_quickly(source: str) -> None:
    start = time.perf_counter()
    with pytest.raises(MatderivError) as caught:
        read(source)
    assert len(str(caught.value)) < 2000
    assert time.perf_counter() - start < 10


def test_texts_beyond_the_limit_are_not_read() -> None:
    with pytest.raises(LimitError, match="1,000,001 characters; the limit is 1,000,000"):
        read("x" * 1_000_001)


_TEXT = (
    "x y X A w λ t n 1 2. .5 0 e π I T σ phi f dX Xw loss sin log tr det softmax sum max norm "
    "( ) [ ] { } | || ‖ < > , ; : = + - * / \\ @ .* ./ .^ ^ ^T ^-1 ' ² ᵀ _1 _F ∈ R where in repeat "
    '(n) axis=0 einsum "ij->ji" ones( \\frac \\sqrt{ \\|x\\| \\lambda \\mathbf{ \\hat & # D(l, '
    ": elementwise f(t) = symmetric 𝐱 х \n . .T .sum() ⊗ ⊙"
)
PIECES = _TEXT.split(" ")


@pytest.mark.parametrize("seed", range(4))
def test_any_text_is_answered_or_refused(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(500):
        spaced = " " if draw.random() < 0.6 else ""
        source = spaced.join(draw.choices(PIECES, k=draw.randint(1, 12)))
        with contextlib.suppress(MatderivError):
            lower(read(source), Arena())


@pytest.mark.parametrize("term", ["t", "x' x", "A x", "sum(x)/n"])
def test_a_long_sum_is_read_within_the_limit_of_a_call(term: str) -> None:
    """A check of each term against all before it took 8 seconds for 4,000 numbers."""
    text = " + ".join([term] * 8000) + " where t: (), x: (n)"
    assert md.parse(text).shape == md.parse(f"{term} where t: (), x: (n)").shape
