"""What the engine is measured against, on the same weights: PEFT's mixed batch, and llama.cpp."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from backend.errors import SourceError
from backend.evaluation.speed import PROMPT, STEPS, seconds_of
from backend.settings import ROOT

PEER_TOKENS = 24  # decoded a round


class PeftPeer:
    """A step of PEFT's own mixed batch: ``adapter_names`` over transformers' cache, 杜甫, 苏轼, none, 杜甫.

    Args:
        model: a second copy of the model, which PEFT changes.
        adapters: two folders of adapters.
    """

    def __init__(self, model: Any, adapters: Sequence[Path]) -> None:
        from peft import PeftModel

        self._model = PeftModel.from_pretrained(model, adapters[0], "first", autocast_adapter_dtype=False)
        self._model.load_adapter(adapters[1], "second", autocast_adapter_dtype=False)
        self._model.eval()
        self._names = ["first", "second", "__base__", "first"]

    @torch.inference_mode()
    def __call__(self) -> float:
        """Seconds a step."""
        from statistics import median

        ids = torch.tensor([[1000 + (7 * index) % 5000 for index in range(PROMPT)]] * 4)
        state = self._model(input_ids=ids, adapter_names=self._names, use_cache=True)
        times = []
        for _ in range(STEPS):
            last, cache = state.logits[:, -1:].argmax(-1), state.past_key_values

            def step(last: Any = last, cache: Any = cache) -> None:
                nonlocal state
                state = self._model(input_ids=last, past_key_values=cache, adapter_names=self._names, use_cache=True)

            times.append(seconds_of(step))
        return median(times)


class LlamaCppPeer:
    """llama.cpp through npm's node-llama-cpp, in a process of its own.

    Args:
        folder: where the npm package is installed.
        weights: the GGUF file.
        threads: for decoding.

    Raises:
        SourceError: it doesn't start.
    """

    def __init__(self, folder: Path, weights: Path, threads: int) -> None:
        script = folder / "peer.mjs"
        script.write_bytes((ROOT / "benchmarks" / "peer.mjs").read_bytes())  # node looks for packages beside it
        self._process = subprocess.Popen(
            ["node", script, weights, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.version = str(self._answer()["version"])

    def __call__(self) -> float:
        """Seconds a token."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{PEER_TOKENS}\n")
        self._process.stdin.flush()
        return 1 / float(self._answer()["tokens_per_second"])

    def __enter__(self) -> LlamaCppPeer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SourceError(
                "The peer did not start; install it with: npm install node-llama-cpp --prefix FOLDER",
                "对照程序未能启动；请先安装：npm install node-llama-cpp --prefix 文件夹",
            )
        return dict(json.loads(line))
