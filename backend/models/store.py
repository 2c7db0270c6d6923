"""The cache of prepared models: published whole or not at all, and checked before they are trusted.

A model is written into a hidden folder beside its place, every file is synced, a manifest with the size and SHA-256 of
each file is added, and one rename publishes it. Whatever lacks a true manifest is thrown away. One process prepares a
model; a second one says so, waits, and then uses what the first has made.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from backend.errors import SourceError

MANIFEST = "moyun.json"
VERSION = 1
WAIT_SECONDS = 3600.0  # for another process that prepares the same model

log = logging.getLogger(__name__)


class ModelStore:
    """Prepared models by key, in ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, key: str) -> Path:
        """Where the model ``key`` is, or will be."""
        return self.root / key

    def is_trusted(self, key: str) -> bool:
        """Whether the model is there and every byte is what its manifest says."""
        folder = self.folder(key)
        try:
            manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
            if manifest["version"] != VERSION or not manifest["files"]:
                return False
            return all(_is_intact(folder / name, facts) for name, facts in manifest["files"].items())
        except (OSError, ValueError, KeyError, TypeError):
            return False

    @contextmanager
    def exclusive(self, key: str, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
        """Hold the model's lock. The system frees it when a process dies.

        Raises:
            SourceError: the cache can't be written, or another process held the lock for all of ``wait_seconds``.
        """
        with translated_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.root / f".{key}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                log.warning(
                    "Another process is preparing %s; waiting for it. 另一个进程正在准备 %s，等它完成。",
                    key,
                    key,
                )
                try:
                    lock.acquire(timeout=wait_seconds)
                except Timeout as error:
                    raise SourceError(
                        f"Another process has been preparing {key} for more than {wait_seconds:.0f} s; "
                        "end it, or start again when it has finished.",
                        f"另一个进程准备 {key} 已超过 {wait_seconds:.0f} 秒；请结束它，或等它完成后再启动。",
                    ) from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def publication(self, key: str) -> Iterator[Path]:
        """An empty folder to fill; it becomes the model ``key`` when the block ends without an error.

        Only under :meth:`exclusive`: remains of processes that were killed are cleared away first.
        """
        self.discard(key)
        with translated_errors(self.root):
            partial = Path(tempfile.mkdtemp(prefix=f".{key}.partial-", dir=self.root))
        try:
            yield partial
            with translated_errors(self.root):
                _seal(partial)
                partial.rename(self.folder(key))
                _sync(self.root)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def discard(self, key: str) -> None:
        """Remove the model ``key`` and everything that was left half-made of it."""
        for partial in self.root.glob(f".{key}.partial-*"):
            shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(self.folder(key), ignore_errors=True)


def require_space(folder: Path, needed: int) -> None:
    """Refuse a job of ``needed`` bytes where the disk of ``folder`` can't hold it.

    Raises:
        SourceError: too little is free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SourceError(
            f"{needed / 1e9:.1f} GB of free disk are needed in {folder} and {free / 1e9:.1f} GB are there; "
            "free some, or name another folder in MOYUN_CACHE.",
            f"{folder} 需要 {needed / 1e9:.1f} GB 可用磁盘，现只有 {free / 1e9:.1f} GB；"
            "请腾出空间，或用 MOYUN_CACHE 指定别的文件夹。",
        )


@contextmanager
def translated_errors(folder: Path) -> Iterator[None]:
    """Turn what the system says about ``folder`` (full, read-only, forbidden) into one clear sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(folder) from error
        reason = error.strerror or str(error)
        raise SourceError(
            f"The cache {folder} can't be used ({reason}); name another folder in MOYUN_CACHE.",
            f"缓存文件夹 {folder} 不能用（{reason}）；请用 MOYUN_CACHE 指定别的文件夹。",
        ) from error


def disk_full(folder: Path) -> SourceError:
    """The error for a disk that filled up in the middle of a job."""
    return SourceError(
        f"The disk of {folder} is full; free some space, or name another folder in MOYUN_CACHE, and start again.",
        f"{folder} 所在的磁盘已满；请腾出空间，或用 MOYUN_CACHE 指定别的文件夹，再重新启动。",
    )


def _seal(folder: Path) -> None:
    files = {}
    for path in sorted(folder.iterdir()):
        files[path.name] = {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        _sync(path)
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps({"version": VERSION, "files": files}, indent=2), "utf-8")
    _sync(manifest)
    _sync(folder)
    folder.chmod(0o755)  # a temporary folder is private; a published model needn't be


def _is_intact(path: Path, facts: dict[str, object]) -> bool:
    return path.stat().st_size == facts["bytes"] and _sha256(path) == facts["sha256"]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
