"""What holds for every test."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def _forgets_what_jax_compiled() -> Iterator[None]:
    """A file's compiled programs end with it: all of them together are gigabytes."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
