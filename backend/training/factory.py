"""The same data and settings for LLaMA-Factory: Alpaca or ShareGPT rows, ``dataset_info.json`` and a YAML file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from backend.errors import SourceError, TrainingError
from backend.models.store import translated_errors
from backend.training.dataset import Pair, alpaca, sharegpt
from backend.training.recipe import HUB_NAMES, Recipe
from backend.types import Style

INFO = "dataset_info.json"


def write_data(
    folder: Path, style: Style, training: Sequence[Pair], held_out: Sequence[Pair], as_sharegpt: bool
) -> list[Path]:
    """Write the pairs as JSONL with LLaMA-Factory's ``dataset_info.json``; the files.

    Raises:
        TrainingError: the folder can't be written.
    """
    form = sharegpt if as_sharegpt else alpaca
    try:
        with translated_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            names = {style.id: training, f"{style.id}_held_out": held_out}
            paths = [folder / f"{name}.jsonl" for name in names]
            for path, pairs in zip(paths, names.values(), strict=True):
                _write_lines(path, form(pairs, style.poem_prompt))
            info = {name: _describe(f"{name}.jsonl", as_sharegpt) for name in names}
            (folder / INFO).write_text(json.dumps(info, indent=2, ensure_ascii=False) + "\n", "utf-8")
    except SourceError as error:
        raise TrainingError(error.en, error.zh) from error
    return [*paths, folder / INFO]


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    partial.replace(path)


def _describe(file: str, as_sharegpt: bool) -> dict[str, Any]:
    if as_sharegpt:
        columns = {"messages": "conversations", "system": "system"}
        return {"file_name": file, "formatting": "sharegpt", "columns": columns}
    columns = {"prompt": "instruction", "query": "input", "response": "output", "system": "system"}
    return {"file_name": file, "columns": columns}


def write_yaml(path: Path, style: Style, recipe: Recipe, pairs: int, model: str | None = None) -> None:
    """The recipe as LLaMA-Factory's settings for ``llamafactory-cli train``.

    Its batches are counted in poems: as many as make ``tokens_a_step`` at 90 tokens each. Each line is a value that
    YAML reads as JSON writes it.
    """
    import torch

    batch = max(1, round(recipe.tokens_a_step / 90))
    nf4 = recipe.precision == "nf4"
    settings: dict[str, Any] = {
        "model_name_or_path": model or HUB_NAMES.get(recipe.base, recipe.base),
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "lora",
        "lora_rank": recipe.rank,
        "lora_alpha": recipe.alpha,
        "lora_dropout": recipe.dropout,
        "lora_target": "all",
        "template": "qwen",
        "dataset_dir": str(path.parent),
        "dataset": style.id,
        "eval_dataset": f"{style.id}_held_out",
        "cutoff_len": recipe.max_tokens,
        "train_on_prompt": False,
        "output_dir": str(path.parent / f"{style.id}_adapter"),
        "per_device_train_batch_size": batch,
        "per_device_eval_batch_size": batch,
        "gradient_accumulation_steps": 1,
        "num_train_epochs": 1.0,
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": round(recipe.warmup * pairs / batch),
        "weight_decay": recipe.weight_decay,
        "max_grad_norm": recipe.max_gradient,
        "optim": "paged_adamw_8bit" if nf4 else "adamw_torch",
        "bf16": True,
        "use_cpu": not torch.cuda.is_available(),
        "seed": recipe.seed,
        "eval_strategy": "steps",
        "eval_steps": recipe.evaluate_every,
        "logging_steps": 1,
        "plot_loss": True,
        "report_to": "none",
    }
    if nf4:
        settings |= {"quantization_bit": 4, "quantization_type": "nf4", "double_quantization": True}
    text = "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in settings.items())
    path.write_text(f"# llamafactory-cli train {path.name}\n{text}", "utf-8")
