"""Known lines are found beside an adapter, and found anew when it is trained again."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from backend.chat.copies import find_lines
from backend.models.known_lines import NAME, KnownLines
from tests.unit.chat.conftest import STYLES


def test_the_file_beside_the_adapter_is_read_and_read_again_when_it_changes(tmp_path: Path) -> None:
    style = replace(STYLES["du_fu"], known_lines=tmp_path)
    assert find_lines(STYLES["du_fu"]) is None
    assert find_lines(style) is None
    KnownLines.of(["白日依山尽"]).save(tmp_path)
    first = find_lines(style)
    assert first is not None
    assert first.copied(["白日依山尽", "黄河入海流"]) == (1,)
    assert find_lines(style) is first
    KnownLines.of(["黄河入海流"]).save(tmp_path)
    os.utime(tmp_path / NAME, ns=(1, 1))
    second = find_lines(style)
    assert second is not None
    assert second.copied(["白日依山尽", "黄河入海流"]) == (2,)


def test_a_broken_file_is_passed_over_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / NAME).write_bytes(b"junk")
    assert find_lines(replace(STYLES["du_fu"], known_lines=tmp_path)) is None
    assert NAME in caplog.text
