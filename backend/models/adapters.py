"""The styles in a folder: each a ``style.toml``, most with an adapter. A broken one is left out and the rest load."""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend.errors import AdapterError, SettingsError
from backend.models import known_lines
from backend.models.adapter_weights import CONFIG, MAX_RANK, WEIGHTS, AdapterWeights, Shapes, has_weights, read, refusal
from backend.types import Style

__all__ = ["MAX_RANK", "AdapterWeights", "StyleRegistry", "linear_shapes", "read_weights"]

STYLE = "style.toml"
FIRST = "general"  # the style that a new conversation begins with
_ID = re.compile(r"[a-z0-9_]+")

log = logging.getLogger(__name__)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class _Texts(_Strict):
    """One text in each interface language."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class _Base(_Strict):
    """The model that an adapter was trained on."""

    name: str = Field(min_length=1)
    digest: str | None = None


class _StyleFile(_Strict):
    """What ``style.toml`` holds."""

    name: _Texts
    poem_prompt: str = Field(min_length=1)
    persona: _Texts
    poet: str | None = None
    dynasty: str | None = None
    base: _Base | None = None


Stamp = tuple[int, int] | None  # a file's time of change, in nanoseconds, and its bytes; None: there is none


def _stamp(path: Path) -> Stamp:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size


class StyleRegistry:
    """The styles that can be asked for; :meth:`refresh` picks up what has changed in the folder.

    Args:
        folder: one sub-folder a style; its name, of a-z, 0-9 and _, is the style's id.
        base_name: the loaded base; None where there is none (a scripted or remote generator), and then adapters are
            taken at their word and no file of weights is opened.
        base_digest: the identity of the base's weights; None matches by name alone.
        shapes: the base's linear layers, by :func:`linear_shapes`; None leaves the check against the base out.
    """

    def __init__(
        self, folder: Path, base_name: str | None, base_digest: str | None, shapes: Shapes | None = None
    ) -> None:
        self.folder = folder
        self.styles: dict[str, Style] = {}
        self.rejected: dict[str, AdapterError] = {}
        self._stamps: dict[str, Stamp] = {}  # of the weights that were taken up
        self._seen: frozenset[tuple[str, str, Stamp]] = frozenset()
        self._base = None if base_name is None else _Base(name=base_name, digest=base_digest)
        self._shapes = shapes
        self.refresh()

    @classmethod
    def discover(
        cls, folder: Path, base_name: str | None, base_digest: str | None, config: Any | None = None
    ) -> StyleRegistry:
        """The styles in ``folder`` for a base with the transformers configuration ``config``.

        Raises:
            SettingsError: there is no such folder.
        """
        return cls(folder, base_name, base_digest, None if config is None else linear_shapes(config))

    def has_changed(self) -> bool:
        """Whether a file of a style has come, gone or changed since the last look; quick enough for every chat."""
        return self._look() != self._seen

    def refresh(self, take_up: Callable[[Style], None] = lambda style: None) -> None:
        """Look into the folder again. Readers see the old styles or the new ones, never a mixture.

        Args:
            take_up: called with each style that has new weights before anybody sees it; an AdapterError that it
                raises leaves the style out.

        Raises:
            SettingsError: the folder has gone.
        """
        if not self.folder.is_dir():
            raise SettingsError(
                f"MOYUN_ADAPTERS={self.folder} is not a folder.", f"MOYUN_ADAPTERS={self.folder} 不是文件夹。"
            )
        styles: dict[str, Style] = {}
        rejected: dict[str, AdapterError] = {}
        stamps: dict[str, Stamp] = {}
        seen = self._look()
        for folder in self._folders():
            try:
                style = self._read(folder)
                if style.adapter is not None:
                    stamp = _stamp(folder / WEIGHTS)
                    if stamp != self._stamps.get(style.id):
                        take_up(style)
                    stamps[style.id] = stamp
                styles[folder.name] = style
            except AdapterError as error:
                rejected[folder.name] = error
                log.warning("%s %s", error.en, error.zh)
        self.styles, self.rejected, self._stamps, self._seen = styles, rejected, stamps, seen

    def _folders(self) -> list[Path]:
        """The styles' folders in their order; hidden ones are somebody's work that isn't finished."""
        folders = [path for path in self.folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
        return sorted(folders, key=lambda path: (path.name != FIRST, path.name))

    def _look(self) -> frozenset[tuple[str, str, Stamp]]:
        if not self.folder.is_dir():
            return frozenset()
        files = (STYLE, CONFIG, WEIGHTS)
        return frozenset((folder.name, file, _stamp(folder / file)) for folder in self._folders() for file in files)

    def _read(self, folder: Path) -> Style:
        _check_place(folder, self.folder)
        file = _read_style_file(folder)
        adapter, note = self._adapter(folder, file)
        return Style(
            id=folder.name,
            name=file.name.model_dump(),
            poem_prompt=file.poem_prompt,
            persona=file.persona.model_dump(),
            poet=file.poet,
            dynasty=file.dynasty,
            adapter=adapter,
            note=note,
            known_lines=folder if adapter is not None and (folder / known_lines.NAME).is_file() else None,
        )

    def _adapter(self, folder: Path, file: _StyleFile) -> tuple[Path | None, str | None]:
        """The folder if its weights fit the loaded base; else a note if there are weights."""
        if not has_weights(folder):
            if file.base is not None:
                raise refusal(folder, "it names a base and holds no weights", "写了基座却没有权重")
            return None, None
        if file.base is None:
            raise refusal(folder, f"{STYLE} doesn't name the base of its weights", f"{STYLE} 没有写明权重的基座")
        if self._base is None:
            return folder, None
        if not _is_same(file.base, self._base):
            return None, (
                f"这组权重属于 {_label(file.base)}，现加载的是 {_label(self._base)}，所以只用提示词。 "
                f"Its weights belong to {_label(file.base)} and {_label(self._base)} is loaded: "
                "the style is its prompt alone."
            )
        read(folder, file.base.name, self._shapes)
        return folder, None


def read_weights(style: Style) -> AdapterWeights:
    """The matrices of a style's adapter, on the CPU in the type that they were saved in.

    Raises:
        AdapterError: the style has none, or its files have been damaged since they were registered.
    """
    if style.adapter is None:
        raise AdapterError(f"Style {style.id} has no adapter.", f"风格 {style.id} 没有适配器。")
    return read(style.adapter)


def linear_shapes(config: Any) -> dict[str, tuple[int, int]]:
    """The (out, in) features of every linear layer of a model with this transformers configuration.

    The model is built without memory for its weights.
    """
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    layers = ((name, layer) for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear))
    return {name: (layer.out_features, layer.in_features) for name, layer in layers}


def _check_place(folder: Path, root: Path) -> None:
    if not _ID.fullmatch(folder.name):
        raise refusal(
            folder,
            "a style's folder is named with a-z, 0-9 and _ alone",
            "风格文件夹的名字只能用 a-z、0-9 和 _",
        )
    home = folder.resolve()
    for path in (folder, *folder.iterdir()):
        if not path.resolve().is_relative_to(home) or not home.is_relative_to(root.resolve()):
            raise refusal(folder, f"{path.name} is a link out of its folder", f"{path.name} 是指向文件夹之外的链接")


def _read_style_file(folder: Path) -> _StyleFile:
    path = folder / STYLE
    if not path.is_file():
        raise refusal(folder, f"{STYLE} is missing", f"缺少 {STYLE}")
    try:
        return _StyleFile.model_validate(tomllib.loads(path.read_text("utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise refusal(folder, f"{STYLE}, {where}: {first['msg']}", f"{STYLE} 的 {where}：{first['msg']}") from error
    except (ValueError, OSError) as error:  # TOML and Unicode errors are ValueErrors
        raise refusal(folder, f"{STYLE} can't be read ({error})", f"{STYLE} 读不出来（{error}）") from error


def _is_same(wanted: _Base, loaded: _Base) -> bool:
    names_agree = wanted.name.lower() == loaded.name.lower()
    return names_agree and (None in (wanted.digest, loaded.digest) or wanted.digest == loaded.digest)


def _label(base: _Base) -> str:
    return f"{base.name} ({base.digest[:12]})" if base.digest else base.name
