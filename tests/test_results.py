"""Laws of what the public functions return: linear maps, structured gradients, formats."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import matderiv as md
from matderiv.errors import MatderivError

MAPS = [
    ("X^-1", {"X": (3, 3)}),
    ("A X B", {"A": (2, 3), "X": (3, 4), "B": (4, 5)}),
    ("softmax(X)", {"X": (2, 4)}),
    ("X' X", {"X": (4, 3)}),
    ("tanh(X w + b)", {"X": (2, 3), "w": (3,), "b": (2,)}),
    ("kron(X, X)", {"X": (2, 3)}),
    ("vec(X) ⊗ y", {"X": (2, 3), "y": (2,)}),
]


def draw(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {name: random.normal(size=shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("source, shapes", MAPS, ids=[source for source, _ in MAPS])
def test_maps_are_the_array(source: str, shapes: dict[str, tuple[int, ...]]) -> None:
    """dY = J[dX] and X̄ = J'[G], so <G, dY> = <X̄, dX>."""
    derivative = md.diff(source, "X", shapes=shapes)
    values = draw(shapes)
    jacobian = derivative.evaluate(values)
    order = len(shapes["X"])
    direction = np.random.default_rng(1).normal(size=shapes["X"])
    pushed = derivative.jvp().evaluate({**values, "dX": direction})
    np.testing.assert_allclose(pushed, np.tensordot(jacobian, direction, order), atol=1e-12)
    cotangent = np.random.default_rng(2).normal(size=pushed.shape)
    pulled = derivative.vjp().evaluate({**values, "G": cotangent})
    np.testing.assert_allclose(np.sum(pulled * direction), np.sum(cotangent * pushed), rtol=1e-9)


@pytest.mark.parametrize(
    "source, shapes",
    [
        ("||A X - B||^2", {"A": (2, 3), "X": (3, 4), "B": (2, 4)}),
        ("logsumexp(A x)", {"A": (4, 3), "x": (3,)}),
        ("sum(tanh(X w).^2)", {"X": (2, 3), "w": (3,)}),
    ],
)
def test_hessian_vector_product(source: str, shapes: dict[str, tuple[int, ...]]) -> None:
    name = "X" if "X" in shapes else "x"
    derivative = md.diff(source, name, order=2, shapes=shapes)
    hvp = derivative.hvp()
    (seed,) = hvp.seeds
    values = draw(shapes)
    direction = np.random.default_rng(1).normal(size=shapes[name])
    want = np.tensordot(derivative.evaluate(values), direction, direction.ndim)
    np.testing.assert_allclose(hvp.evaluate({**values, seed: direction}), want, atol=1e-12)


@pytest.mark.parametrize(
    "attribute", ["symmetric", "posdef", "diagonal", "lower", "upper", "orthogonal"]
)
def test_structured_gradient_is_the_projection(attribute: str) -> None:
    """<projection, V> = <gradient, V> for structured V: the check draws such directions."""
    source = f"tr(A X B X) where X: (n, n) {attribute}; A, B: (n, n)"
    free, structured = md.diff(source, "X"), md.diff(source, "X", structured=True)
    assert free.check()
    assert structured.check()
    assert structured.to("ascii") != free.to("ascii")


def test_structured_gradient_keeps_the_structure() -> None:
    found = md.diff("a' X b where X: (n, n) symmetric", "X", structured=True)
    gradient = found.evaluate({"a": [1.0, 2.0], "X": np.eye(2), "b": [3.0, 4.0]})
    np.testing.assert_allclose(gradient, gradient.T)


def test_one_form_for_one_value_in_all_formats() -> None:
    derivative = md.diff("||X w - y||^2", "w")
    assert derivative.to("unicode") == "2 Xᵀ(X w - y)"
    assert derivative.to("ascii") == "2 X' (X w - y)"
    assert derivative.to("latex") == r"2 X^{\top} \left(X w - y\right)"
    assert derivative.to("index") == "[i] = 2 (Σ_j X[j,i] (Σ_k X[j,k] w[k] - y[j]))"
    assert json.loads(derivative.to("json"))["ascii"] == derivative.to("ascii")
    ElementTree.fromstring(derivative.to("mathml"))


LARGE = [
    "1/2 log det Σ + 1/2 (x - μ)' Σ^-1 (x - μ) where Σ: (n, n) posdef, μ: (n)",
    "log det(X' X + λ I)",
    "tr((X' X)^-1 A)",
    "||X (A + X' B)^-1 c||",
    "softmax(X A)",
]


@pytest.mark.parametrize("format", ["unicode", "ascii", "latex"])
@pytest.mark.parametrize("source", LARGE)
def test_no_name_stands_for_two_values(source: str, format: str) -> None:
    """A differential and entries below it name their parts: T₀ is one thing on a page."""
    derivative = md.diff(source, "Σ" if "Σ" in source else "X", order=2)
    found = re.findall(r"(T(?:_\{?|₀|₁|₂|₃)?\d*\}?) *&?= (.*)", derivative.to(format))
    names = [name for name, _ in found]
    assert len(names) == len(set(names)), found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x ⊗ y where x: (2), y: (3)", "I ⊗ y"),
        ("y ⊗ x where x: (2), y: (3)", "y ⊗ I"),
        ("2 x ⊗ (A x) where x: (3), A: (2, 3)", None),
        ("reshape(x, 2, 3)' y where x: (6), y: (2)", "yᵀ ⊗ I"),
        ("reshape(x, 2, 3) y where x: (6), y: (3)", "I ⊗ yᵀ"),
        ("commutation(2, 3) x where x: (6)", "commutation(2, 3)"),
        ("vec(x y') where x: (2), y: (3)", "y ⊗ I"),
    ],
)
def test_jacobians_of_kronecker_products(source: str, expected: str | None) -> None:
    derivative = md.diff(source, "x")
    assert expected is None or str(derivative) == expected
    values = draw({name: entry.shape for name, entry in derivative.program.inputs.items()})
    again = derivative.program.reread(derivative.to("ascii"))
    read = {name: value for name, value in values.items() if name in again.inputs}
    np.testing.assert_allclose(again.evaluate(read), derivative.evaluate(values), atol=1e-12)


def test_rows_are_printed_as_rows() -> None:
    assert md.diff("||X w - y||^2", "w", layout="numerator").to("ascii") == "2 (X w - y)' X"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: md.diff("x' x", None),
        lambda: md.diff("x' x", "z"),
        lambda: md.diff(None, "x"),
        lambda: md.diff("x' x", "x", order=0),
        lambda: md.diff("x' x", "x", layout="both"),
        lambda: md.diff("x' x", "x", shapes=["n"]),
        lambda: md.diff("x' x", "x").evaluate(None),
        lambda: md.diff("x' x", "x").evaluate({"x": "abc"}),
        lambda: md.diff("x' x", "x").evaluate({"x": [1j]}),
        lambda: md.diff("x' x", "x").evaluate({"x": [1.0], "y": [1.0]}),
        lambda: md.diff("x' x", "x").to("pdf"),
        lambda: md.diff("X^-1", "X").evaluate({"X": np.zeros((2, 2))}),
        lambda: md.check("log(-x' x)", "x"),
        lambda: md.cost("x' x", "x").at(n="many"),
        lambda: md.parse("eye(n)").evaluate({}),
    ],
)
def test_only_matderiv_errors_leave(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(MatderivError) as caught:
        wrong()
    assert caught.value.message


def test_slices_are_checked_at_sizes_that_hold_them() -> None:
    assert md.diff("x[1:3]", "x").check()
    assert md.diff("X[2, :] y", "X").check()


def test_a_singular_point_says_nothing() -> None:
    """(X X')⁻¹ for a tall X is rounding; the check passes over such sizes."""
    report = md.check("X' (X X')^-1 y", "X")
    assert report
    assert report.points == 3


def test_sizes_that_are_products_are_written_as_such() -> None:
    """m n, never the tuple that holds them: in shapes, in every format and in messages."""
    d = md.diff("vec(X) where X: (m, n)", "X")
    assert d.shape == ("m n", "m", "n")
    texts = [d.to(form) for form in ("unicode", "ascii", "latex", "mathml", "index", "json")]
    texts += [repr(d), str(d.cost().table()), str(d.steps()), md.compile("X ⊗ Y", "X").source]
    with pytest.raises(md.UnsupportedError, match=r"\(m n\) by \(m, n\)") as refusal:
        md.diff("vec(X) where X: (m, n)", "X", diagonal=True)
    texts.append(str(refusal.value))
    assert not [text for text in texts if "Composite" in text]


@pytest.mark.parametrize(
    "source", ["h = X w; ||h - y||^2", "tanh(X w)", "λ^2 sum(l(w)) where l: elementwise"]
)
def test_what_is_returned_says_what_it_is(source: str) -> None:
    """A session of Python shows no address of an object."""
    program = md.parse(source)
    derivative, compiled = md.diff(program, "w"), md.compile(program, "w")
    sizes = {str(dim): 3 for dim in program.dimensions}
    returned = [program, derivative, compiled, md.cost(program, "w"), md.check(program, "w")]
    returned += [derivative.vjp(), derivative.jvp(), derivative.vec(), derivative.steps()]
    returned += [md.verify(program, "w", "w"), compiled.memory(**sizes), md.diff(program, ["w"])]
    returned += [*program.inputs.values(), md.modes(program, "w")]
    for one in returned:
        assert " object at 0x" not in repr(one)
    assert program.inputs.keys() <= set(re.findall(r"\w+", repr(program)))
