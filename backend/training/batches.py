"""Pairs as tokens, and the order of a whole training laid out in advance, so that it can be resumed exactly.

A batch is filled up to a number of tokens with answers of like length: hardly anything is padded, and a causal model
needs no mask for padding on the right.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.engine.prompt import PromptRenderer
from backend.types import Message

if TYPE_CHECKING:
    from backend.training.dataset import Pair

IGNORED = -100  # label of a token without loss
_WINDOW = 8  # batches' worth of pairs that are sorted by length together


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of a prompt with its answer; the loss is on the answer, its end included."""

    ids: tuple[int, ...]
    answer: int  # where the answer begins

    def __len__(self) -> int:
        return len(self.ids)


Batch = list[Example]


@dataclass(frozen=True, slots=True)
class Plan:
    """The batches of a run in their order, and those that the held-out loss is taken on."""

    training: Sequence[Batch]
    validation: Sequence[Batch]

    @property
    def tokens(self) -> int:
        """Tokens of the training batches, without padding."""
        return sum(len(example) for batch in self.training for example in batch)


def encode(pairs: Sequence[Pair], system: str, tokenizer: Any, longest: int) -> list[Example]:
    """The pairs as the engine renders them; those over ``longest`` tokens are left out."""
    renderer = PromptRenderer(tokenizer)
    found = []
    for pair in pairs:
        prompt = renderer.render([Message("system", system), Message("user", pair.instruction)])
        answer = [*tokenizer.encode(pair.output, add_special_tokens=False), tokenizer.eos_token_id]
        if len(prompt) + len(answer) <= longest:
            found.append(Example((*prompt, *answer), len(prompt)))
    return found


def fill(examples: Sequence[Example], tokens: int, seed: str | None = None) -> list[Batch]:
    """Batches of at most ``tokens`` tokens, padding included; ``seed`` shuffles, None only sorts by length."""
    chance = random.Random(seed)
    order = list(examples)
    if seed is not None:
        chance.shuffle(order)
    usual = sum(map(len, order)) / max(1, len(order))
    window = max(1, int(_WINDOW * tokens / max(1.0, usual))) if seed is not None else max(1, len(order))
    batches: list[Batch] = []
    for start in range(0, len(order), window):
        batches += _fill_sorted(sorted(order[start : start + window], key=len, reverse=True), tokens)
    if seed is not None:
        chance.shuffle(batches)
    return batches


def _fill_sorted(examples: Sequence[Example], tokens: int) -> list[Batch]:
    batches: list[Batch] = []
    for example in examples:  # longest first: the first of a batch is its width
        if batches and len(batches[-1][0]) * (len(batches[-1]) + 1) <= tokens:
            batches[-1].append(example)
        else:
            batches.append([example])
    return batches


def tensors(batch: Batch, padding: int) -> dict[str, Any]:
    """``input_ids`` and ``labels``, both of shape (examples, tokens), padded on the right."""
    import torch

    width = max(map(len, batch))
    ids = torch.full((len(batch), width), padding, dtype=torch.long)
    labels = torch.full((len(batch), width), IGNORED, dtype=torch.long)
    for row, example in enumerate(batch):
        ids[row, : len(example)] = torch.tensor(example.ids)
        labels[row, example.answer : len(example)] = torch.tensor(example.ids[example.answer :])
    return {"input_ids": ids, "labels": labels}
