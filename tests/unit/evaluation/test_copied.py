"""Copied lines, counted."""

from __future__ import annotations

import sqlite3

from backend.evaluation.copied import count_copies
from tests.unit.evaluation.conftest import verse

NEW = "甲乙丙丁戊，己庚辛壬癸。"


def test_new_lines_are_not_copied(corpus: sqlite3.Connection) -> None:
    found = count_copies(corpus, [NEW])
    assert (found.lines, found.verbatim, found.shared, found.poems) == (2, 0, 0, 0)
    assert found.to_json()["verbatim_percent"] == 0


def test_a_copied_line_is_verbatim_and_shared_too(corpus: sqlite3.Connection) -> None:
    line = verse("杜甫", corpus_number(corpus, "杜甫")).split("，")[0]
    found = count_copies(corpus, [f"{line}，己庚辛壬癸。"])
    assert (found.lines, found.verbatim, found.shared, found.poems) == (2, 1, 1, 0)
    assert found.to_json()["verbatim_percent"] == 50


def test_five_characters_within_a_longer_line_are_shared_only(corpus: sqlite3.Connection) -> None:
    line = verse("杜甫", corpus_number(corpus, "杜甫")).split("，")[0]
    found = count_copies(corpus, [f"甲乙{line}，丙丁己庚辛壬癸。"])
    assert (found.verbatim, found.shared) == (0, 1)


def test_a_whole_poem_has_two_copied_lines_from_its_author_alone(corpus: sqlite3.Connection) -> None:
    text = verse("杜甫", corpus_number(corpus, "杜甫"))
    assert count_copies(corpus, [text], author="杜甫").poems == 1
    assert count_copies(corpus, [text], author="苏轼").verbatim == 0
    assert count_copies(corpus, [text], not_author="杜甫").verbatim == 0
    assert count_copies(corpus, [text], dynasty="唐").verbatim == 4
    assert count_copies(corpus, [text], dynasty="宋").verbatim == 0


def corpus_number(database: sqlite3.Connection, author: str) -> int:
    """The number, and so the seed, of a poem of this author."""
    return int(database.execute("SELECT min(id) FROM poem WHERE author = ?", (author,)).fetchone()[0])
