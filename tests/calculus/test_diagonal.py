"""Laws of diagonals: they are the entries of the whole derivative, and cost no more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv.calculus.derivative import reverse
from matderiv.calculus.diagonal import diagonal_labels, tied
from matderiv.calculus.layout import LAYOUTS
from matderiv.calculus.simplify import simplify
from matderiv.program.steps import executed
from matderiv.tensor.arena import Arena
from matderiv.tensor.evaluate import evaluate
from matderiv.tensor.nodes import Node
from matderiv.tensor.primitives import PRIMITIVES, Primitive
from tests.numerics import Array, relative_error
from tests.random_programs import random_program

CORPUS = Path(__file__).parents[1] / "corpus" / "formulas.json"


def entries(dense: Array, labels: Sequence[int]) -> Array:
    """By NumPy: the entries of an array at which axes of one label have one index."""
    return np.asarray(np.einsum(dense, list(labels), list(dict.fromkeys(labels))))


# ---- the graph ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_axes_made_equal_are_entries_of_the_array(seed: int) -> None:
    """Any axes of one size, of derivatives of orders 1 and 2 of any value."""
    random = np.random.default_rng(seed)
    program = random_program(seed, names=bool(seed % 2))
    dense = reverse(program.root, program.variables[:1])
    dense += [d for d in reverse(dense[0], program.variables[-1:]) if d.order <= 6]
    for node in [*dense, *simplify(dense)]:
        labels: list[int] = []
        for axis, dim in enumerate(node.shape):
            same = [label for label, d in zip(labels, node.shape, strict=False) if d == dim]
            new = max(labels, default=-1) + 1
            labels.append(int(random.choice(same)) if same and random.random() < 0.6 else new)
            assert len(labels) == axis + 1
        made = tied(node, tuple(labels))
        want = entries(program.at(node), labels)
        got = program.at(made)
        scale = max(1.0, float(np.max(np.abs(want), initial=0.0)))
        assert np.allclose(got, want, rtol=0, atol=1e-11 * scale)


UNARY = [p for p in PRIMITIVES.values() if len(p.cores) == 2 and p.infer is None]


@pytest.mark.parametrize("primitive", UNARY, ids=lambda p: str(p.name))
@pytest.mark.parametrize("lead", [1, 2])
def test_axes_of_primitives_are_made_equal_too(primitive: Primitive, lead: int) -> None:
    """Batch axes with batch axes, with those of the matrices, and these with each other."""
    arena = Arena()
    order = lead + len(primitive.cores[0])
    x = arena.variable("x", ("n",) * order)
    square = np.random.default_rng(3).normal(size=(3,) * (lead + 2))
    square = square @ np.swapaxes(square, -1, -2) + 3 * np.eye(3)
    arrays: dict[Node, Array] = {x: square if order == lead + 2 else square[..., 0]}
    node = arena.apply(primitive, x)
    dense = evaluate([node], arrays, {"n": 3})[0]
    for labels in product(range(node.order), repeat=node.order):
        if list(dict.fromkeys(labels)) == list(range(len(set(labels)))):
            made = tied(node, labels)
            got = evaluate([made], arrays, {"n": 3})[0]
            assert np.allclose(got, entries(dense, labels), rtol=0, atol=1e-12)
            batch, core = labels[:lead], labels[lead:]
            if len(set(core)) == len(core) and not set(core) & set(batch):
                # It is then the primitive of the batches that are asked for, and no others.
                kept = (*batch, *range(len(set(batch)), len(set(batch)) + order - lead))
                assert made is arena.apply(primitive, tied(x, kept))


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (4, 3, 3), (3, 4, 3), (2, 3, 6), (36,)])
def test_equal_axes_of_a_reshape_are_those_of_its_result(shape: tuple[int, ...]) -> None:
    arena = Arena()
    x = arena.variable("x", shape)
    node = arena.reshape(x, len(shape), (3, 3, 4))
    array = np.arange(36.0).reshape(shape)
    (got,) = evaluate([tied(node, (0, 0, 1))], {x: array}, {})
    assert np.array_equal(got, entries(array.reshape(3, 3, 4), (0, 0, 1)))


def test_what_is_not_made_equal_keeps_its_name() -> None:
    """The diagonal of X' diag(v) X is (X.^2)' v, for a v that has a name."""
    arena = Arena()
    a, x = arena.variable("A", ("m", "n")), arena.variable("X", ("m", "n"))
    v = arena.name("v", arena.einsum("ij,j->i", a, arena.variable("x", ("n",))))
    made = tied(arena.einsum("ai,a,aj->ij", x, v, x), (0, 0))
    assert made is arena.einsum("ai,a->i", x**2, v)


def test_thousands_of_layers_do_not_recurse() -> None:
    arena = Arena()
    node = A = arena.variable("A", ("n", "n"))
    for _ in range(3000):
        node = arena.map("tanh", node + A)
    assert tied(node, (0, 0)).shape == ("n",)


# ---- the corpus --------------------------------------------------------------------------


def cases() -> list[Any]:
    found = []
    for case in json.loads(CORPUS.read_text("utf-8")):
        declared = {"shapes": case["shapes"], "attributes": case["attrs"] or None}
        program = md.parse(case["expr"], **declared)
        entry = program.inputs.get(program.name_of(case["wrt"]))
        if entry is None:
            continue
        order = 1 if program.shape else 2
        try:
            diagonal_labels(program.shape, [entry.shape] * order)
        except md.UnsupportedError:
            continue
        found.append(pytest.param(case, program, order, id=case["id"]))
    return found


CASES = cases()


def test_most_of_the_corpus_has_a_diagonal() -> None:
    assert len(CASES) > 100


@pytest.mark.parametrize(("case", "program", "order"), CASES)
def test_it_is_the_diagonal_of_the_derivative_in_all_layouts(
    case: dict[str, Any], program: md.Program, order: int
) -> None:
    dense = md.diff(program, case["wrt"], order=order)
    if case["expected_derivative"] is None:
        assert md.check(program, case["wrt"], order=order, diagonal=True)
        return
    whole = dense.evaluate(case["inputs"])
    size = dense.node.order - len(program.shape)
    labels = tuple(range(size // (order if not program.shape else 1))) * (
        order + bool(program.shape)
    )
    want = entries(whole, labels)
    for layout in LAYOUTS:
        made = md.diff(program, case["wrt"], order=order, diagonal=True, layout=layout)
        got = made.evaluate(case["inputs"])
        turned = want.T if layout == "numerator" else want
        assert got.shape == turned.shape
        scale = max(float(np.max(np.abs(whole), initial=0.0)), 1e-300)
        assert np.max(np.abs(got - turned), initial=0.0) < 1e-9 * scale
        if made.node.order <= 2:
            again = made.program.reread(made.to("ascii")).evaluate(case["inputs"])
            assert np.max(np.abs(again - got), initial=0.0) < 1e-9 * scale


@pytest.mark.parametrize(("case", "program", "order"), CASES)
def test_it_passes_its_own_check(case: dict[str, Any], program: md.Program, order: int) -> None:
    assert md.diff(program, case["wrt"], order=order, diagonal=True).check()


@pytest.mark.parametrize(("case", "program", "order"), CASES)
def test_code_computes_it_at_no_more_than_the_cost_of_the_whole(
    case: dict[str, Any], program: md.Program, order: int
) -> None:
    whole, alone = (
        md.cost(program, case["wrt"], order=order, diagonal=diagonal) for diagonal in (False, True)
    )
    sizes = {name: 40 + 3 * k for k, name in enumerate(whole.sizes)}
    assert alone.at(**sizes).derivative <= whole.at(**sizes).derivative
    if case["expected_derivative"] is None:
        return
    compiled = md.compile(program, case["wrt"], order=order, diagonal=True)
    (got,) = compiled.derivative(case["inputs"]).values()
    want = md.diff(program, case["wrt"], order=order, diagonal=True).evaluate(case["inputs"])
    assert np.shape(got) == np.shape(want)
    scale = max(float(np.max(np.abs(want), initial=0.0)), 1.0)
    assert np.max(np.abs(got - want), initial=0.0) < 1e-9 * scale


# ---- what it is for ----------------------------------------------------------------------

FORMULAS = {
    "||X w - y||^2": ("w", 2, "2 (X'.^2) ones(n)"),
    "sum(log(1 + exp(-y .* (X w))))": ("w", 2, ""),
    "logsumexp(X w)": ("w", 2, "(X.^2)' softmax(X w) - (X' softmax(X w)).^2"),
    "||X - U V'||^2": ("U", 2, "2 ones(n, 1) ones(k, 1)' .* (ones(n) ones(m)' V.^2)"),
    "sum(tanh(X w).^3)": ("w", 3, ""),
    "cross_entropy(X W, Y)": ("W", 2, ""),
    "sum(phi(X w)) where phi: elementwise": ("w", 2, ""),
    "w .* (X' (X w))": ("w", 1, "X' X w + w .* (X.^2)' ones(m)"),
    "softmax(w)": ("w", 1, "softmax(w) .* (1 - softmax(w))"),
    "X^-1": ("X", 1, "-diag(X^-1) diag(X^-1)'"),
}


@pytest.mark.parametrize(("text", "wrt", "order"), [(t, *v[:2]) for t, v in FORMULAS.items()])
def test_no_array_of_generated_code_has_the_shape_of_the_whole(
    text: str, wrt: str, order: int
) -> None:
    program = md.parse(text)
    dense = program.shape + program.inputs[wrt].shape * order
    compiled = md.compile(program, wrt, order=order, diagonal=True)
    plan = compiled.plan
    shapes = [plan.shapes[step.value] for step in executed(plan.derivative)]
    assert dense not in shapes
    assert all(len(shape) < 3 for shape in shapes)


@pytest.mark.parametrize("text", [t for t, v in FORMULAS.items() if v[2]])
def test_prints_like_a_textbook(text: str) -> None:
    wrt, order, formula = FORMULAS[text]
    made = md.diff(text, wrt, order=order, diagonal=True)
    values = {
        name: np.random.default_rng(k).normal(
            size=[{"n": 3, "m": 4, "k": 2}[str(dim)] for dim in entry.shape]
        )
        for k, (name, entry) in enumerate(made.program.inputs.items())
    }
    want = made.program.reread(formula).evaluate(values)
    assert relative_error(made.evaluate(values), want) < 1e-12
    assert len(made.to("ascii")) <= len(formula)


@pytest.mark.parametrize("backend", ["numpy", "jax", "torch"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_modules_of_all_backends_check_themselves(backend: str, layout: str) -> None:
    if backend != "numpy":
        pytest.importorskip(backend)
    for text, (wrt, order, _) in list(FORMULAS.items())[:4]:
        compiled = md.compile(text, wrt, order=order, diagonal=True, layout=layout, backend=backend)
        module: dict[str, Any] = {"__name__": "generated"}
        exec(compiled.source, module)
        if backend == "numpy":
            assert module["self_check"]() == 0
        values = {
            name: np.random.default_rng(k).normal(
                size=[{"n": 3, "m": 4, "k": 2}[str(dim)] for dim in entry.shape]
            )
            for k, (name, entry) in enumerate(md.parse(text).inputs.items())
        }
        want = md.diff(text, wrt, order=order, diagonal=True, layout=layout).evaluate(values)
        (got,) = compiled.derivative(values).values()
        assert relative_error(np.asarray(got), want) < 1e-4


def test_the_check_of_a_module_finds_a_wrong_diagonal() -> None:
    compiled = md.compile("||X w - y||^2", "w", order=2, diagonal=True)
    wrong = compiled.source.replace("return derivatives", "return {'w': 2 * derivatives['w']}")
    assert wrong != compiled.source
    module: dict[str, Any] = {"__name__": "generated"}
    exec(wrong, module)
    assert module["self_check"]() == 1


def test_the_check_of_a_derivative_finds_a_wrong_diagonal() -> None:
    derivative = md.diff("sum(sin(X w))", "w", order=2, diagonal=True)
    assert derivative.check()
    derivative.node = -derivative.node
    assert not derivative.check()


@pytest.mark.parametrize(
    ("text", "wrt", "order", "words"),
    [
        ("||X w - y||^2", "w", 1, "a gradient has no diagonal"),
        ("X w", "w", 1, "the derivative is of (n) by (m)"),
        ("(X w) .^ 2", "w", 2, "the derivative is of (n) by (m) by (m)"),
        ("A x where A: (n, n)", "A", 1, "the derivative is of (n) by (n, n)"),
        ("t^3 where t: ()", "t", 2, "of a number by a number has no diagonal"),
    ],
)
def test_shapes_without_a_diagonal_are_refused(text: str, wrt: str, order: int, words: str) -> None:
    for ask in (md.diff, md.compile, md.cost):
        with pytest.raises(md.UnsupportedError) as caught:
            ask(text, wrt, order=order, diagonal=True)
        assert words in str(caught.value)


def test_a_mixed_partial_of_equal_shapes_has_one() -> None:
    assert diagonal_labels((), [("n",), ("n",)]) == (0, 0)


@pytest.mark.parametrize("name", ["differential", "vjp", "hvp", "vec", "steps"])
def test_maps_are_of_the_whole_derivative(name: str) -> None:
    derivative = md.diff("softmax(x)", "x", diagonal=True)
    with pytest.raises(md.UnsupportedError, match="leave out diagonal"):
        getattr(derivative, name)()
    with pytest.raises(md.UnsupportedError, match="leave out diagonal"):
        derivative.diff("x")


def test_a_structured_diagonal_is_refused() -> None:
    with pytest.raises(md.UnsupportedError, match="free-entry"):
        md.diff("logdet(S) where S: (n, n) symmetric", "S", order=2, structured=True, diagonal=True)
