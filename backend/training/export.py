"""A finished adapter as a style's folder: weights in bfloat16, style, card, report; published whole or not at all."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from backend.errors import SourceError, TrainingError
from backend.models.adapter_weights import CONFIG, WEIGHTS
from backend.models.adapters import STYLE
from backend.models.known_lines import KnownLines
from backend.models.store import require_space, translated_errors
from backend.training.gathering import Material
from backend.training.held_out import write_list
from backend.types import Style

_ROOM = 200 * 10**6  # bytes that an adapter and its papers may take
_ID = "abcdefghijklmnopqrstuvwxyz0123456789_"


def check_place(folder: Path, replace: bool) -> None:
    """Refuse a place that can't take the adapter, before hours are spent on it.

    Raises:
        TrainingError: the name is no id, the style has weights already, or the disk is full.
    """
    name = folder.name
    if not name or set(name) - set(_ID):
        raise TrainingError(
            f"{name!r} is no name for a style: use a-z, 0-9 and _.", f"“{name}”不能作风格名：只用 a-z、0-9 和 _。"
        )
    if not replace and (folder / WEIGHTS).exists():
        raise TrainingError(
            f"The style {name} exists in {folder.parent}; choose another name, or give --replace.",
            f"{folder.parent} 里已有风格 {name}；请换个名字，或加上 --replace。",
        )
    try:
        with translated_errors(folder.parent):
            folder.parent.mkdir(parents=True, exist_ok=True)
            require_space(folder.parent, _ROOM)
    except SourceError as error:
        raise TrainingError(error.en, error.zh) from error


@contextmanager
def published(folder: Path) -> Iterator[Path]:
    """An empty folder to fill; when the block ends without an error it takes the place of ``folder``."""
    partial, old = folder.parent / f".{folder.name}.partial", folder.parent / f".{folder.name}.old"
    for remains in (partial, old):
        shutil.rmtree(remains, ignore_errors=True)
    try:
        with translated_errors(folder.parent):
            partial.mkdir(parents=True)
            yield partial
            if folder.exists():
                folder.rename(old)
            partial.rename(folder)
    except SourceError as error:
        raise TrainingError(error.en, error.zh) from error
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def write_adapter(
    target: Path,
    best: Path,
    style: Style,
    base: Mapping[str, str | None],
    hub: str,
    material: Material,
    kept: Path | None = None,
) -> None:
    """Weights, style, held-out list and known lines of an adapter.

    Args:
        target: an empty folder.
        best: PEFT's folder of the weights to keep, in any float type.
        base: ``name`` and ``digest`` of the base.
        hub: what PEFT elsewhere calls the base.
        kept: the style's folder so far; its ``style.toml`` stays as a person wrote it if it names this base.
    """
    import torch
    from safetensors.torch import load_file, save_file

    tensors = {key: tensor.to(torch.bfloat16).contiguous() for key, tensor in load_file(best / WEIGHTS).items()}
    save_file(tensors, target / WEIGHTS, metadata={"format": "pt"})
    config = json.loads((best / CONFIG).read_text("utf-8"))
    config |= {"base_model_name_or_path": hub, "inference_mode": True}
    config["target_modules"] = sorted(config["target_modules"])
    (target / CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", "utf-8")
    (target / WEIGHTS).chmod(0o644)  # safetensors writes for the owner alone
    (target / STYLE).write_text(_kept_style(kept, base) or style_toml(style, base), "utf-8")
    write_list(target, material.held_out)
    KnownLines.of(line for verse in material.parts.training for line in verse.lines).save(target)


def _kept_style(folder: Path | None, base: Mapping[str, str | None]) -> str | None:
    path = None if folder is None else folder / STYLE
    if path is None or not path.is_file():
        return None
    text = path.read_text("utf-8")
    named = tomllib.loads(text).get("base", {})
    return text if named == {key: value for key, value in base.items() if value is not None} else None


def style_toml(style: Style, base: Mapping[str, str | None]) -> str:
    """A ``style.toml`` for this style and base."""
    lines = [f"{key} = {_quote(value)}" for key in ("poet", "dynasty") if (value := getattr(style, key)) is not None]
    lines.append(f"poem_prompt = {_quote(style.poem_prompt)}  # exactly what the adapter was trained with")
    for title, texts in (("name", style.name), ("persona", style.persona), ("base", base)):
        lines += ["", f"[{title}]"] + [f"{key} = {_quote(text)}" for key, text in texts.items() if text is not None]
    text = "\n".join(lines) + "\n"
    tomllib.loads(text)
    return text


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
