"""Keys and values: one growing store a sequence, a view of many for one forward, and the sessions' kept ones."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from backend.engine.scheduler import Segment

GROW = 256  # tokens by which a store grows at least


@dataclass(frozen=True, slots=True)
class CacheShape:
    """What one token's keys and values take."""

    layers: int
    kv_heads: int
    head_dim: int
    dtype: torch.dtype
    device: torch.device

    @property
    def bytes_per_token(self) -> int:
        """Bytes of one token's keys and values over all layers."""
        return 2 * self.layers * self.kv_heads * self.head_dim * self.dtype.itemsize


class SequenceCache:
    """The keys and values of one sequence, with room to grow; appending never copies what is there.

    ``keys`` and ``values``: (layers, kv_heads, capacity, head_dim).
    """

    __slots__ = ("keys", "shape", "values")

    def __init__(self, shape: CacheShape, capacity: int) -> None:
        self.shape = shape
        self.keys = self._store(capacity)
        self.values = self._store(capacity)

    @property
    def capacity(self) -> int:
        """Tokens that fit without growing."""
        return self.keys.shape[2]

    @property
    def num_bytes(self) -> int:
        """Bytes held."""
        return self.capacity * self.shape.bytes_per_token

    def reserve(self, num_tokens: int) -> None:
        """Have room for this many tokens."""
        if num_tokens > self.capacity:
            self._resize(max(num_tokens, self.capacity + max(GROW, self.capacity // 2)), self.capacity)

    def shrink(self, num_tokens: int) -> None:
        """Keep the first tokens only and give spare room back where it is worth a copy."""
        if self.capacity - num_tokens >= GROW:
            self._resize(num_tokens, num_tokens)

    def fork(self, num_tokens: int) -> SequenceCache:
        """An independent copy of the first tokens."""
        copy = SequenceCache(self.shape, num_tokens + GROW)
        copy.keys[:, :, :num_tokens] = self.keys[:, :, :num_tokens]
        copy.values[:, :, :num_tokens] = self.values[:, :, :num_tokens]
        return copy

    def _store(self, capacity: int) -> Tensor:
        s = self.shape
        return torch.empty(s.layers, s.kv_heads, capacity, s.head_dim, dtype=s.dtype, device=s.device)

    def _resize(self, capacity: int, kept: int) -> None:
        for name in ("keys", "values"):
            store = self._store(capacity)
            store[:, :, :kept] = getattr(self, name)[:, :, :kept]
            setattr(self, name, store)


class BatchCache(Cache):  # type: ignore[misc]  # transformers is not typed
    """transformers' view of one forward: the rows of the flat batch belong to segments of different sequences.

    Args:
        views: each segment, the batch row at which it begins, and its attention mask
            (query heads a key head * num_tokens, start + num_tokens), or None where a token sees everything before it.
    """

    def __init__(self, views: list[tuple[Segment, int, Tensor | None]]) -> None:
        super().__init__(layers=[])
        self.views = views

    @cached_property
    def places(self) -> Tensor:
        """Where each token's keys and values go, (tokens, 4) int64: two pointers, the capacity, the position."""
        rows = [
            (segment.sequence.cache.keys.data_ptr(), segment.sequence.cache.values.data_ptr(), capacity, position)
            for segment, _, _ in self.views
            for capacity in (segment.sequence.cache.capacity,)
            for position in range(segment.start, segment.start + segment.num_tokens)
        ]
        return torch.tensor(rows, dtype=torch.int64)

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Store a layer's keys and values, both (rows, kv_heads, head_dim), and return them."""
        for segment, row, _ in self.views:
            start, end = segment.start, segment.start + segment.num_tokens
            cache = segment.sequence.cache
            cache.keys[layer_idx, :, start:end] = key_states[row : row + end - start].transpose(0, 1)
            cache.values[layer_idx, :, start:end] = value_states[row : row + end - start].transpose(0, 1)
        return key_states, value_states


@dataclass(slots=True)
class KeptCache:
    """What a session's last turn left: these tokens' keys and values."""

    tokens: list[int]
    cache: SequenceCache


class SessionCaches:
    """Sessions' keys and values between turns, least recently used out first when the budget is spent.

    An entry belongs to a session and the adapter that wrote it: other adapters compute other keys and values.
    """

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self._kept: OrderedDict[tuple[str, str | None], KeptCache] = OrderedDict()

    @property
    def num_bytes(self) -> int:
        """Bytes held by all entries."""
        return sum(kept.cache.num_bytes for kept in self._kept.values())

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, session: str | None, adapter: str | None, prompt: list[int]) -> tuple[SequenceCache, int] | None:
        """Hand out a session's cache and how many of the prompt's first tokens it holds; None where it holds none.

        The last token of a prompt is never taken from a cache: its logits are wanted.
        """
        if session is None or (session, adapter) not in self._kept:
            return None
        kept = self._kept[session, adapter]
        common = common_prefix(kept.tokens, prompt[:-1])
        if not common:
            return None
        del self._kept[session, adapter]
        return kept.cache, common

    def put(self, session: str | None, adapter: str | None, tokens: list[int], cache: SequenceCache) -> None:
        """Keep the cache of these tokens for the session's next turn."""
        if session is None or not tokens:
            return
        cache.shrink(len(tokens))
        self._kept.pop((session, adapter), None)
        self._kept[session, adapter] = KeptCache(tokens, cache)
        while self._kept and self.num_bytes > self.budget_bytes:
            self._kept.popitem(last=False)

    def forget(self, session: str | None = None, adapter: str | None = None) -> None:
        """Drop a session's entries, or those that an adapter wrote."""
        for key in [key for key in self._kept if key[0] == session or (adapter and key[1] == adapter)]:
            del self._kept[key]


def common_prefix(left: list[int], right: list[int]) -> int:
    """How many first tokens two lists share."""
    for index, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return index
    return min(len(left), len(right))
