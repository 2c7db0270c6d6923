"""Where a step's time goes: milliseconds of the 4-bit kernel, LoRA, attention and norms, by kind of batch.

.venv/bin/python benchmarks/steps.py [ROUNDS]      (MOYUN_NATIVE_KERNELS=0 for bitsandbytes' and torch's)

Each kind takes its turn, and each part is timed in steps of its own, so that the clock's cost falls on that part alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any
from unittest.mock import patch

from backend.cli.bench import load_bench
from backend.engine.layers import Attention, Norm
from backend.engine.linear import PackedLinear
from backend.engine.lora import LoraTable
from backend.engine.native import Kernels
from backend.evaluation.speed import Bench, seconds_of
from backend.settings import load_settings

STEPS = 6  # of one kind, whole and for each part, a round
PARTS: dict[str, tuple[type, str]] = {
    "linear": (Kernels, "linear"),
    "lora": (Kernels, "lora"),
    "attention": (Kernels, "attention"),
    "gate": (Kernels, "gate"),
    "norm": (Kernels, "norm"),
}
BITSANDBYTES: dict[str, tuple[type, str]] = {
    "linear": (PackedLinear, "multiply_rows"),
    "unpack": (PackedLinear, "_unpacked"),
    "chunks": (PackedLinear, "multiply_chunks"),
    "lora": (LoraTable, "apply"),
    "attention": (Attention, "_attend"),
    "norm": (Norm, "forward"),
}


class Clock:
    """Adds up the seconds that calls of one method take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def on(self, owner: type, method: str) -> Iterator[None]:
        """Time the method's calls while the context lasts."""
        original = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - begin

        with patch.object(owner, method, timed):
            yield


def take(bench: Bench, found: dict[str, list[float]]) -> None:
    """Some steps whole, then some for each part; milliseconds are appended to ``found``."""
    parts = PARTS if bench.engine.runner.native else BITSANDBYTES
    found.setdefault("step", []).extend(1000 * seconds_of(bench.engine.step) for _ in range(STEPS))
    for name, (owner, method) in parts.items():
        for _ in range(STEPS):
            clock = Clock()
            with clock.on(owner, method):
                bench.engine.step()
            found.setdefault(name, []).append(1000 * clock.seconds)


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    bench, _ = load_bench(load_settings(), with_peft=False)
    first, second = bench.adapters
    kinds: dict[str, tuple[str | None, ...]] = {
        "1 row": (None,),
        "1 row, adapter": (first,),
        "4 rows": (None,) * 4,
        "4 rows, mixed": (first, second, None, first),
    }
    found: dict[str, dict[str, list[float]]] = {name: {} for name in (*kinds, "3 rows and a chunk")}
    for _ in range(rounds):
        for name, adapters in kinds.items():
            rows = bench.writers(adapters)
            take(bench, found[name])
            bench.end(*rows)
        rows = bench.writers([first, second, None])
        intruder = bench.ask(2000)
        take(bench, found["3 rows and a chunk"])
        bench.end(intruder, *rows)
    print(f"{'milliseconds a step':<22}" + "".join(f"{part:>11}" for part in found["1 row"]))
    for name, parts in found.items():
        print(f"{name:<22}" + "".join(f"{median(times):>11.1f}" for times in parts.values()))


if __name__ == "__main__":
    main()
