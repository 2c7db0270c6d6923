"""What this machine has, where that decides which model is loaded and how. Looks once, when it is asked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")  # where Linux tells a container its limits


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides the default model."""

    gpu_bytes: int  # memory of the largest CUDA GPU; 0 where there is none
    hub: str  # address of the model hub
    hub_reachable: bool  # asked only where there is a GPU
    has_large_model: bool = False  # in the hub's cache on this machine


@dataclass(frozen=True, slots=True)
class Processor:
    """What decides how the weights are held."""

    has_cuda: bool
    has_avx512_bf16: bool  # bitsandbytes' fast 4-bit kernel needs it on a CPU
    free_bytes: int  # memory that can be had


def look(large_model: str) -> Machine:
    """This machine; ``large_model`` is the hub id of what a GPU would get."""
    from huggingface_hub import constants, try_to_load_from_cache

    gpu_bytes = _gpu_bytes()
    if gpu_bytes == 0:
        return Machine(0, constants.ENDPOINT, hub_reachable=False)
    has_large_model = isinstance(try_to_load_from_cache(large_model, "config.json"), str)
    return Machine(gpu_bytes, constants.ENDPOINT, has_large_model or _answers(constants.ENDPOINT), has_large_model)


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


def this_processor() -> Processor:
    """The processor and memory of this machine."""
    import torch
    from bitsandbytes.functional import has_avx512bf16

    return Processor(torch.cuda.is_available(), bool(has_avx512bf16()), free_memory())


def free_memory(cgroup: Path = _CGROUP) -> int:
    """Bytes of memory that can be had without swapping, within a container's limit if there is one."""
    free = int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
        limit = (cgroup / "memory.max").read_text().strip()
        if limit.isdigit():
            free = min(free, max(0, int(limit) - int((cgroup / "memory.current").read_text())))
    except (OSError, StopIteration):
        pass
    return free


def physical_cores(cgroup: Path = _CGROUP) -> int:
    """Cores that this process may use, hyper-threads counted once, within a container's limit if there is one."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = set()
    for cpu in allowed:
        try:
            cores.add(Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text())
        except OSError:
            cores.add(str(cpu))
    try:
        share, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return len(cores)
    return len(cores) if share == "max" else max(1, min(len(cores), int(share) // int(period)))
