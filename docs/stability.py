"""Write docs/stability.md: `PYTHONPATH=. python docs/stability.py`.

Values, gradients and Hessians at extreme points, by our generated NumPy code and by the
frameworks' own differentiation of the same formula, against differences taken with 900
digits.  Needs `pip install 'matderiv[bench]'`.
"""
# ruff: noqa: E501 (prose of the page is not wrapped)

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np
from tabulate import tabulate

import matderiv as md

TARGET = Path(__file__).with_suffix(".md")
FRAMEWORKS = ("jax", "torch", "autograd")
PARTS = ("value", "gradient", "Hessian")
Points = Sequence[Any]

FAR = ([800.0, -800.0, 799.0], [-800.0, -801.0, -802.0], [0.0, 800.0, 800.0])
TAIL = ([-40.0, -50.0, -60.0],)
WIDE = ([3e150, 4e150, 1e150], [3e-150, 4e-150, 1e-150], [3e150, -4e-150, 1.0])
LABELS, WEIGHTS = np.array([1.0, -1.0, 1.0]), np.array([2.0, -1.0, 0.5])
SPREAD = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 1.0]])


@dataclass(frozen=True)
class Case:
    """A scalar of x at points where a naive program leaves the range of floats.

    source     in our language
    exact      the value for mpmath, of the entries of x, by rows
    peer       the same formula for a framework: `xp` is its NumPy, `f` its functions
    constants  the other inputs
    """

    title: str
    source: str
    exact: Callable[[Sequence[Any]], Any]
    peer: Callable[..., Any]
    points: Points
    constants: Mapping[str, Any] = field(default_factory=dict)


def _each(function: Callable[[Any], Any]) -> Callable[[Sequence[Any]], Any]:
    return lambda x: mp.fsum(map(function, x))


def _softplus(t: Any) -> Any:
    return mp.log1p(mp.exp(t))


def _sigmoid(t: Any) -> Any:
    return 1 / (1 + mp.exp(-t))


def _logsumexp(x: Sequence[Any]) -> Any:
    return mp.log(mp.fsum(map(mp.exp, x)))


def _dot(x: Sequence[Any], y: Sequence[Any]) -> Any:
    return mp.fsum(a * mp.mpf(b) for a, b in zip(x, y, strict=True))


def _norm(x: Sequence[Any]) -> Any:
    return mp.sqrt(mp.fsum(mp.mpf(v) ** 2 for v in x))


def _det(x: Sequence[Any]) -> Any:
    """Of a 3 × 3 matrix, by rows."""
    a, b, c, d, e, f, g, h, i = x
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def _logistic(x: Sequence[Any]) -> Any:
    return mp.fsum(_softplus(-v * y) for v, y in zip(x, LABELS, strict=True))


CASES = (
    Case(
        "logistic loss",
        "sum(log(1 + exp(-y .* x)))",
        _logistic,
        lambda xp, f, x: xp.sum(xp.log(1 + xp.exp(-f.y * x))),
        FAR,
        {"y": LABELS},
    ),
    Case(
        "the same by softplus",
        "sum(softplus(-y .* x))",
        _logistic,
        lambda xp, f, x: xp.sum(f.softplus(-f.y * x)),
        FAR,
        {"y": LABELS},
    ),
    Case(
        "log Σ exp",
        "log(sum(exp(x)))",
        _logsumexp,
        lambda xp, f, x: xp.log(xp.sum(xp.exp(x))),
        FAR,
    ),
    Case("logsumexp", "logsumexp(x)", _logsumexp, lambda xp, f, x: f.logsumexp(x), FAR),
    Case(
        "softmax cross-entropy",
        "-sum(y .* log(exp(x) / sum(exp(x))))",
        lambda x: -_dot([v - _logsumexp(x) for v in x], WEIGHTS),
        lambda xp, f, x: -xp.sum(f.w * xp.log(xp.exp(x) / xp.sum(xp.exp(x)))),
        FAR,
        {"y": WEIGHTS},
    ),
    Case(
        "the same by log_softmax",
        "-sum(y .* log_softmax(x))",
        lambda x: -_dot([v - _logsumexp(x) for v in x], WEIGHTS),
        lambda xp, f, x: -xp.sum(f.w * (x - f.logsumexp(x))),
        FAR,
        {"y": WEIGHTS},
    ),
    Case(
        "1/(1 + exp(-x))",
        "sum(1 ./ (1 + exp(-x)))",
        _each(_sigmoid),
        lambda xp, f, x: xp.sum(1 / (1 + xp.exp(-x))),
        FAR,
    ),
    Case("sigmoid", "sum(sigmoid(x))", _each(_sigmoid), lambda xp, f, x: xp.sum(f.sigmoid(x)), FAR),
    Case(
        "sigmoid in its tail",
        "sum(sigmoid(x))",
        _each(_sigmoid),
        lambda xp, f, x: xp.sum(f.sigmoid(x)),
        TAIL,
    ),
    Case(
        "log sigmoid",
        "sum(log(sigmoid(x)))",
        _each(lambda t: -_softplus(-t)),
        lambda xp, f, x: xp.sum(xp.log(f.sigmoid(x))),
        (*FAR, *TAIL),
    ),
    Case(
        "log(1 + Σ exp)",
        "log(1 + sum(exp(x)))",
        lambda x: _logsumexp([*x, mp.mpf(0)]),
        lambda xp, f, x: xp.log(1 + xp.sum(xp.exp(x))),
        FAR,
    ),
    Case(
        "log(mean(exp))",
        "log(mean(exp(x)))",
        lambda x: _logsumexp(x) - mp.log(len(x)),
        lambda xp, f, x: xp.log(xp.mean(xp.exp(x))),
        FAR,
    ),
    Case(
        "log(exp + exp)",
        "sum(log(exp(x) + exp(y .* x)))",
        lambda x: mp.fsum(_logsumexp([v, v * y]) for v, y in zip(x, LABELS, strict=True)),
        lambda xp, f, x: xp.sum(xp.log(xp.exp(x) + xp.exp(f.y * x))),
        FAR,
        {"y": LABELS},
    ),
    Case("tanh", "sum(tanh(x))", _each(mp.tanh), lambda xp, f, x: xp.sum(xp.tanh(x)), FAR),
    Case(
        "log cosh",
        "sum(log(cosh(x)))",
        _each(lambda t: mp.log(mp.cosh(t))),
        lambda xp, f, x: xp.sum(xp.log(xp.cosh(x))),
        FAR,
    ),
    Case(
        "normal cdf",
        "sum(normcdf(x))",
        _each(mp.ncdf),
        lambda xp, f, x: xp.sum(f.normcdf(x)),
        (*FAR, [-20.0, -30.0, -10.0]),
    ),
    Case(
        "log normal cdf",
        "sum(log(normcdf(x)))",
        _each(lambda t: mp.log(mp.ncdf(t))),
        lambda xp, f, x: xp.sum(f.lognormcdf(x)),
        ([-800.0, -30.0, 5.0], [800.0, -10.0, 0.0]),
    ),
    Case(
        "x log x at 0, value",
        "sum(x .* log(x))",
        _each(lambda t: t * mp.log(t) if t else mp.mpf(0)),
        lambda xp, f, x: xp.sum(x * xp.log(x)),
        ([0.0, 1.0, 2.0],),
    ),
    Case(
        "sqrt at 0, value",
        "sum(sqrt(x))",
        _each(mp.sqrt),
        lambda xp, f, x: xp.sum(xp.sqrt(x)),
        ([0.0, 1.0, 2.0],),
    ),
    Case("‖x‖", "norm(x)", _norm, lambda xp, f, x: xp.sqrt(xp.sum(x * x)), WIDE),
    Case(
        "‖x‖² at 0",
        "norm(x)^2",
        lambda x: _dot(x, x),
        lambda xp, f, x: f.norm(x) ** 2,
        ([0.0] * 3,),
    ),
    Case(
        "√(x² + y²) by entries",
        "sum(sqrt(x .* x + y .* y))",
        lambda x: mp.fsum(mp.sqrt(v * v + 1) for v in x),
        lambda xp, f, x: xp.sum(xp.sqrt(x * x + f.one * f.one)),
        WIDE,
        {"y": np.ones(3)},
    ),
    Case(
        "cosine similarity",
        "x' y / (norm(x) norm(y))",
        lambda x: _dot(x, WEIGHTS) / (_norm(x) * _norm(WEIGHTS)),
        lambda xp, f, x: xp.sum(x * f.w) / (f.norm(x) * f.norm(f.w)),
        WIDE,
        {"y": WEIGHTS},
    ),
    Case(
        "log det S, S ≈ 1e±150",
        "logdet(x) where x: (n, n) posdef",
        lambda x: mp.log(_det(x)),
        lambda xp, f, x: f.logdet(x),
        (1e150 * SPREAD, 1e-150 * SPREAD),
    ),
    Case(
        "log(det S)",
        "log(det(x)) where x: (n, n) posdef",
        lambda x: mp.log(_det(x)),
        lambda xp, f, x: xp.log(f.det(x)),
        (1e150 * SPREAD, 1e-150 * SPREAD),
    ),
)

# What is infinite there, or not a number, for everybody: the slope of x log x at 0 is -∞.
_VALUES_ALONE = ("x log x at 0, value", "sqrt at 0, value")


def parts_of(case: Case) -> tuple[str, ...]:
    return PARTS[:1] if case.title in _VALUES_ALONE else PARTS


# ----- the truth ------------------------------------------------------------------------
def exact(case: Case, x: Any, part: str) -> Any:
    """Central differences of the value, taken with 900 digits."""
    entries = np.ravel(x)
    order = PARTS.index(part)
    with mp.workdps(900):
        point = [mp.mpf(float(v)) for v in entries]
        step = (max(map(abs, point)) or mp.mpf(1)) * mp.mpf(10) ** -200
        found = [
            float(_difference(case.exact, point, axes, step))
            for axes in product(range(len(entries)), repeat=order)
        ]
    return np.reshape(found, np.shape(x) * order)


def _difference(function: Any, point: list[Any], axes: Sequence[int], step: Any) -> Any:
    if not axes:
        return function(point)
    ends = []
    for sign in (1, -1):
        moved = [*point]
        moved[axes[0]] += sign * step
        ends.append(_difference(function, moved, axes[1:], step))
    return (ends[0] - ends[1]) / (2 * step)


# ----- who computes ---------------------------------------------------------------------
def ours(case: Case, x: Any, part: str) -> Any:
    """By the generated module."""
    compiled = md.compile(case.source, "x", order=2)
    values = {"x": np.array(x), **case.constants}
    if part == "Hessian":
        return compiled.derivative(values)["x"]
    if part == "value":
        return compiled.forward(values)[0]
    return compiled.value_and_grad(values)[1]["x"]


class _Functions:
    def __init__(self, constant: Callable[[Any], Any], **functions: Any) -> None:
        self.y, self.w, self.one = map(constant, (LABELS, WEIGHTS, np.ones(3)))
        self.__dict__ |= functions


def _jax() -> tuple[Any, _Functions, Any, Any, Any]:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    functions = _Functions(
        jnp.asarray,
        softplus=jax.nn.softplus,
        logsumexp=jax.nn.logsumexp,
        sigmoid=jax.nn.sigmoid,
        normcdf=jax.scipy.stats.norm.cdf,
        lognormcdf=jax.scipy.stats.norm.logcdf,
        norm=jnp.linalg.norm,
        det=jnp.linalg.det,
        logdet=lambda S: jnp.linalg.slogdet(S)[1],
    )
    return jnp, functions, jnp.asarray, jax.grad, jax.hessian


def _torch() -> tuple[Any, _Functions, Any, Any, Any]:
    import torch

    functions = _Functions(
        torch.as_tensor,
        softplus=torch.nn.functional.softplus,
        logsumexp=lambda x: torch.logsumexp(x, 0),
        sigmoid=torch.sigmoid,
        normcdf=torch.special.ndtr,
        lognormcdf=torch.special.log_ndtr,
        norm=torch.linalg.norm,
        det=torch.linalg.det,
        logdet=torch.logdet,
    )
    return torch, functions, torch.as_tensor, torch.func.grad, torch.func.hessian


def _autograd() -> tuple[Any, _Functions, Any, Any, Any]:
    anp = importlib.import_module("autograd.numpy")
    autograd = importlib.import_module("autograd")
    special = importlib.import_module("autograd.scipy.special")
    stats = importlib.import_module("autograd.scipy.stats")
    functions = _Functions(
        np.asarray,
        softplus=lambda t: anp.logaddexp(0.0, t),
        logsumexp=special.logsumexp,
        sigmoid=special.expit,
        normcdf=stats.norm.cdf,
        lognormcdf=stats.norm.logcdf,
        norm=anp.linalg.norm,
        det=anp.linalg.det,
        logdet=lambda S: anp.linalg.slogdet(S)[1],
    )
    return anp, functions, np.asarray, autograd.grad, autograd.hessian


def theirs(framework: str, case: Case, x: Any, part: str) -> Any:
    """By the framework's own differentiation."""
    made = {"jax": _jax, "torch": _torch, "autograd": _autograd}[framework]()
    xp, functions, array, gradient, hessian = made

    def value(x: Any) -> Any:
        return case.peer(xp, functions, x)

    way = {"value": value, "gradient": gradient(value), "Hessian": hessian(value)}[part]
    return np.asarray(way(array(np.array(x))))


# ----- the page -------------------------------------------------------------------------
def digits(found: Any, truth: Any) -> str:
    """Right digits relative to the greatest entry; what is not finite is named."""
    found = np.asarray(found, dtype=float)
    if np.any(np.isnan(found)):
        return "nan"
    if np.any(np.isinf(found)):
        return "inf"
    scale = np.max(np.abs(truth))
    error = np.max(np.abs(found - truth)) / scale if scale else np.max(np.abs(found))
    return str(16 if error < 1e-16 else max(0, int(-np.log10(error))))


def cell(compute: Callable[[Any, str], Any], case: Case) -> str:
    """The least of the digits over the points, for value, gradient and Hessian."""
    found = []
    for part in parts_of(case):
        texts = []
        for x in case.points:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                try:
                    texts.append(digits(compute(x, part), exact(case, x, part)))
                except (np.linalg.LinAlgError, NotImplementedError, TypeError):
                    texts.append("-")
        found.append(min(texts, key=lambda text: int(text) if text.isdigit() else -1))
    return " ".join(found)


def page() -> str:
    rows = []
    for case in CASES:
        contestants = [lambda x, part, case=case: ours(case, x, part)]
        for name in FRAMEWORKS:
            contestants.append(lambda x, part, case=case, name=name: theirs(name, case, x, part))
        source = case.source.partition(" where ")[0]
        cells = [cell(compute, case) for compute in contestants]
        rows.append([case.title, f"`{source}`", *cells])
    table = tabulate(rows, ["", "program", "matderiv", *FRAMEWORKS], "pipe", disable_numparse=True)
    return f"""\
# At extreme points

How many digits are right at ±800 and 1e±150: three figures for value, gradient and Hessian, the least over all entries and points, relative to the greatest entry of the array. `nan` and `inf` stand where the truth is a finite number. The frameworks differentiate the formula as it is written, or their own function of that name; the truth is differences taken with 900 digits. Float64. The page is written by `docs/stability.py`; that our code is finite and raises no warning there is tested.

{table}

What makes the first column: formulas that overflow are recognised as functions that do not (log Σ exp, exp/Σ exp, log(1 + eᵗ), log det, log cosh, log Φ, sinh/cosh), also where they only appear in a derivative; negative powers of sums of squares are guarded at 0, which gives the subgradient of least norm; 0 log 0 is 0.

What is left:

- The slope of x log x and of √x at 0 is infinite, and so it is in code, with NumPy's warning.
- σ is computed by tanh, which is faster than an exponential and a division: right to 1e-16 of 1, so that its tail, below e⁻³⁶, is 0.
- Second derivatives of quotients by norms, and of √(x² + y²) with a large y, hold ‖x‖³ and ‖x‖⁵, which leave the range of floats at 1e±150 although the result does not. Scale the data first.
"""


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
