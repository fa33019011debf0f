"""A loop over a symbolic number of layers equals its layers written out."""

from __future__ import annotations

import numpy as np
import pytest

import matderiv as md
from matderiv.tensor.nodes import Loop
from matderiv.tensor.traverse import everything
from tests.loops.programs import PROGRAMS, values
from tests.numerics import relative_error

CASES = [
    pytest.param(name, wrt, id=f"{name}-{wrt}")
    for name, deep in PROGRAMS.items()
    for wrt in deep.wrt.split()
]
NAMES = pytest.mark.parametrize("name", PROGRAMS)


@NAMES
@pytest.mark.parametrize("layers", [1, 2, 5])
def test_value_is_that_of_the_layers(name: str, layers: int) -> None:
    program = PROGRAMS[name].program()
    given = values(program, layers)
    want = PROGRAMS[name].program(layers).evaluate(given)
    assert relative_error(program.evaluate(given), want) < 1e-13


@pytest.mark.parametrize("mode", ["reverse", "forward"])
@pytest.mark.parametrize("layers", [1, 4])
@pytest.mark.parametrize(("name", "wrt"), CASES)
def test_derivative_is_that_of_the_layers(name: str, wrt: str, layers: int, mode: str) -> None:
    derivative = md.diff(PROGRAMS[name].program(), wrt, mode=mode)
    given = values(derivative.program, layers)
    want = md.diff(PROGRAMS[name].program(layers), wrt).evaluate(given)
    assert relative_error(derivative.evaluate(given), want) < 1e-12


@pytest.mark.parametrize("mode", ["reverse", "forward"])
@pytest.mark.parametrize(("name", "wrt"), CASES)
def test_second_derivative_is_that_of_the_layers(name: str, wrt: str, mode: str) -> None:
    derivative = md.diff(PROGRAMS[name].program(), wrt, order=2, mode=mode)
    given = values(derivative.program, 3)
    want = md.diff(PROGRAMS[name].program(3), wrt, order=2).evaluate(given)
    assert relative_error(derivative.evaluate(given), want) < 1e-11


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("name", "wrt"), CASES)
def test_derivative_passes_its_own_check(name: str, wrt: str, order: int) -> None:
    report = md.diff(PROGRAMS[name].program(), wrt, order=order).check()
    assert report, str(report)
    assert report.points == 3


@pytest.mark.parametrize(("name", "wrt"), CASES)
def test_maps_agree_with_the_dense_derivatives(name: str, wrt: str) -> None:
    """<G, J V> and J' G from one sweep each; H V without H."""
    derivative = md.diff(PROGRAMS[name].program(), wrt)
    given = values(derivative.program, 3)
    dense = derivative.evaluate(given)
    random = np.random.default_rng(1)
    direction = random.normal(size=np.shape(given[wrt]))
    jvp, vjp = derivative.differential(), derivative.vjp()
    want = np.tensordot(dense, direction, axes=direction.ndim)
    (seed,) = jvp.seeds
    assert relative_error(jvp.evaluate({**given, seed: direction}), want) < 1e-12
    (seed,) = vjp.seeds
    cotangent = random.normal(size=np.shape(want))
    want = np.tensordot(cotangent, dense, axes=cotangent.ndim)
    assert relative_error(vjp.evaluate({**given, seed: cotangent}), want) < 1e-12
    if cotangent.ndim:
        return
    hessian = md.diff(PROGRAMS[name].program(), wrt, order=2).evaluate(given)
    hvp = derivative.hvp()
    (seed,) = hvp.seeds
    want = np.tensordot(hessian, direction, axes=direction.ndim)
    assert relative_error(hvp.evaluate({**given, seed: direction}), want) < 1e-11


@pytest.mark.parametrize("name", ["scalars", "vector valued"])
def test_third_order(name: str) -> None:
    report = md.check(PROGRAMS[name].program(), PROGRAMS[name].wrt.split()[0], order=3)
    assert report, str(report)


def test_mixed_partial() -> None:
    deep = PROGRAMS["network"]
    given = values(deep.program(), 3)
    got = md.diff(deep.program(), "W").diff("C")
    want = md.diff(deep.program(3), "W").diff("C")
    assert relative_error(got.evaluate(given), want.evaluate(given)) < 1e-12


def test_abstract_functions_are_found_in_a_loop() -> None:
    text = "x: (B, M); W: (N, M, M); phi: elementwise\nz = x; repeat l in N { z = phi(z W[l]) }"
    for wrt in ("x", "W"):
        assert md.check(f"{text}; ||z||^2", wrt)


def test_number_of_turns_may_stand_in_no_shape() -> None:
    derivative = md.diff("z = x; repeat l in N { z = tanh(V z) }; z' z", "x")
    assert derivative.check()
    given = {"x": np.ones(2), "V": np.eye(2)}
    want = md.diff("z = x; repeat l in 3 { z = tanh(V z) }; z' z", "x").evaluate(given)
    assert relative_error(derivative.evaluate({**given, "N": 3}), want) < 1e-13


def test_a_large_number_of_turns_is_one_loop() -> None:
    text = "z = x; repeat l in 1000 { z = cos(V z) }; z' z"
    derivative = md.diff(text, "x")
    assert any(isinstance(node, Loop) for node in everything([derivative.node]))
    assert derivative.check()


@NAMES
def test_one_loop_for_the_value_and_one_for_all_gradients(name: str) -> None:
    """Nothing is peeled or unrolled, and gradients share the loop that runs back."""
    deep = PROGRAMS[name]
    derivatives = md.diff(deep.program(), deep.wrt.split())
    roots = [derivative.node for derivative in derivatives.values()]
    loops = [node for node in everything(roots) if isinstance(node, Loop)]
    assert len(loops) <= 2 * deep.text.count("repeat")


def test_a_carried_value_is_no_variable() -> None:
    """z stands for a value in each layer; what is computed from the last one is one value."""
    text = "x: (B, M); W: (N, M, M); z = x; repeat l in N { z = z W[l] }; o = 2 z; ||o||^2"
    with pytest.raises(md.UnsupportedError, match="each layer"):
        md.diff(text, "z")
    assert md.diff(text, "o").check()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("repeat l in N { repeat l in N { z = z W[l] } }", "index of a loop around"),
        ("repeat l in N { z = z W[k] }", "k is none"),
        ("repeat l in N { z = z W[l][l] }", "slices"),
        ("repeat l in N { " * 9 + "z = z W[l]" + " }" * 9, "loop"),
    ],
)
def test_what_a_loop_does_not_mean_is_refused(text: str, said: str) -> None:
    with pytest.raises(md.MatderivError, match=said):
        md.parse(f"x: (B, M); W: (N, M, M); z = x; {text}; ||z||^2")
