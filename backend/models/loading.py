"""A prepared folder in, a model ready for its first forward out: in 4 bits, or dense where the CPU asks for it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Literal

from backend.errors import LoadingError
from backend.models.machine import Processor, physical_cores, this_processor
from backend.models.sources import PreparedModel

Weights = Literal["nf4", "bfloat16", "float32"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in eval mode that has not run a forward yet, with its tokenizer."""

    model: Any  # transformers.PreTrainedModel
    tokenizer: Any  # transformers.PreTrainedTokenizerBase
    device: str  # "cpu" or "cuda:0"
    name: str
    digest: str | None
    weights: Weights  # what the linear layers hold


def load(prepared: PreparedModel, threads: int) -> LoadedModel:
    """Load the model and its tokenizer.

    Args:
        prepared: what :func:`backend.models.sources.resolve` returned.
        threads: of the model on a CPU; 0 takes the physical cores.

    Raises:
        LoadingError: the files can't be loaded.
    """
    import torch

    torch.set_num_threads(threads or physical_cores())
    processor = this_processor()
    device = "cuda:0" if processor.has_cuda else "cpu"
    model, tokenizer = read_checkpoint(prepared)
    weights = suitable_weights(processor, model.num_parameters())
    if weights != "nf4":
        dense = getattr(torch, weights)
        model = model.dequantize(dtype=dense).to(dense)  # biases, norms and the embedding too
    log.info(_EXPLANATION[weights], prepared.name, device)
    return LoadedModel(model.eval(), tokenizer, device, prepared.name, prepared.digest, weights)


def read_checkpoint(prepared: PreparedModel) -> tuple[Any, Any]:
    """The model as its files hold it, on the GPU if there is one, and its tokenizer.

    Raises:
        LoadingError: the files can't be loaded.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(prepared.path, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            prepared.path, local_files_only=True, device_map={"": 0} if torch.cuda.is_available() else None
        )
    except Exception as error:  # transformers lets through what safetensors, tokenizers and JSON raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise LoadingError(
            f"{prepared.name} in {prepared.path} can't be loaded ({reason}); delete that folder and start again.",
            f"{prepared.path} 里的 {prepared.name} 不能加载（{reason}）；请删除该文件夹后重新启动。",
        ) from error
    return model, tokenizer


_EXPLANATION: dict[Weights, str] = {
    "nf4": "%s is loaded in 4 bits (NF4) on %s. 以 4 位（NF4）加载。",
    "float32": "%s is loaded in float32 on %s: this CPU lacks AVX-512 BF16, which fast 4-bit products need. "
    "此 CPU 没有 AVX-512 BF16，4 位运算太慢，改用 float32。",
    "bfloat16": "%s is loaded in bfloat16 on %s: this CPU lacks AVX-512 BF16, which fast 4-bit products need, and "
    "the memory doesn't suffice for float32. 此 CPU 没有 AVX-512 BF16，内存又不够 float32，改用 bfloat16。",
}


def suitable_weights(processor: Processor, num_parameters: int) -> Weights:
    """4 bits where they are fast, else the fastest dense form that leaves a quarter of the free memory.

    For 1.5 billion parameters on 2 cores restricted to AVX2, milliseconds a token and seconds for a prompt of 64:
    float32 229 and 0.8, bfloat16 245 and 4.7, 4 bits 453 and 5.1.
    """
    if processor.has_cuda or processor.has_avx512_bf16:
        return "nf4"
    room = processor.free_bytes * 3 // 4
    if room >= 4 * num_parameters:
        return "float32"
    return "bfloat16" if room >= 2 * num_parameters else "nf4"
