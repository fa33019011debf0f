"""PyTorch: the tape, torch.func for higher orders; the same under torch.compile."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.func import grad, grad_and_value, hessian, jacrev, jvp

from benchmarks.suite.case import Call, Case, Values
from benchmarks.suite.contestants.vocabulary import Vocabulary

__all__ = ["WORDS", "as_tensor", "compiled", "eager"]

WORDS = Vocabulary(
    sum=torch.sum,
    sqrt=torch.sqrt,
    tanh=torch.tanh,
    relu=torch.relu,
    softplus=lambda z: torch.nn.functional.softplus(z, threshold=60.0),
    softmax=partial(torch.softmax, dim=-1),
    log_softmax=partial(torch.log_softmax, dim=-1),
    inv=torch.linalg.inv,
    logdet=torch.logdet,
    solve=torch.linalg.solve,
    eye=lambda S: torch.eye(S.shape[0], dtype=S.dtype, device=S.device),
)


def _functional(case: Case, values: Values) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """What is asked as a function by torch.func, and its arguments."""
    wrt, fixed, directions = _tensors(case, values)
    every = tuple(range(len(wrt)))

    def forward(*arrays: Any) -> Any:
        return case.forward(WORDS, {**fixed, **dict(zip(case.wrt, arrays, strict=True))})

    if case.asked == "gradient":
        return grad_and_value(forward, argnums=every), tuple(wrt)
    if case.asked == "product":
        gradient = grad(forward, argnums=every)
        return lambda *arrays: jvp(gradient, arrays, tuple(directions))[1], tuple(wrt)
    return hessian(forward) if case.order == 2 else jacrev(forward), tuple(wrt)


def _tensors(case: Case, values: Values) -> tuple[list[Any], dict[str, Any], list[Any]]:
    return case.split({name: as_tensor(value) for name, value in values.items()})


def as_tensor(value: Any) -> Any:
    """A tensor as it is, anything else in float64."""
    return value if torch.is_tensor(value) else torch.as_tensor(value, dtype=torch.float64)


def _called(case: Case, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Call:
    if case.asked != "gradient":
        return lambda: function(*arguments)

    def call() -> tuple[Any, ...]:
        gradients, value = function(*arguments)
        return value, gradients

    return call


def eager(case: Case, values: Values) -> Call:
    if case.asked != "gradient":
        return _called(case, *_functional(case, values))
    wrt, fixed, _ = _tensors(case, values)
    leaves = [tensor.clone().requires_grad_() for tensor in wrt]

    def call() -> tuple[Any, ...]:
        value = case.forward(WORDS, {**fixed, **dict(zip(case.wrt, leaves, strict=True))})
        return value.detach(), torch.autograd.grad(value, leaves)

    return call


def compiled(case: Case, values: Values) -> Call:
    function, arguments = _functional(case, values)
    torch._dynamo.reset()
    return _called(case, torch.compile(function, dynamic=False), arguments)
