"""Fit a logistic regression with scipy.optimize: gradient and Hessian products generated."""

import numpy as np
from scipy.optimize import minimize

from matderiv.wrappers import as_objective

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 5))
y = np.sign(X @ [1.0, -2.0, 0.5, 0.0, 3.0] + rng.normal(size=200))

f = as_objective("sum(log(1 + exp(-y .* (X w)))) + 1/2 w' w", "w", {"X": X, "y": y})
found = minimize(f.fun, f.pack(w=np.zeros(5)), jac=f.jac, hessp=f.hessp, method="trust-ncg")
right = np.mean(np.sign(X @ found.x) == y)
print(f"converged: {found.success}, {right:.0%} classified rightly")
