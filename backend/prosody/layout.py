"""From pasted text to lines of verse: title, author, preface, notes and punctuation are set aside.

A line of verse is what stands between two marks. Which of the first rows are a heading is decided by what is left:
the fewest rows are set aside whose rest has the shape of a poem.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAX_CHARACTERS = 5000  # more is not a poem, and would only keep a reader waiting
MAX_HEADING = 24  # rows above a poem that are tried as title, author and preface
_NOTE = re.compile(r"（[^（）]*）|\([^()]*\)|〔[^〔〕]*〕|\[[^\[\]]*\]|【[^【】]*】")
_HAN = re.compile("[〇□㐀-䶿一-鿿豈-龎\\U00020000-\\U0003ffff]")  # □ stands for a lost character
_TITLE = re.compile(r"\s*[#*>\s]*《([^《》]*)》\s*")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the text: its pieces between marks, and the mark that ends it ("" where it has none)."""

    pieces: tuple[str, ...]
    end: str

    def may_be_heading(self, lines: tuple[str, ...]) -> bool:
        """Whether the row can stand above a poem of these lines: it doesn't run on, and is no couplet of them."""
        if self.end in tuple("，、；,;"):
            return False
        lengths = {len(line) for line in lines}
        return not (self.end and len(self.pieces) == 2 and {len(piece) for piece in self.pieces} & lengths)


@dataclass(frozen=True, slots=True)
class Layout:
    """Lines of verse and what stood above them."""

    heading: tuple[str, ...]  # title, author, preface: as pieces of text
    lines: tuple[str, ...]


def _is_mark(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "PZC" or (category[0] == "S" and character.isascii())


def _pieces(row: str) -> Iterator[str]:
    piece = ""
    for character in row:
        if unicodedata.category(character) in ("Mn", "Cf"):  # variation selectors, zero-width marks
            continue
        if not _is_mark(character):
            piece += character
            continue
        if _HAN.search(piece):
            yield piece
        piece = ""
    if _HAN.search(piece):
        yield piece


def _row(text: str) -> Row:
    text = text.rstrip()
    return Row(tuple(_pieces(text)), text[-1] if text and _is_mark(text[-1]) else "")


def rows_of(text: str) -> tuple[tuple[str, ...], list[Row]]:
    """(titles in 《》 that open the text, its rows)."""
    titles: tuple[str, ...] = ()
    while match := _TITLE.match(text):
        if not text[match.end() :].strip():
            break
        titles, text = (*titles, match[1]), text[match.end() :]
    bare = _NOTE.sub("", text)
    if any(_pieces(bare)):
        text = bare
    rows = [_row(row) for row in text.splitlines()]
    return titles, [row for row in rows if row.pieces]


def read(text: str, is_poem: Callable[[tuple[str, ...]], bool]) -> Layout:
    """The layout with the smallest heading whose lines ``is_poem`` accepts; where there is none, what stands
    before the first punctuated row is the heading if punctuated rows follow.

    Args:
        is_poem: tells from the lines whether they have the shape that is looked for.
    """
    titles, rows = rows_of(text)
    for skipped in range(min(len(rows), MAX_HEADING + 1)):
        lines = _lines(rows[skipped:])
        if skipped and not rows[skipped - 1].may_be_heading(lines):
            break
        if is_poem(lines):
            return Layout(titles + _lines(rows[:skipped]), lines)
    punctuated = [number for number, row in enumerate(rows) if row.end]
    skipped = punctuated[0] if punctuated else 0
    return Layout(titles + _lines(rows[:skipped]), _lines(rows[skipped:]))


def _lines(rows: list[Row]) -> tuple[str, ...]:
    return tuple(piece for row in rows for piece in row.pieces)
