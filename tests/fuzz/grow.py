"""From a seed to a program: trees grown from the wanted type down.

A production's operands are grown first; where a guard does not hold of an operand's
value (a logarithm of a negative number, the inverse of a singular matrix) it is wrapped
so that it does.  Values that are not finite or too large are thrown away.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.fuzz.rules import RULES, Rule
from tests.fuzz.trees import Dim, Input, Loop, Program, Tree, Type, dim_size, dim_text

__all__ = ["grow"]

_KIND = {"s": "scalar", "c": "vector", "r": "row", "M": "matrix", "T": "tensor"}
_NAMES = {
    "scalar": ("α", "β", "γ", "τ", "s", "r"),
    "vector": ("x", "y", "w", "u", "v", "b", "x_hat", "w_1", "is"),
    "matrix": ("A", "B", "X", "W", "Σ", "M_1", "np"),
    "tensor": ("H", "U", "V"),  # not T: ^T is a transpose
}
_ASSIGNED = ("h", "z1", "z2", "q", "hid", "P", "G", "out", "t", "yhat", "lambda")
_SIZES: tuple[dict[str, int], ...] = (
    {"n": 3, "m": 2, "k": 4},
    {"n": 2, "m": 3, "d": 4},
    {"n": 2, "m": 2, "k": 2},
    {"n": 3, "m": 1, "k": 2},
    {"n": 1, "m": 1, "k": 1},
)
_SQUARE_MARKS = ("symmetric", "posdef", "diagonal", "orthogonal", "lower", "upper")
_LARGEST = 50.0
_HAS_PLACE = re.compile(r"(vector|matrix)\(")


class Grower:
    """One program in the making."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.numbers = np.random.default_rng([77, seed])
        self.sizes = self.draw.choice(_SIZES)
        self.dims: list[Dim] = [*self.sizes, *self.sizes, self.draw.choice((1, 2, 3))]
        self.inputs: dict[str, Input] = {}
        self.statements: list[tuple[str, Tree | Loop]] = []
        self.known: list[Tree] = []  # leaves
        self.values: dict[str, Any] = {}

    # ---- leaves ----------------------------------------------------------------------

    def leaf(self, wanted: Type) -> Tree:
        fitting = [leaf for leaf in self.known if leaf.type == wanted]
        if fitting and self.draw.random() < 0.75:
            return self.draw.choice(fitting)
        if wanted.kind == "scalar" and self.draw.random() < 0.4:
            return self.number()
        if wanted.kind == "row":
            return self.apply_text("{0:f}'", "f", np.array, wanted, Type("vector", wanted.dims))
        composite = next((k for k, d in enumerate(wanted.dims) if isinstance(d, tuple)), None)
        if composite is not None:
            return self.composite(wanted, composite)
        constant = self.constant(wanted)
        return self.variable(wanted) if constant is None else constant

    def apply_text(self, text: str, level: str, meaning: Any, wanted: Type, *args: Type) -> Tree:
        return Tree(wanted, text, level, meaning, tuple(self.leaf(arg) for arg in args))

    def number(self) -> Tree:
        text, value, level = self.draw.choice(
            [("2", 2, "a"), ("3", 3, "a"), ("0.5", 0.5, "a"), ("1/2", 0.5, "p"), (".25", 0.25, "a")]
            + [(name, size, "a") for name, size in self.sizes.items()]
        )
        # A dimension is a number only where some shape has its name.
        if text in self.sizes and not any(text in e.type.dims for e in self.inputs.values()):
            text = str(value)
        return Tree(Type("scalar"), text, level, lambda: float(value))

    def constant(self, wanted: Type) -> Tree | None:
        if self.draw.random() > 0.15 or wanted.kind not in ("vector", "matrix"):
            return None
        sizes = ", ".join(map(dim_text, wanted.dims))
        lengths = tuple(dim_size(dim, self.sizes) for dim in wanted.dims)
        if wanted.kind == "matrix" and wanted.dims[0] == wanted.dims[1]:
            text = f"eye({dim_text(wanted.dims[0])})"
            return Tree(wanted, text, "a", lambda: np.eye(lengths[0]))
        return Tree(wanted, f"ones({sizes})", "a", lambda: np.ones(lengths))

    def composite(self, wanted: Type, place: int) -> Tree:
        """An array with an axis of a product of sizes, from smaller ones."""
        a, b = self.draw.sample(list(wanted.dims[place]), 2)  # type: ignore[arg-type]
        if wanted.kind == "vector":
            matrix = Type("matrix", (a, b))
            return self.apply_text(
                "vec({0:s})", "a", lambda x: x.reshape(-1, order="F"), wanted, matrix
            )
        if wanted.kind == "row":
            return self.apply_text("{0:f}'", "f", np.array, wanted, Type("vector", wanted.dims))
        left, right = list(wanted.dims), list(wanted.dims)
        left[place], right[place] = a, b
        other = wanted.dims[1 - place]
        c, d = other if isinstance(other, tuple) else (other, 1)
        left[1 - place], right[1 - place] = c, d
        types = Type("matrix", tuple(left)), Type("matrix", tuple(right))
        return self.apply_text("kron({0:s}, {1:s})", "a", np.kron, wanted, *types)

    def variable(self, wanted: Type) -> Tree:
        free = [name for name in _NAMES[wanted.kind] if name not in self.values]
        name = self.draw.choice(free) if free else f"{_NAMES[wanted.kind][0]}{len(self.inputs)}"
        shape = tuple(dim_size(dim, self.sizes) for dim in wanted.dims)
        array = np.asarray(self.numbers.normal(size=shape))
        marks: tuple[str, ...] = ()
        if self.draw.random() < 0.15:
            options = ["positive"]
            if wanted.kind == "matrix" and wanted.dims[0] == wanted.dims[1]:
                options += _SQUARE_MARKS
            marks = (self.draw.choice(options),)
            array = _with_mark(array, marks[0])
        return self.declare(name, wanted, array, marks)

    def declare(self, name: str, wanted: Type, array: Any, marks: tuple[str, ...] = ()) -> Tree:
        self.inputs[name] = Input(wanted, array, marks)
        self.values[name] = array
        self.known.append(Tree(wanted, name, "a", name=name))
        return self.known[-1]

    # ---- inner nodes -----------------------------------------------------------------

    def want(self, wanted: Type, depth: int) -> Tree:
        """A tree of a type, of at most this depth, finite at the program's values."""
        if depth <= 0 or self.draw.random() < 0.12:
            return self.leaf(wanted)
        for _ in range(6):
            fitting = [(r, bound) for r in RULES if (bound := _fits(r, wanted)) is not None]
            if not fitting:
                return self.leaf(wanted)
            weights = [r.weight for r, _ in fitting]
            chosen, bound = self.draw.choices(fitting, weights)[0]
            tree = self.apply(chosen, dict(bound), wanted, depth)
            if tree is not None:
                return self.maybe_named(tree, depth)
        return self.leaf(wanted)

    def apply(self, chosen: Rule, bound: dict[str, Dim], wanted: Type, depth: int) -> Tree | None:
        if _HAS_PLACE.search(chosen.text) and 1 in bound.values():
            return None  # an axis of size 1 stretches, and fixes no size
        args = []
        for pattern, guard in zip(chosen.args, chosen.guards, strict=True):
            needed = self.resolved(pattern, bound)
            if needed is None:
                return None
            arg: Tree | None = self.want(needed, depth - 1 - (self.draw.random() < 0.3))
            arg = self.guarded(arg, guard)
            if arg is None:
                return None
            args.append(arg)
        sizes = tuple((name, dim_text(dim)) for name, dim in bound.items())
        shown = sizes if "@" in chosen.text else ()
        tree = Tree(wanted, chosen.text, chosen.level, chosen.meaning, tuple(args), dims=shown)
        return tree if self.is_moderate(tree) else None

    def resolved(self, pattern: str, bound: dict[str, Dim]) -> Type | None:
        kind, *names = pattern.split()
        dims: list[Dim] = []
        for name in names:
            if name.isdigit():
                dims.append(int(name))
            else:
                dims.append(bound.setdefault(name, self.draw.choice(self.dims)))
        if kind == "T" and any(isinstance(dim, tuple) for dim in dims):
            return None  # nothing is declared with an axis of a product of sizes
        return Type(_KIND[kind], tuple(dims))

    def value(self, tree: Tree) -> Any:
        with np.errstate(all="ignore"):
            return tree.value(self.values)

    def is_moderate(self, tree: Tree) -> bool:
        try:
            array = self.value(tree)
        except np.linalg.LinAlgError:
            return False
        return bool(np.all(np.isfinite(array)) and np.max(np.abs(array)) < _LARGEST)

    def guarded(self, arg: Tree | None, guard: str) -> Tree | None:
        """The operand, or one made of it, of which the guard holds."""
        if arg is None or guard == "." or _HOLDS[guard](self.value(arg)):
            return arg
        for text, level, meaning in _WRAPS.get(guard, ()):
            if arg.type.dims:
                text = text.replace("SIZE", dim_text(arg.type.dims[0]))
            power = "^" if arg.type.kind == "scalar" else ".^"
            wrapped = Tree(arg.type, text.replace("POWER", power), level, meaning, (arg,))
            if _HOLDS[guard](self.value(wrapped)):
                return wrapped
        return None

    def maybe_named(self, tree: Tree, depth: int) -> Tree:
        """The tree, or the name of a new statement that assigns it."""
        free = [n for n in _ASSIGNED if n not in self.values]
        if not free or self.draw.random() > 0.12 or not tree.args:
            return tree
        name = self.draw.choice(free)
        self.statements.append((name, tree))
        self.values[name] = self.value(tree)
        self.known.append(Tree(tree.type, name, "a", name=name))
        return self.known[-1]

    # ---- loops -----------------------------------------------------------------------

    def loop(self) -> None:
        """z = start; repeat j in N { z = f(W[j] z + b[j]) } over new stacks; or two loops."""
        size = self.draw.choice(list(self.sizes))
        count = self.draw.choice([2, 3, "N"])
        if count == "N":
            self.sizes = {**self.sizes, "N": 2}
        text, names, meaning = self.draw.choice(_BODIES)
        inner, by_inner = None, ()
        if self.draw.random() < 0.3:
            inner = self.draw.choice([2, 3, "L"])
            if inner == "L":
                self.sizes = {**self.sizes, "L": 3}
            by_inner = tuple(name for name in names if self.draw.random() < 0.6)
            for name in by_inner:
                text = text.replace(f"{name}[j]", f"{name}[i]")
        for name in names:
            turns = inner if inner is not None and name in by_inner else count
            dims: tuple[Dim, ...] = (turns, *(size for _ in range({"S": 2, "C": 1, "c": 0}[name])))
            kind = {"S": "tensor", "C": "matrix", "c": "vector"}[name]
            shape = [dim_size(dim, self.sizes) for dim in dims]
            self.declare(name, Type(kind, dims), self.numbers.normal(size=shape) / 2)
        start = self.want(Type("vector", (size,)), 1)
        body = Loop("z", start, count, text, names, meaning, inner, by_inner)
        program = Program(self.inputs, (*self.statements, ("z", body)), start, self.sizes)
        leaf = Tree(start.type, "z", "a", name="z")
        with np.errstate(all="ignore"):
            value = Program(self.inputs, program.statements, leaf, self.sizes).value(
                {name: entry.value for name, entry in self.inputs.items()}
            )
        self.statements.append(("z", body))
        self.values["z"] = value
        self.known.append(leaf)


_BODIES = (
    ("tanh(S[j] z)", ("S",), lambda z, s: np.tanh(s @ z)),
    ("tanh(S[j] z + C[j])", ("S", "C"), lambda z, s, c: np.tanh(s @ z + c)),
    ("z + sin(z .* C[j])", ("C",), lambda z, c: z + np.sin(z * c)),
    ("c[j] z", ("c",), lambda z, c: c * z),
    ("softmax(S[j] z) + c[j] z", ("S", "c"), lambda z, s, c: _softmax(s @ z) + c * z),
)


def _softmax(x: Any) -> Any:
    e = np.exp(x - x.max())
    return e / e.sum()


def _with_mark(array: Any, mark: str) -> Any:
    if mark == "positive":
        return np.abs(array) + 0.2
    if mark == "orthogonal":
        return np.linalg.qr(array)[0]
    if mark == "posdef":
        return array @ array.T / len(array) + np.eye(len(array))
    if mark == "symmetric":
        return (array + array.T) / 2
    shaped: Any = {"diagonal": lambda a: np.diag(np.diag(a)), "lower": np.tril, "upper": np.triu}
    return shaped[mark](array)


def _fits(chosen: Rule, wanted: Type) -> list[tuple[str, Dim]] | None:
    """What the sizes of a rule's result stand for, where it makes the type."""
    kind, *names = chosen.result.split()
    if _KIND[kind] != wanted.kind or not chosen.weight:
        return None
    bound: dict[str, Dim] = {}
    for name, dim in zip(names, wanted.dims, strict=True):
        if name.isdigit():
            if dim != int(name):
                return None
            continue
        if ("*" in name) != isinstance(dim, tuple) and "*" in name:
            return None
        parts: Sequence[tuple[str, Dim]] = (
            list(zip(name.split("*"), dim, strict=True))
            if "*" in name and isinstance(dim, tuple)
            else [(name, dim)]
        )
        for key, part in parts:
            if bound.setdefault(key, part) != part:
                return None
    return list(bound.items())


def _gaps(array: Any) -> float:
    values = np.sort(np.ravel(array))
    return float(np.min(np.diff(values), initial=1.0))


def _well_conditioned(a: Any) -> bool:
    return bool(np.linalg.cond(a) < 30 and abs(np.linalg.det(a)) > 0.02)


def _posdef(a: Any) -> bool:
    return bool(np.allclose(a, a.T) and np.linalg.eigvalsh((a + a.T) / 2)[0] > 0.2)


def _distinct_singular(a: Any) -> bool:
    values = np.linalg.svd(a, compute_uv=False)
    return bool(values[-1] > 0.15 and _gaps(values) > 0.1)


# guard -> what must hold of an operand's value
_HOLDS: dict[str, Any] = {
    "+": lambda a: np.min(a) > 0.1,
    "d": lambda a: np.min(np.abs(a)) > 0.2,
    "1": lambda a: np.max(np.abs(a)) < 0.9,
    "k": lambda a: np.min(np.abs(a)) > 0.02,
    "t": lambda a: _gaps(a) > 0.02,
    "T": lambda a: _gaps(np.abs(a)) > 0.02,
    "z": lambda a: np.max(np.abs(a)) > 0.1,
    "v": lambda a: np.std(a) > 0.05,
    "i": _well_conditioned,
    "p": _posdef,
    "r": _distinct_singular,
}
_ABOVE = ("1/2 + {0:a}POWER2", "s", lambda a: 0.5 + a**2)
# guard -> texts, levels and meanings of operands of which it holds
_WRAPS: dict[str, list[tuple[str, str, Any]]] = {
    "+": [_ABOVE, ("1 + exp({0:s})", "s", lambda a: 1 + np.exp(a))],
    "d": [_ABOVE],
    "k": [_ABOVE],
    "1": [("1/2 sin({0:s})", "p", lambda a: 0.5 * np.sin(a))],
    "i": [
        ("2 eye(SIZE) + 1/4 sin({0:s})", "s", lambda a: 2 * np.eye(len(a)) + np.sin(a) / 4),
    ],
    "p": [
        ("{0:a} {0:a}' + eye(SIZE)", "s", lambda a: a @ a.T + np.eye(len(a))),
    ],
}


def grow(seed: int) -> Program:
    """The program of a seed."""
    grower = Grower(seed)
    draw = grower.draw
    if draw.random() < 0.12:
        grower.loop()
    kind = draw.choices(("s", "c n", "M m n", "r n", "c m*n"), (12, 3, 3, 1, 0.5))[0]
    dims = [n for n in grower.sizes if n not in ("N", "L")]
    bound: dict[str, Dim] = {name: draw.choice([*dims, 1, 2]) for name in "nm"}
    names = kind.split()[1:]
    wanted = Type(
        _KIND[kind[0]],
        tuple(tuple(sorted(draw.sample(dims, 2))) if "*" in n else bound[n] for n in names),
    )
    for _ in range(20):
        output = grower.want(wanted, draw.choice((2, 3, 3, 4, 4, 5)))
        if output.args or output.name in dict(grower.statements):
            break
    functions = {"phi": "elementwise", "l": "scalar function", "loss": "scalar function"}
    functions["wave(p) = p^2 sin(p)"] = "elementwise"
    made = Program(
        dict(grower.inputs), tuple(grower.statements), output, dict(grower.sizes), functions
    )
    return made.used()
