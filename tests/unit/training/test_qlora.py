"""The loss and the quick LoRA layers give what transformers and PEFT give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from backend.training.batches import IGNORED, Example, fill, tensors
from backend.training.fast_lora import speed_up
from backend.training.qlora import answer_loss
from tests import tiny


def batch(shared: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    """Four rows that begin alike, with answers of unlike length."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, 500, (4, 20), generator=generator)
    ids[:, :shared] = ids[:1, :shared]
    labels = torch.full_like(ids, IGNORED)
    for row, start in enumerate((12, 13, 10, 11)):
        labels[row, start : 17 + row] = ids[row, start : 17 + row]
    return ids, labels


@pytest.mark.parametrize("shared", [0, 1, 9])
def test_the_loss_is_that_of_whole_sequences(shared: int) -> None:
    model = tiny.make_model().model
    ids, labels = batch(shared)
    logits = model(input_ids=ids).logits
    plain = functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)
    assert float(answer_loss(model, ids, labels)) == pytest.approx(float(plain), rel=1e-5)


def gradients(model: Any) -> dict[str, torch.Tensor]:
    model.zero_grad()
    answer_loss(model, *batch()).backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_quick_layers_have_the_gradients_of_pefts(tmp_path: Path) -> None:
    from peft import PeftModel

    adapter = tiny.write_adapter(tmp_path / "east", rank=4, seed=1)
    model = PeftModel.from_pretrained(tiny.make_model().model, str(adapter), is_trainable=True)
    plain = gradients(model)
    before = float(answer_loss(model, *batch()))
    speed_up(model)
    quick = gradients(model)
    assert float(answer_loss(model, *batch())) == pytest.approx(before, rel=1e-5)
    assert plain.keys() == quick.keys()
    assert len(plain) == 28
    for name, gradient in plain.items():
        assert torch.allclose(gradient, quick[name], rtol=1e-3, atol=1e-6), name


def test_batches_keep_to_their_tokens_and_lose_nothing() -> None:
    examples = [Example(tuple(range(length)), 5) for length in (10, 40, 20, 70, 15, 90, 33) * 9]
    batches = fill(examples, 200, "seed")
    assert sorted(len(e) for b in batches for e in b) == sorted(map(len, examples))
    assert all(len(b) * max(map(len, b)) <= 200 for b in batches)
    assert fill(examples, 200, "seed") == batches
    assert fill(examples, 200, "other") != batches


def test_only_answers_have_labels() -> None:
    made = tensors([Example((5, 6, 7, 8), 2), Example((9, 10, 11), 2)], padding=0)
    assert made["input_ids"].tolist() == [[5, 6, 7, 8], [9, 10, 11, 0]]
    assert made["labels"].tolist() == [[IGNORED, IGNORED, 7, 8], [IGNORED, IGNORED, 11, IGNORED]]
