"""One derivative three ways: as a formula, by differences, and by automatic differentiation."""

import jax
import numpy as np

import matderiv as md

jax.config.update("jax_enable_x64", True)
x = np.array([0.5, -1.0, 2.0])
w = np.array([1.0, 0.3, -0.7])
y = 0.25


def f(w):
    return (x @ w - y) ** 2  # what is differentiated, with arrays of numpy or of jax


symbolic = md.diff("(<x, w> - y)^2 where y: ()", "w")
exact = symbolic.evaluate({"x": x, "w": w, "y": y})
automatic = np.asarray(jax.grad(f)(w))
print(f"symbolic    ∂z/∂w = {symbolic} = {exact.round(6)}")
print(f"automatic   {automatic.round(6)}, {np.abs(automatic - exact).max():.0e} apart")
print("numerical   (z(w + h v) - z(w))/h")
for h in (1e-1, 1e-4, 1e-7, 1e-10, 1e-13):
    numerical = np.array([(f(w + h * v) - f(w)) / h for v in np.eye(3)])
    print(f"  h = {h:.0e}   {np.abs(numerical - exact).max():.0e} apart")
