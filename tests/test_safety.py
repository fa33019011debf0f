"""Nothing that a user writes is executed, and no file is written by halves."""

from __future__ import annotations

import ast
import builtins
import importlib
import keyword
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv.files import write_file
from tests.fuzz.malformed import HARM, watched

PACKAGE = Path(md.__file__).parent

# ---- the package -----------------------------------------------------------------------

# file and call: the one place that executes text, which `emit` made; workers of the page
_ALLOWED = {("program/compiled.py", "exec"), ("serve/desk.py", "subprocess.Popen")}
_DANGEROUS = {
    *("eval", "exec", "__import__", "pickle.load", "pickle.loads", "marshal.loads"),
    *("os.system", "os.popen", "subprocess.Popen", "subprocess.run", "subprocess.call"),
    *("sp.parse_expr", "sp.lambdify", "sympy.parse_expr", "sympy.lambdify", "runpy.run_path"),
    *("np.load", "ctypes.CDLL", "shelve.open", "yaml.load", "importlib.import_module"),
}


def _calls() -> set[tuple[str, str]]:
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                found.add((path.relative_to(PACKAGE).as_posix(), ast.unparse(node.func)))
    return found


def test_the_package_executes_no_text() -> None:
    dangerous = {(path, call) for path, call in _calls() if call in _DANGEROUS}
    assert dangerous <= _ALLOWED
    assert ("program/compiled.py", "exec") in dangerous  # the test sees what is there


# ---- generated modules -----------------------------------------------------------------

_NAMES = sorted(
    {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *dir(np)[::7], "np", "sys", "cache"}
    | {"t0", "t1", "_inputs", "_float", "forward", "backward", "cotangent", "release", "values"}
    | {"d_x", "n", "size", "gradients", "main", "__name__", "self_check", "_self_check", "é", "µ"}
)
_WRITTEN = ("sum({0} .* {0} .* x)", "{0}' x + sum(x)", "z = {0} .* x; ||z||^2")


def _names_are_safe(source: str) -> None:
    """A module is a docstring, imports, constants, functions, and a guarded main."""
    tree = ast.parse(source)
    for statement in tree.body:
        assert isinstance(
            statement,
            ast.Expr | ast.Import | ast.ImportFrom | ast.Assign | ast.FunctionDef | ast.If,
        )
        if isinstance(statement, ast.Expr):
            assert isinstance(statement.value, ast.Constant)
        if isinstance(statement, ast.If):
            assert ast.unparse(statement.test) == "__name__ == '__main__'"
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            named = getattr(node, "module", None) or node.names[0].name
            assert named.split(".")[0] in ("numpy", "scipy", "sys", "argparse", "math")
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in _DANGEROUS


def test_a_name_that_means_something_to_python_is_a_name() -> None:
    """Keywords, builtins, names of NumPy and of generated code itself."""
    tried = 0
    for number, name in enumerate(_NAMES):
        pattern = _WRITTEN[number % len(_WRITTEN)]
        text = f"{name}: (n); x: (n); {pattern.replace('{0}', name)}"
        try:
            program = md.parse(text)
            compiled = md.compile(program, "x")
        except md.MatderivError:
            continue
        tried += 1
        _names_are_safe(compiled.source)
        draw = np.random.default_rng(len(name))
        values = {key: draw.normal(size=3) for key in program.inputs}
        value, gradients = compiled.value_and_grad(values)
        np.testing.assert_allclose(value, program.evaluate(values))
        np.testing.assert_allclose(gradients["x"], md.diff(program, "x").evaluate(values))
    assert tried > 50


@pytest.mark.parametrize("harm", HARM)
def test_harmful_text_is_refused_or_quoted(harm: str) -> None:
    """In names, shapes, subscripts, strings, comments, titles, keys and options."""
    sources = [
        f"# {harm}\nx' x",
        f"x' x  # {harm}",
        f"{harm}: (n)\nx' x",
        f"x: ({harm})\nx' x",
        f'einsum("{harm}", x)',
        f"x[{harm}]",
        f"x_{harm}' x",
        f"phi_{harm}: elementwise\nsum(phi(x))",
    ]
    calls: list[Any] = [lambda s=source: md.compile(s, "x") for source in sources]
    calls += [
        lambda: md.compile("x' x", "x", shapes={"x": (harm,)}),
        lambda: md.compile("x' x", "x", shapes={harm: ("n",)}),
        lambda: md.compile("x' x", harm),
        lambda: md.compile("x' x", "x", layout=harm),
        lambda: md.compile("x' x", "x", backend=harm),
        lambda: md.diff("x' x", "x").to(harm),
        lambda: md.verify("x' x", "x", harm),
    ]
    for call in calls:
        try:
            with watched():
                made = call()
        except md.MatderivError:
            continue
        source = getattr(made, "source", "")
        _names_are_safe(source)
        assert harm not in source


# ---- files -----------------------------------------------------------------------------


def test_a_saved_module_is_an_ordinary_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    md.compile("||X w - y||^2", "w").save(tmp_path / "saved_loss.py")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("saved_loss")
    try:
        value, gradients = module.value_and_grad(np.eye(2), np.ones(2), np.zeros(2))
    finally:
        del sys.modules["saved_loss"]
    assert value == 2.0
    np.testing.assert_array_equal(gradients["w"], [2.0, 2.0])


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "module.py"
    write_file(target, "first")
    with pytest.raises(md.MatderivError, match="exists"):
        write_file(target, "second")
    assert target.read_text() == "first"
    write_file(target, "third", force=True)
    assert target.read_text() == "third"

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    for broken in ("replace", "chmod"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, broken, full)
            with pytest.raises(md.MatderivError, match="No space left"):
                write_file(target, "fourth", force=True)
        assert target.read_text() == "third"
    assert os.listdir(tmp_path) == ["module.py"]


@pytest.mark.parametrize("path", ["missing/module.py", ".", "nul\0byte.py", "x" * 300])
def test_a_path_that_cannot_be_written_is_an_error(path: str, tmp_path: Path) -> None:
    with pytest.raises(md.MatderivError):
        write_file(tmp_path / path, "text")
    with pytest.raises(md.MatderivError, match="cannot be written"):
        write_file(tmp_path / "module.py", "no letter: \ud800")
    assert not list(tmp_path.iterdir())
