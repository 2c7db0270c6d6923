"""An adapter merged into its unquantized base, with the proof that both say the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.errors import LoadingError, SourceError, TrainingError
from backend.models.adapter_weights import read
from backend.models.adapters import linear_shapes
from backend.models.store import require_space, translated_errors
from backend.training.export import published

_PROMPTS = ("以《江村》为题写一首七言律诗", "以秋思为题填一首水调歌头，押第七部韵", "春江潮水连海平")
_CLOSE = 1e-3  # of the logits' own spread, in float32: the sums are the same but for their order


@dataclass(frozen=True, slots=True)
class Proof:
    """How far the merged model's logits are from the base's with the adapter on it, in float32."""

    largest: float
    spread: float  # standard deviation of the logits

    @property
    def agrees(self) -> bool:
        """Whether the difference is rounding alone."""
        return self.largest <= _CLOSE * self.spread


def merge(adapter: Path, base: Path, target: Path, note: Callable[[str], None]) -> Proof:
    """Merge ``adapter`` into the dense model in ``base`` and write it to ``target``.

    The sums are made in float32, compared, and saved in the base's own type.

    Raises:
        TrainingError: the base is quantized or isn't there, the place is taken, or the logits don't agree.
        AdapterError: the adapter is broken or doesn't fit the base.
        LoadingError: the base can't be loaded.
    """
    config = _dense_config(base)
    if target.exists():
        raise TrainingError(f"{target} exists; name another place.", f"{target} 已存在，请另选位置。")
    import torch
    from peft import PeftModel
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    read(adapter, None, linear_shapes(AutoConfig.from_pretrained(base, local_files_only=True)))
    note(f"载入 {base} · Loading {base}")
    try:
        tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(base, local_files_only=True, dtype=torch.float32)
    except Exception as error:  # transformers lets through what safetensors, tokenizers and JSON raise
        raise LoadingError(f"{base} can't be loaded ({error}).", f"{base} 不能加载（{error}）。") from error
    _require_disk(target, model.num_parameters())
    adapted = PeftModel.from_pretrained(model, str(adapter)).eval()
    before = _logits(adapted, tokenizer)
    merged = adapted.merge_and_unload()
    after = _logits(merged, tokenizer)
    proof = Proof(float((after - before).abs().max()), float(before.std()))
    if not proof.agrees:
        raise TrainingError(
            f"The merged model's logits differ by {proof.largest:.2g} (spread {proof.spread:.2g}); nothing is written.",
            f"合并后的 logits 相差 {proof.largest:.2g}（标准差 {proof.spread:.2g}），未写出任何文件。",
        )
    note(f"写出 {target} · Writing {target}")
    with published(target) as partial:
        merged.to(getattr(torch, config.get("dtype") or config.get("torch_dtype") or "float32")).save_pretrained(
            partial
        )
        tokenizer.save_pretrained(partial)
    return proof


def _logits(model: Any, tokenizer: Any) -> Any:
    import torch

    with torch.no_grad():
        return torch.cat([model(torch.tensor([tokenizer.encode(text)])).logits[0] for text in _PROMPTS])


def _dense_config(base: Path) -> dict[str, Any]:
    """The configuration of an unquantized model in a folder."""
    if base.is_file() or base.suffix == ".gguf" or any(base.glob("*.gguf")):
        raise TrainingError(
            f"{base} holds a GGUF, which is quantized; an adapter is merged into an unquantized base only.",
            f"{base} 是 GGUF，已经量化；适配器只能并入未量化的基座。",
        )
    try:
        config = json.loads((base / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"{base} holds no model: its config.json can't be read.", f"{base} 里没有模型：读不出 config.json。"
        ) from error
    if not isinstance(config, dict) or config.get("quantization_config"):
        raise TrainingError(
            f"The model in {base} is quantized; an adapter is merged into an unquantized base only, because rounding "
            "to 4 bits again would lose it.",
            f"{base} 里的模型已量化；适配器只能并入未量化的基座，否则再次舍入到 4 位会把它丢掉。",
        )
    return config


def _require_disk(target: Path, parameters: int) -> None:
    try:
        with translated_errors(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            require_space(target.parent, 4 * parameters)
    except SourceError as error:
        raise TrainingError(error.en, error.zh) from error
