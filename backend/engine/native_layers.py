"""The decoder layers' parts on our own kernels: every token of the batch is a row, whatever prompt it belongs to."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import bitsandbytes.functional as bnbf
import torch
from torch import Tensor, nn

from backend.engine.kv_cache import BatchCache
from backend.engine.layers import AdaptedLinear, Attention, Mlp, Norm, Parts
from backend.engine.linear import BatchShape, LinearFactory, Nf4Weight
from backend.engine.lora import LoraPlan, LoraSite, LoraTable
from backend.engine.native import MAX_HEAD_DIM, Adapter, Kernels

if TYPE_CHECKING:
    from backend.models.adapters import AdapterWeights


def fits(config: Any, head_dim: int) -> bool:
    """Whether the kernels can compute a model of this configuration."""
    widths = (config.hidden_size, config.intermediate_size)
    return (
        config.hidden_act == "silu"
        and head_dim % 32 == 0
        and head_dim <= MAX_HEAD_DIM
        and all(width % 64 == 0 for width in widths)
        and config.vocab_size % 32 == 0
    )


def parts(kernels: Kernels) -> Parts:
    """What the layers are made of."""
    return Parts(
        partial(NativeAttention, kernels=kernels),
        partial(NativeMlp, kernels=kernels),
        partial(NativeNorm, kernels=kernels),
    )


class TiledLinear(nn.Module):
    """NF4 through the kernel of ``linear.c``."""

    def __init__(self, weight: Nf4Weight, bias: Tensor | None, kernels: Kernels) -> None:
        super().__init__()
        self.out_features, self.in_features, self.kernels = weight.out_features, weight.in_features, kernels
        self.codes, self.scales = kernels.tile(weight.codes, weight.absmax, weight.out_features, weight.in_features)
        values = bnbf.get_4bit_type("nf4", device="cpu").to(torch.bfloat16)
        self.table, self.bias = torch.cat([values, values]), bias
        self._matrix = (
            self.codes.data_ptr(),
            self.scales.data_ptr(),
            None if bias is None else bias.data_ptr(),
            self.table.data_ptr(),
            self.out_features,
        )

    @property
    def num_bytes(self) -> int:
        """Bytes that one pass over the matrix reads."""
        return self.codes.nbytes + self.scales.nbytes

    def forward(self, x: Tensor) -> Tensor:
        """(tokens, in_features) to (tokens, out_features)."""
        return self.kernels.linear(x.contiguous(), *self._matrix)


class TiledFactory(LinearFactory):
    """Makes tiled layers of a 4-bit model's."""

    def __init__(self, shape: BatchShape, kernels: Kernels) -> None:
        super().__init__(shape, keep_plain=False)
        self._kernels = kernels

    def quantized(self, weight: Nf4Weight, bias: Tensor | None, keep_plain: bool | None = None) -> nn.Module:
        """A 4-bit layer."""
        return TiledLinear(weight, bias, self._kernels)


class NativeLoraSite(LoraSite):
    """One projection and every resident adapter's matrices, in bfloat16 and without the zeros between parts."""

    def __init__(self, paths: Sequence[str], sizes: Sequence[int], in_features: int) -> None:
        super().__init__(paths, sizes, in_features)
        ends = torch.tensor(sizes).cumsum(0).tolist()
        self.ends = (ctypes.c_long * len(ends))(*ends)
        self.adapters: Any = (Adapter * 0)()  # by slot

    def put(self, slot: int, name: str, weights: AdapterWeights) -> None:
        """Make an adapter resident in a slot."""
        rank, parts = weights.rank, len(self.paths)
        a = torch.zeros(parts, rank, self.in_features, dtype=torch.bfloat16)
        b = torch.zeros(rank, sum(self.sizes), dtype=torch.bfloat16)
        column = 0
        for index, (path, size) in enumerate(zip(self.paths, self.sizes, strict=True)):
            if path in weights.matrices:
                part_a, part_b = weights.matrices[path]
                a[index] = part_a
                b[:, column : column + size] = part_b.t()
            column += size
        self.resident[name] = (a, b)
        known = any(path in weights.matrices for path in self.paths)
        adapters = (Adapter * max(len(self.adapters), slot + 1))(*self.adapters)
        adapters[slot] = Adapter(a.data_ptr(), b.data_ptr(), rank if known else 0, weights.scaling)
        self.adapters = adapters


class NativeLoraTable(LoraTable):
    """All sites of a model; each token goes through its own adapter's matrices and no others."""

    def __init__(self, shape: BatchShape, kernels: Kernels) -> None:
        super().__init__(shape, torch.device("cpu"), torch.bfloat16)
        self._kernels = kernels
        self._slots: dict[str, int] = {}
        self._active = torch.empty(0, dtype=torch.int32)  # each token's slot

    def site(self, paths: Sequence[str], sizes: Sequence[int], in_features: int) -> LoraSite:
        """Register a projection, before any adapter is added."""
        self.sites.append(NativeLoraSite(paths, sizes, in_features))
        return self.sites[-1]

    def _put(self, name: str, weights: AdapterWeights) -> None:
        slot = next(number for number in range(len(self._slots) + 1) if number not in self._slots.values())
        for site in self.sites:
            assert isinstance(site, NativeLoraSite)
            site.put(slot, name, weights)
        self._slots[name] = slot

    def remove(self, name: str) -> None:
        """Drop an adapter; unknown names are ignored. No token may be of it any more."""
        super().remove(name)
        self._slots.pop(name, None)

    def make_plan(self, rows: Sequence[str | None], chunks: Iterable[str | None]) -> LoraPlan:
        """The plan for tokens of these adapters (None: the base model)."""
        self._active = torch.tensor([-1 if name is None else self._slots[name] for name in rows], dtype=torch.int32)
        return LoraPlan(tuple(sorted({name for name in rows if name is not None})))

    def apply(self, site: LoraSite, x: Tensor, y: Tensor) -> Tensor:
        """Add the adapters' part to ``y`` (tokens, out), in place; ``x`` (tokens, in)."""
        if self.plan:
            assert isinstance(site, NativeLoraSite)
            self._kernels.lora(x.contiguous(), y, site.ends, site.adapters, self._active.data_ptr())
        return y


class NativeNorm(Norm):
    """RMSNorm."""

    def __init__(self, norm: Any, kernels: Kernels) -> None:
        super().__init__(norm)
        self.kernels = kernels

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return self.kernels.norm(x.contiguous(), self.weight, self.eps)


class NativeMlp(Mlp):
    """The gated feed-forward part."""

    def __init__(self, gate_up: AdaptedLinear, down: AdaptedLinear, activation: nn.Module, kernels: Kernels) -> None:
        super().__init__(gate_up, down, activation)
        self.kernels = kernels

    def forward(self, hidden_states: Tensor) -> Tensor:
        """(1, tokens, hidden) to the same."""
        y: Tensor = self.down(self.kernels.gate(self.gate_up(hidden_states[0])))
        return y.unsqueeze(0)


class NativeAttention(Attention):
    """Self-attention, a token at a time."""

    def __init__(self, original: Any, qkv: AdaptedLinear, out: AdaptedLinear, kernels: Kernels) -> None:
        super().__init__(original, qkv, out)
        self.kernels = kernels

    def forward(
        self,
        hidden_states: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        past_key_values: BatchCache,
        **_: Any,
    ) -> tuple[Tensor, None]:
        """(1, tokens, hidden) to the same."""
        qkv = self.qkv(hidden_states[0]).view(hidden_states.shape[1], -1, self.head_dim)
        if self.q_norm is not None and self.k_norm is not None:
            queries, keys = qkv[:, : self.heads], qkv[:, self.heads : self.heads + self.kv_heads]
            queries.copy_(self.q_norm(queries))
            keys.copy_(self.k_norm(keys))
        found = self.kernels.attention(
            *(self.layer, qkv, self.heads, self.kv_heads, self.scaling, past_key_values.places),
            *(each.contiguous() for each in position_embeddings),
        )
        return self.out(found).unsqueeze(0), None
