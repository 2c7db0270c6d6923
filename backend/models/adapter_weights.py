"""One adapter's files, read and checked: PEFT reads the configuration, safetensors the matrices, nothing unpickles.

What is accepted is plain LoRA on projections inside the layers: one rank, one scaling, two matrices a projection. Every
other switch of PEFT must stand at its default, so that a variant that isn't computed here is refused, not ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.errors import AdapterError

if TYPE_CHECKING:
    from torch import Tensor

Shapes = Mapping[str, tuple[int, int]]  # linear layer -> (out, in) features

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
MAX_RANK = 64
_MAX_CONFIG_BYTES = 1 << 20
_PICKLED = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"}
_KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
_FREE = {  # fields of a LoRA configuration that may differ from their defaults
    *("r", "lora_alpha", "use_rslora", "lora_dropout", "target_modules", "exclude_modules"),
    *("layers_to_transform", "layers_pattern", "base_model_name_or_path", "revision", "task_type"),
    *("inference_mode", "peft_version", "auto_mapping", "megatron_core"),
}


@dataclass(frozen=True, slots=True)
class AdapterWeights:
    """A LoRA: each projection's output gets ``scaling * B @ A @ x`` added (Hu et al. 2021)."""

    rank: int
    scaling: float  # alpha / rank, or alpha / sqrt(rank) for rsLoRA
    matrices: dict[str, tuple[Tensor, Tensor]]  # "model.layers.0.self_attn.q_proj" -> A (rank, in), B (out, rank)


def has_weights(folder: Path) -> bool:
    """Whether the folder claims to hold an adapter: a configuration, weights, or something pickled."""
    return any(
        path.name == CONFIG or path.suffix == ".safetensors" or path.suffix in _PICKLED for path in folder.iterdir()
    )


def read(folder: Path, base_name: str | None = None, shapes: Shapes | None = None) -> AdapterWeights:
    """The adapter in ``folder``, checked.

    Args:
        folder: with ``adapter_config.json`` and ``adapter_model.safetensors``.
        base_name: the base that it must have been trained on; None doesn't ask.
        shapes: the base's linear layers; None checks only that the adapter agrees with itself.

    Raises:
        AdapterError: the adapter is broken or of a kind that isn't supported.
    """
    _refuse_pickles(folder)
    config = _read_config(folder)
    _check_kind(folder, config)
    _check_base(folder, config, base_name)
    tensors = _read_tensors(folder)
    pairs = _pair(folder, tensors)
    if shapes is not None:
        _check_targets(folder, config, set(pairs), shapes)
    for module, pair in pairs.items():
        _check_pair(folder, module, pair, int(config.r), shapes)
    _check_numbers(folder, pairs)
    scaling = config.lora_alpha / (config.r**0.5 if config.use_rslora else config.r)
    return AdapterWeights(int(config.r), float(scaling), pairs)


def refusal(folder: Path, en: str, zh: str) -> AdapterError:
    """The error for a style that is left out."""
    return AdapterError(f"Style {folder.name} is left out: {en}.", f"风格 {folder.name} 未载入：{zh}。")


def _refuse_pickles(folder: Path) -> None:
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLED)
    if pickled:
        raise refusal(
            folder,
            f"{pickled[0]} is a pickle, which can run code when it is read; only safetensors are",
            f"{pickled[0]} 是 pickle 文件，读取时可能执行代码；只读取 safetensors",
        )
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise refusal(folder, f"{name} is missing", f"缺少 {name}")


def _read_config(folder: Path) -> Any:
    path = folder / CONFIG
    if path.stat().st_size > _MAX_CONFIG_BYTES:
        raise refusal(folder, f"{CONFIG} is larger than 1 MB", f"{CONFIG} 超过 1 MB")
    try:
        plain = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise refusal(folder, f"{CONFIG} isn't JSON ({error})", f"{CONFIG} 不是 JSON（{error}）") from error
    kind = plain.get("peft_type") if isinstance(plain, dict) else None
    if kind != "LORA":
        raise refusal(folder, f"{CONFIG} describes {kind!r} and not LORA", f"{CONFIG} 写的是 {kind!r}，不是 LORA")
    from peft import PeftConfig

    try:
        return PeftConfig.from_pretrained(str(folder))
    except Exception as error:  # PEFT raises whatever a wrong value happens to lead to
        raise refusal(folder, f"PEFT can't read {CONFIG} ({error})", f"PEFT 读不懂 {CONFIG}（{error}）") from error


def _check_kind(folder: Path, config: Any) -> None:
    from peft import LoraConfig

    usual = LoraConfig().to_dict()
    for name, value in sorted(config.to_dict().items()):
        is_plain_start = name == "init_lora_weights" and value in (
            True,
            False,
            "gaussian",
        )  # others alter the base
        if name in _FREE or is_plain_start or value == usual.get(name) or (not value and not usual.get(name)):
            continue
        raise refusal(
            folder,
            f"it uses {name} = {value!r}, and only plain LoRA is supported",
            f"它使用了 {name} = {value!r}，这里只支持普通 LoRA",
        )
    if not _is_whole(config.r) or not 1 <= config.r <= MAX_RANK:
        raise refusal(
            folder,
            f"the rank {config.r!r} is not within 1 to {MAX_RANK}",
            f"秩 {config.r!r} 不在 1 到 {MAX_RANK} 之内",
        )
    if isinstance(config.lora_alpha, bool) or not isinstance(config.lora_alpha, int | float):
        raise refusal(folder, f"lora_alpha is {config.lora_alpha!r}", f"lora_alpha 为 {config.lora_alpha!r}")
    if not config.target_modules:
        raise refusal(folder, "target_modules is empty", "target_modules 为空")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_base(folder: Path, config: Any, base_name: str | None) -> None:
    given = str(config.base_model_name_or_path or "").rstrip("/").rpartition("/")[2]
    if base_name is not None and given and given.lower() != base_name.lower():
        raise refusal(
            folder,
            f"{CONFIG} names the base {given} and style.toml names {base_name}",
            f"{CONFIG} 写的基座是 {given}，而 style.toml 写的是 {base_name}",
        )


def _read_tensors(folder: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(folder / WEIGHTS)
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise refusal(folder, f"{WEIGHTS} can't be read ({error})", f"{WEIGHTS} 读不出来（{error}）") from error


def _pair(folder: Path, tensors: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    sides: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        match = _KEY.fullmatch(key)
        if match is None:
            raise refusal(folder, f"{WEIGHTS} holds an unexpected {key}", f"{WEIGHTS} 里有不认识的 {key}")
        sides.setdefault(match["module"], {})[match["side"]] = tensor
    if not sides:
        raise refusal(folder, f"{WEIGHTS} is empty", f"{WEIGHTS} 是空的")
    for module, pair in sides.items():
        if len(pair) < 2:
            lacking = "B" if "A" in pair else "A"
            raise refusal(folder, f"lora_{lacking} of {module} is missing", f"缺少 {module} 的 lora_{lacking}")
    return {module: (pair["A"], pair["B"]) for module, pair in sides.items()}


def _check_targets(folder: Path, config: Any, modules: set[str], shapes: Shapes) -> None:
    from peft.tuners.tuners_utils import check_target_module_exists

    wanted = {module for module in shapes if check_target_module_exists(config, module)}
    outside = sorted(module for module in wanted | modules if ".layers." not in module)
    if outside:
        raise refusal(
            folder,
            f"it adapts {outside[0]}, which is no projection of a layer",
            f"它作用于 {outside[0]}，不是层内的投影",
        )
    missing, extra = sorted(wanted - modules), sorted(modules - wanted)
    if missing:
        raise refusal(
            folder,
            f"{len(missing)} of {len(wanted)} modules are missing, the first is {missing[0]}",
            f"{len(wanted)} 个模块缺 {len(missing)} 个，第一个是 {missing[0]}",
        )
    if extra:
        raise refusal(
            folder,
            f"the base has no module {extra[0]} that {CONFIG} names ({len(extra)} such)",
            f"基座里没有 {CONFIG} 所指的模块 {extra[0]}（共 {len(extra)} 个）",
        )


def _check_pair(folder: Path, module: str, pair: tuple[Tensor, Tensor], rank: int, shapes: Shapes | None) -> None:
    a, b = pair
    out_features, in_features = (b.shape[0], a.shape[-1]) if shapes is None else shapes[module]
    if tuple(a.shape) != (rank, in_features) or tuple(b.shape) != (out_features, rank):
        found = f"A {tuple(a.shape)}, B {tuple(b.shape)}"
        wanted = f"A {(rank, in_features)}, B {(out_features, rank)}"
        raise refusal(
            folder,
            f"{module} has {found} and {wanted} is needed",
            f"{module} 的形状是 {found}，应为 {wanted}",
        )
    if not (a.is_floating_point() and b.is_floating_point()):
        kind = a.dtype if not a.is_floating_point() else b.dtype
        raise refusal(folder, f"{module} holds {kind} and not floats", f"{module} 存的是 {kind}，不是浮点数")


def _check_numbers(folder: Path, pairs: Mapping[str, tuple[Tensor, Tensor]]) -> None:
    import torch

    flat = torch.cat([matrix.flatten() for pair in pairs.values() for matrix in pair])
    if bool(flat.isfinite().all()):  # at once: hundreds of small parallel checks are slow on busy cores
        return
    module = next(name for name, pair in pairs.items() if not all(bool(matrix.isfinite().all()) for matrix in pair))
    raise refusal(folder, f"{module} holds values that aren't finite", f"{module} 里有无穷或非数的值")
