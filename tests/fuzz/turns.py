"""The mutants of a file, and code that takes the place of other code while the process runs.

A mutant is one expression turned: a sign, a comparison, an index, two arguments, a number by
one, a condition, two axes of an `einsum`, a statement left out.  A site is a statement or a
lambda: what a mutant stands in, and what is recorded when it is executed.
"""

from __future__ import annotations

import ast
import copy
import functools
import gc
import types
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

__all__ = ["Engine", "Mutant", "mutants", "observed"]

ROOT = Path(__file__).parents[2]
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
_SYMMETRIC = ("isinstance", "min", "max")  # of two arguments: isinstance fails at once
_Function = ast.FunctionDef | ast.Lambda


class Mutant:
    """One expression of a file turned; `site` is the statement or lambda around it."""

    def __init__(self, path: Path, place: int, node: Any, what: str, site: int) -> None:
        self.path, self.place, self.what, self.site = path, place, what, site
        self.line = path.read_text("utf-8").splitlines()[node.lineno - 1].strip()
        self.turned = f"{what}: {' '.join(ast.unparse(node).split())[:100]}"
        self._at = f"{self.file}:{node.lineno}:{node.col_offset + 1}"

    def tree(self) -> ast.Module:
        tree = ast.parse(self.path.read_text("utf-8"))
        _turn(next(n for k, n in enumerate(ast.walk(tree)) if k == self.place), self.what)
        return tree

    @property
    def file(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    def __str__(self) -> str:
        return f"{self._at}: {self.turned}"


def mutants(path: Path) -> Iterator[Mutant]:
    """All mutants of a file that lie inside functions."""
    tree = ast.parse(path.read_text("utf-8"))
    sites = _sites(tree)
    for place, node in enumerate(ast.walk(tree)):
        if id(node) in sites:
            for what in _turns(node):
                yield Mutant(path, place, node, what, sites[id(node)])


def observed(path: Path) -> ast.Module:
    """A file whose statements and lambdas call `__seen__(site)` first."""
    tree = ast.parse(path.read_text("utf-8"))
    return ast.fix_missing_locations(_Observer().visit(tree))


# ----- sites ------------------------------------------------------------------------------
def _starts_site(node: ast.AST) -> bool:
    return isinstance(node, ast.stmt | ast.Lambda)


def _sites(tree: ast.Module) -> dict[int, int]:
    """Each node inside a function -> its site, the place of that in `_walk`."""
    found: dict[int, int] = {}

    def go(node: ast.AST, site: int | None, inside: bool) -> None:
        if isinstance(node, ast.Assert | ast.Raise):
            return
        if inside and site is not None:
            found[id(node)] = site
        for name, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else [value]:
                if not isinstance(child, ast.AST) or name in ("returns", "annotation"):
                    continue
                within = inside or (isinstance(node, _Function) and name == "body")
                place = numbers.get(id(child), site) if within else site
                if isinstance(node, ast.Lambda) and name == "body":
                    place = numbers[id(node)]
                go(child, place, within)

    numbers = {id(node): k for k, node in enumerate(filter(_starts_site, ast.walk(tree)))}
    go(tree, None, False)
    return found


class _Observer(ast.NodeTransformer):
    """Numbers sites as `_sites` does, which looks at the tree before it is changed."""

    def visit_Module(self, node: ast.Module) -> ast.Module:
        self.numbers = {id(n): k for k, n in enumerate(filter(_starts_site, ast.walk(node)))}
        self.generic_visit(node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self._observe(node)
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        number = self.numbers[id(node)]
        self.generic_visit(node)
        parts = ast.Tuple([_call(number), node.body], ast.Load())
        node.body = ast.Subscript(parts, ast.Constant(1), ast.Load())
        return node

    def _observe(self, node: ast.AST) -> None:
        """Put a call before each statement of the bodies of a statement in a function."""
        own = {
            id(child): self.numbers[id(child)] for child in ast.walk(node) if _starts_site(child)
        }
        for part in ast.walk(node):
            for name in ("body", "orelse", "finalbody"):
                block = getattr(part, name, None)
                if isinstance(block, list) and not isinstance(part, ast.ClassDef):
                    fresh: list[ast.stmt] = []
                    for statement in block:
                        if id(statement) in own and not _is_docstring(statement):
                            fresh.append(ast.Expr(_call(own[id(statement)])))
                        fresh.append(statement)
                    setattr(part, name, fresh)
            if isinstance(part, ast.Lambda):
                parts = ast.Tuple([_call(own[id(part)]), part.body], ast.Load())
                part.body = ast.Subscript(parts, ast.Constant(1), ast.Load())


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _call(number: int) -> ast.Call:
    return ast.Call(ast.Name("__seen__", ast.Load()), [ast.Constant(number)], [])


# ----- what is turned, and how ------------------------------------------------------------
def _turns(node: ast.AST) -> list[str]:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPPOSITE:
        return ["operator", "left operand alone"]
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _OPPOSITE:
        return ["comparison"]
    if isinstance(node, ast.BoolOp):
        return ["and for or", "last condition dropped", "first condition dropped"]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        return ["sign dropped"]
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return ["off by one"]
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _transposed(node.value):
        return ["axes exchanged"]
    called = isinstance(node, ast.Call) and getattr(node.func, "id", "")
    if isinstance(node, ast.Call) and len(node.args) == 2 and called not in _SYMMETRIC:
        return ["arguments exchanged"] if len(set(map(ast.dump, node.args))) == 2 else []
    if isinstance(node, ast.If | ast.IfExp):
        return ["condition turned"]
    if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
        return ["statement left out"]
    return []


def _transposed(spec: str) -> str | None:
    """An `einsum` with two axes of the result exchanged, or of the first operand."""
    operands, arrow, result = spec.partition("->")
    if not arrow or " " in spec:
        return None
    for old, new in ((result, f"{operands}->%s"), (operands.split(",")[0], None)):
        letters = old.replace("...", "")
        if len(letters) > 1 and letters[-1] != letters[-2]:
            turned = old[: -len(letters)] + letters[:-2] + letters[-1] + letters[-2]
            return new % turned if new else spec.replace(old, turned, 1)
    return None


def _turn(node: Any, what: str) -> None:
    if what == "operator":
        node.op = _OPPOSITE[type(node.op)]()
    elif what == "left operand alone":
        node.op, node.right = ast.Add(), ast.Constant(0)
        if isinstance(node.left, ast.List | ast.Tuple):
            node.right = type(node.left)([], ast.Load())
    elif what == "comparison":
        node.ops[0] = _OPPOSITE[type(node.ops[0])]()
    elif what == "and for or":
        node.op = _OPPOSITE[type(node.op)]()
    elif what.endswith("condition dropped"):
        node.values = node.values[:-1] if what.startswith("last") else node.values[1:]
        if len(node.values) == 1:
            node.values.append(node.values[0])
    elif what == "sign dropped":
        doubled = ast.UnaryOp(ast.Not(), copy.deepcopy(node.operand))
        node.op, node.operand = (
            (ast.UAdd(), node.operand) if isinstance(node.op, ast.USub) else (ast.Not(), doubled)
        )
    elif what == "off by one":
        node.value += 1
    elif what == "axes exchanged":
        node.value = _transposed(node.value)
    elif what == "arguments exchanged":
        node.args.reverse()
    elif what == "statement left out":
        generates = isinstance(node.value, ast.Yield | ast.YieldFrom)
        nothing = ast.Tuple([], ast.Load())
        node.value = ast.YieldFrom(nothing) if generates else ast.Constant(None)
    else:
        node.test = ast.UnaryOp(ast.Not(), node.test)


# ----- code in the place of code ----------------------------------------------------------
class Engine:
    """The functions that live in this process, by the file that they come from."""

    def __init__(self, files: Sequence[Path]) -> None:
        gc.collect()
        self._functions: dict[str, list[types.FunctionType]] = {str(file): [] for file in files}
        self._caches: list[Any] = []
        self._keys = {}
        for file in files:
            code = compile(file.read_text("utf-8"), str(file), "exec", dont_inherit=True)
            self._keys[str(file)] = {code: key for key, code in _codes(code).items()}
        for thing in gc.get_objects():
            if (
                isinstance(thing, types.FunctionType)
                and thing.__code__.co_filename in self._functions
            ):
                self._functions[thing.__code__.co_filename].append(thing)
            elif isinstance(thing, functools._lru_cache_wrapper) and "matderiv" in str(
                getattr(thing, "__module__", "")
            ):
                self._caches.append(thing)

    def install(self, path: Path, tree: ast.Module, **names: Any) -> bool:
        """Run the functions of a file with the code of a tree; whether any has changed.

        `names` are put among the globals of that code.
        """
        new = _codes(compile(ast.fix_missing_locations(tree), str(path), "exec", dont_inherit=True))
        changed = False
        for function in self._functions[str(path)]:
            code = new.get(self._keys[str(path)].get(function.__code__, ("", 0, 0)))
            if code is None or code == function.__code__:
                continue
            if code.co_freevars == function.__code__.co_freevars:
                function.__code__ = code
                function.__globals__.update(names)
                changed = True
        for cached in self._caches:
            cached.cache_clear()
        return changed


def _codes(module: types.CodeType) -> dict[tuple[str, int, int], types.CodeType]:
    """The code in a module by name, line and place among those of one line."""
    found: dict[tuple[str, int, int], types.CodeType] = {}
    count, stack = Counter[tuple[str, int]](), [module]
    while stack:
        for constant in stack.pop().co_consts:
            if isinstance(constant, types.CodeType):
                name = constant.co_qualname, constant.co_firstlineno
                found[*name, count[name]] = constant
                count[name] += 1
                stack.append(constant)
    return found
