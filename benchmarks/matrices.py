"""What docs/engine.md says of kernels: milliseconds by rows, and which products don't change a row by its company.

.venv/bin/python benchmarks/matrices.py
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import bitsandbytes.functional as bnbf
import torch

from backend.engine.linear import BatchShape, Nf4Weight, PackedLinear, Scratch
from backend.evaluation.speed import seconds_of

SHAPES = {"q,k,v": (2048, 1536), "gate,up": (17920, 1536), "down": (1536, 8960)}
ROWS = (1, 4, 16, 32)


def milliseconds(act: Callable[[], object]) -> float:
    """The median of fifteen calls after a warm-up."""
    act()
    return 1000 * median(seconds_of(act) for _ in range(15))


def layer_of(out_features: int, in_features: int) -> tuple[PackedLinear, torch.Tensor]:
    """A random 4-bit layer and its weights in bfloat16."""
    dense = torch.randn(out_features, in_features, dtype=torch.bfloat16) / 50
    codes, state = bnbf.quantize_4bit(dense, quant_type="nf4", blocksize=64)
    weight = Nf4Weight(codes.view(-1), state.absmax.float(), out_features, in_features)
    return PackedLinear(weight, None, BatchShape(), Scratch(), keep_plain=True), dense


def main() -> None:
    """Measure and print."""
    torch.manual_seed(0)
    for name, shape in SHAPES.items():
        report(name, *shape)


def report(name: str, out_features: int, in_features: int) -> None:
    """One matrix: its times, then its rows."""
    layer, dense = layer_of(out_features, in_features)
    x = torch.randn(32, in_features, dtype=torch.bfloat16)
    y = torch.empty(32, out_features, dtype=torch.bfloat16)
    packed = [milliseconds(lambda n=n: layer.multiply_rows(x[:n], y)) for n in ROWS]  # type: ignore[misc]
    wide = milliseconds(lambda: torch.nn.functional.linear(x, dense))
    unpack = milliseconds(layer._unpacked)
    rows = ", ".join(f"{n} rows {ms:.2f}" for n, ms in zip(ROWS, packed, strict=True))
    print(f"{name}: 4-bit {rows}; bfloat16 32 rows {wide:.2f}; unpacking {unpack:.2f} ms")
    layer.batch_shape.num_rows = 1
    alone = torch.cat([layer(x[i : i + 1]) for i in range(16)])
    layer.batch_shape.num_rows = 16
    print(f"  4-bit rows alone and among 16: {'equal' if torch.equal(alone, layer(x[:16])) else 'different'}")
    low = torch.randn(16, in_features)
    products = {n: x[:n].float() @ low.t() for n in (1, 2, 4, 8, 16)}
    same = [n for n, found in products.items() if torch.equal(found[:1], products[2][:1])]
    print(f"  float32 products that give the first row the bits of two rows: {same}")


if __name__ == "__main__":
    main()
