"""Checkpoints that can be trusted: a seal with every file's size and digest is written last."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from pathlib import Path

SEAL = "moyun.json"

log = logging.getLogger(__name__)


def seal(folder: Path) -> None:
    """Note what the checkpoint holds, when it is whole."""
    files = {path.name: [path.stat().st_size, _sha256(path)] for path in sorted(folder.iterdir()) if path.is_file()}
    partial = folder / f".{SEAL}.partial"
    partial.write_text(json.dumps(files), "utf-8")
    partial.replace(folder / SEAL)


def is_whole(folder: Path) -> bool:
    """Whether a checkpoint holds what its seal says."""
    try:
        files = json.loads((folder / SEAL).read_text("utf-8"))
        return bool(files) and all(
            (folder / name).stat().st_size == size and _sha256(folder / name) == digest
            for name, (size, digest) in files.items()
        )
    except (OSError, ValueError, TypeError):
        return False


def newest(folder: Path) -> Path | None:
    """The last whole checkpoint of a run; broken ones are named in the log and removed."""
    for path in sorted(folder.glob("checkpoint-*"), key=_step, reverse=True):
        if is_whole(path):
            return path
        log.warning("Checkpoint %s is broken and is left out. 检查点 %s 已损坏，弃之不用。", path.name, path.name)
        shutil.rmtree(path, ignore_errors=True)
    return None


def _step(path: Path) -> int:
    number = path.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
