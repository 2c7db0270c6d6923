"""Find words of poems: which poem, by whom, and where in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from backend.corpus.script import only_han, simplify
from backend.corpus.shape import clauses
from backend.corpus.store import kind_words, words
from backend.errors import CorpusError

LONGEST = 200  # characters of a query; longer ones are refused
_COLUMNS = "poem.id, poem.title, author, dynasty, form, tune, poem.text"


@dataclass(frozen=True, slots=True)
class Hit:
    """A poem that holds the words, and the place of their first occurrence."""

    id: int
    title: str
    author: str
    dynasty: str
    form: str
    tune: str | None
    text: str
    line: int  # 1 is the first line of verse; 0: the words are in the title
    character: int  # 1 is the first character of that line or of the title
    verse: str  # that line of verse
    also: tuple[str, ...] = ()  # other authors to whom versions of the poem are ascribed


def search(
    database: sqlite3.Connection,
    query: str = "",
    *,
    author: str | None = None,
    form: str | None = None,
    limit: int = 10,
    versions: bool = False,
) -> list[Hit]:
    """Poems with ``query`` in their text or title, in either script, punctuation ignored; oldest first.

    Args:
        query: two Chinese characters or more; one is slower; none lists an author's or a form's poems.
        author: only this author's poems.
        form: only this form (五律, 词, ...) or ci tune.
        limit: hits at most.
        versions: other versions of a poem that was found are hits of their own.

    Raises:
        CorpusError: nothing to search for, an author or form that the corpus doesn't have, or a query too long.
    """
    wanted = only_han(simplify(query))
    if len(query) > LONGEST:
        raise CorpusError(
            f"the query has {len(query)} characters; {LONGEST} are the most.",
            f"查询有 {len(query)} 字，最多 {LONGEST} 字。",
        )
    if not wanted and (query.strip() or not (author or form)):
        raise CorpusError(f"{query!r} has no Chinese character to search for.", f"{query!r} 中没有可以查找的汉字。")
    kind = _kind(database, author, form)
    found = _matching(database, wanted, kind, versions)
    return [_with_others(database, hit) for hit in islice(found, max(0, limit))]


def _kind(database: sqlite3.Connection, author: str | None, form: str | None) -> dict[str, str]:
    """The columns of a poem that the filters fix, after a look that there is such an author, form or tune."""
    kind = {}
    if author is not None:
        kind["author"] = only_han(simplify(author))
        if not database.execute("SELECT 1 FROM poem WHERE author = ? LIMIT 1", (kind["author"],)).fetchone():
            raise CorpusError(f"the corpus has no author {author!r}.", f"语料库中没有作者 {author!r}。")
    if form is not None:
        name = only_han(simplify(form))
        if database.execute("SELECT 1 FROM poem WHERE tune = ? LIMIT 1", (name,)).fetchone():
            kind["tune"] = name
        elif name in known_forms(database):
            kind["form"] = name
        else:
            known = "、".join(known_forms(database))
            raise CorpusError(
                f"the corpus has no form or tune {form!r}; the forms are {known}.",
                f"语料库中没有体裁或词牌 {form!r}；体裁有{known}。",
            )
    return kind


def known_forms(database: sqlite3.Connection) -> list[str]:
    """The forms that the corpus tells apart, the most frequent first."""
    row = database.execute("SELECT value FROM meta WHERE key = 'forms'").fetchone()
    return str(row[0]).split(" ")


def match_expression(wanted: str) -> str:
    """The full-text expression for a run of Chinese characters: all its pairs, each quoted."""
    if len(wanted) == 1:
        return f'"{wanted}" *'
    return " AND ".join(f'"{pair}"' for pair in dict.fromkeys(words(wanted).split()[:-1]))


def _matching(database: sqlite3.Connection, wanted: str, kind: dict[str, str], versions: bool) -> Iterator[Hit]:
    """Hits in the order of the corpus. The index knows pairs of characters; the whole run is looked for here."""
    filters = [] if versions else ["twin IS NULL"]
    if wanted:
        sql = f"SELECT {_COLUMNS} FROM words CROSS JOIN poem ON poem.id = words.rowid WHERE words MATCH ?"
        expression = f"{{title text}} : ({match_expression(wanted)})"
        for word in kind_words(**kind).split():
            expression += f' AND kind : "{word}"'
        rows = database.execute(" AND ".join([sql, *filters]), [expression])
    else:
        filters += [f"{column} = ?" for column in kind]
        sql = f"SELECT {_COLUMNS} FROM poem WHERE {' AND '.join(filters)} ORDER BY id"
        rows = database.execute(sql, list(kind.values()))
    for number, title, author, dynasty, form, tune, text in rows:
        place = _place(title, text, wanted)
        if place is not None:
            yield Hit(number, title, author, dynasty, form, tune, text, *place)


def _place(title: str, text: str, wanted: str) -> tuple[int, int, str] | None:
    """Line, character and line of verse of the first occurrence; None where there is none."""
    lines = clauses(text)
    at = "".join(lines).find(wanted)
    if at >= 0:
        for number, line in enumerate(lines, 1):
            if at < len(line):
                return number, at + 1, line
            at -= len(line)
    at = only_han(title).find(wanted)
    return (0, at + 1, lines[0]) if at >= 0 else None


def _with_others(database: sqlite3.Connection, hit: Hit) -> Hit:
    rows = database.execute("SELECT DISTINCT author FROM poem WHERE twin = ?", (hit.id,))
    others = tuple(row[0] for row in rows if row[0] != hit.author)
    return replace(hit, also=others)
