"""Inputs that nobody means: the public functions answer or raise a MatderivError.

Texts are broken formulas, soups of tokens, random letters of all alphabets, absurd sizes
and nesting, names and strings that would harm if they were executed; arguments are of
every wrong type.  A call that takes longer than its limit fails like any other.
"""

from __future__ import annotations

import json
import math
import random
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

import matderiv as md
from tests.fuzz.grow import grow

__all__ = ["HARM", "LIMIT", "Fault", "probe", "watched"]

LIMIT = 3.0  # seconds of processor time for one call, and as much again to notice

_CORPUS = Path(__file__).parents[1] / "corpus" / "formulas.json"
FORMULAS: list[str] = [case["expr"] for case in json.loads(_CORPUS.read_text("utf-8"))]

_CONFUSABLE = "хАВСЕНКМОРТХαаеорсｘ（）＋－＊／⁄∗ˈʹ＇`´‘“”«»‐‑⁃−∕∖⧵｜ǀ‖∥⟨⟩〈〉ıⅹⅬ𝐱𝟏²₂ᵀ⊤⊗⊙∘ﬁß\u200b\u200e\u202e\ufeff\0\x1b\x7f\u0301"
_TOKENS = [
    "x",
    "y",
    "X",
    "A",
    "w",
    "λ",
    "t",
    "n",
    "1",
    "2.",
    ".5",
    "0",
    "e",
    "π",
    "I",
    "T",
    "σ",
    "phi",
    "f",
    "dX",
    "Xw",
    "loss",
    "sin",
    "log",
    "tr",
    "det",
    "softmax",
    "sum",
    "max",
    "norm",
    "D",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "|",
    "||",
    "‖",
    "<",
    ">",
    ",",
    ";",
    ":",
    "=",
    "+",
    "-",
    "*",
    "/",
    "\\",
    "@",
    ".*",
    "./",
    ".^",
    "^",
    "^T",
    "^-1",
    "'",
    "²",
    "ᵀ",
    "_1",
    "_F",
    "_*",
    "∈",
    "R",
    "where",
    "in",
    "repeat",
    "(n)",
    "axis=0",
    "keepdims=True",
    "einsum",
    '"ij->ji"',
    '"ii,->"',
    "ones(",
    "eye(",
    "reshape(",
    "commutation(",
    "\\frac",
    "\\sqrt{",
    "\\|x\\|",
    "\\lambda",
    "\\mathbf{",
    "\\hat",
    "\\left",
    "\\right",
    "\\top",
    "&",
    "#",
    "D(l,",
    "elementwise",
    "symmetric",
    "posdef",
    "stochastic",
    "𝐱",
    "х",
    "\n",
    ".T",
    ".sum()",
    ".pow(2)",
    "⊗",
    "⊙",
    "vec",
    "kron",
    "pinv",
    "chol",
    "onehot_max",
    "logsumexp",
    "1e308",
    "-0",
]
_NAMES = [
    "__import__",
    "lambda",
    "class",
    "def",
    "import",
    "np",
    "numpy",
    "sys",
    "os",
    "exec",
    "eval",
    "None",
    "True",
    "nan",
    "inf",
    "__class__",
    "forward",
    "backward",
    "cache",
    "cotangent",
    "values",
    "self",
    "_inputs",
    "_array",
    "sizes",
    "kind",
    "t0",
    "t1",
]
HARM = (
    "__import__('os').system('touch harmed')",
    "x\"); import os; os.system('touch harmed'); (\"",
    "{0.__class__.__init__.__globals__}",
    "${x:system}",
    "../../harmed",
    "%s%s%n",
    "'''\nimport os\n'''",
    '"""; raise SystemExit; """',
    "\\input{/etc/passwd}",
    "<script>alert(1)</script>",
    "x\n\nraise SystemExit\n",
)
_WRONG: tuple[Any, ...] = (
    *(None, 3, -1, 0, 2.5, True, b"x", [], {}, (), object(), [None], ["x", 3], math.nan, math.inf),
    *("", " ", "\0", "x" * 500, range(3), np.zeros(2), {"x": None}, {None: 1}, {"x": "n"}, 10**30),
    *({"x": ("n", -1)}, {"x": [[]]}, {"x": 1.5}, {"x": {"n": 1}}, lambda: 0, int, ["x", "x"]),
    *({"x": "no_attribute"}, {"x": ["symmetric", 3]}, {"x y": ("n",)}, {"X": (10**20, 10**20)}),
    *(np.nan, np.int64(2), {"x": np.array([1.0, np.nan])}, {"x": [1, [2]]}, {"x": "abc"}),
    *(
        {"x": object()},
        {"x": 1j},
        {"x": [[1.0]]},
        {"x": np.zeros((0,))},
        {3: [1.0]},
        frozenset("x"),
    ),
)
_FORMATS = ["unicode", "ascii", "latex", "mathml", "index", "json", "numpy", "sympy"]


@dataclass
class Fault:
    """An input on which something other than a MatderivError came out, or too late."""

    seed: int
    call: str
    text: str
    error: str


# ----- texts ------------------------------------------------------------------------------
class Writer:
    """Texts of a seed."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)

    def text(self) -> str:
        kinds: list[Callable[[], str]] = [self.broken] * 6 + [self.soup] * 2
        kinds += [self.letters, self.named, self.absurd, self.deep]
        return self.draw.choice(kinds)()

    def formula(self) -> str:
        if self.draw.random() < 0.7:
            return self.draw.choice(FORMULAS)
        return grow(self.draw.randrange(10**6)).text()

    def broken(self) -> str:
        """A formula with a few letters lost, doubled, exchanged or put in."""
        letters = list(self.formula())
        for _ in range(self.draw.choice((1, 1, 2, 3, 6))):
            place = self.draw.randrange(len(letters) + 1)
            end = min(len(letters), place + self.draw.choice((0, 1, 1, 3)))
            new = self.draw.choice(
                [
                    "",
                    self.draw.choice(_CONFUSABLE),
                    self.draw.choice(_TOKENS),
                    "".join(letters[place:end]) * 2,
                    chr(self.draw.randrange(1, 128)),
                    self.draw.choice(FORMULAS)[: self.draw.randrange(12)],
                ]
            )
            letters[place:end] = list(new)
        return "".join(letters)

    def soup(self) -> str:
        space = " " if self.draw.random() < 0.6 else ""
        return space.join(self.draw.choices(_TOKENS, k=self.draw.randint(1, 14)))

    def letters(self) -> str:
        """Letters of any alphabet, or bytes read as text."""
        count = self.draw.randint(1, 40)
        if self.draw.random() < 0.4:
            return self.draw.randbytes(count).decode(
                self.draw.choice(("latin-1", "utf-16-le")), "replace"
            )
        points = (self.draw.randrange(0x110000) for _ in range(count))
        return "".join(chr(p) if self.draw.random() < 0.7 else "x" for p in points)

    def named(self) -> str:
        """Names that mean something to Python or to generated code, or would do harm."""
        name = self.draw.choice((*_NAMES, *HARM))
        pattern = self.draw.choice(
            ("{0}: (n)\nsum({0})", "{0}", "{0} = x' x\n{0}^2", "x: (n) {0}\nx", "x: ({0})\nx' x",
             "einsum(\"{0}\", x)", "sum(x, axis={0})", "x[{0}]", "# {0}\nx' x", "x.{0}()", "{0}(x)",
             "{0}: elementwise\nsum({0}(x))", "norm(x, {0})", "ones({0})' x where x: ({0})")
        )  # fmt: skip
        return pattern.replace("{0}", name)

    def absurd(self) -> str:
        """Sizes, exponents and counts out of all proportion."""
        number = self.draw.choice(
            ("10000000000", "99999999999999999999999", "4097", "1e308", "1e-320", "0", "-5", "2.5",
             "1000000", "3/7", "0x10", "9" * 400, "100", "256", "257", "1/0", "(1/0)", "0^0")
        )  # fmt: skip
        pattern = self.draw.choice(
            ("A^#", "x.^#", "t^# where t: ()", "2^#", "#^#", "ones(#)' ones(#)", "eye(#)", "#", "x / #",
             "x[#]", "x[0:#]", "A^-#", "sum(eye(#))", "reshape(X, #, #)", "commutation(#, #)", "1/#",
             "norm(x, #)", "z = x; repeat l in # { z = W[l] z }; z where W: (#, n, n)", "x: (#)\nx' x",
             "X: (#, #)\ntr(X)", "vec(X) where X: (#, #)", "kron(eye(#), A)", "T: (#, #, #, #)\nsum(T)",
             "det(X) where X: (#, #)", "expm(# X)", "log(#)", "t^#^# where t: ()", "X: (#, #)\nX^3")
        )  # fmt: skip
        return pattern.replace("#", number)

    def deep(self) -> str:
        """Nesting and repetition of a moderate depth; the extremes have tests of their own."""
        count = self.draw.choice((10, 60, 200))
        left, right = self.draw.choice(
            (("(", ")"), ("sin(", ")"), ("||", "||"), ("-", ""), ("x + ", ""), ("x' (", ")"),
             ("exp(", ")"), ("\\frac{1}{", "}"), ("inv(", ")"), ("tr(A ", ")"), ("", "'"), ("", "^2"),
             ("[", "]"), ("|", "|"), ("{", "}"), ("", "[0]"), ("x .* ", ""), ("A ", ""), ("x,", ""))
        )  # fmt: skip
        middle = self.draw.choice(("x", "A", "t", "", "1"))
        return left * count + middle + right * (count - (self.draw.random() < 0.2))


# ----- calls ------------------------------------------------------------------------------
def _calls(seed: int, text: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Calls of the public functions on a text, with arguments right and wrong."""
    draw = random.Random(seed + 1)
    wrong = lambda: draw.choice((*_WRONG, *HARM))  # noqa: E731
    yield "parse", lambda: md.parse(text)
    if draw.random() < 0.25:
        keyword = draw.choice(("shapes", "attributes"))
        value = wrong()
        yield f"parse {keyword}={value!r:.50}", lambda: md.parse(text, **{keyword: value})
    if draw.random() > 0.3 or len(text) > 400:
        return
    try:
        program = md.parse(text)
    except md.MatderivError:
        program, names = md.parse("x' A x"), ["x"]
    names = list(program.inputs) or ["x"]
    wrt: Any = draw.choice(names) if draw.random() < 0.85 else wrong()
    options: dict[str, Any] = {}
    if draw.random() < 0.3:
        options[draw.choice(("order", "layout", "mode", "structured"))] = wrong()
    elif draw.random() < 0.2 and len(text) < 60:  # a derivative of order 3 grows with the cube
        options["order"] = draw.choice((2, 3))
    label = f"wrt={wrt!r:.40} {options!r:.80}"
    yield f"diff {label}", lambda: md.diff(program, wrt, **options)
    try:
        derivative = md.diff(program, wrt, **options)
    except md.MatderivError:
        derivative = md.diff("x' A x", "x")
    if not isinstance(derivative, md.Derivative):
        return
    form = draw.choice(_FORMATS) if draw.random() < 0.8 else wrong()
    yield f"diff {label}; to({form!r:.40})", lambda: derivative.to(form)
    method = draw.choice(("differential", "vjp", "hvp", "vec", "cost", "steps", "__repr__"))
    yield f"diff {label}; {method}", lambda: str(getattr(derivative, method)())
    yield (
        f"diff {label}; check",
        lambda: derivative.check(*([wrong()] if draw.random() < 0.3 else [])),
    )
    value = wrong()
    yield f"evaluate({value!r:.40})", lambda: derivative.program.evaluate(value)
    yield f"derivative.evaluate({value!r:.40})", lambda: derivative.evaluate(value)
    yield f"derivative.diff({value!r:.40})", lambda: derivative.diff(value)
    if draw.random() < 0.5:
        yield f"compile {label}", lambda: md.compile(program, wrt)
        options = {draw.choice(("order", "layout", "backend")): wrong()}
        yield f"compile {options!r:.60}", lambda: md.compile("x' A x", "x", **options)
        yield f"cost {value!r:.60}", lambda: md.cost("x' A x", value)
        compiled = md.compile("x' A x", "x")
        name = draw.choice(("forward", "backward", "value_and_grad", "derivative"))
        yield f"compiled.{name}({value!r:.40})", lambda: getattr(compiled, name)(value)
        yield f"cost.at({value!r:.40})", lambda: compiled.cost.at(n=value)
    if draw.random() < 0.3:
        yield f"verify {text!r:.60}", lambda: md.verify("x' A x", "x", text)
        claim = wrong()
        yield f"verify {claim!r:.60}", lambda: md.verify("x' A x", "x", claim)


def probe(seed: int) -> tuple[Fault | None, int]:
    """Make the calls of a seed; the first fault, and how many calls were made."""
    text = Writer(seed).text()
    made = 0
    for label, call in _guarded(_calls(seed, text)):
        made += 1
        start = time.thread_time()
        try:
            with (
                watched(),
                md.limits(seconds=LIMIT),
                warnings.catch_warnings(),
                np.errstate(all="ignore"),
            ):
                warnings.simplefilter("ignore")
                call()
        except md.MatderivError as error:
            if len(str(error)) > 5000:
                return Fault(seed, label, text, "a message of more than 5,000 letters"), made
        except (Exception, SystemExit) as error:
            return Fault(seed, label, text, f"{type(error).__name__}: {error}"), made
        took = time.thread_time() - start
        if took > 2 * LIMIT:
            return Fault(seed, label, text, f"{took:.1f} s"), made
    return None, made


def _guarded(
    calls: Iterator[tuple[str, Callable[[], Any]]],
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The calls; what fails between two of them is handed out as one more."""
    while True:
        try:
            with watched(), md.limits(seconds=LIMIT):
                item = next(calls)
        except StopIteration:
            return
        except (Exception, SystemExit) as error:
            yield "between calls", _raiser(error)
            return
        yield item


def _raiser(error: BaseException) -> Callable[[], Any]:
    def call() -> None:
        raise error

    return call


# ----- the watch --------------------------------------------------------------------------
_on = False
_HARMFUL = ("os.system", "subprocess.Popen", "os.remove", "shutil.rmtree", "socket.connect")


class Harm(BaseException):
    """Something was executed, or written, that no call asked for."""


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _on:
        return
    if event in _HARMFUL or (
        event == "open" and isinstance(arguments[1], str) and "w" in arguments[1]
    ):
        raise Harm(f"{event} {arguments!r}")


_installed = False


@contextmanager
def watched() -> Iterator[None]:
    """Within it nothing may write, start a process, or run without end."""
    global _on, _installed
    if not _installed:
        sys.addaudithook(_audit)
        _installed = True

    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"more than {20 * LIMIT} s by the clock")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 20 * LIMIT)
    _on = True
    try:
        yield
    finally:
        _on = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
