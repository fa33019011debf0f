"""The examples of real use say what they should."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def printed(name: str) -> str:
    page = io.StringIO()
    with contextlib.redirect_stdout(page):
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    return page.getvalue()


def test_likelihoods() -> None:
    verdicts = re.findall(r"^ {6}(.*)$", printed("likelihoods"), re.MULTILINE)
    right = "right, in mixed layout, at 4 random points"
    assert verdicts == [
        right,
        "off by a sign: the claim is minus the derivative",
        right,
        right,
        "off by a factor: the claim is 2 times the derivative",
        right,
        right,
    ]


def test_logistic_regression() -> None:
    (share,) = re.findall(
        r"converged: True, (\d+)% classified rightly", printed("logistic_regression")
    )
    assert int(share) > 80


def test_attention_says_its_backward_pass() -> None:
    assert "G ↦ softmax(S) ⊙ G Vᵀ - diag(" in printed("attention")


@pytest.mark.heavy
def test_attention_has_the_gradients_of_pytorch() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    apart = re.findall(r"^(\S+) +(\S+) apart$", printed("attention"), re.MULTILINE)
    assert [name for name, _ in apart] == ["value", "Q.grad", "K.grad", "V.grad"]
    assert all(float(error) < 1e-12 for _, error in apart)
