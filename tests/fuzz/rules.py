"""The grammar of the fuzzer: what is written how, of which kinds, and what it means.

    rule("s", "{0:f}' {1:f}", "c n; c n", np.dot)

says that two columns (c) of a size n make a scalar (s): a letter for the kind (s scalar,
c column, r row, M matrix, T tensor), then sizes, where n*m is a product.  The text has
its operands with the loosest level that needs no brackets: a atoms, f factors, u signs,
p products, h Hadamard products, s sums; q are products with an explicit sign, n functions
without brackets.  `guards` name what must hold of an operand's value, one letter each.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import log_ndtr

from tests.language import oracle

__all__ = ["RULES", "Rule"]


@dataclass(frozen=True)
class Rule:
    result: str
    text: str
    args: tuple[str, ...]
    meaning: Callable[..., Any]
    level: str
    guards: str
    weight: float

    @property
    def kind(self) -> str:
        return self.result[0]


RULES: list[Rule] = []


def rule(
    result: str,
    text: str,
    args: str,
    meaning: Callable[..., Any],
    level: str = "a",
    guards: str = "",
    weight: float = 1.0,
) -> None:
    parts = tuple(arg.strip() for arg in args.split(";") if arg.strip())
    RULES.append(Rule(result, text, parts, meaning, level, guards.ljust(len(parts), "."), weight))


_KINDS = ("s", "c n", "r n", "M m n")
_JUXTAPOSED, _EXPLICIT = ("{0:p} {1:j}", "p"), ("{0:q} * {1:u}", "q")


def _add(a: Any, b: Any) -> Any:
    return a + b


def _subtract(a: Any, b: Any) -> Any:
    return a - b


# ----- sums, signs, products with scalars, entry by entry -------------------------------
for kind in _KINDS:
    rule(kind, "{0:s} + {1:n}", f"{kind}; {kind}", _add, "s", weight=3)
    rule(kind, "{0:s} - {1:n}", f"{kind}; {kind}", _subtract, "s", weight=2)
    rule(kind, "-{0:u}", kind, lambda a: -a, "u")
    for text, level in (_JUXTAPOSED, _EXPLICIT):
        rule(kind, text, f"s; {kind}", lambda a, b: a * b, level)
    rule(kind, "{0:p} / {1:f}", f"{kind}; s", lambda a, b: a / b, "p", ".d")
    for sign in (".*", "⊙"):
        rule(kind, f"{{0:h}} {sign} {{1:p}}", f"{kind}; {kind}", lambda a, b: a * b, "h")
    rule(kind, "{0:h} ./ {1:p}", f"{kind}; {kind}", lambda a, b: a / b, "h", ".d")
    for name in ("max", "min"):
        meaning = np.maximum if name == "max" else np.minimum
        rule(kind, f"{name}({{0:s}}, {{1:s}})", f"{kind}; {kind}", meaning, weight=0.3)
        rule(kind, f"{name}({{0:s}}, 0.3)", kind, lambda a, f=meaning: f(a, 0.3), weight=0.3)
    for power in (2, 3):
        text = f"{{0:a}}^{power}" if kind == "s" else f"{{0:a}}.^{power}"
        rule(kind, text, kind, lambda a, p=power: a**p, "f", weight=0.7)
    text = "{0:a}^-1" if kind == "s" else "{0:a}.^-1"
    rule(kind, text, kind, lambda a: 1 / a, "f", "d", 0.5)
    rule(kind, "{0:a}.^(1/2)", kind, np.sqrt, "f", "+", 0.4)
    rule(kind, "{0:a}.^{1:a}", f"{kind}; {kind}", lambda a, b: a**b, "f", "+.", 0.4)
    rule(kind, "{0:a}.pow(2)", kind, lambda a: a**2, "f", weight=0.2)
    rule(kind, "2 .^ {0:a}", kind, lambda a: 2.0**a, "f", weight=0.3)

for kind in _KINDS[1:]:
    for sign, meaning in (("+", _add), ("-", _subtract)):
        rule(kind, f"{{0:s}} {sign} {{1:n}}", f"{kind}; s", meaning, "s", weight=0.7)
        rule(kind, f"{{0:s}} {sign} {{1:n}}", f"s; {kind}", meaning, "s", weight=0.4)
for row in ("c n", "r n", "M 1 n", "M m 1"):
    rule("M m n", "{0:s} + {1:n}", f"M m n; {row}", _add, "s", weight=0.5)
    rule("M m n", "{0:s} - {1:n}", f"{row}; M m n", _subtract, "s", weight=0.3)
    rule("M m n", "{0:h} .* {1:p}", f"M m n; {row}", lambda a, b: a * b, "h", weight=0.4)
    rule("M m n", "{0:h} ./ {1:p}", f"M m n; {row}", lambda a, b: a / b, "h", ".d", 0.3)
rule("M m n", "{0:s} + {1:n}", "M 1 n; M m 1", _add, "s", weight=0.3)

# ----- elementwise functions ------------------------------------------------------------
_SMOOTH = "exp sin cos tanh sigmoid softplus atan sinh cosh expm1 square erf gelu silu normcdf"
_SMOOTH += " logcosh lognormcdf inverse_mills"
_GUARDS = {"log": "+", "log1p": "+", "sqrt": "+", "asin": "1", "acos": "1", "tan": "1"}
_ENTRYWISE = {
    **oracle._ENTRYWISE,
    "tan": np.tan,
    "logcosh": lambda a: np.log(np.cosh(a)),
    "lognormcdf": log_ndtr,
    "inverse_mills": lambda a: np.exp(-a * a / 2 - log_ndtr(a)) / np.sqrt(2 * np.pi),
}
_OTHER_NAMES = {"ln": "log", "arcsin": "asin", "arccos": "acos", "arctan": "atan"}
_OTHER_NAMES |= {"logistic": "sigmoid", "swish": "silu"}
_GUARDS |= dict.fromkeys(("abs", "relu", "leaky_relu", "elu", "sign", "step"), "k")
for name in [*_SMOOTH.split(), "normpdf", *_GUARDS]:
    entrywise = _ENTRYWISE[name]
    for kind in _KINDS:
        rule(kind, f"{name}({{0:s}})", kind, entrywise, guards=_GUARDS.get(name, "."), weight=0.25)
for kind in _KINDS:
    for text in ("logaddexp({0:s}, {1:s})", "log(exp({0:s}) + exp({1:s}))"):
        rule(kind, text, f"{kind}; {kind}", np.logaddexp, weight=0.15)
for name, same in _OTHER_NAMES.items():
    entrywise = _ENTRYWISE.get(same, np.log)
    for kind in _KINDS[:2]:
        rule(kind, f"{name}({{0:s}})", kind, entrywise, guards=_GUARDS.get(same, "."), weight=0.1)
rule("c n", "maximum({0:s}, {1:s})", "c n; c n", np.maximum, weight=0.2)
rule("c n", "minimum({0:s}, {1:s})", "c n; c n", np.minimum, weight=0.2)
rule("c n", "power({0:s}, {1:s})", "c n; c n", np.power, guards="+", weight=0.2)
rule("s", "sin {0:w}", "s", np.sin, "n", weight=0.3)
rule("s", "sin^2 {0:w}", "s", lambda a: np.sin(a) ** 2, "n", weight=0.2)
rule("s", "|{0:b}|", "s", np.abs, guards="k", weight=0.3)
rule("c n", "|{0:b}|", "c n", np.abs, guards="k", weight=0.5)
rule("c n", "{0:a}.tanh()", "c n", np.tanh, "f", weight=0.2)
rule("s", "e^{0:a}", "s", np.exp, "f", weight=0.3)
rule("s", "π", "", lambda: math.pi, weight=0.3)
for kind in _KINDS:
    rule(kind, "phi({0:s})", kind, np.sin, weight=0.3)
    rule(kind, "wave({0:s})", kind, lambda a: a**2 * np.sin(a), weight=0.3)
rule("s", "l({0:s})", "c n", lambda a: np.sin(np.sum(a)), weight=0.2)
rule("s", "loss({0:s}, {1:s})", "M m n; c n", lambda a, b: np.sin(a.sum() + b.sum()), weight=0.3)

# ----- products of vectors and matrices -------------------------------------------------
for text, level in (_JUXTAPOSED, _EXPLICIT, ("{0:q} @ {1:u}", "q")):
    weight = 2.0 if text == _JUXTAPOSED[0] else 0.5
    rule("s", text, "r n; c n", np.dot, level, weight=weight)
    rule("c m", text, "M m n; c n", np.dot, level, weight=2 * weight)
    rule("r n", text, "r m; M m n", np.dot, level, weight=weight)
    rule("M m n", text, "M m k; M k n", np.dot, level, weight=2 * weight)
    rule("M m n", text, "c m; r n", np.outer, level, weight=weight)
rule("s", "{0:q} · {1:u}", "c n; c n", np.dot, "q")
rule("s", "{0:f}' {1:p}", "c n; c n", np.dot, "p", weight=0)  # replaced by rows below
rule("s", "<{0:b}, {1:b}>", "c n; c n", np.dot)
rule("s", "<{0:b}, {1:b}>", "M m n; M m n", lambda a, b: np.sum(a * b), weight=0.5)
rule("s", "dot({0:s}, {1:s})", "c n; c n", np.dot, weight=0.3)
rule("s", "inner({0:s}, {1:s})", "c n; c n", np.dot, weight=0.3)
rule("r n", "{0:f}'", "c n", np.array, "f", weight=4)
rule("c n", "{0:f}'", "r n", np.array, "f", weight=0.7)
rule("c n", "{0:a}.T", "r n", np.array, "f", weight=0.2)
rule("M m n", "{0:f}'", "M n m", np.transpose, "f", weight=2)
rule("M m n", "{0:f}^T", "M n m", np.transpose, "f", weight=0.4)
rule("M m n", "transpose({0:s})", "M n m", np.transpose, weight=0.2)
rule("M m n", "outer({0:s}, {1:s})", "c m; c n", np.outer, weight=0.4)
rule("c m*n", "{0:q} ⊗ {1:u}", "c m; c n", np.kron, "q", weight=2)
rule("r m*n", "kron({0:s}, {1:s})", "r m; r n", np.kron)
rule("M m*k n*p", "kron({0:s}, {1:s})", "M m n; M k p", np.kron)
rule("M m*k n", "kron({0:s}, {1:s})", "M m n; c k", lambda a, b: np.kron(a, b[:, None]))
rule("M m k*n", "{0:q} ⊗ {1:u}", "r k; M m n", lambda a, b: np.kron(a[None, :], b), "q")
rule("M m n", "{0:q} ⊗ {1:u}", "r n; c m", lambda a, b: np.outer(b, a), "q", weight=0.2)

# ----- reductions -----------------------------------------------------------------------
for kind in _KINDS[1:]:
    for name, meaning in (("sum", np.sum), ("mean", np.mean), ("var", np.var)):
        rule("s", f"{name}({{0:s}})", kind, meaning, weight=0.7)
    rule("s", "std({0:s})", kind, np.std, guards="v", weight=0.3)
    rule("s", "max({0:s})", kind, np.max, guards="t", weight=0.3)
    rule("s", "min({0:s})", kind, np.min, guards="t", weight=0.3)
    rule("s", "||{0:b}||^2", kind, lambda a: np.sum(a**2), "f")
    rule("s", "||{0:b}||", kind, lambda a: np.sqrt(np.sum(a**2)), guards="z", weight=0.7)
    rule("s", "||{0:b}||_1", kind, lambda a: np.sum(np.abs(a)), guards="k", weight=0.5)
    rule("s", "||{0:b}||_inf", kind, lambda a: np.max(np.abs(a)), guards="T", weight=0.3)
    rule("s", "norm({0:s})", kind, lambda a: np.sqrt(np.sum(a**2)), guards="z", weight=0.3)
rule("s", "norm({0:s}, 3)", "c n", lambda a: np.sum(np.abs(a) ** 3) ** (1 / 3), guards="k")
rule("s", "||{0:b}||_F^2", "M m n", lambda a: np.sum(a**2), "f")
rule("s", "||{0:b}||_*", "M m n", lambda a: oracle._norm(a, "*"), guards="r", weight=0.4)
rule("s", "||{0:b}||_op", "M m n", lambda a: oracle._norm(a, "op"), guards="r", weight=0.4)
rule("s", "{0:a}.pow(2).mean()", "M m n", lambda a: np.mean(a**2), "f", weight=0.3)
rule("s", "logsumexp({0:s})", "c n", lambda a: np.log(np.sum(np.exp(a))))
rule("s", "mse({0:s}, {1:s})", "c n; c n", lambda a, b: np.mean((a - b) ** 2), weight=0.4)
rule("s", "mse({0:s}, {1:s})", "M m n; M m n", lambda a, b: np.mean((a - b) ** 2), weight=0.4)
_cross = oracle._function
for kind in ("c n", "M m n"):
    rule(
        "s",
        "cross_entropy({0:s}, softmax({1:s}))",
        f"{kind}; {kind}",
        lambda a, b: _cross("cross_entropy", [a, oracle._softmax(b, -1)], {}, (), {}),
        weight=0.3,
    )
for axis, (left, result) in enumerate((("n", "M m n"), ("n", "M n m"))):
    axis = 0 if result == "M m n" else 1
    for name in ("sum", "mean", "var", "max", "min", "logsumexp"):
        guard = "t" if name in ("max", "min") else "."

        def reduced(a: Any, name: str = name, axis: int = axis, keep: bool = False) -> Any:
            return _cross(name, [a], {"axis": axis, "keepdims": keep}, (), {})

        text = f"{name}({{0:s}}, axis={axis}"
        rule(f"c {left}", text + ")", result, reduced, guards=guard, weight=0.4)
        kept = "M 1 n" if axis == 0 else "M n 1"
        meaning = lambda a, f=reduced: f(a, keep=True)  # noqa: E731
        rule(kept, text + ", keepdims=True)", result, meaning, guards=guard, weight=0.5)
rule("c m", "{0:a}.sum(axis=1)", "M m n", lambda a: a.sum(1), "f", weight=0.3)
for name in ("softmax", "log_softmax"):
    full = lambda a, axis=-1, name=name: _cross(name, [a], {"axis": axis}, (), {})  # noqa: E731
    for kind in _KINDS[1:]:
        rule(kind, f"{name}({{0:s}})", kind, full, weight=0.4)
    rule("M m n", f"{name}({{0:s}}, axis=0)", "M m n", lambda a, f=full: f(a, 0), weight=0.3)
rule(
    "c n", "onehot_max({0:s})", "c n", lambda a: np.eye(a.size)[a.argmax()], guards="t", weight=0.1
)

for name, meaning in (("tril", np.tril), ("triu", np.triu)):
    rule("M m n", f"{name}({{0:s}})", "M m n", meaning, weight=0.4)

# ----- square matrices ------------------------------------------------------------------
rule("s", "tr({0:s})", "M n n", np.trace, weight=2)
rule("s", "tr {0:w}", "M n n", np.trace, "n", weight=0.3)
rule("s", "det({0:s})", "M n n", np.linalg.det, guards="i")
rule("s", "logdet({0:s})", "M n n", lambda a: np.linalg.slogdet(a)[1], guards="i")
rule("s", "log det {0:w}", "M n n", lambda a: np.log(np.linalg.det(a)), "n", "p", 0.4)
rule("M n n", "{0:a}^-1", "M n n", np.linalg.inv, "f", "i")
rule("M n n", "{0:a}^-T", "M n n", lambda a: np.linalg.inv(a).T, "f", "i", 0.4)
rule("M n n", "inv({0:s})", "M n n", np.linalg.inv, guards="i", weight=0.5)
rule("M n n", "adj({0:s})", "M n n", oracle._STRUCTURE["adj"], guards="i", weight=0.3)
for power in (2, 3, -2):
    meaning = lambda a, p=power: np.linalg.matrix_power(a, p)  # noqa: E731
    rule("M n n", f"{{0:a}}^{power}", "M n n", meaning, "f", "i" if power < 0 else ".", 0.4)
rule("M n n", "expm({0:s})", "M n n", lambda a: _expm(a), guards="1", weight=0.5)
rule("M n n", "sqrtm({0:s})", "M n n", oracle._sqrtm, guards="p", weight=0.4)
rule("M n n", "chol({0:s})", "M n n", lambda a: np.linalg.cholesky((a + a.T) / 2), guards="p")
rule("M n m", "pinv({0:s})", "M m n", np.linalg.pinv, guards="r", weight=0.4)
rule("c n", "{0:q} \\ {1:u}", "M n n; c n", np.linalg.solve, "q", "i.")
rule("M n m", "{0:q} \\ {1:u}", "M n n; M n m", np.linalg.solve, "q", "i.", 0.7)
rule("c n", "solve({0:s}, {1:s})", "M n n; c n", np.linalg.solve, guards="i.", weight=0.3)


def _expm(a: Any) -> Any:
    term = total = np.eye(len(a))
    for k in range(1, 40):
        term = term @ a / k
        total = total + term
    return total


# ----- structure ------------------------------------------------------------------------
rule("c n", "diag({0:s})", "M n n", np.diag)
rule("M n n", "diag({0:s})", "c n", np.diag)
rule("c m*n", "vec({0:s})", "M m n", lambda a: a.reshape(-1, order="F"), weight=4)


# ----- entries and slices ---------------------------------------------------------------
def _long_enough(a: Any, least: tuple[int, ...]) -> Any:
    if any(length < asked for length, asked in zip(a.shape, least, strict=True)):
        raise np.linalg.LinAlgError("too short")
    return a


for text, result, least, place in (
    ("{0:a}[0]", "s", (1,), 0),
    ("{0:a}[1]", "s", (2,), 1),
    ("{0:a}[0:2]", "c 2", (2,), slice(0, 2)),
    ("{0:a}[1:2]", "c 1", (2,), slice(1, 2)),
    ("{0:a}[1, 0]", "s", (2, 1), (1, 0)),
    ("{0:a}[0, :]", "r n", (1, 1), (0, slice(None))),
    ("{0:a}[1, :]", "r n", (2, 1), (1, slice(None))),
    ("{0:a}[:, 0]", "c m", (1, 1), (slice(None), 0)),
    ("{0:a}[0:2, :]", "M 2 n", (2, 1), slice(0, 2)),
    ("{0:a}[:, 0:2]", "M m 2", (1, 2), (slice(None), slice(0, 2))),
    ("{0:a}[0:1, 1:2]", "M 1 1", (1, 2), (slice(0, 1), slice(1, 2))),
):
    rule(
        result,
        text,
        "c n" if len(least) == 1 else "M m n",
        lambda a, least=least, place=place: _long_enough(a, least)[place],
        "f",
        weight=0.4,
    )

# ----- einsum, reshape, commutation -----------------------------------------------------
for spec, result, args in (
    ("ij,jk->ik", "M m k", "M m n; M n k"),
    ("ij->ji", "M m n", "M n m"),
    ("ij,ij->i", "c m", "M m n; M m n"),
    ("ij,i,j->", "s", "M m n; c m; c n"),
    ("i,j->ij", "M m n", "c m; c n"),
    ("ij,kj->ki", "M m n", "M n k; M m k"),
    ("ijk,k->ij", "M m n", "T m n k; c k"),
    ("ijk,ij->k", "c k", "T m n k; M m n"),
    ("ijk,i,j,k->", "s", "T m n k; c m; c n; c k"),
    ("ijk,kl->ijl", "T m n p", "T m n k; M k p"),
    ("ijk->kij", "T k m n", "T m n k"),
    ("ijk,ljk->il", "M m p", "T m n k; T p n k"),
):
    operands = args.count(";") + 1
    places = ", ".join(f"{{{k}:s}}" for k in range(operands))
    rule(
        result,
        f'einsum("{spec}", {places})',
        args,
        lambda *arrays, spec=spec: np.einsum(spec, *arrays),
        weight=0.3,
    )
kind = "T m n k"
rule(kind, "{0:s} + {1:n}", f"{kind}; {kind}", _add, "s", weight=0.4)
rule(kind, "{0:h} .* {1:p}", f"{kind}; {kind}", lambda a, b: a * b, "h", weight=0.4)
rule(kind, "tanh({0:s})", kind, np.tanh, weight=0.4)
rule("s", "sum({0:s})", kind, np.sum, weight=0.2)

# ----- sizes from the place, and sizes in the text ------------------------------------
rule("c n", "{0:s} + vector({1:s})", "c n; s", _add, "s", weight=0.4)
rule("s", "{0:f}' vector({1:s})", "c n; s", lambda a, b: np.sum(a) * b, "p", weight=0.3)
rule("M m n", "{0:s} - matrix({1:s})", "M m n; s", _subtract, "s", weight=0.4)
rule("M m n", "{0:h} .* matrix({1:s})", "M m n; s", lambda a, b: a * b, "h", weight=0.2)
rule(
    "c m",
    "{0:f} matrix({1:s}) {2:j}",
    "M m k; s; c n",
    lambda a, b, x: a.sum(1) * b * x.sum(),
    "p",
    weight=0.4,
)
rule(
    "c n*m",
    "commutation(@m@, @n@) vec({0:s})",
    "M m n",
    lambda a: a.reshape(-1),
    "p",
    weight=4,
)
rule(
    "c m*n",
    "commutation(@m@, @n@) ({0:q} ⊗ {1:u})",
    "c n; c m",
    lambda a, b: np.kron(b, a),
    "p",
    weight=2,
)
rule("M n m", "reshape({0:s}, @n@, @m@)", "M m n", lambda a: a.reshape(a.shape[::-1]))
rule("c m*n", "reshape({0:s}, @m@ @n@)", "M m n", lambda a: a.reshape(-1), weight=3)

# ----- more functions of matrices -------------------------------------------------------
rule("s", "trace({0:s})", "M n n", np.trace, weight=0.2)
rule("s", "Tr({0:s})", "M n n", np.trace, weight=0.2)
rule("c m", "mm({0:s}, {1:s})", "M m n; c n", np.dot, weight=0.2)
rule("M m n", "matmul({0:s}, {1:s})", "M m k; M k n", np.dot, weight=0.2)
rule("s", "norm1({0:s})", "c n", lambda a: np.sum(np.abs(a)), guards="k", weight=0.2)
rule("s", "norm2({0:s})", "c n", lambda a: np.sqrt(np.sum(a**2)), guards="z", weight=0.2)


# ----- LaTeX ----------------------------------------------------------------------------
for kind in _KINDS:
    rule(kind, "\\frac{{{0:s}}}{{{1:s}}}", f"{kind}; s", lambda a, b: a / b, "f", ".d", 0.3)
    rule(kind, "{0:h} \\odot {1:p}", f"{kind}; {kind}", lambda a, b: a * b, "h", weight=0.2)
rule("s", "\\sqrt{{{0:s}}}", "s", np.sqrt, "f", "+", 0.3)
rule("s", "\\left\\| {0:b} \\right\\|_2^2", "c n", lambda a: np.sum(a**2), "f", weight=0.3)
rule("s", "\\lVert {0:b} \\rVert_F^2", "M m n", lambda a: np.sum(a**2), "f", weight=0.3)
rule("s", "\\operatorname{{tr}}({0:s})", "M n n", np.trace, weight=0.3)
rule("s", "\\log\\det({0:s})", "M n n", lambda a: np.log(np.linalg.det(a)), "n", "p", 0.2)
rule("s", "\\langle {0:b}, {1:b} \\rangle", "c n; c n", np.dot, weight=0.2)
rule("r n", "{0:a}^\\top", "c n", np.array, "f", weight=0.4)
rule("M m n", "{0:a}^{{\\top}}", "M n m", np.transpose, "f", weight=0.3)
rule("M n n", "{0:a}^{{-1}}", "M n n", np.linalg.inv, "f", "i", 0.2)
rule("s", "\\exp\\left({0:s}\\right)", "s", np.exp, weight=0.2)
rule("c n", "\\sigma({0:s})", "c n", lambda a: 1 / (1 + np.exp(-a)), weight=0.2)
