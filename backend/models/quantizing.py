"""Dense or GGUF weights in, a 4-bit NF4 checkpoint out; run as a process of its own.

    python -m backend.models.quantizing SOURCE TARGET [--threads N]

Its memory (about 5 GB for 1.5 billion parameters) goes back to the system when it ends. The checkpoint is saved before
any forward: bitsandbytes repacks weights for the processor then. It prints one JSON line for each step, and ends when
its standard input is closed, so that it never outlives the process that started it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from backend.errors import SourceError
from backend.models.progress import Progress, Report
from backend.models.store import ModelStore

log = logging.getLogger(__name__)


def publish_quantized(store: ModelStore, key: str, source: Path, progress: Report) -> None:
    """Quantize ``source`` in a process of its own and publish the checkpoint as ``key``.

    Raises:
        SourceError: the weights can't be read, or memory or disk didn't suffice; nothing is published then.
    """
    with store.publication(key) as target:
        command = [
            sys.executable,
            "-m",
            "backend.models.quantizing",
            str(source.resolve()),
            str(target.resolve()),
        ]
        with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,  # never written to: its end tells the child that this process is gone
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | {"TQDM_DISABLE": "1"},  # its progress comes as lines
                cwd=Path(__file__).parents[2],
            )
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    progress(Progress(**json.loads(line)))
                status = process.wait()
            finally:
                process.kill()
                process.wait()
            errors.seek(0)
            said = errors.read().strip()
        if status != 0:
            raise _quantizing_failed(source, status, said)


def _quantizing_failed(source: Path, status: int, said: str) -> SourceError:
    log.error("Quantizing %s ended with %s:\n%s", source, status, said)
    if "No space left on device" in said:
        return SourceError(
            "The disk filled up while the model was saved; free some space and start again.",
            "保存模型时磁盘已满；请腾出空间后重新启动。",
        )
    if status == -signal.SIGKILL:
        return SourceError(
            f"Quantizing {source.name} was killed by the system, most likely for want of memory; "
            "close other programs and start again.",
            f"量化 {source.name} 被系统终止，多半是内存不足；请关闭其他程序后重新启动。",
        )
    reason = said.splitlines()[-1] if said else f"exit status {status}"
    return SourceError(f"{source.name} can't be quantized ({reason}).", f"{source.name} 不能量化（{reason}）。")


def quantize(source: Path, target: Path, report: Report) -> None:
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

    reading = Progress("reading the weights", "读取权重", unit="tensors")
    report(reading)
    _watch_bars(reading, report)
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
    _watch_bars(Progress("saving", "保存", unit="files"), report)
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


def _watch_bars(job: Progress, report: Report) -> None:
    """From now on, report what transformers would draw as progress bars."""
    from transformers import modeling_gguf_pytorch_utils
    from transformers.utils import logging

    logging.set_tqdm_hook(lambda _factory, args, kwargs: _Watched(job, report, *args, **kwargs))
    # Reading GGUF draws its bar without asking the hook.
    modeling_gguf_pytorch_utils.tqdm = partial(_Watched, job, report)


class _Watched:
    """A bar that reports in the place of drawing."""

    def __init__(
        self, job: Progress, report: Report, items: Collection[Any] = (), total: int | None = None, **_: object
    ) -> None:
        self._job = replace(job, total=total or len(items))
        self._report = report
        self._items = items

    def update(self, count: int = 1) -> None:
        self._job = replace(self._job, done=self._job.done + count)
        self._report(self._job)

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            yield item
            self.update()

    def __enter__(self) -> _Watched:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __getattr__(self, _: str) -> Any:
        return lambda *args, **kwargs: None  # whatever else a bar can do, nobody sees


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
