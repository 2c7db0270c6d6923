"""What the engine is tested against: transformers' own forward with PEFT's own adapters, on the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor


class Oracle:
    """A model with PEFT adapters beside each other; None is the base model."""

    def __init__(self, model: Any, adapters: dict[str, Path]) -> None:
        from peft import PeftModel

        self.model = model
        for name, folder in adapters.items():
            if not isinstance(self.model, PeftModel):
                self.model = PeftModel.from_pretrained(model, folder, adapter_name=name, autocast_adapter_dtype=False)
            else:
                self.model.load_adapter(folder, adapter_name=name, autocast_adapter_dtype=False)
        self.model.eval()

    @torch.inference_mode()
    def logits(self, tokens: list[list[int]], adapters: list[str | None]) -> Tensor:
        """Last logits (rows, vocabulary) of prompts of one length, each under its adapter, in one mixed batch."""
        names = [name or "__base__" for name in adapters]
        found: Tensor = self.model(input_ids=torch.tensor(tokens), adapter_names=names).logits
        return found[:, -1]

    def greedy(self, tokens: list[int], adapter: str | None, num_tokens: int, end: int) -> list[int]:
        """The ids that a greedy answer holds, everything recomputed for each token."""
        written: list[int] = []
        while len(written) < num_tokens and end not in written:
            written.append(int(self.logits([tokens + written], [adapter])[0].argmax()))
        return written
