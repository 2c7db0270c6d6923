"""The cache of prepared models: whole or not at all, and one process at a time."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backend.errors import SourceError
from backend.models.store import MANIFEST, ModelStore, require_space, translated_errors


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    store = ModelStore(tmp_path)
    with store.exclusive("model"), store.publication("model") as folder:
        (folder / "weights").write_bytes(b"abc")
        (folder / "config").write_bytes(b"{}")
    return store


def test_what_was_published_is_trusted_and_nothing_else_remains(store: ModelStore) -> None:
    assert store.is_trusted("model")
    assert sorted(path.name for path in store.root.iterdir()) == [".model.lock", "model"]


@pytest.mark.parametrize("content", [b"abd", b"ab", b"abcd", b""])
def test_a_file_that_was_changed_is_not_trusted(store: ModelStore, content: bytes) -> None:
    (store.folder("model") / "weights").write_bytes(content)
    assert not store.is_trusted("model")


@pytest.mark.parametrize("manifest", ["", "[]", "{", '{"version": 1, "files": {}}', '{"version": 99}'])
def test_a_broken_manifest_is_not_trusted(store: ModelStore, manifest: str) -> None:
    (store.folder("model") / MANIFEST).write_text(manifest)
    assert not store.is_trusted("model")


def test_a_file_or_manifest_that_is_missing_is_noticed(store: ModelStore) -> None:
    (store.folder("model") / "weights").unlink()
    assert not store.is_trusted("model")
    (store.folder("model") / MANIFEST).unlink()
    assert not store.is_trusted("model")


def test_a_block_that_fails_publishes_nothing(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)

    def fail() -> None:
        with store.exclusive("model"), store.publication("model") as folder:
            (folder / "weights").write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not store.folder("model").exists()
    assert [path.name for path in tmp_path.iterdir()] == [".model.lock"]


def test_remains_of_a_killed_process_are_cleared_away(store: ModelStore) -> None:
    remains = store.root / ".model.partial-killed"
    remains.mkdir()
    (remains / "weights").write_bytes(b"half")
    (store.folder("model") / "weights").write_bytes(b"damaged")
    with store.exclusive("model"), store.publication("model") as folder:
        (folder / "weights").write_bytes(b"new")
    assert store.is_trusted("model")
    assert not remains.exists()
    assert sorted(json.loads((store.folder("model") / MANIFEST).read_text())["files"]) == ["weights"]


HOLD = """
import sys
from pathlib import Path
from backend.models.store import ModelStore
with ModelStore(Path(sys.argv[1])).exclusive("model"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_says_that_it_waits_and_gives_up_in_one_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with (
            caplog.at_level(logging.WARNING),
            pytest.raises(SourceError, match="Another process") as caught,
            ModelStore(tmp_path).exclusive("model", wait_seconds=0.1),
        ):
            pass
        assert "另一个进程" in caught.value.zh
        assert "waiting for it" in caplog.text
        other.kill()  # a lock dies with its process
        with ModelStore(tmp_path).exclusive("model", wait_seconds=10):
            pass


def test_too_little_space_is_refused_before_the_work(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    require_space(tmp_path, 1)
    with pytest.raises(SourceError, match="free disk are needed") as caught:
        require_space(tmp_path, free * 2 + 10**9)
    assert "可用磁盘" in caught.value.zh


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_named_as_such(tmp_path: Path) -> None:
    with (
        pytest.raises(SourceError, match="is full"),
        translated_errors(tmp_path),
        open("/dev/full", "wb", buffering=0) as full,
    ):
        full.write(b"x")


def test_a_cache_that_cannot_be_made_ends_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(SourceError, match="can't be used") as caught,
        ModelStore(tmp_path / "file" / "models").exclusive("model"),
    ):
        pass
    assert "MOYUN_CACHE" in caught.value.zh
