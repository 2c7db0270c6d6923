"""From logits to the next token: penalties, constraint, temperature and filters, in float32 for one row at a time.

Each step takes logits or probabilities of shape (vocabulary,) and returns them. A draw takes one uniform number from
the sequence's own generator and inverts the distribution function, so a seed gives the same text whatever else runs.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from backend.errors import NumericsError
from backend.types import GREEDY_BELOW, Sampling

NUCLEUS_GUESSES = (64, 1024)  # most nuclei are small: sorting 150,000 probabilities costs more than a layer


class Rng:
    """One candidate's random numbers."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator(device="cpu").manual_seed(seed % 2**63)

    def uniform(self) -> float:
        """A number in [0, 1)."""
        return float(torch.rand((), generator=self._generator, dtype=torch.float64))


def sample(logits: Tensor, sampling: Sampling, rng: Rng, seen: Iterable[int] = (), mask: Tensor | None = None) -> int:
    """Draw a column of ``logits`` (vocabulary,).

    Args:
        seen: columns already written, for the repetition penalty. The prompt is not among them, so that a poem may name
            its topic.
        mask: (vocabulary,) bool, columns that may be drawn; None lets all.

    Raises:
        NumericsError: the logits hold NaN or +inf.
    """
    logits = penalize(logits.float(), sampling.repetition_penalty, seen)
    if mask is not None:
        logits = logits.masked_fill(~mask, float("-inf"))
    best = logits.max()
    if not torch.isfinite(best):
        raise NumericsError(
            "The model gave no usable probabilities for this request; try again with another seed or setting.",
            "模型没有给出可用的概率，请换一个种子或设置再试。",
        )
    if sampling.temperature < GREEDY_BELOW:
        return int(logits.argmax())
    probabilities = torch.softmax((logits - best) / sampling.temperature, dim=-1)
    kept, columns = keep(probabilities, sampling)
    column = draw(kept, rng)
    return column if columns is None else int(columns[column])


def penalize(logits: Tensor, penalty: float, seen: Iterable[int]) -> Tensor:
    """Divide the positive and multiply the negative logits of tokens seen (Keskar et al. 2019, CTRL)."""
    columns = list(set(seen)) if penalty != 1.0 else []
    if not columns:
        return logits
    logits = logits.clone()
    chosen = logits[columns]
    logits[columns] = torch.where(chosen > 0, chosen / penalty, chosen * penalty)
    return logits


def keep(probabilities: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor | None]:
    """The probabilities that top_k, top_p and min_p leave, in this order, and their columns (None: all, in place)."""
    kept, columns = probabilities, None
    if 0 < sampling.top_k < len(kept):
        kept, columns = kept.topk(sampling.top_k)
        kept = kept / kept.sum()
    if sampling.top_p < 1.0:
        kept, columns = nucleus(kept, columns, sampling.top_p)
    if sampling.min_p > 0.0:
        enough = kept >= sampling.min_p * kept.max()
        columns = enough.nonzero()[:, 0] if columns is None else columns[enough]
        kept = kept[enough]
    return kept, columns


def nucleus(kept: Tensor, columns: Tensor | None, top_p: float) -> tuple[Tensor, Tensor]:
    """The fewest most probable entries that have at least ``top_p`` together (Holtzman et al. 2020)."""
    if columns is None:
        for guess in (*NUCLEUS_GUESSES, len(kept)):
            values, columns = kept.topk(min(guess, len(kept)))
            if float(values.sum()) >= top_p:
                break
        kept = values
    assert columns is not None
    inside = kept.cumsum(-1) - kept < top_p
    return kept[inside], columns[inside]


def draw(weights: Tensor, rng: Rng) -> int:
    """An index with probability proportional to its weight."""
    ends = weights.double().cumsum(-1)
    index = int(torch.searchsorted(ends, rng.uniform() * float(ends[-1]), right=True))
    return min(index, len(weights) - 1)
