"""The runner: one forward of the model over a plan's rows and chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from backend.engine import native_layers
from backend.engine.kv_cache import BatchCache, CacheShape, SequenceCache
from backend.engine.layers import SUPPORTED, Parts, causal_mask, fuse_model
from backend.engine.linear import BatchShape, LinearFactory, OutputHead
from backend.engine.lora import LoraPlan, LoraTable
from backend.engine.scheduler import Plan, Segment
from backend.errors import LoadingError

if TYPE_CHECKING:
    from backend.engine.native import Kernels
    from backend.models.loading import LoadedModel


class Runner:
    """Owns the fused model. Used by one thread only.

    Args:
        loaded: a model that has not run yet; its layers are swapped in place.
        chunk: tokens of a prefill chunk.
        keep_plain: keep a second copy of the 4-bit codes on a CPU, for faster prompts; of no use with ``kernels``.
        kernels: our own, for a 4-bit model on a CPU that has what they need; None takes bitsandbytes' and torch's.
    """

    def __init__(self, loaded: LoadedModel, chunk: int, keep_plain: bool, kernels: Kernels | None = None) -> None:
        self.model: Any = loaded.model
        config = self.model.config
        if config.model_type not in SUPPORTED:
            raise LoadingError(
                f"Models of type {config.model_type!r} are not supported; use one of {', '.join(SUPPORTED)}.",
                f"不支持 {config.model_type!r} 类型的模型；请改用 {'、'.join(SUPPORTED)}。",
            )
        self.device = next(self.model.parameters()).device
        dtype = self.model.model.embed_tokens.weight.dtype
        attention = self.model.model.layers[0].self_attn
        self.cache_shape = CacheShape(
            config.num_hidden_layers, config.num_key_value_heads, attention.head_dim, dtype, self.device
        )
        self.group = config.num_attention_heads // config.num_key_value_heads
        self.shape = BatchShape(chunk_size=chunk)
        self.native = kernels is not None and native_layers.fits(config, attention.head_dim)
        if kernels is not None and self.native:
            self.lora: LoraTable = native_layers.NativeLoraTable(self.shape, kernels)
            factory: LinearFactory = native_layers.TiledFactory(self.shape, kernels)
            parts = native_layers.parts(kernels)
        else:
            self.lora = LoraTable(self.shape, self.device, dtype)
            factory, parts = LinearFactory(self.shape, keep_plain), Parts()
        with torch.inference_mode():
            fuse_model(self.model, factory, self.lora, parts)
            self.head = OutputHead(self.model.lm_head, factory)
        self.model.lm_head = None

    def new_cache(self, capacity: int) -> SequenceCache:
        """Room for this many tokens of one sequence."""
        return SequenceCache(self.cache_shape, capacity)

    @torch.inference_mode()
    def warm_up(self) -> None:
        """Touch every weight and both kinds of forward, so that the first request doesn't pay for it."""
        if self.native:
            return  # tiling has touched them, and there is one kind only
        self.shape.num_rows, self.shape.num_chunks = 1, 1
        tokens = torch.zeros(1 + self.shape.chunk_size, dtype=torch.long, device=self.device)
        self.lora.plan = LoraPlan(chunks=(None,))
        self.head.whole(self._forward(tokens, tokens, BatchCache([]))[:1])

    @torch.inference_mode()
    def run(self, plan: Plan, wanted: list[Segment]) -> list[Tensor]:
        """Compute a plan, and the logits that follow each wanted segment.

        Returns:
            One tensor a wanted segment: (vocabulary,), or (len(constraint.vocabulary),) under a constraint.
        """
        tokens, positions, first_rows = self._flatten(plan)
        views = [(segment, row, self._mask(segment)) for segment, row in zip(plan.segments, first_rows, strict=True)]
        hidden = self._forward(tokens, positions, BatchCache(views))
        last = {id(segment): row + segment.num_tokens - 1 for segment, row, _ in views}
        return self._logits(hidden, [last[id(segment)] for segment in wanted], wanted)

    def _flatten(self, plan: Plan) -> tuple[Tensor, Tensor, list[int]]:
        """Ids and positions of every row, (tokens,), chunks padded to their full size; and where segments begin."""
        rows, chunks = (plan.segments, []) if self.native else (plan.rows, plan.chunks)
        self.shape.num_rows = sum(segment.num_tokens for segment in rows)
        self.shape.num_chunks = len(chunks)
        tokens: list[int] = []
        positions: list[int] = []
        first_rows = []
        for index, segment in enumerate(plan.segments):
            first_rows.append(len(tokens))
            padding = self.shape.chunk_size - segment.num_tokens if index >= len(rows) else 0
            end = segment.start + segment.num_tokens
            tokens += segment.sequence.tokens[segment.start : end] + [0] * padding
            positions += range(segment.start, end + padding)
        adapters = [segment.sequence.adapter for segment in rows for _ in range(segment.num_tokens)]
        self.lora.plan = self.lora.make_plan(adapters, [segment.sequence.adapter for segment in chunks])
        return (
            torch.tensor(tokens, device=self.device),
            torch.tensor(positions, device=self.device),
            first_rows,
        )

    def _forward(self, tokens: Tensor, positions: Tensor, cache: BatchCache) -> Tensor:
        """The decoder layers over a flat batch; hidden states (tokens, hidden)."""
        decoder = self.model.model
        hidden: Tensor = decoder.embed_tokens(tokens).unsqueeze(0)
        embeddings = decoder.rotary_emb(hidden, positions.unsqueeze(0))
        for layer in decoder.layers:
            hidden = layer(hidden, position_embeddings=embeddings, past_key_values=cache)
        return hidden[0]

    def _mask(self, segment: Segment) -> Tensor | None:
        if self.native:
            return None  # each token looks at what is before it
        end = segment.start + segment.num_tokens
        return causal_mask(segment.num_tokens, end, self.group, self.cache_shape.dtype, self.device)

    def _logits(self, hidden: Tensor, rows: list[int], wanted: list[Segment]) -> list[Tensor]:
        """Logits of some rows; rows under one vocabulary share one product with the head's part."""
        logits: list[Tensor | None] = [None] * len(rows)
        groups: dict[int, list[int]] = {}
        for index, segment in enumerate(wanted):
            constraint = segment.sequence.constraint
            groups.setdefault(0 if constraint is None else id(constraint.vocabulary), []).append(index)
        for indices in groups.values():
            states = self.model.model.norm(hidden[[rows[index] for index in indices]])
            constraint = wanted[indices[0]].sequence.constraint
            if constraint is None:
                columns, head = self.model.config.vocab_size, self.head.whole
            else:
                vocabulary = constraint.vocabulary
                columns = len(vocabulary)
                head = self.head.part(vocabulary, torch.from_numpy(vocabulary).to(self.device))
            found = head(states)[:, :columns]
            for index, row in zip(indices, found, strict=True):
                logits[index] = row
        return [row for row in logits if row is not None]
