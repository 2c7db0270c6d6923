"""LoRA layers on a CPU: PEFT's parameters, one autograd function, products in the base's type.

PEFT computes ``base(x) + B(A(x)) * scaling`` in float32: on a CPU more time goes into casting and scaling tensors of
thousands of columns than into the small products themselves. Here the small products run in bfloat16 too, the scaling
is folded into B, and the sum is made in place; the parameters, and with them the optimizer's steps, stay float32.
"""

from __future__ import annotations

import ctypes
import sys
from types import MethodType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt


class _LoraLinear(torch.autograd.Function):
    """``x (tokens, in)`` through a frozen weight (out, in) and A (rank, in), B (out, rank), the scaling within B."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor) -> Tensor:
        low = x @ a.t()
        ctx.save_for_backward(x, low, weight, a, b)
        return functional.linear(x, weight, bias).addmm_(low, b.t())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, low, weight, a, b = ctx.saved_tensors
        low_gradient = gradient @ b
        into_x = (gradient @ weight).addmm_(low_gradient, a) if ctx.needs_input_grad[0] else None
        return into_x, None, None, low_gradient.t() @ x, gradient.t() @ low


def _forward(self: Any, x: Tensor) -> Tensor:
    name = self.active_adapters[0]
    a, b = self.lora_A[name].weight, self.lora_B[name].weight
    base = self.base_layer
    kind = base.weight.dtype
    flat = x.reshape(-1, x.shape[-1])
    apply: Any = _LoraLinear.apply  # it has no types
    y: Tensor = apply(flat, base.weight, base.bias, a.to(kind), (b * self.scaling[name]).to(kind))
    return y.view(*x.shape[:-1], y.shape[-1])


def speed_up(model: Any) -> None:
    """Give every LoRA layer of a PEFT model on a CPU the forward above, and keep freed memory in the process.

    Without the latter each large tensor is mapped anew and its pages are cleared by the system, for a third of a step.
    """
    from peft.tuners.lora import Linear

    for module in model.modules():
        if isinstance(module, Linear) and type(module.base_layer) is torch.nn.Linear:
            module.forward = MethodType(_forward, module)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(_M_MMAP_THRESHOLD, ctypes.c_int(1 << 30))
            libc.mallopt(_M_TRIM_THRESHOLD, ctypes.c_int(2**31 - 1))


def give_back_memory() -> None:
    """Give freed memory back to the system: batches of many sizes leave gaps that the next ones don't fit in."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "malloc_trim"):
            libc.malloc_trim(0)
