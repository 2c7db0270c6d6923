"""Our own arithmetic for CPUs with AVX-512 BF16: the C files of ``kernels/``, compiled once and called by pointer.

What torch and bitsandbytes spend on a token beyond reading the weights, in some twenty small operations a layer, is
what these save; and a token's result is the same to the bit whatever else is in the batch.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

log = logging.getLogger(__name__)

SOURCES = Path(__file__).parent / "kernels"
FEATURES = ("avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512bf16", "fma")
OPTIONS = (
    *(f"-m{feature}" for feature in FEATURES),
    *("-O3", "-std=c11", "-shared", "-fPIC", "-nostdlib", "-fno-math-errno", "-fno-strict-aliasing"),
    "-fno-sanitize=undefined",
)
MAX_HEAD_DIM = 256
_SIGNATURES = {  # l: a whole number, p: a pointer, f: a float
    "tile": "llpppp",
    "linear": "lllpppppp",
    "lora": "llllppppp",
    "norm": "llppfp",
    "gate": "llpp",
    "attention": "lllllfppppp",
}
_TYPES = {"l": ctypes.c_long, "p": ctypes.c_void_p, "f": ctypes.c_float}


class Adapter(ctypes.Structure):
    """One adapter's matrices for one projection, as ``lora.c`` has them; rank 0 is none."""

    _fields_ = (("a", ctypes.c_void_p), ("b", ctypes.c_void_p), ("rank", ctypes.c_long), ("scaling", ctypes.c_float))


class Kernels:
    """The compiled functions. They take pointers: tensors are contiguous bfloat16 where nothing else is said.

    Args:
        library: the compiled file.
        threads: how many of torch's threads to use.
    """

    def __init__(self, library: Path, threads: int) -> None:
        loaded = ctypes.CDLL(str(library))
        for name, signature in _SIGNATURES.items():
            function = getattr(loaded, f"moyun_{name}")
            function.argtypes, function.restype = [_TYPES[letter] for letter in signature], None
            setattr(self, f"_{name}", function)
        runtime = ctypes.CDLL(str(_openmp()))
        names = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")
        pointers = [ctypes.cast(getattr(runtime, name), ctypes.c_void_p) for name in names]
        loaded.moyun_init(*pointers, ctypes.c_uint(threads))

    _tile: Any
    _linear: Any
    _lora: Any
    _norm: Any
    _gate: Any
    _attention: Any

    def tile(self, codes: Tensor, scales: Tensor, outs: int, ins: int) -> tuple[Tensor, Tensor]:
        """Bring a plain NF4 matrix (codes uint8, scales float32) into the kernel's layout."""
        tiled = torch.empty(outs * ins // 2, dtype=torch.uint8)
        tiled_scales = torch.empty(outs * ins // 64, dtype=torch.bfloat16)
        codes, scales = codes.contiguous(), scales.contiguous()
        self._tile(outs, ins, codes.data_ptr(), scales.data_ptr(), tiled.data_ptr(), tiled_scales.data_ptr())
        return tiled, tiled_scales

    def linear(self, x: Tensor, codes: int, scales: int, bias: int | None, table: int, outs: int) -> Tensor:
        """(tokens, ins) to (tokens, outs); the matrix by the pointers to its tiles."""
        y = torch.empty(x.shape[0], outs, dtype=torch.bfloat16)
        self._linear(x.shape[0], outs, x.shape[1], x.data_ptr(), codes, scales, bias, table, y.data_ptr())
        return y

    def lora(self, x: Tensor, y: Tensor, ends: Any, adapters: Any, slots: int) -> None:
        """Add each token's adapter to ``y``, in place; ``ends`` and ``adapters`` are ctypes arrays."""
        self._lora(x.shape[0], y.shape[1], x.shape[1], len(ends), ends, adapters, slots, x.data_ptr(), y.data_ptr())

    def norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        """RMSNorm of (..., n)."""
        y = torch.empty_like(x)
        n = x.shape[-1]
        self._norm(x.numel() // n, n, x.data_ptr(), weight.data_ptr(), eps, y.data_ptr())
        return y

    def gate(self, gate_up: Tensor) -> Tensor:
        """silu(gate) * up: (tokens, 2 * width) to (tokens, width)."""
        tokens, width = gate_up.shape[0], gate_up.shape[1] // 2
        y = torch.empty(tokens, width, dtype=torch.bfloat16)
        self._gate(tokens, width, gate_up.data_ptr(), y.data_ptr())
        return y

    def attention(
        self,
        layer: int,
        qkv: Tensor,
        heads: int,
        kv_heads: int,
        scaling: float,
        places: Tensor,
        cos: Tensor,
        sin: Tensor,
    ) -> Tensor:
        """Rotate queries and keys, store keys and values, and attend.

        Args:
            qkv: (tokens, heads + 2 * kv_heads, head_dim); queries and keys are rotated in place.
            places: (tokens, 4) int64: pointers to the keys and values of the token's sequence, their capacity in
                tokens, and the token's position.
            cos: (tokens, head_dim), like ``sin``.

        Returns:
            (tokens, heads * head_dim).
        """
        tokens, dim = qkv.shape[0], qkv.shape[2]
        y = torch.empty(tokens, heads * dim, dtype=torch.bfloat16)
        self._attention(
            *(layer, tokens, heads, kv_heads, dim, scaling, places.data_ptr()),
            *(qkv.data_ptr(), cos.data_ptr(), sin.data_ptr(), y.data_ptr()),
        )
        return y


def load_kernels(cache: Path, threads: int) -> Kernels | None:
    """The kernels, compiled into ``cache`` where that hasn't been done; None, with a line in the log, where they
    can't be had, and then bitsandbytes' are used."""
    try:
        return Kernels(_compiled(cache), threads)
    except (OSError, subprocess.SubprocessError, AttributeError) as error:
        detail = getattr(error, "stderr", None) or error
        log.warning(
            "Moyun's own kernels can't be used (%s); decoding is slower. 自带的算子不能用，写得会慢些。", detail
        )
        return None


def _compiled(cache: Path) -> Path:
    """The library for these sources, compiled with Zig's C compiler, which comes as a Python package."""
    files = sorted(SOURCES.iterdir())
    digest = hashlib.sha256("\0".join(OPTIONS).encode())
    for file in files:
        digest.update(file.read_bytes())
    library = cache / f"kernels-{digest.hexdigest()[:16]}.so"
    if library.is_file():
        return library
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        made = Path(scratch) / "kernels.so"
        sources = [str(file) for file in files if file.suffix == ".c"]
        subprocess.run(
            [sys.executable, "-m", "ziglang", "cc", *OPTIONS, "-o", str(made), *sources],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
            env=os.environ | {"ZIG_GLOBAL_CACHE_DIR": scratch, "ZIG_LOCAL_CACHE_DIR": scratch},
        )
        made.replace(library)
    return library


def _openmp() -> Path:
    """The OpenMP runtime that torch has loaded; its wheels carry it in one of two places."""
    home = Path(torch.__file__).parent
    for folder in (home / "lib", home.parent / "torch.libs"):
        if found := next(folder.glob("libgomp*.so*"), None):
            return found
    raise OSError(f"no libgomp in {home / 'lib'}")
