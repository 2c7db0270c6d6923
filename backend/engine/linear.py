"""Linear layers over a flat batch: NF4 on a CPU, NF4 on a GPU, and dense; several that share an input become one.

A batch has rows (one token each, computed so that a row's result never depends on its neighbours) followed by chunks
(``chunk_size`` tokens of one prompt each, computed as matrices).
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any

import bitsandbytes as bnb
import bitsandbytes.functional as bnbf
import torch
from bitsandbytes.cextension import lib
from torch import Tensor, nn

from backend.errors import LoadingError

BLOCK = 64  # weights that share one scale in NF4
ROW_GROUP = 32  # output rows that the packed layout interleaves


@dataclass(slots=True)
class BatchShape:
    """What the current forward looks like; one object that all layers look at."""

    num_rows: int = 0
    num_chunks: int = 0
    chunk_size: int = 32

    def chunk_slices(self) -> list[slice]:
        """The batch rows of each chunk."""
        first, size = self.num_rows, self.chunk_size
        return [slice(first + i * size, first + (i + 1) * size) for i in range(self.num_chunks)]


@dataclass(slots=True)
class Scratch:
    """One buffer that layers unpack their weights into, one after the other."""

    buffer: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.bfloat16))

    def matrix(self, rows: int, columns: int) -> Tensor:
        """An uninitialised matrix that the next caller overwrites."""
        if self.buffer.numel() < rows * columns:
            self.buffer = torch.empty(rows * columns, dtype=torch.bfloat16)
        return self.buffer[: rows * columns].view(rows, columns)


@dataclass(frozen=True, slots=True)
class Nf4Weight:
    """A 4-bit matrix in bitsandbytes' plain layout: codes (out * in / 2) uint8, absmax (out * in / 64) float32."""

    codes: Tensor
    absmax: Tensor
    out_features: int
    in_features: int

    @classmethod
    def of(cls, layer: Any) -> Nf4Weight:
        """The weight of a ``Linear4bit`` that has not run yet (a run repacks it).

        Raises:
            LoadingError: it is quantized in another way.
        """
        state = layer.weight.quant_state
        if (state.quant_type, state.blocksize) != ("nf4", BLOCK):
            raise LoadingError(
                f"The model is quantized as {state.quant_type} in blocks of {state.blocksize}; NF4 in 64 is needed.",
                f"模型的量化方式是 {state.quant_type}、每块 {state.blocksize}；需要 NF4、每块 64。",
            )
        absmax = state.absmax
        if state.nested:
            absmax = bnbf.dequantize_blockwise(absmax, state.state2) + state.offset
        out_features, in_features = state.shape
        return cls(layer.weight.data.view(torch.uint8).reshape(-1), absmax.float(), out_features, in_features)

    @classmethod
    def stack(cls, parts: list[Nf4Weight]) -> Nf4Weight:
        """Matrices of one input, one below the other; blocks never straddle rows, so nothing is quantized again."""
        return cls(
            torch.cat([part.codes for part in parts]),
            torch.cat([part.absmax for part in parts]),
            sum(part.out_features for part in parts),
            parts[0].in_features,
        )

    def rows(self, index: Tensor) -> Nf4Weight:
        """These output rows only."""
        codes = self.codes.view(self.out_features, -1)[index].reshape(-1)
        absmax = self.absmax.view(self.out_features, -1)[index].reshape(-1)
        return Nf4Weight(codes, absmax, len(index), self.in_features)

    def state(self) -> bnbf.QuantState:
        """bitsandbytes' description of this matrix."""
        return bnbf.QuantState(
            absmax=self.absmax,
            shape=torch.Size((self.out_features, self.in_features)),
            code=bnbf.get_4bit_type("nf4", device=self.codes.device),
            blocksize=BLOCK,
            quant_type="nf4",
            dtype=torch.bfloat16,
        )


def pack(weight: Nf4Weight) -> tuple[Tensor, Tensor]:
    """The layout of bitsandbytes' CPU kernel: codes (out, in / 2), absmax (in / 64, out) in bfloat16.

    In the plain layout a byte holds two neighbours of a row. Here 32 rows are interleaved: a byte holds one weight of
    row n (low half) and one of row n + 16 (high half). Done on whole bytes, it takes a tenth of the time and memory of
    ``bitsandbytes.functional._convert_weight_packed_for_cpu``, whose result is the same.
    """
    codes = weight.codes.view(-1, ROW_GROUP, weight.in_features // 2)
    low, high = codes[:, : ROW_GROUP // 2], codes[:, ROW_GROUP // 2 :]
    even, odd = (high & 0xF0) | (low >> 4), (high << 4) | (low & 0x0F)
    packed = torch.stack([even, odd], dim=-1).transpose(1, 2).reshape(weight.out_features, -1)
    absmax = weight.absmax.view(weight.out_features, -1).t().to(torch.bfloat16)
    return packed.contiguous(), absmax.contiguous()


class PackedLinear(nn.Module):
    """NF4 on a CPU with AVX-512 BF16, through bitsandbytes' kernel, called without its per-call checks.

    Rows go through the 4-bit kernel, whose result for a row doesn't depend on the other rows. Chunks are faster with
    the matrix unpacked to bfloat16 once a layer (with ``keep_plain``, which costs a second copy of the 4-bit codes).
    """

    def __init__(
        self, weight: Nf4Weight, bias: Tensor | None, shape: BatchShape, scratch: Scratch, keep_plain: bool
    ) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.out_features, weight.in_features
        self.batch_shape, self.scratch = shape, scratch
        self.bias = bias
        self.plain = weight if keep_plain else None
        self.packed, self.absmax = pack(weight)

    @property
    def num_bytes(self) -> int:
        """Bytes that one pass over the matrix reads."""
        return self.packed.nbytes + self.absmax.nbytes

    def forward(self, x: Tensor) -> Tensor:
        """(tokens, in_features) bfloat16 to (tokens, out_features)."""
        y = torch.empty(x.shape[0], self.out_features, dtype=torch.bfloat16)
        num_rows = self.batch_shape.num_rows if self.plain is not None else x.shape[0]
        if num_rows:
            self.multiply_rows(x[:num_rows], y)
        if num_rows < x.shape[0]:
            self.multiply_chunks(x, y, self._unpacked())
        return y if self.bias is None else y.add_(self.bias)

    def multiply_chunks(self, x: Tensor, y: Tensor, matrix: Tensor) -> None:
        """Each chunk of ``y`` becomes that of ``x`` times the unpacked matrix."""
        for rows in self.batch_shape.chunk_slices():
            torch.mm(x[rows], matrix.t(), out=y[rows])

    def multiply_rows(self, x: Tensor, y: Tensor) -> None:
        """The 4-bit kernel: the first rows of ``y`` become ``x`` times the matrix."""
        x = x.contiguous()
        lib.gemv_4bit_inference_cpu_nf4_bf16(
            ctypes.c_int64(x.shape[0]),
            ctypes.c_int64(self.out_features),
            ctypes.c_int64(self.in_features),
            ctypes.c_void_p(x.data_ptr()),
            ctypes.c_void_p(self.packed.data_ptr()),
            ctypes.c_void_p(self.absmax.data_ptr()),
            ctypes.c_void_p(y.data_ptr()),
            ctypes.c_int64(BLOCK),
            ctypes.c_int64(self.in_features),
            ctypes.c_int64(self.out_features),
        )

    def _unpacked(self) -> Tensor:
        assert self.plain is not None
        matrix = self.scratch.matrix(self.out_features, self.in_features)
        lib.cdequantize_blockwise_cpu_nf4_bf16(
            ctypes.c_void_p(self.plain.codes.data_ptr()),
            ctypes.c_void_p(self.plain.absmax.data_ptr()),
            ctypes.c_void_p(matrix.data_ptr()),
            ctypes.c_longlong(BLOCK),
            ctypes.c_longlong(self.out_features),
            ctypes.c_longlong(self.in_features),
        )
        return matrix


class GpuLinear(nn.Module):
    """NF4 on a GPU: bitsandbytes chooses the kernel by the number of rows."""

    def __init__(self, weight: Nf4Weight, bias: Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.out_features, weight.in_features
        self.codes, self.state, self.bias = weight.codes.view(-1, 1), weight.state(), bias

    def forward(self, x: Tensor) -> Tensor:
        """(tokens, in_features) to (tokens, out_features)."""
        y: Tensor = bnb.matmul_4bit(x, self.codes, quant_state=self.state, bias=self.bias)
        return y


class DenseLinear(nn.Module):
    """Plain weights: tiny models, and CPUs for which the 4-bit kernel is slower than bfloat16."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.weight, self.bias = nn.Parameter(weight, requires_grad=False), bias

    def forward(self, x: Tensor) -> Tensor:
        """(tokens, in_features) to (tokens, out_features)."""
        return nn.functional.linear(x, self.weight, self.bias)

    def rows(self, index: Tensor) -> DenseLinear:
        """These output rows only."""
        return DenseLinear(self.weight[index], None)


class LinearFactory:
    """Makes fused layers of whichever kind a loaded model has."""

    def __init__(self, shape: BatchShape, keep_plain: bool) -> None:
        self.shape = shape
        self.keep_plain = keep_plain
        self._scratch = Scratch()

    def fuse(self, layers: list[Any]) -> nn.Module:
        """One layer in the place of several that share an input; the originals' memory is freed with them."""
        bias = None
        if layers[0].bias is not None:
            bias = torch.cat([layer.bias.data for layer in layers])
        if not hasattr(layers[0].weight, "quant_state"):
            return DenseLinear(torch.cat([layer.weight.data for layer in layers]), bias)
        return self.quantized(Nf4Weight.stack([Nf4Weight.of(layer) for layer in layers]), bias)

    def quantized(self, weight: Nf4Weight, bias: Tensor | None, keep_plain: bool | None = None) -> nn.Module:
        """A 4-bit layer on the device where the weight is."""
        if weight.codes.device.type != "cpu":
            return GpuLinear(weight, bias)
        keep = self.keep_plain if keep_plain is None else keep_plain
        return PackedLinear(weight, bias, self.shape, self._scratch, keep)


class OutputHead:
    """The lm_head, whole or for a part of the vocabulary; a part is packed once and kept while it is in use."""

    def __init__(self, layer: Any, factory: LinearFactory) -> None:
        self._factory = factory
        if hasattr(layer.weight, "quant_state"):
            self._weight: Nf4Weight | DenseLinear = Nf4Weight.of(layer)
            self.whole = factory.quantized(self._weight, None, keep_plain=False)
        else:
            self._weight = self.whole = DenseLinear(layer.weight.data, None)
        self._parts: dict[int, tuple[object, nn.Module]] = {}

    def part(self, vocabulary: object, ids: Tensor) -> nn.Module:
        """The head for these ids, in their order; columns past ``len(ids)`` are padding.

        ``vocabulary`` is the object that the ids come from: the same object gives the same head.
        """
        if id(vocabulary) not in self._parts:
            if len(self._parts) >= 4:
                self._parts.pop(next(iter(self._parts)))
            index = torch.cat([ids, ids[:1].expand(-len(ids) % ROW_GROUP)])
            rows = self._weight.rows(index)
            head = self._factory.quantized(rows, None, False) if isinstance(rows, Nf4Weight) else rows
            self._parts[id(vocabulary)] = (vocabulary, head)
        return self._parts[id(vocabulary)][1]
