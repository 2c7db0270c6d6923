"""The decoder layers' parts, rewritten for a flat batch: fused projections, stacked LoRA, attention by sequence.

transformers' decoder layer, embedding, rotary embedding and norm weights stay; ``fuse_model`` swaps what they call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backend.engine.kv_cache import BatchCache
from backend.engine.linear import LinearFactory
from backend.engine.lora import LoraSite, LoraTable

SUPPORTED = ("qwen2", "qwen3", "llama", "mistral")


class AdaptedLinear(nn.Module):
    """A (fused) projection with every row's adapter."""

    def __init__(self, linear: nn.Module, site: LoraSite, table: LoraTable) -> None:
        super().__init__()
        self.linear, self.site, self.table = linear, site, table

    def forward(self, x: Tensor) -> Tensor:
        """(tokens, in) to (tokens, out)."""
        return self.table.apply(self.site, x, self.linear(x))


class Norm(nn.Module):
    """RMSNorm in one kernel."""

    def __init__(self, norm: Any) -> None:
        super().__init__()
        self.weight, self.eps = norm.weight, norm.variance_epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


class Attention(nn.Module):
    """Self-attention of a flat batch: each segment looks at its own sequence's keys and values."""

    def __init__(self, original: Any, qkv: AdaptedLinear, out: AdaptedLinear) -> None:
        super().__init__()
        config = original.config
        self.qkv, self.out = qkv, out
        self.layer: int = original.layer_idx
        self.head_dim: int = original.head_dim
        self.scaling: float = original.scaling
        self.heads: int = config.num_attention_heads
        self.kv_heads: int = config.num_key_value_heads
        self.q_norm, self.k_norm = getattr(original, "q_norm", None), getattr(original, "k_norm", None)

    def forward(
        self,
        hidden_states: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        past_key_values: BatchCache,
        **_: Any,
    ) -> tuple[Tensor, None]:
        """(1, tokens, hidden) to the same."""
        heads = self.qkv(hidden_states[0]).view(hidden_states.shape[1], -1, self.head_dim)
        if self.q_norm is not None and self.k_norm is not None:
            q, k, v = heads.split([self.heads, self.kv_heads, self.kv_heads], dim=1)
            heads = torch.cat([self.q_norm(q), self.k_norm(k), v], dim=1)
        turned = rotate(heads[:, : self.heads + self.kv_heads], *position_embeddings)
        queries, keys = turned[:, : self.heads], turned[:, self.heads :]
        past_key_values.update(keys, heads[:, self.heads + self.kv_heads :], self.layer)
        return self.out(self._attend(queries, past_key_values)).unsqueeze(0), None

    def _attend(self, queries: Tensor, cache: BatchCache) -> Tensor:
        """(tokens, heads, head_dim) to (tokens, heads * head_dim); the padding rows of a chunk stay zero."""
        out = torch.zeros(queries.shape[0], self.heads * self.head_dim, dtype=queries.dtype, device=queries.device)
        for segment, first, mask in cache.views:
            end = segment.start + segment.num_tokens
            keys = segment.sequence.cache.keys[self.layer, :, :end]
            values = segment.sequence.cache.values[self.layer, :, :end]
            rows = slice(first, first + segment.num_tokens)
            out[rows] = self._attend_one(queries[rows], keys, values, mask)
        return out

    def _attend_one(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """Query heads that share a key head are queries of one attention, so that keys are never repeated."""
        n = queries.shape[0]
        grouped = queries.view(n, self.kv_heads, -1, self.head_dim).permute(1, 2, 0, 3).flatten(1, 2)
        found = F.scaled_dot_product_attention(
            grouped.unsqueeze(0), keys.unsqueeze(0), values.unsqueeze(0), attn_mask=mask, scale=self.scaling
        )
        return found.view(self.heads, n, self.head_dim).transpose(0, 1).reshape(n, -1)


class Mlp(nn.Module):
    """The gated feed-forward part with gate and up in one matrix."""

    def __init__(self, gate_up: AdaptedLinear, down: AdaptedLinear, activation: nn.Module) -> None:
        super().__init__()
        self.gate_up, self.down, self.activation = gate_up, down, activation

    def forward(self, hidden_states: Tensor) -> Tensor:
        """(1, tokens, hidden) to the same."""
        gate, up = self.gate_up(hidden_states[0]).chunk(2, dim=-1)
        y: Tensor = self.down(self.activation(gate).mul_(up))
        return y.unsqueeze(0)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021) of x (tokens, heads, head_dim); cos, sin (1, tokens, head_dim)."""
    left, right = x.chunk(2, dim=-1)
    return x * cos[0].unsqueeze(1) + torch.cat((-right, left), dim=-1) * sin[0].unsqueeze(1)


def causal_mask(num_tokens: int, end: int, group: int, dtype: torch.dtype, device: torch.device) -> Tensor | None:
    """What the last ``num_tokens`` of ``end`` tokens may look at, (group * num_tokens, end); None: everything."""
    if num_tokens == 1:
        return None
    mask = torch.full((num_tokens, end), float("-inf"), dtype=dtype, device=device)
    return mask.triu_(end - num_tokens + 1).repeat(group, 1)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the layers are made of."""

    attention: Callable[..., Attention] = Attention
    mlp: Callable[..., Mlp] = Mlp
    norm: Callable[..., Norm] = Norm


def fuse_model(model: Any, factory: LinearFactory, table: LoraTable, parts: Parts) -> None:
    """Swap every layer's attention, feed-forward part and norms, in place."""

    def adapted(prefix: str, parent: Any, names: list[str]) -> AdaptedLinear:
        fused = [getattr(parent, name) for name in names]
        sizes = [linear.out_features for linear in fused]
        site = table.site([f"{prefix}.{name}" for name in names], sizes, fused[0].in_features)
        linear = factory.fuse(fused)
        for name in names:
            delattr(parent, name)
        return AdaptedLinear(linear, site, table)

    for index, layer in enumerate(model.model.layers):
        attention, mlp, prefix = layer.self_attn, layer.mlp, f"model.layers.{index}"
        layer.self_attn = parts.attention(
            attention,
            adapted(f"{prefix}.self_attn", attention, ["q_proj", "k_proj", "v_proj"]),
            adapted(f"{prefix}.self_attn", attention, ["o_proj"]),
        )
        layer.mlp = parts.mlp(
            adapted(f"{prefix}.mlp", mlp, ["gate_proj", "up_proj"]),
            adapted(f"{prefix}.mlp", mlp, ["down_proj"]),
            mlp.act_fn,
        )
        layer.input_layernorm = parts.norm(layer.input_layernorm)
        layer.post_attention_layernorm = parts.norm(layer.post_attention_layernorm)
    model.model.norm = parts.norm(model.model.norm)
