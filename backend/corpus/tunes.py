"""The Song ci of the corpus by tune, as lines of verse with their tones and rhymes."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from functools import cache

from backend.corpus.shape import CLAUSE
from backend.prosody.tables import Readings, load_book


@dataclass(frozen=True, slots=True)
class Ci:
    """One ci."""

    id: int
    lines: tuple[str, ...]
    stops: tuple[bool, ...]  # whether a line ends in 。: the collection marks rhymes so, and other pauses by ，

    @property
    def shape(self) -> tuple[int, ...]:
        """Characters of each line."""
        return tuple(len(line) for line in self.lines)

    @property
    def rhyme_tone(self) -> str:
        """P or Z: the tone of most of the lines that end in 。"""
        tones = Counter(tone(line[-1]) for line, stop in zip(self.lines, self.stops, strict=True) if stop)
        return "P" if tones["P"] > tones["Z"] else "Z"


def song_ci(database: sqlite3.Connection, tune: str) -> list[Ci]:
    """The Song ci of a tune that are whole, each once."""
    rows = database.execute(
        "SELECT id, text FROM poem WHERE tune = ? AND dynasty = '宋' AND gaps = 0 AND twin IS NULL ORDER BY id",
        (tune,),
    )
    return [_ci(number, text) for number, text in rows]


def aliases(database: sqlite3.Connection, tune: str) -> list[str]:
    """Other names under which two ci or more of a tune stand, the most frequent first.

    Names of tunes that were made from it by other measures (摊破, 转调) are none.
    """
    rows = database.execute(
        "SELECT title FROM poem WHERE tune = ?1 AND title != ?1 AND dynasty = '宋' AND title NOT LIKE '% %'"
        " AND title NOT IN (SELECT DISTINCT tune FROM poem WHERE tune IS NOT NULL AND title = tune)"
        " GROUP BY title HAVING count(*) > 1 ORDER BY count(*) DESC",
        (tune,),
    )
    return [row[0] for row in rows if not row[0].startswith(("摊破", "摊声", "转调", "促拍"))]


def _ci(number: int, text: str) -> Ci:
    parts = [part.strip() for part in CLAUSE.findall(text)]
    lines = tuple(part.rstrip("，。？！；：…").replace("、", "") for part in parts)
    return Ci(number, lines, tuple(part[-1:] not in "，；：" for part in parts))


@cache
def readings(character: str) -> Readings:
    """Tones and groups of 词林正韵 of a character."""
    return load_book("cilin").readings(character)


@cache
def tone(character: str) -> str:
    """P or Z where all readings agree, else ?"""
    classes = {reading.tone_class for reading in readings(character)}
    return classes.pop() if len(classes) == 1 else "?"


@cache
def groups(character: str, tone_class: str = "PZ") -> frozenset[str]:
    """Groups of 词林正韵 that the character belongs to in a reading of these tones."""
    return frozenset(reading.rhyme for reading in readings(character) if reading.tone_class in tone_class)
