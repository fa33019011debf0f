"""Factor a matrix with scipy.optimize; the optimum is the truncated SVD."""

import numpy as np
from scipy.optimize import minimize

from matderiv.wrappers import as_objective

rng = np.random.default_rng(0)
T = rng.normal(size=(12, 8))

program = "||T - U V'||_F^2 where U: (n, k), V: (m, k), T: (n, m)"
f = as_objective(program, ["U", "V"], {"T": T})
start = f.pack(U=rng.normal(size=(12, 2)), V=rng.normal(size=(8, 2)))
options = {"gtol": 1e-7, "maxiter": 500}
found = minimize(f.fun, start, jac=f.jac, hessp=f.hessp, method="trust-ncg", options=options)
best = np.sum(np.linalg.svd(T)[1][2:] ** 2)
print(f"found {found.fun:.6f}, truncated SVD {best:.6f}")
