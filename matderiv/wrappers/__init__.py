"""Generated code as a function of other libraries: PyTorch, JAX, scipy.optimize.

as_torch                  a function of tensors that autograd differentiates by our gradients
as_jax                    a function of arrays with our gradients as its custom_vjp
as_objective              fun, jac, hess and hessp of a flat vector, for `scipy.optimize.minimize`
compile_hessian_product   a module of products with the Hessian, which is never formed
"""

from matderiv.wrappers.hessian_product import compile_hessian_product
from matderiv.wrappers.jax import as_jax
from matderiv.wrappers.objective import Objective, as_objective
from matderiv.wrappers.torch import as_torch

__all__ = ["Objective", "as_jax", "as_objective", "as_torch", "compile_hessian_product"]
