"""Rhyme books: the readings of a character in 平水韵, 词林正韵 and 中华通韵.

The files in ``data/`` are written by :mod:`backend.prosody.build`. One line a rhyme, so that a person can read them
and a process loads them in milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from backend.errors import ProsodyError

DATA = Path(__file__).resolve().parent / "data"

BookName = Literal["pingshui", "cilin", "tongyun"]
BOOKS: dict[str, tuple[str, str]] = {
    "pingshui": ("平水韵", "Pingshui rhymes (106)"),
    "cilin": ("词林正韵", "Cilin rhymes (19 groups)"),
    "tongyun": ("中华通韵", "Tongyun, modern Mandarin (16 groups)"),
}
LEVEL_TONES = frozenset("平12")
GROUP_NAMES = tuple("一二三四五六七八九") + tuple("十" + digit for digit in ("", *"一二三四五六七八九"))


class Reading(NamedTuple):
    """One way to read a character."""

    tone: str  # 平 上 去 入, or 1 2 3 4 in 中华通韵
    rhyme: str  # 上平一东, 第一部 or 一啊: characters with the same one rhyme
    neighbours: str  # the wider group within which rhymes are neighbours (邻韵): a group of 词林正韵

    @property
    def is_level(self) -> bool:
        """平 (True) or 仄 (False)."""
        return self.tone in LEVEL_TONES

    @property
    def tone_class(self) -> str:
        """P or Z, as in :class:`backend.prosody.forms.Line`."""
        return "P" if self.tone in LEVEL_TONES else "Z"


Readings = tuple[Reading, ...]


@dataclass(frozen=True)
class Book:
    """A rhyme book. ``own`` has each written form's readings; ``merged`` those that a character takes over in
    simplified text from the other words it stands for there (斗 from 鬥); ``final`` those that only the end of a
    line has (不 for 否)."""

    name: BookName
    own: dict[str, Readings] = field(repr=False)
    merged: dict[str, Readings] = field(repr=False)
    final: dict[str, Readings] = field(repr=False, default_factory=dict)

    def readings(self, character: str, *, traditional: bool = False, ends_line: bool = False) -> Readings:
        """All readings; none for a character that the book doesn't know.

        Args:
            traditional: the text is in traditional characters, so that 斗 is not 鬥.
            ends_line: the character is the last of its line.
        """
        found = self.own.get(character, ())
        if not traditional and character in self.merged:
            found = tuple(dict.fromkeys(found + self.merged[character]))
        return found + self.final.get(character, ()) if ends_line else found

    def line_readings(self, line: str, *, traditional: bool = False) -> tuple[Readings, ...]:
        """The readings of each character of a line of verse."""
        last = len(line) - 1
        return tuple(self.readings(c, traditional=traditional, ends_line=n == last) for n, c in enumerate(line))

    @property
    def rhymes(self) -> tuple[str, ...]:
        """Names of the rhymes, in the book's order."""
        return tuple(dict.fromkeys(r.rhyme for values in self.own.values() for r in values))

    def find_rhyme(self, name: str) -> str:
        """The rhyme that a writer means by 尤, 十一尤, 下平十一尤, or in 词林正韵 by 第十二部, 12 or 尤.

        Raises:
            ProsodyError: this book has no such rhyme.
        """
        wanted = to_simplified(name.strip()).removesuffix("韵")
        names = _rhyme_names(self.name)
        if wanted in names:
            return names[wanted]
        raise ProsodyError(
            f"{BOOKS[self.name][1]} has no rhyme {name!r}; name it by its heading, for example "
            f"{'尤, 东 or 先' if self.name != 'tongyun' else '安, 英 or 昂'}.",
            f"{BOOKS[self.name][0]}没有“{name}”这个韵；请用韵目的名字，例如"
            f"{'“尤”“东”“先”' if self.name != 'tongyun' else '“安”“英”“昂”'}。",
        )


def _rows(name: str) -> list[list[str]]:
    lines = (DATA / name).read_text(encoding="utf-8").split("\n")
    return [line.split("\t") for line in lines[1:] if line]


def _add(table: dict[str, Readings], characters: str, reading: Reading) -> None:
    added = (reading,)
    for character in characters:
        known = table.get(character)
        if known is None:
            table[character] = added
        elif reading not in known:
            table[character] = known + added


@cache
def load_book(name: BookName) -> Book:
    """The book of that name, read once.

    Raises:
        ProsodyError: there is no such book.
    """
    own: dict[str, Readings] = {}
    merged: dict[str, Readings] = {}
    final: dict[str, Readings] = {}
    if name == "tongyun":
        for group, tone, characters in _rows("tongyun.tsv"):
            _add(own, characters, Reading(tone, group, group))
    elif name in BOOKS:
        for tone, part, heading, ci, characters, simplified, at_end in _rows("pingshui.tsv"):
            group = f"第{GROUP_NAMES[int(ci) - 1]}部"
            reading = Reading(tone, group if name == "cilin" else part + heading, group)
            _add(own, characters, reading)
            _add(merged, simplified, reading)
            _add(final, at_end, reading)
    else:
        known = ", ".join(BOOKS)
        raise ProsodyError(
            f"There is no rhyme book {name!r}; the books are {known}.",
            f"没有“{name}”这部韵书；可用的是 {known}（{'、'.join(zh for zh, _ in BOOKS.values())}）。",
        )
    return Book(name, own, merged, final)


@cache
def _rhyme_names(book: BookName) -> dict[str, str]:
    names: dict[str, str] = {}
    if book == "tongyun":
        for number, (group, _, _) in enumerate(_rows("tongyun.tsv")):
            names.update({group: group, group[-1]: group, str(number // 4 + 1): group})
        return names
    for _, part, heading, ci, *_ in _rows("pingshui.tsv"):
        if book == "pingshui":
            full = part + heading
            names.update({full: full, heading: full, heading[-1]: full})
        else:
            group = f"第{GROUP_NAMES[int(ci) - 1]}部"
            names.update({group: group, ci: group})
            names.setdefault(heading[-1], group)
    return names


@cache
def usual_tones(book: BookName = "pingshui") -> dict[str, str]:
    """Characters of two tones of which one is used: P or Z.

    Under 平水韵 and 词林正韵 in regulated verse (:mod:`backend.prosody.build.usual`), under 中华通韵 in Mandarin
    phrases (:mod:`backend.prosody.build.mandarin`).
    """
    name = "usual_tongyun.tsv" if book == "tongyun" else "usual.tsv"
    return {character: tone for tone, characters in _rows(name) for character in characters}


@cache
def _script() -> dict[int, int]:
    traditional, simplified, *_ = (DATA / "simplified.txt").read_text(encoding="utf-8").split("\n")
    return str.maketrans(traditional, simplified)


def to_simplified(text: str) -> str:
    """The text in simplified characters, one for one. There is no way back: 发 may have been 發 or 髮."""
    return text.translate(_script())


@cache
def _simplified_alone() -> frozenset[str]:
    """Characters that no traditional text has: 鸟, but not 云 or 后, which are words there too."""
    merged = load_book("pingshui").merged
    return frozenset(simple for simple in map(chr, _script().values()) if simple not in merged)


def is_traditional(text: str) -> bool:
    """Whether the text is in traditional characters, so that 斗 is not 鬥 there.

    Editions in simplified characters keep a traditional one here and there (馀, 祇): what most of the telling
    characters say counts.
    """
    script, alone = _script(), _simplified_alone()
    traditional = sum(ord(character) in script for character in text)
    return traditional > sum(character in alone for character in text)
