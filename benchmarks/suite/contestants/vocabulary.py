"""The words in which cases write values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Vocabulary"]

Function = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """One library's functions; softmax and log_softmax are along the last axis."""

    sum: Function
    sqrt: Function
    tanh: Function
    relu: Function
    softplus: Function
    softmax: Function
    log_softmax: Function
    inv: Function
    logdet: Function
    solve: Function
    eye: Function  # the identity beside a matrix: of its size and float type
