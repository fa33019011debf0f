"""The grammar page itself, and the size algebra behind inference."""

from __future__ import annotations

import subprocess
import sys

import pytest

import matderiv as md
from matderiv.language.functions import function_table, spellings
from matderiv.language.grammar import build_parser, grammar_text
from matderiv.language.sizes import Sizes, as_dim, fixed, product, unknown
from matderiv.tensor.dims import multiply_dims
from matderiv.tensor.elementwise import ELEMENTWISE
from matderiv.tensor.primitives import PRIMITIVES


def test_no_conflicts() -> None:
    pytest.importorskip("interegular")
    build_parser(strict=True)


def test_the_page_fits_on_two_screens() -> None:
    rules = grammar_text().partition("%declare")[0]
    assert len(rules.splitlines()) < 80


def test_every_function_of_the_tensor_tables_is_in_the_language() -> None:
    constants = {name for name, entry in PRIMITIVES.items() if entry.infer or not entry.arity}
    for table in (ELEMENTWISE, PRIMITIVES):
        for name, entry in table.items():
            for spelling in (name, *entry.aliases):
                assert len(spelling) == 1 or name in constants | {"pi"} or spelling in spellings()


def test_importing_the_language_does_not_import_the_parser_or_sympy() -> None:
    code = "import matderiv.language, sys; assert not {'lark', 'sympy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_products_of_sizes_solve_for_one_unknown() -> None:
    sizes, n, u = Sizes(), fixed("n"), unknown()
    assert sizes.equate(product(n, u), product(fixed("m"), n))
    assert as_dim(u) == "m"
    v = unknown()
    assert sizes.equate(product(fixed(2), v), fixed(6))
    assert as_dim(v) == 3


def test_an_undetermined_product_waits() -> None:
    sizes, u, v = Sizes(), unknown(), unknown()
    assert sizes.equate(product(u, v), product(fixed("m"), fixed("n")))
    assert sizes.equate(u, fixed("n"))
    assert sizes.settle() is None
    assert as_dim(v) == "m"


def test_contradictions_are_found() -> None:
    sizes, u = Sizes(), unknown()
    assert not sizes.equate(fixed("n"), fixed(3))
    assert sizes.equate(u, fixed("n"))
    assert not sizes.equate(u, fixed("m"))
    assert not sizes.equate(product(fixed("n"), fixed("m")), fixed("n"))
    assert multiply_dims("n", "m") == as_dim(product(fixed("m"), fixed("n")))


_SHAPES = {"a": ("n",), "b": ("n",), "A": ("n", "n"), "t": ()}
_ARGUMENTS = ["a + b", "a .^ b", "-a", "a'", "a ./ b", "A a", "A^2", "A'", "A \\ a", "t^2", "log t"]


@pytest.mark.parametrize("name", sorted(function_table()))
def test_an_argument_needs_no_brackets(name: str) -> None:
    """f(a .^ b) is f((a .^ b)): a comma and the brackets of the call end an argument."""
    function = function_table()[name]
    if len(name) < 2 or name == "einsum":
        return
    for argument in _ARGUMENTS:
        for count in range(function.least, function.most + 1):
            answers = []
            for one in (argument, f"({argument})"):
                text = f"{name}({', '.join([one, *['a'] * (count - 1)])})"
                try:
                    answers.append(str(md.parse(text, shapes=_SHAPES).shape))
                except md.MatderivError as error:
                    answers.append(type(error).__name__)
            assert answers[0] == answers[1], text
