"""What this machine has, where that decides which model is loaded and how. Looks once, when it is asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides the default model."""

    gpu_bytes: int  # memory of the largest CUDA GPU; 0 where there is none
    hub: str  # address of the model hub
    hub_reachable: bool  # asked only where there is a GPU


def look() -> Machine:
    """This machine."""
    from huggingface_hub import constants

    gpu_bytes = _gpu_bytes()
    return Machine(gpu_bytes, constants.ENDPOINT, gpu_bytes > 0 and _answers(constants.ENDPOINT))


def _gpu_bytes() -> int:
    import torch

    if not torch.cuda.is_available():
        return 0
    return max(torch.cuda.get_device_properties(i).total_memory for i in range(torch.cuda.device_count()))


def _answers(address: str, seconds: float = 3.0) -> bool:
    import httpx

    try:
        httpx.head(address, timeout=seconds)
    except httpx.HTTPError:
        return False
    return True
