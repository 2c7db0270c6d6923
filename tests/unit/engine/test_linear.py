"""4-bit layers against bitsandbytes' own, and the promise that a row's result is its own."""

from __future__ import annotations

import copy

import bitsandbytes as bnb
import bitsandbytes.functional as bnbf
import numpy as np
import pytest
import torch

from backend.engine.linear import BatchShape, LinearFactory, Nf4Weight, OutputHead, PackedLinear, pack
from backend.errors import LoadingError
from backend.models.loading import this_processor

pytestmark = pytest.mark.skipif(
    not this_processor().has_avx512_bf16, reason="the CPU lacks AVX-512 BF16: its models are loaded dense"
)


def quantized(out_features: int, in_features: int = 128, bias: bool = False, seed: int = 0) -> bnb.nn.Linear4bit:
    torch.manual_seed(seed)
    dense = torch.nn.Linear(in_features, out_features, bias=bias, dtype=torch.bfloat16)
    layer = bnb.nn.Linear4bit(in_features, out_features, bias, torch.bfloat16, True, "nf4")
    layer.load_state_dict(dense.state_dict())
    return layer.to("cpu").eval().requires_grad_(False)


def inputs(rows: int, in_features: int = 128) -> torch.Tensor:
    return torch.randn(rows, in_features, generator=torch.Generator().manual_seed(7)).bfloat16()


def packed(layers: list[bnb.nn.Linear4bit], shape: BatchShape, keep_plain: bool = True) -> PackedLinear:
    made = LinearFactory(shape, keep_plain).fuse(layers)
    assert isinstance(made, PackedLinear)
    return made


def test_a_fused_layer_equals_its_parts_to_the_bit() -> None:
    layers = [quantized(64, bias=True, seed=1), quantized(32, bias=True, seed=2), quantized(96, bias=True, seed=3)]
    fused = packed([copy.deepcopy(layer) for layer in layers], BatchShape(num_rows=5))
    x = inputs(5)
    with torch.inference_mode():
        assert torch.equal(fused(x), torch.cat([layer(x) for layer in layers], dim=1))


def test_packing_equals_bitsandbytes_own() -> None:
    weight = Nf4Weight.of(quantized(224))
    codes, state = bnbf._convert_weight_packed_for_cpu(weight.codes.clone(), weight.state())
    packed_codes, absmax = pack(weight)
    assert torch.equal(packed_codes, codes)
    assert torch.equal(absmax, state.absmax)


@pytest.mark.parametrize("rows", [2, 3, 4, 5, 8, 13])
def test_a_row_does_not_depend_on_its_neighbours(rows: int) -> None:
    shape = BatchShape()
    layer = packed([quantized(512, 1536)], shape)
    x = inputs(rows, 1536)
    shape.num_rows = rows
    together = layer(x)
    shape.num_rows = 1
    assert torch.equal(together, torch.cat([layer(x[i : i + 1]) for i in range(rows)]))


def test_rows_beside_chunks_are_what_they_are_alone() -> None:
    shape = BatchShape(num_rows=3, num_chunks=2, chunk_size=16)
    layer = packed([quantized(512, 256)], shape)
    x = inputs(35, 256)
    mixed = layer(x)
    shape.num_chunks = 0
    assert torch.equal(mixed[:3], layer(x[:3]))
    shape.num_rows, shape.num_chunks = 0, 1
    assert torch.equal(mixed[3:19], layer(x[3:19]))
    assert torch.equal(mixed[19:], layer(x[19:]))


def test_chunks_agree_with_rows_within_bfloat16() -> None:
    shape = BatchShape(num_chunks=1, chunk_size=16)
    layer = packed([quantized(512, 256)], shape)
    x = inputs(16, 256)
    chunk = layer(x)
    shape.num_rows, shape.num_chunks = 16, 0
    assert torch.allclose(chunk.float(), layer(x).float(), atol=0.02, rtol=0.02)


def test_without_a_plain_copy_chunks_take_the_row_kernel() -> None:
    shape = BatchShape(num_rows=1, num_chunks=1, chunk_size=16)
    layer = packed([quantized(64)], shape, keep_plain=False)
    x = inputs(17)
    mixed = layer(x)
    shape.num_rows, shape.num_chunks = 17, 0
    assert torch.equal(mixed, layer(x))


@pytest.mark.parametrize("dense", [True, False])
def test_a_part_of_the_head_equals_the_whole_heads_columns(dense: bool) -> None:
    layer = torch.nn.Linear(128, 320, bias=False, dtype=torch.bfloat16) if dense else quantized(320)
    head = OutputHead(layer, LinearFactory(BatchShape(), keep_plain=True))
    vocabulary = np.array([3, 17, 18, 200, 319], dtype=np.int64)
    ids = torch.from_numpy(vocabulary)
    x = inputs(2)
    with torch.inference_mode():
        whole, part = head.whole(x), head.part(vocabulary, ids)(x)
    assert torch.equal(part[:, :5], whole[:, ids])
    assert head.part(vocabulary, ids) is head.part(vocabulary, ids), "packed once"


def test_another_quantization_is_refused_in_words() -> None:
    layer = bnb.nn.Linear4bit(128, 64, False, torch.bfloat16, True, "fp4").to("cpu")
    with pytest.raises(LoadingError, match="fp4"):
        Nf4Weight.of(layer)
