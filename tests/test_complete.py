"""Completeness: what must exist, exists; what is public, is documented."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import matderiv as md
from matderiv import errors
from matderiv.program.compiled import CompiledFunction
from matderiv.program.cost import Cost

ROOT = Path(__file__).parents[1]

# ---- the public surface ----------------------------------------------------------------

FUNCTIONS = {
    "parse": ["source", "shapes", "attributes"],
    "diff": ["source", "wrt", "order", "layout", "mode", "shapes", "attributes"],
    "compile": ["source", "wrt", "order", "layout", "backend", "shapes", "attributes"],
    "modes": ["source", "wrt", "sizes", "shapes", "attributes"],
    "cost": ["source", "wrt", "order", "shapes", "attributes"],
    "check": ["source", "wrt", "order", "layout", "shapes", "attributes", "seed"],
}
POSITIONAL = {"source", "wrt"}

MEMBERS: dict[Any, list[str]] = {
    md.Program: ["inputs", "output", "notes", "evaluate"],
    md.Derivative: ["order", "layout", "shape", "wrt", "steps", "cost", "evaluate", "check", "to"],
    CompiledFunction: ["forward", "backward", "value_and_grad", "derivative", "source", "save"],
    Cost: ["forward", "backward", "ratio", "leading", "peak_memory", "cache_memory", "table", "at"],
    md.CheckReport: ["passed", "max_relative_error", "points"],
}

ERRORS = sorted(set(errors.__all__) - {"MatderivError", "one_of"})


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_function_has_its_parameters(name: str) -> None:
    parameters = inspect.signature(getattr(md, name)).parameters
    assert set(FUNCTIONS[name]) <= set(parameters)
    for parameter in parameters.values():
        positional = parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        assert positional == (parameter.name in POSITIONAL), parameter.name


def example_of(kind: Any) -> Any:
    text = "||X w - y||^2"
    makers = {
        md.Program: lambda: md.parse(text),
        md.Derivative: lambda: md.diff(text, "w"),
        CompiledFunction: lambda: md.compile(text, "w"),
        Cost: lambda: md.cost(text, "w"),
        md.CheckReport: lambda: md.check(text, "w"),
    }
    return makers[kind]()


@pytest.mark.parametrize("kind", MEMBERS, ids=lambda kind: kind.__name__)
def test_public_class_has_its_members(kind: Any) -> None:
    made = example_of(kind)
    assert isinstance(made, kind)
    for name in MEMBERS[kind]:
        assert hasattr(made, name), name


@pytest.mark.parametrize("name", ERRORS)
def test_errors_form_one_tree(name: str) -> None:
    error = getattr(md, name)
    assert issubclass(error, md.MatderivError)
    made = error("no", span=(0, 1), hint="yes", source="x")
    assert (made.message, made.span, made.hint) == ("no", (0, 1), "yes")
    assert "^" in str(made)


@pytest.mark.parametrize("format", ["unicode", "ascii", "latex", "index", "numpy", "json"])
def test_derivative_is_written_in_every_format(format: str) -> None:
    assert isinstance(md.diff("||X w - y||^2", "w").to(format), str)


def test_all_is_sorted_and_exists() -> None:
    assert md.__all__ == sorted(md.__all__)
    assert all(hasattr(md, name) for name in md.__all__)


# ---- documentation ---------------------------------------------------------------------


MODULES = [
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for path in sorted((ROOT / "matderiv").rglob("*.py"))
    if path.stem != "__main__" and path.read_text("utf-8").strip()
]


def public_members(kind: type) -> Iterator[tuple[str, object]]:
    """What a class defines itself and does not hide."""
    for name, member in vars(kind).items():
        if not name.startswith("_") and (callable(member) or isinstance(member, property)):
            yield name, member


@pytest.mark.parametrize("name", md.__all__)
def test_public_name_is_documented(name: str) -> None:
    assert inspect.getdoc(getattr(md, name))


@pytest.mark.parametrize("kind", MEMBERS, ids=lambda kind: kind.__name__)
def test_every_public_method_is_documented(kind: type) -> None:
    """A method has a docstring, or the docstring of its class names it."""
    described = inspect.getdoc(kind) or ""
    missing = [
        name
        for name, member in public_members(kind)
        if not inspect.getdoc(member) and not re.search(rf"\b{name}\b", described)
    ]
    assert not missing


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is_for(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    assert all(hasattr(module, public) for public in getattr(module, "__all__", []))


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        wanted += extra
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    for requirement in wanted:
        name = re.match(r"[A-Za-z0-9_-]+", requirement)
        assert name is not None
        assert name[0] == "matderiv" or f"`{name[0]}`" in page


def test_every_command_is_shown() -> None:
    from matderiv.commands import COMMANDS

    pages = "".join(
        page.read_text("utf-8") for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")]
    )
    for command in COMMANDS:
        assert re.search(rf"matderiv {command}\b", pages), command


# ---- the rows of the source documents --------------------------------------------------

ROWS = {
    "000": ["matmul", "rules", "chain", "mlp", "mlp_flops"],
    "001": ["forward", "backward", "ratio"],
    "002": ["linear", "blocks", "pebble"],
    "003": [
        "scalar",
        "kinks",
        "gradients",
        "jacobians",
        "shapes",
        "ex1",
        "ex2",
        "graph",
        "modes",
        "three",
    ],
    "004": ["objective", "shapes", "graph"],
}


@pytest.mark.parametrize("document", ROWS)
def test_every_row_has_a_test_of_its_name(document: str) -> None:
    tree = ast.parse((ROOT / "tests" / "seeds" / f"test_{document}.py").read_text("utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert {f"test_{document}_{row}" for row in ROWS[document]} <= names


def test_every_example_is_run_by_a_row() -> None:
    """The tests read what the examples print, so examples cannot drift from them."""
    tests = "".join(page.read_text("utf-8") for page in (ROOT / "tests").rglob("test_*.py"))
    for path in (ROOT / "examples").glob("*.py"):
        assert path.stem in tests, path.name
