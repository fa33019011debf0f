"""The PyTorch modules: equal to NumPy's, and differentiable through `as_torch`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import matderiv as md
from matderiv.errors import UnsupportedError
from matderiv.wrappers import as_torch
from tests.backends.programs import PROGRAMS, results, values_for

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.heavy

WITHOUT: set[str] = set()  # what PyTorch has no function for


def _tensor(value: Any) -> Any:
    return value if isinstance(value, int) or value is None else torch.as_tensor(value)


@pytest.mark.parametrize("name", sorted(set(PROGRAMS) - WITHOUT))
def test_torch_gives_the_values_of_numpy(name: str) -> None:
    source, wrt, order = PROGRAMS[name]
    ours = md.compile(source, wrt, order=order)
    values, cotangent = values_for(ours)
    theirs = md.compile(source, wrt, order=order, backend="torch")
    expected = results(ours, values, cotangent)
    found = results(theirs, {k: _tensor(v) for k, v in values.items()}, _tensor(cotangent))
    for key, array in expected.items():
        np.testing.assert_allclose(np.asarray(found[key]), array, rtol=1e-9, atol=1e-9, err_msg=key)


@pytest.mark.parametrize("name", sorted(set(PROGRAMS) - WITHOUT))
def test_torch_compile_takes_whole_functions_at_any_size(name: str) -> None:
    """One graph without breaks, whose shapes may change; how it is compiled is PyTorch's."""
    source, wrt, order = PROGRAMS[name]
    ours = md.compile(source, wrt, order=order, backend="torch")
    module, plan = ours.module, ours.plan
    both = torch.compile(module.value_and_grad, backend="eager", fullgraph=True)
    for start in (4, 7):
        values, cotangent = values_for(ours, start=start)
        given = {k: _tensor(v) for k, v in ours.arguments(values, plan.every).items()}
        seed = {} if cotangent is None else {"cotangent": _tensor(cotangent)}
        expected = module.value_and_grad(**given, **seed)
        torch.testing.assert_close(both(**given, **seed), expected)
        if plan.derivatives:
            derivative = torch.compile(module.derivative, backend="eager", fullgraph=True)
            torch.testing.assert_close(derivative(**given), module.derivative(**given))


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # PyTorch's own, inside
def test_the_page_compiles_a_function_as_it_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "backends.md").read_text("utf-8")
    (example,) = (part for part in page.split("```python\n") if "fullgraph=True" in part[:600])
    names: dict[str, Any] = {}
    exec(example.partition("```")[0], names)
    found, expected = names["gradients"], names["f"].module.value_and_grad(*map(names.get, "MTUV"))
    torch.testing.assert_close((names["value"], found), expected)


def test_a_compiled_function_refuses_what_the_module_refuses() -> None:
    module = md.compile("||A x||^2", "x", backend="torch").module
    both = torch.compile(module.value_and_grad, backend="eager")
    A, x = (torch.rand(s, dtype=torch.float64) for s in ((3, 4), (4,)))
    both(A, x)
    with pytest.raises(ValueError, match=r"x has shape \(3,\), expected \(m,\); m = 4"):
        both(A, x[:3])


@pytest.mark.parametrize(
    ("source", "shapes"),
    [
        ("softmax(A x)", [(5, 3), (3,)]),
        ("||X w - y||^2", [(6, 3), (3,), (6,)]),
        ("sum(log(1 + exp(-y .* (X w))))", [(6,), (6, 3), (3,)]),
    ],
)
def test_gradcheck(source: str, shapes: list[tuple[int, ...]]) -> None:
    torch.manual_seed(0)
    wrt = list(md.parse(source).inputs)
    tensors = [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes]
    assert torch.autograd.gradcheck(as_torch(source, wrt), tensors)


def test_a_gradient_that_was_not_asked_for_is_refused() -> None:
    function = as_torch("||X w - y||^2", "w")
    X, w, y = (torch.ones(s, requires_grad=True) for s in ((3, 2), (2,), (3,)))
    with pytest.raises(UnsupportedError, match="no gradient by X"):
        function(X, w, y).backward()


def test_a_second_derivative_is_refused_and_no_zero() -> None:
    function = as_torch("softmax(A x)' y", ["A", "x", "y"])
    A, x, y = (torch.rand(s, dtype=torch.float64, requires_grad=True) for s in ((3, 4), (4,), (3,)))
    with pytest.raises(UnsupportedError, match="no second time"):
        torch.autograd.functional.hessian(lambda x: function(A, x, y), x)
    with pytest.raises(UnsupportedError, match="no second time"):
        torch.autograd.gradgradcheck(function, (A, x, y))
    (first,) = torch.autograd.grad(function(A, x, y), x, create_graph=True)
    (alone,) = torch.autograd.grad(function(A, x, y), x)
    torch.testing.assert_close(first.detach(), alone)
    with pytest.raises(UnsupportedError, match="no second time"):
        torch.autograd.grad((first.sum() + x.sum()), x)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_torch_compile_calls_it_as_it_is() -> None:
    function = as_torch("tanh(A x)", ["A", "x"])
    A, x = (torch.rand(s, dtype=torch.float64, requires_grad=True) for s in ((3, 4), (4,)))
    compiled = torch.compile(lambda A, x: (2 * function(A, x)).sum(), backend="eager")
    found = torch.autograd.grad(compiled(A, x), (A, x))
    torch.testing.assert_close(found, torch.autograd.grad(2 * torch.tanh(A @ x).sum(), (A, x)))


def test_an_optimiser_trains_through_the_wrapper() -> None:
    torch.manual_seed(0)
    loss = as_torch("||X w - y||^2", "w")
    X = torch.randn(20, 3, dtype=torch.float64)
    solution = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.SGD([w], lr=0.01)
    for _ in range(500):
        optimiser.zero_grad()
        loss(X, w, X @ solution).backward()
        optimiser.step()
    torch.testing.assert_close(w.detach(), solution)


def test_float32_stays_float32() -> None:
    function = md.compile("||X w - y||^2", "w", backend="torch")
    values, _ = values_for(function)
    value, gradients = function.value_and_grad(
        {name: torch.as_tensor(array, dtype=torch.float32) for name, array in values.items()}
    )
    assert value.dtype == gradients["w"].dtype == torch.float32
