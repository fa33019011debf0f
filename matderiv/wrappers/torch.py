"""A program as a function that PyTorch's autograd differentiates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from matderiv.api import Source
from matderiv.errors import UnsupportedError
from matderiv.wrappers.positional import Positional

__all__ = ["as_torch"]


def as_torch(source: Source, wrt: str | Sequence[str], **options: Any) -> Callable[..., Any]:
    """The value as a function of tensors, in the order of `md.parse(source).inputs`.

    Autograd differentiates it by the names in `wrt`, once; a gradient by any other input
    is refused.
    """
    import torch

    program = Positional(source, wrt, "torch", **options)
    names, module = program.names, program.module

    class Generated(torch.autograd.Function):  # type: ignore[misc,name-defined,unused-ignore]
        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            value, cache = module.forward(*tensors)
            ctx.kept = [index for index, item in enumerate(cache) if torch.is_tensor(item)]
            ctx.others = {k: item for k, item in enumerate(cache) if k not in ctx.kept}
            ctx.save_for_backward(*(cache[index] for index in ctx.kept))
            return value

        @staticmethod
        @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator,unused-ignore]
        def backward(ctx: Any, cotangent: Any) -> tuple[Any, ...]:
            items = {**ctx.others, **dict(zip(ctx.kept, ctx.saved_tensors, strict=True))}
            cache = [items[index] for index in range(len(items))]
            gradients = module.backward(cache, cotangent)
            for name, needed in zip(names, ctx.needs_input_grad, strict=True):
                if needed and name not in gradients:
                    raise UnsupportedError(f"no gradient by {name} was generated")
            return tuple(gradients.get(name) for name in names)

    return program.described(Generated.apply)
