"""Dense or GGUF weights in, a 4-bit NF4 checkpoint out; run as a process of its own.

    python -m backend.models.quantizing SOURCE TARGET [--threads N]

Its memory (about 5 GB for 1.5 billion parameters) goes back to the system when it ends. The checkpoint is saved before
any forward: bitsandbytes repacks weights for the processor then. It prints one JSON line for each step, and ends when
its standard input is closed, so that it never outlives the process that started it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backend.models.progress import Progress


def quantize(source: Path, target: Path, report: Any) -> None:
    """Write the NF4 checkpoint and tokenizer of ``source`` (a folder of safetensors, or a GGUF file) to ``target``.

    Every linear layer is quantized, the output head too: untied from the embedding it is a copy of its own, and in
    4 bits it costs a quarter of the bytes that each token reads. The embedding stays in bfloat16.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    is_gguf = source.is_file()
    where = {"gguf_file": source.name} if is_gguf else {}
    folder = source.parent if is_gguf else source
    AutoTokenizer.from_pretrained(folder, **where).save_pretrained(target)

    report(Progress("reading the weights", "读取权重", unit="tensors"))
    kind: Any = AutoModelForCausalLM
    origin: Path | None = folder  # untied weights stream straight from the files
    given: dict[str, Any] = {}
    generation: Any = None
    if is_gguf or AutoConfig.from_pretrained(folder).tie_word_embeddings:
        dense = _read_whole(folder, where)
        kind, origin, generation = type(dense), None, dense.generation_config
        given = {"config": dense.config, "state_dict": dict(dense.state_dict())}
        del dense
    _watch_bars(Progress("quantizing to 4 bits", "量化为 4 位", unit="tensors"), report)
    model = kind.from_pretrained(
        origin,
        **given,
        dtype=torch.bfloat16,
        device_map={"": 0} if torch.cuda.is_available() else None,
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,  # undone when a CPU repacks the weights: it costs no speed there
            bnb_4bit_compute_dtype=torch.bfloat16,
            llm_int8_skip_modules=[],
        ),
    )
    model.generation_config = generation or model.generation_config
    _watch_bars(Progress("saving", "保存", unit="tensors"), report)
    model.save_pretrained(target)


def _read_whole(folder: Path, where: dict[str, str]) -> Any:
    """The dense model in bfloat16, its output head untied from the embedding."""
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    extra = {"quantization_config": GgufConfig(dequantize=True)} if where else {}
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, **where, **extra)
    if model.config.tie_word_embeddings:
        model.lm_head.weight = torch.nn.Parameter(model.get_input_embeddings().weight.detach().clone())
        model.config.tie_word_embeddings = False
    return model


def _watch_bars(job: Progress, report: Any) -> None:
    """Report what transformers would draw as progress bars."""
    from transformers.utils import logging

    class Watched:
        def __init__(self, items: Sequence[Any] | None = None, total: int | None = None, **_: object) -> None:
            self.items = items
            self.total = total or (len(items) if items is not None else 0)
            self.done = 0

        def update(self, count: int = 1) -> None:
            self.done += count
            report(Progress(job.en, job.zh, self.done, self.total, job.unit))

        def __iter__(self) -> Any:
            for item in self.items or ():
                yield item
                self.update()

        def __enter__(self) -> Watched:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def __getattr__(self, _: str) -> Any:
            return lambda *args, **kwargs: None  # whatever else a bar can do, nobody sees

    logging.set_tqdm_hook(lambda _factory, args, kwargs: Watched(*args, **kwargs))


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # below Python's buffers, whose lock would be missed at the end
    os._exit(1)


def main(argv: Sequence[str] | None = None) -> int:
    """The process: JSON lines of progress on standard output."""
    parser = argparse.ArgumentParser(description="Quantize a model to NF4.")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--threads", type=int, default=0, help="0 leaves the choice to torch")
    options = parser.parse_args(argv)
    threading.Thread(target=_end_with_parent, daemon=True).start()

    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    quantize(options.source, options.target, lambda step: print(json.dumps(asdict(step)), flush=True))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
