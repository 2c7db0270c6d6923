"""Training on the real base: the dense weights say what the served ones say, and a few steps bring a loss down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from backend.models.dense import load_dense
from backend.training.batches import Example, fill, tensors
from backend.training.qlora import adapt, answer_loss
from backend.training.recipe import Recipe

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel
    from backend.models.sources import PreparedModel

TEXT = "国破山河在，城春草木深。\n感时花溅泪，恨别鸟惊心。"
CLOSE = 0.15  # nats a token: 4-bit products in the engine's kernels round otherwise than dense bfloat16 ones


def nats(model: Any, tokenizer: Any) -> torch.Tensor:
    """Of each token of the text after the first."""
    ids = torch.tensor([tokenizer.encode(TEXT)])
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0, :-1].float()
    return torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")


def test_dense_weights_score_as_the_served_ones_and_learn(
    prepared_model: PreparedModel, loaded_model: LoadedModel
) -> None:
    served = nats(loaded_model.model, loaded_model.tokenizer)
    dense = load_dense(prepared_model, torch.bfloat16)
    assert float((nats(dense.model, dense.tokenizer) - served).abs().mean()) < CLOSE

    ids = tuple(dense.tokenizer.encode(TEXT))
    (batch,) = fill([Example(ids, 2)] * 4, 256)
    given = tensors(batch, 0)
    model = adapt(dense, Recipe(), None)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    losses = []
    for _ in range(4):
        loss = answer_loss(model, given["input_ids"], given["labels"])
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[0] == pytest.approx(float(served[1:].mean()), abs=CLOSE)
    assert losses[-1] < losses[0] - 0.3
