"""Our own kernels against torch's arithmetic in float32, and against themselves in other company."""

from __future__ import annotations

import ctypes
import logging
from pathlib import Path

import bitsandbytes.functional as bnbf
import pytest
import torch
from torch.nn import functional as F

from backend.engine import native
from backend.engine.layers import rotate
from backend.engine.linear import BatchShape, Nf4Weight
from backend.engine.native import Adapter, Kernels, load_kernels
from backend.engine.native_layers import NativeLoraTable, TiledLinear
from backend.models.adapter_weights import AdapterWeights

pytestmark = pytest.mark.skipif(not bnbf.has_avx512bf16(), reason="the kernels are for CPUs with AVX-512 BF16")

HEADS, KV_HEADS, DIM, CAPACITY, LAYERS = 12, 2, 64, 300, 3
SCALING = DIM**-0.5


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    made = load_kernels(tmp_path_factory.mktemp("kernels"), torch.get_num_threads())
    assert made is not None
    return made


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).bfloat16()


def weight_of(outs: int, ins: int) -> tuple[Nf4Weight, torch.Tensor]:
    """A random 4-bit matrix, and its values."""
    codes, state = bnbf.quantize_4bit(random(outs, ins), quant_type="nf4", blocksize=64)
    weight = Nf4Weight(codes.view(-1), state.absmax.float(), outs, ins)
    return weight, bnbf.dequantize_4bit(codes, state).float()


def close(ours: torch.Tensor, exact: torch.Tensor, share: float = 0.01) -> bool:
    """Whether nothing is off by more than a share of the largest value; bfloat16 keeps 8 bits."""
    return bool((ours.float() - exact).abs().max() <= share * exact.abs().max())


@pytest.mark.parametrize("tokens", [1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 33])
@pytest.mark.parametrize(("outs", "ins"), [(32, 64), (96, 192), (32 * 5, 1536)])
def test_a_product_is_torchs(kernels: Kernels, tokens: int, outs: int, ins: int) -> None:
    weight, values = weight_of(outs, ins)
    x, bias = random(tokens, ins, seed=1), random(outs, seed=2)
    assert close(TiledLinear(weight, None, kernels)(x), x.float() @ values.t())
    assert close(TiledLinear(weight, bias, kernels)(x), x.float() @ values.t() + bias.float())


def test_a_token_is_the_same_to_the_bit_in_any_company(kernels: Kernels) -> None:
    layer = TiledLinear(weight_of(64, 256)[0], random(64), kernels)
    x = random(21, 256, seed=1)
    alone = torch.cat([layer(x[i : i + 1]) for i in range(21)])
    for tokens in range(1, 22):
        assert torch.equal(layer(x[:tokens]), alone[:tokens])


def lora_of(kernels: Kernels, adapters: dict[str, AdapterWeights]) -> tuple[NativeLoraTable, object]:
    table = NativeLoraTable(BatchShape(), kernels)
    site = table.site(["up", "gate"], [64, 96], 128)
    for name, weights in adapters.items():
        table.add(name, weights)
    return table, site


def adapter(rank: int, paths: dict[str, int], scaling: float = 2.0, seed: int = 0) -> AdapterWeights:
    matrices = {path: (random(rank, 128, seed=seed), random(outs, rank, seed=seed + 1)) for path, outs in paths.items()}
    return AdapterWeights(rank=rank, scaling=scaling, matrices=matrices)


def test_each_token_gets_its_own_adapter_and_no_other(kernels: Kernels) -> None:
    east = adapter(4, {"up": 64, "gate": 96}, seed=3)
    west = adapter(8, {"gate": 96}, scaling=0.5, seed=5)
    table, site = lora_of(kernels, {"east": east, "west": west})
    x, y = random(5, 128, seed=1), random(5, 160, seed=2)
    names = ["east", None, "west", "west", "east"]
    table.plan = table.make_plan(names, [])
    found = table.apply(site, x, y.clone())  # type: ignore[arg-type]
    for row, name in enumerate(names):
        exact = y[row].float()
        for path, columns in (("up", slice(0, 64)), ("gate", slice(64, 160))):
            weights = {"east": east, "west": west, None: None}[name]
            if weights is not None and path in weights.matrices:
                a, b = weights.matrices[path]
                exact[columns] += weights.scaling * (b.float() @ (a.float() @ x[row].float()))
        assert close(found[row], exact)
    assert torch.equal(found[1], y[1])
    assert torch.equal(found[2, :64], y[2, :64]), "west has nothing for this part"
    table.plan = table.make_plan(["west"], [])
    assert torch.equal(table.apply(site, x[2:3], y[2:3].clone())[0], found[2])  # type: ignore[arg-type]


def test_an_adapter_that_comes_in_another_ones_place_is_the_new_one(kernels: Kernels) -> None:
    one, two = (adapter(4, {"up": 64, "gate": 96}, seed=seed) for seed in (3, 7))
    table, site = lora_of(kernels, {"one": one, "stays": two})
    x, y = random(1, 128), random(1, 160)

    def applied(name: str) -> torch.Tensor:
        table.plan = table.make_plan([name], [])
        return table.apply(site, x, y.clone())  # type: ignore[arg-type]

    before, stays = applied("one"), applied("stays")
    table.remove("one")
    table.add("new", two)
    assert torch.equal(applied("new"), stays)
    assert torch.equal(applied("stays"), stays)
    assert not torch.equal(before, stays)


@pytest.mark.parametrize("width", [32, 96, 1536])
def test_the_norm_is_torchs(kernels: Kernels, width: int) -> None:
    x, weight = random(3, width), random(width, seed=1)
    assert close(kernels.norm(x, weight, 1e-6), F.rms_norm(x.float(), (width,), weight.float(), 1e-6))


def test_the_gate_is_torchs(kernels: Kernels) -> None:
    x = torch.cat([random(4, 256) * 8, torch.tensor([[-200.0, -87.0, 0.0, 90.0] * 64]).bfloat16()])
    found = kernels.gate(x)
    assert close(found, F.silu(x[:, :128].float()) * x[:, 128:].float())
    assert torch.isfinite(found).all()


def attended(kernels: Kernels, positions: list[int], at_once: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What tokens of one sequence see, in one call or one by one; and exactly."""
    keys, values = (random(LAYERS, KV_HEADS, CAPACITY, DIM, seed=seed) for seed in (1, 2))
    n = len(positions)
    qkv, cos, sin = random(n, HEADS + 2 * KV_HEADS, DIM, seed=3), random(n, DIM, seed=4), random(n, DIM, seed=5)
    turned = rotate(qkv[:, : HEADS + KV_HEADS].float(), cos[None].float(), sin[None].float()).bfloat16()
    new_values = qkv[:, HEADS + KV_HEADS :].clone()
    places = torch.tensor([[keys.data_ptr(), values.data_ptr(), CAPACITY, position] for position in positions])
    calls = [slice(0, n)] if at_once else [slice(i, i + 1) for i in range(n)]
    found = torch.cat(
        [
            kernels.attention(1, qkv[c].clone(), HEADS, KV_HEADS, SCALING, places[c].contiguous(), cos[c], sin[c])
            for c in calls
        ]
    )
    exact = []
    for token, position in enumerate(positions):
        assert close(keys[1, :, position], turned[token, HEADS:].float())
        assert torch.equal(values[1, :, position], new_values[token])
        queries = turned[token, :HEADS].float().view(1, KV_HEADS, -1, DIM)
        seen = [store[1, :, : position + 1].float().unsqueeze(0) for store in (keys, values)]
        exact.append(F.scaled_dot_product_attention(queries, *seen, scale=SCALING).view(-1))
    return found, torch.stack(exact), keys


@pytest.mark.parametrize("positions", [[0], [0, 1, 2, 3], [126, 127, 128, 129], [298, 299], list(range(40))])
def test_attention_is_torchs_and_a_prompt_may_be_cut_anywhere(kernels: Kernels, positions: list[int]) -> None:
    together, exact, _ = attended(kernels, positions, at_once=True)
    assert close(together, exact)
    assert torch.equal(together, attended(kernels, positions, at_once=False)[0])


def test_attention_writes_to_its_own_layer_and_position_only(kernels: Kernels) -> None:
    untouched = random(LAYERS, KV_HEADS, CAPACITY, DIM, seed=1)
    keys = attended(kernels, [7], at_once=True)[2]
    changed = (keys != untouched).any(-1)
    assert changed[1, :, 7].all()
    changed[1, :, 7] = False
    assert not changed.any()


def test_the_structures_are_laid_out_as_in_c() -> None:
    assert [getattr(Adapter, name).offset for name, _ in Adapter._fields_] == [0, 8, 16, 24]
    assert ctypes.sizeof(Adapter) == 32


def test_what_cannot_be_compiled_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(native, "OPTIONS", (*native.OPTIONS, "-Dbf16=nonsense nonsense"))
    with caplog.at_level(logging.WARNING):
        assert load_kernels(tmp_path, 1) is None
    assert "kernels can't be used" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_it_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_kernels(tmp_path, 1) is not None
    monkeypatch.setattr(native.subprocess, "run", lambda *a, **k: pytest.fail("compiled again"))
    assert load_kernels(tmp_path, 1) is not None
