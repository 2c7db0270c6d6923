"""Copied lines are known by the hashes of their runs of five characters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.errors import AdapterError
from backend.models.known_lines import NAME, KnownLines

LINES = ["清江一曲抱村流", "长夏江村事事幽", "白日依山尽", "争渡"]


@pytest.fixture
def known(tmp_path: Path) -> KnownLines:
    KnownLines.of(LINES).save(tmp_path)
    found = KnownLines.open(tmp_path)
    assert found is not None
    return found


def test_copied_lines_are_numbered_from_one(known: KnownLines) -> None:
    new = ["清江一曲绕村流", "長夏江村事事幽，", "白日依山尽", "抱村流一曲清江", "争渡"]
    assert known.copied(new) == (2, 3)  # in either script, whatever stands around; short lines belong to everybody


def test_five_characters_in_a_row_are_copied(known: KnownLines) -> None:
    assert known.copied(["又见江村事事幽", "清江一曲绕村流", "白日依山尽", "江村事事闲", "江村事事"]) == (1, 3)


def test_a_folder_without_the_file_knows_nothing(tmp_path: Path) -> None:
    assert KnownLines.open(tmp_path) is None
    assert KnownLines.of([]).copied(LINES) == ()


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"\x93NUMPY broken")
    with pytest.raises(AdapterError, match=NAME):
        KnownLines.open(tmp_path)
    np.save(path, np.array([3, 1], dtype=np.uint64))
    with pytest.raises(AdapterError, match="sorted"):
        KnownLines.open(tmp_path)
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(AdapterError):
        KnownLines.open(tmp_path)
