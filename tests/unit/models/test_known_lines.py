"""Borrowed lines are known by the hashes of their runs of five characters and of their openings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_what_would_complete_a_run_or_an_opening_is_told(known: KnownLines) -> None:
    assert known.endings("清江") == "一"
    assert known.endings("清江一曲") == "抱"
    assert known.endings("又见江村事事") == "幽"
    assert known.endings("江村") == "", "it stands inside a line there"
    assert known.endings("清江一") == known.endings("清") == known.endings("") == ""
    assert known.endings("争") == "", "short lines belong to everybody"
    assert KnownLines.of(["清江一曲抱村流", "清江水色照人明"]).endings("清江") == "一水"


def test_longer_continuations_borrow_with_a_character_behind_their_first(known: KnownLines) -> None:
    words = ["江一", "江水", "一曲", "江", "日依山"]
    codes = np.array([[ord(word[at]) if at < len(word) else 0 for word in words] for at in range(3)], dtype=np.uint64)

    def borrowing(line: str) -> list[str]:
        return [words[at] for at in columns[known.borrowing(line, codes, columns)]]

    columns = np.arange(len(words))
    assert borrowing("清") == ["江一"]
    assert borrowing("白") == ["日依山"]
    assert borrowing("又白") == []
    assert borrowing("又清江") == []
    assert borrowing("") == []
    columns = np.array([1, 2])
    assert borrowing("清") == []


@given(
    st.lists(st.text("清江一曲抱村流", min_size=5, max_size=7), min_size=1, max_size=3),
    st.text("清江一曲抱村流", max_size=7),
)
def test_endings_are_what_a_look_at_the_text_gives(lines: list[str], line: str) -> None:
    known = KnownLines.of(lines)
    runs = {item[at : at + 5] for item in lines for at in range(len(item) - 4)}
    openings = {item[:3] for item in lines}
    for character in "清江一曲抱村流":
        whole = line + character
        expected = whole in openings or (len(whole) >= 5 and whole[-5:] in runs)
        assert (character in known.endings(line)) == expected


def test_a_folder_without_the_file_knows_nothing(tmp_path: Path) -> None:
    assert KnownLines.open(tmp_path) is None
    nothing = KnownLines.of([])
    assert nothing.copied(LINES) == ()
    assert nothing.endings("清江一曲") == ""


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
