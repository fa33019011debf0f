"""A plan as a PyTorch module, needing PyTorch alone.

The functions compute values and gradients themselves and record nothing for autograd;
device and float type are those of the inputs.
"""

from __future__ import annotations

from collections.abc import Sequence

from matderiv.program.backend import Backend
from matderiv.program.emit_jax import OPERATORS
from matderiv.program.plan import Plan
from matderiv.program.skeleton import Source, module_source

__all__ = ["TORCH", "emit"]

_ARRAY_CHECK = '''
def _array(name, value, shape, sizes):
    """Return `value` as a float tensor of this shape; numbers without a type are float64."""
    typed = hasattr(value, "dtype")
    array = torch.as_tensor(value, dtype=None if typed else torch.float64).detach()
    if array.is_complex():
        raise TypeError(f"{name} is complex")
    if not array.is_floating_point():
        array = array.to(torch.float64)
    _fit(name, array, shape, sizes)
    return array


def _alike(*arrays):
    """Return the tensors in the type that holds them all."""
    kind = arrays[0].dtype
    for array in arrays[1:]:
        kind = torch.promote_types(kind, array.dtype)
    return [array.to(kind) for array in arrays]
'''

_INVERSE_OF_LOWER = '''
def _inverse_of_lower(L):
    """Return the inverse of a lower triangular matrix."""
    identity = torch.eye(len(L), dtype=L.dtype, device=L.device)
    return torch.linalg.solve_triangular(L, identity, upper=False)
'''

_EXPM_FRECHET = '''
def _expm_frechet(X, E):
    """Return the derivative of expm at X along E, the corner of expm [[X, E], [0, X]]."""
    X, E = torch.broadcast_tensors(X, E)
    n = X.shape[-1]
    top = torch.cat([X, E], dim=-1)
    bottom = torch.cat([torch.zeros_like(X), X], dim=-1)
    return torch.linalg.matrix_exp(torch.cat([top, bottom], dim=-2))[..., :n, n:]
'''

TORCH = Backend(
    name="torch",
    module="torch",
    imports="import torch",
    array_check=_ARRAY_CHECK,
    kind_of='{{"dtype": {0}.dtype, "device": {0}.device}}',
    kind='{"dtype": torch.float64}',
    lifted="torch.tensor({0}, dtype=torch.float64)",
    spellings={
        **OPERATORS,
        "equal": "({0} == {1}).to({0}.dtype)",
        "vdot": "torch.dot({0}.ravel(), {1}.ravel())",
        "vecdot": "torch.linalg.vecdot({0}, {1})",
        "total": "torch.sum({0})",
        "split": "torch.tensor_split({0}, {indices_or_sections}, dim={axis})",
        "sum": "torch.sum({0}, dim={axis})",
        "sum_keepdims": "torch.sum({0}, dim={axis}, keepdim=True)",
        "amax": "torch.amax({0}, dim={axis})",
        "amax_keepdims": "torch.amax({0}, dim={axis}, keepdim=True)",
        "amin": "torch.amin({0}, dim={axis})",
        "argmax": "torch.argmax({0}, dim={axis})",
        "maximum_number": "torch.clamp({0}, min={1})",
        "minimum_number": "torch.clamp({0}, max={1})",
        "number_maximum": "torch.clamp({1}, min={0})",
        "number_minimum": "torch.clamp({1}, max={0})",
        "heaviside": "({0} > 0).to({0}.dtype)",
        "empty": "torch.empty({0}, **kind)",
        "zeros": "torch.zeros({0}, **kind)",
        "full": "torch.broadcast_to({1}, {0}).clone()",
        "full_number": "torch.full({0}, {1}, **kind)",
        "eye": "torch.eye({call}, **kind)",
        "take": "torch.nn.functional.embedding({1}, {0})",  # compiles where t[i] does not
        "take_indices": "{0}.index_select({axis}, torch.tensor({indices}, device={0}.device))",
        "squeeze": "torch.squeeze({0}, dim={axis})",
        "expand_dims": "torch.unsqueeze({0}, dim={axis})",
        "tensordot": "torch.tensordot({0}, {1}, dims={axes})",
        "tril": "torch.tril({0})",
        "triu": "torch.triu({0})",
        "tril_k": "torch.tril({0}, diagonal={k})",
        "copy": "torch.clone({0})",
        "write_copyto": "{0}.copy_({1})",
        "write_add": "{0}.add_({1})",
        "write_subtract": "{0}.sub_({1})",
        "kron": "torch.kron({0}.contiguous(), {1}.contiguous())",
        "eye_N": "torch.eye({N}, **kind)",
        "eye_k": "torch.diag(torch.ones({N} - {k}, **kind), {k})",
        "linalg.pinv": "torch.linalg.pinv({0}, rtol={1})",
    },
    helpers={
        "inverse_of_lower": _INVERSE_OF_LOWER,
        "scipy.linalg.expm_frechet": _EXPM_FRECHET,
    },
    lacking=("scipy.linalg.sqrtm", "scipy.linalg.solve_sylvester"),
    functions={
        "transpose": "torch.permute",
        "matrix_transpose": "torch.adjoint",
        "arcsin": "torch.asin",
        "scipy.special.erf": "torch.erf",
        "scipy.special.erfc": "torch.erfc",
        "scipy.special.erfcx": "torch.special.erfcx",
        "scipy.special.log_ndtr": "torch.special.log_ndtr",
        "scipy.linalg.expm": "torch.linalg.matrix_exp",
    },
)


def emit(plan: Plan, *, title: str, equations: Sequence[str]) -> Source:
    """Return the source of a module of functions of tensors."""
    return module_source(plan, TORCH, title=title, equations=equations)
