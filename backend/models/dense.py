"""The served weights in plain linear layers: for training on a CPU, and for scores of whole texts.

The prepared checkpoint is NF4; here each matrix is dequantized once, so that products run at the speed of the dense
type. These are the very weights that serve, not the ones that they were quantized from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.models.loading import read_checkpoint
from backend.models.sources import PreparedModel

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class DenseModel:
    """A transformers model in eval mode whose linear layers are ``torch.nn.Linear``, with its tokenizer."""

    model: Any  # transformers.PreTrainedModel; its output head is untied from the embedding, as it serves
    tokenizer: Any  # transformers.PreTrainedTokenizerBase
    name: str
    digest: str | None  # of the base's weights, as style.toml names it


def load_dense(prepared: PreparedModel, dtype: torch.dtype) -> DenseModel:
    """Load the prepared checkpoint and dequantize it. Twice ``dtype``'s bytes a parameter is the memory it needs.

    Args:
        prepared: what :func:`backend.models.sources.resolve` returned.
        dtype: of all weights, such as ``torch.bfloat16``.

    Raises:
        LoadingError: the files can't be loaded.
    """
    model, tokenizer = read_checkpoint(prepared)
    if getattr(model, "is_quantized", False):
        model = model.dequantize(dtype=dtype)
    return DenseModel(model.to(dtype).eval(), tokenizer, prepared.name, prepared.digest)
