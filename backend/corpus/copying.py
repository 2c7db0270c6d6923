"""Lines of a new poem that stand in an old one: word for word, or sharing a run of five characters."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from backend.corpus.script import only_han, simplify
from backend.corpus.search import match_expression
from backend.corpus.shape import clauses

RUN = 5  # characters; shorter lines and runs are common property
MOST_SOURCES = 200  # poems looked at for one run; set phrases are in more


@dataclass(frozen=True, slots=True)
class Copy:
    """A line that was copied, and where from."""

    line: int  # of the new poem, from 1
    run: str  # the shared characters
    verbatim: bool  # the whole line is a whole line of the old poem
    poem: int
    title: str
    author: str


def copies(
    database: sqlite3.Connection,
    text: str,
    *,
    author: str | None = None,
    not_author: str | None = None,
    dynasty: str | None = None,
) -> list[Copy]:
    """The copied lines of ``text``, one entry a line, a verbatim source preferred.

    Lines of fewer than five characters are not judged.

    Args:
        author: only copies from this author's poems, for a style that was trained on them.
        not_author: copies from anyone but this author; other versions of a poem of theirs are left out too.
        dynasty: only copies from poems of this dynasty.
    """
    wanted = {"author = ?": author, "author != ?": not_author, "dynasty = ?": dynasty}
    filters = {clause: value for clause, value in wanted.items() if value is not None}
    if not_author is not None:
        filters["NOT EXISTS (SELECT 1 FROM poem AS other WHERE other.author = ? AND"
                " coalesce(other.twin, other.id) = coalesce(poem.twin, poem.id))"] = not_author  # fmt: skip
    lines = [only_han(line) for line in clauses(simplify(text))]
    found = (_copy(database, number, line, filters) for number, line in enumerate(lines, 1))
    return [copy for copy in found if copy is not None]


def _copy(database: sqlite3.Connection, number: int, line: str, filters: dict[str, str]) -> Copy | None:
    shared = None
    for at in range(len(line) - RUN + 1):
        run = line[at : at + RUN]
        for poem, title, author, verses in _sources(database, run, filters):
            if line in verses:
                return Copy(number, line, True, poem, title, author)
            if shared is None and any(run in verse for verse in verses):
                shared = Copy(number, run, False, poem, title, author)
    return shared


def _sources(
    database: sqlite3.Connection, run: str, filters: dict[str, str]
) -> Iterator[tuple[int, str, str, list[str]]]:
    """Poems that may hold a run, with their lines of verse. CROSS JOIN: the rarer words are looked up first."""
    sql = "SELECT poem.id, poem.title, author, poem.text FROM words CROSS JOIN poem ON poem.id = words.rowid"
    conditions = " AND ".join(["words MATCH ?", *filters])
    expression = f"text : ({match_expression(run)})"
    rows = database.execute(f"{sql} WHERE {conditions} LIMIT {MOST_SOURCES}", [expression, *filters.values()])
    for number, title, author, text in rows:
        yield number, title, author, clauses(text)
