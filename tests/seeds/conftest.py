"""What the rows of the source documents share: random inputs, and the examples by name."""

from __future__ import annotations

import contextlib
import io
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def draw() -> Callable[..., dict[str, Any]]:
    """`draw(X=(3, 2), t=())`: normal entries, the same in every run."""

    def make(**shapes: tuple[int, ...]) -> dict[str, Any]:
        random = np.random.default_rng(0)
        return {name: random.normal(size=shape) for name, shape in shapes.items()}

    return make


@pytest.fixture
def example() -> Callable[[str], str]:
    """`example("linear_layer")`: what examples/linear_layer.py prints."""

    def run(name: str) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        return printed.getvalue()

    return run
