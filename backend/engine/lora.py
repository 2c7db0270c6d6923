"""Stacked LoRA: the adapters of a batch's rows in two small products a layer, whatever their number.

For every projection ``y += ((x @ A.T) * mask) @ B``, where A (ranks, in) and B (ranks, out) are the active adapters'
matrices one below the other and the mask (rows, ranks) lets each row through its own adapter's ranks alone
(the batching of S-LoRA, Sheng et al. 2023, as dense products). On a CPU the products run in float32, where small ones
are several times faster than in bfloat16.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from backend.engine.linear import BatchShape
from backend.errors import AdapterError

if TYPE_CHECKING:
    from backend.models.adapters import AdapterWeights

MAX_RANK = 64
CPU_BLOCK = 8  # rows a product; measured: with 2 to 8 rows a row's float32 sums don't depend on the other rows
MAX_STACKS = 2  # combinations of adapters kept stacked

Stack = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoraPlan:
    """Which adapters the rows and chunks of one forward belong to."""

    stack: Stack = ()  # the distinct adapters of the rows
    masks: dict[int, Tensor] = field(
        default_factory=dict
    )  # by parts of a site: (rows, parts * ranks); empty: all let through
    chunks: tuple[str | None, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.stack) or any(self.chunks)


class LoraSite:
    """One (fused) projection and every resident adapter's matrices for it."""

    def __init__(self, paths: Sequence[str], sizes: Sequence[int], in_features: int) -> None:
        self.paths, self.sizes, self.in_features = tuple(paths), tuple(sizes), in_features
        self.resident: dict[str, tuple[Tensor, Tensor]] = {}
        self._stacks: dict[Stack, tuple[Tensor, Tensor]] = {}

    def add(self, name: str, weights: AdapterWeights, dtype: torch.dtype, device: torch.device) -> None:
        """Stack an adapter's parts: A (parts * rank, in), B (parts * rank, out) with the scaling in it."""
        rank, parts = weights.rank, len(self.paths)
        a = torch.zeros(parts * rank, self.in_features, dtype=dtype, device=device)
        b = torch.zeros(parts * rank, sum(self.sizes), dtype=dtype, device=device)
        column = 0
        for index, (path, size) in enumerate(zip(self.paths, self.sizes, strict=True)):
            rows = slice(index * rank, (index + 1) * rank)
            if path in weights.matrices:
                part_a, part_b = weights.matrices[path]
                a[rows] = part_a.to(device, dtype)
                b[rows, column : column + size] = part_b.to(device, torch.float32).t().mul(weights.scaling).to(dtype)
            column += size
        self.resident[name] = (a, b)

    def stacked(self, stack: Stack) -> tuple[Tensor, Tensor]:
        """A and B of several adapters, one below the other."""
        if len(stack) == 1:
            return self.resident[stack[0]]
        if stack not in self._stacks:
            if len(self._stacks) >= MAX_STACKS:
                self._stacks.pop(next(iter(self._stacks)))
            pairs = [self.resident[name] for name in stack]
            self._stacks[stack] = (torch.cat([a for a, _ in pairs]), torch.cat([b for _, b in pairs]))
        return self._stacks[stack]

    def remove(self, name: str) -> None:
        """Drop an adapter and every stack that holds it."""
        self.resident.pop(name, None)
        self._stacks = {stack: pair for stack, pair in self._stacks.items() if name not in stack}


class LoraTable:
    """All sites of a model, the resident adapters, and the plan of the current forward."""

    def __init__(self, shape: BatchShape, device: torch.device, dtype: torch.dtype) -> None:
        self.shape = shape
        self.device = device
        self.dtype = torch.float32 if device.type == "cpu" else dtype
        self.sites: list[LoraSite] = []
        self.ranks: dict[str, int] = {}
        self.plan = LoraPlan()
        self._block = CPU_BLOCK if device.type == "cpu" else 1 << 20

    def site(self, paths: Sequence[str], sizes: Sequence[int], in_features: int) -> LoraSite:
        """Register a projection, before any adapter is added."""
        self.sites.append(LoraSite(paths, sizes, in_features))
        return self.sites[-1]

    def add(self, name: str, weights: AdapterWeights) -> None:
        """Make an adapter resident; nothing changes where it doesn't fit.

        Raises:
            AdapterError: its rank is over the limit, or a matrix has no place or another shape here.
        """
        self._check(name, weights)
        self.remove(name)
        self._put(name, weights)
        self.ranks[name] = weights.rank

    def _put(self, name: str, weights: AdapterWeights) -> None:
        for site in self.sites:
            site.add(name, weights, self.dtype, self.device)

    def remove(self, name: str) -> None:
        """Drop an adapter; unknown names are ignored."""
        self.ranks.pop(name, None)
        for site in self.sites:
            site.remove(name)

    def make_plan(self, rows: Sequence[str | None], chunks: Iterable[str | None]) -> LoraPlan:
        """The plan for rows and chunks of these adapters (None: the base model)."""
        stack = tuple(sorted({name for name in rows if name is not None}))
        masks: dict[int, Tensor] = {}
        if stack and (len(stack) > 1 or None in rows):
            for parts in {len(site.paths) for site in self.sites}:
                masks[parts] = self._mask(rows, stack, parts)
        return LoraPlan(stack, masks, tuple(chunks))

    def apply(self, site: LoraSite, x: Tensor, y: Tensor) -> Tensor:
        """Add the adapters' part to ``y`` (tokens, out), in place; ``x`` (tokens, in)."""
        plan = self.plan
        if not plan:
            return y
        if plan.stack:
            a, b = site.stacked(plan.stack)
            mask = plan.masks.get(len(site.paths))
            for first in range(0, self.shape.num_rows, self._block):
                rows = slice(first, min(first + self._block, self.shape.num_rows))
                self._add(y[rows], x[rows], a, b, None if mask is None else mask[rows])
        for rows, name in zip(self.shape.chunk_slices(), plan.chunks, strict=True):
            if name is not None:
                self._add(y[rows], x[rows], *site.resident[name], None)
        return y

    def _add(self, y: Tensor, x: Tensor, a: Tensor, b: Tensor, mask: Tensor | None) -> None:
        alone = x.shape[0] == 1  # one row would take another kernel, with other sums: two equal ones are computed
        low = (x.expand(2, -1) if alone else x).to(self.dtype) @ a.t()
        if mask is not None:
            low *= mask
        delta = low @ b
        y += delta[:1] if alone else delta

    def _mask(self, rows: Sequence[str | None], stack: Stack, parts: int) -> Tensor:
        widths = [parts * self.ranks[name] for name in stack]
        ends = torch.tensor(widths).cumsum(0).tolist()
        mask = torch.zeros(len(rows), ends[-1], dtype=self.dtype)
        for row, name in enumerate(rows):
            if name is not None:
                index = stack.index(name)
                mask[row, ends[index] - widths[index] : ends[index]] = 1
        return mask.to(self.device)

    def _check(self, name: str, weights: AdapterWeights) -> None:
        if weights.rank > MAX_RANK:
            raise AdapterError(
                f"Adapter {name}: rank {weights.rank} is over the limit of {MAX_RANK}.",
                f"风格 {name} 的秩为 {weights.rank}，超过上限 {MAX_RANK}。",
            )
        places = {
            path: ((weights.rank, site.in_features), (size, weights.rank))
            for site in self.sites
            for path, size in zip(site.paths, site.sizes, strict=True)
        }
        for path, (a, b) in weights.matrices.items():
            if places.get(path) != (tuple(a.shape), tuple(b.shape)):
                raise AdapterError(
                    f"Adapter {name}: {path} doesn't fit this model (A {tuple(a.shape)}, B {tuple(b.shape)}).",
                    f"风格 {name} 与当前模型不符：{path} 的形状为 A {tuple(a.shape)}、B {tuple(b.shape)}。",
                )
