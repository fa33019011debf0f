"""A program as a function that PyTorch's autograd differentiates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from matderiv.api import Source
from matderiv.errors import UnsupportedError
from matderiv.wrappers.positional import Positional

__all__ = ["as_torch"]


def as_torch(source: Source, wrt: str | Sequence[str], **options: Any) -> Callable[..., Any]:
    """The value as a function of tensors, by name or in the order of `md.parse(source).inputs`.

    Autograd differentiates it by the names in `wrt`, once; a gradient by any other input
    is refused, and so is a gradient of a gradient.  `torch.compile` leaves it as it is.
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
            ctx.save_for_backward(*tensors, *(cache[index] for index in ctx.kept))
            return value

        @staticmethod
        def backward(ctx: Any, cotangent: Any) -> tuple[Any, ...]:
            inputs, saved = ctx.saved_tensors[: len(names)], ctx.saved_tensors[len(names) :]
            items = {**ctx.others, **dict(zip(ctx.kept, saved, strict=True))}
            cache = [items[index] for index in range(len(items))]
            gradients = module.backward(cache, cotangent)
            for name, needed in zip(names, ctx.needs_input_grad, strict=True):
                if needed and name not in gradients:
                    raise UnsupportedError(f"no gradient by {name} was generated")
            if torch.is_grad_enabled():  # create_graph=True: they are values themselves
                tensors = [*gradients.values(), *inputs, cotangent]
                found = Final.apply(len(gradients), *tensors)  # type: ignore[no-untyped-call,unused-ignore]
                gradients = dict(zip(gradients, found, strict=True))
            return tuple(gradients.get(name) for name in names)

    class Final(torch.autograd.Function):  # type: ignore[misc,name-defined,unused-ignore]
        """The first tensors as they are, functions of the others without a derivative.

        PyTorch's `once_differentiable` takes the derivative by the inputs for zero where the
        cotangent does not require one.
        """

        @staticmethod
        def forward(ctx: Any, count: int, *tensors: Any) -> tuple[Any, ...]:
            return tuple(tensor.view_as(tensor) for tensor in tensors[:count])

        @staticmethod
        def backward(ctx: Any, *cotangents: Any) -> Any:
            raise UnsupportedError(
                "autograd differentiates a generated gradient no second time",
                hint="md.compile(…, order=2), or compile_hessian_product",
            )

    eager = torch.compiler.disable(Generated.apply)  # type: ignore[no-untyped-call,unused-ignore]
    return program.described(eager)
