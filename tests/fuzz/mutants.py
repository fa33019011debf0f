"""Whether the tests would notice: `python -m tests.fuzz.mutants --minutes 15`.

One expression of the engine is turned at a time: a sign, a comparison, an index, two
arguments, a number by one, a condition, a return value.  The new code takes the place of
the old one in a child process, which runs the corpus, some random programs and the tests
of that part.  What all of them pass survives, and is printed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import gc
import importlib
import json
import os
import random
import signal
import sys
import time
import types
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv import generate, notation
from tests.fuzz.hunt import hunt

__all__ = ["Mutant", "mutants"]

ROOT = Path(__file__).parents[2]
FORMULAS = json.loads((ROOT / "tests/corpus/formulas.json").read_text("utf-8"))
TESTS = {
    "tensor/elementwise": ["tests/tensor/test_elementwise.py", "tests/program/test_tables.py"],
    "tensor/primitives": ["tests/tensor/test_primitives.py", "tests/program/test_tables.py"],
    "tensor/sums": ["tests/tensor/test_sums.py"],
    "tensor/cancel": ["tests/tensor/test_sums.py", "tests/tensor/test_products.py"],
    "tensor/products": ["tests/tensor/test_products.py"],
    "tensor/reshapes": ["tests/tensor/test_reshapes.py", "tests/tensor/test_rules.py"],
    "tensor/loops": ["tests/loops"],
    "tensor": [
        "tests/tensor/test_rules.py",
        "tests/tensor/test_products.py",
        "tests/tensor/test_traverse.py",
    ],
    "calculus/loops": ["tests/loops"],
    "calculus": ["tests/calculus"],
}
_OPPOSITE: dict[type[Any], type[Any]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


class Mutant:
    """One expression of a file turned."""

    def __init__(self, path: Path, place: int, line: int, what: str) -> None:
        self.path, self.place, self.line, self.what = path, place, line, what

    def code(self) -> types.CodeType:
        tree = ast.parse(self.path.read_text("utf-8"))
        _turn(next(n for k, n in enumerate(ast.walk(tree)) if k == self.place), self.what)
        return compile(ast.fix_missing_locations(tree), str(self.path), "exec")

    def __str__(self) -> str:
        text = self.path.read_text("utf-8").splitlines()[self.line - 1].strip()
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.what}: {text}"

    def install(self) -> bool:
        """Put the code in the place of the old one; whether any function has changed."""
        new: dict[tuple[str, int], types.CodeType] = {}
        stack = [self.code()]
        while stack:
            for constant in stack.pop().co_consts:
                if isinstance(constant, types.CodeType):
                    new[constant.co_qualname, constant.co_firstlineno] = constant
                    stack.append(constant)
        changed = False
        for thing in gc.get_objects():
            if not isinstance(thing, types.FunctionType):
                continue
            old = thing.__code__
            code = new.get((old.co_qualname, old.co_firstlineno))
            if code is None or old.co_filename != str(self.path) or code == old:
                continue
            if code.co_freevars == old.co_freevars:
                thing.__code__ = code
                changed = True
        return changed


def mutants(path: Path) -> Iterator[Mutant]:
    """All mutants of a file."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes = [node for node in ast.walk(tree) if hasattr(node, "lineno")]
    inside = {
        id(child)
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.Lambda)
        for child in ast.walk(node)
        if child is not node and not _is_assertion(node)
    }
    for place, node in enumerate(ast.walk(tree)):
        if id(node) not in inside:
            continue
        for what in _turns(node):
            yield Mutant(path, place, getattr(node, "lineno", 1), what)


def _is_assertion(node: ast.AST) -> bool:
    return isinstance(node, ast.Assert | ast.Raise)


def _turns(node: ast.AST) -> list[str]:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPPOSITE:
        return ["operator", "left operand alone"]
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _OPPOSITE:
        return ["comparison"]
    if isinstance(node, ast.BoolOp):
        return ["and for or", "a condition dropped"]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        return ["sign dropped"]
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return ["off by one"]
    if isinstance(node, ast.Call) and len(node.args) == 2 and not node.keywords:
        return ["arguments exchanged"]
    if isinstance(node, ast.If | ast.IfExp):
        return ["condition turned"]
    return []


def _turn(node: Any, what: str) -> None:
    if what == "operator":
        node.op = _OPPOSITE[type(node.op)]()
    elif what == "left operand alone":
        node.op, node.right = ast.Add(), ast.Constant(0)
    elif what == "comparison":
        node.ops[0] = _OPPOSITE[type(node.ops[0])]()
    elif what == "and for or":
        node.op = _OPPOSITE[type(node.op)]()
    elif what == "a condition dropped":
        node.values = node.values[:-1]
        if len(node.values) == 1:
            node.values.append(node.values[0])
    elif what == "sign dropped":
        node.op = ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not()
        node.operand = (
            node.operand
            if isinstance(node.op, ast.UAdd)
            else ast.UnaryOp(ast.Not(), copy.deepcopy(node.operand))
        )
    elif what == "off by one":
        node.value += 1
    elif what == "arguments exchanged":
        node.args.reverse()
    else:
        node.test = ast.UnaryOp(ast.Not(), node.test)


# ----- whether it is noticed --------------------------------------------------------------
def _quick() -> bool:
    """The corpus and some random programs; False at the first thing that is wrong."""
    for case in FORMULAS[::3]:
        given = {"shapes": case["shapes"], "attributes": case["attrs"] or None}
        derivative = md.diff(case["expr"], case["wrt"], order=case["order"], **given)
        if case["expected_derivative"] is not None:
            want = np.array(case["expected_derivative"], float)
            got = derivative.evaluate(case["inputs"])
            if got.shape != want.shape or not np.allclose(got, want, rtol=1e-7, atol=1e-9):
                return False
    return all(hunt(seed) is None for seed in range(60))


def noticed(mutant: Mutant, seconds: int) -> str:
    """How a child process ends: "corpus", "tests", "hang", "survives" or "same"."""
    child = os.fork()
    if not child:
        signal.alarm(seconds)
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        status = 1
        try:
            if not mutant.install():
                status = 4
            elif _quick():
                status = 2
                key = max((k for k in TESTS if f"/{k}" in str(mutant.path)), key=len)
                arguments = ["-x", "-q", "-p", "no:cacheprovider", *TESTS[key]]
                status = 3 if pytest.main(arguments) == 0 else 2
        except BaseException:
            os._exit(status)
        os._exit(status)
    _, code = os.waitpid(child, 0)
    if os.WIFSIGNALED(code):
        return "hang"
    return {1: "corpus", 2: "tests", 3: "survives", 4: "same"}[os.WEXITSTATUS(code)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.mutants")
    parser.add_argument("paths", nargs="*", default=["matderiv/calculus", "matderiv/tensor"])
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=90, help="seconds for one mutant")
    options = parser.parse_args()
    os.chdir(ROOT)
    files = [file for path in options.paths for file in sorted((ROOT / path).rglob("*.py"))]
    files += [ROOT / path for path in options.paths if path.endswith(".py")]
    every = [mutant for file in files for mutant in mutants(file)]
    for module in (generate, notation):
        importlib.import_module(module.__name__)
    assert _quick(), "the unchanged engine fails"
    random.Random(options.seed).shuffle(every)
    begun, ends = time.perf_counter(), Counter[str]()
    for mutant in every:
        if time.perf_counter() - begun > 60 * options.minutes:
            break
        end = noticed(mutant, options.limit)
        ends[end] += 1
        if end == "survives":
            print(mutant, flush=True)
        if sum(ends.values()) % 20 == 0:
            print(f"{sum(ends.values())} mutants: {dict(ends)}", file=sys.stderr, flush=True)
    print(f"{sum(ends.values())} of {len(every)} mutants: {dict(ends)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
