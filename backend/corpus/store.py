"""The corpus file: one SQLite database, written whole or not at all, and opened read-only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

from backend.corpus.report import STEPS, Report
from backend.corpus.script import NOT_HAN
from backend.errors import CorpusError

NAME = "corpus.sqlite"
VERSION = "2"  # of the schema and the cleaning; a file of another version is built anew

_SCHEMA = """
CREATE TABLE poem (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    author TEXT NOT NULL,
    dynasty TEXT NOT NULL,
    form TEXT NOT NULL,
    tune TEXT,                -- 词牌; NULL for shi
    text TEXT NOT NULL,       -- simplified and cleaned, one sentence a line
    original TEXT,            -- title and text as collected, one paragraph a line; NULL where text is the same
    gaps INTEGER NOT NULL,    -- missing characters
    twin INTEGER REFERENCES poem (id)  -- the poem that this is another version of
);
CREATE TABLE report (step TEXT PRIMARY KEY, number INTEGER NOT NULL, en TEXT NOT NULL, zh TEXT NOT NULL);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE VIRTUAL TABLE words USING fts5 (title, text, kind, content='', detail='column', tokenize='ascii');
"""
_INDEXES = """
CREATE INDEX poem_by_author ON poem (author, form);
CREATE INDEX poem_by_tune ON poem (tune) WHERE tune IS NOT NULL;
CREATE INDEX poem_by_twin ON poem (twin) WHERE twin IS NOT NULL;
"""


@dataclass(slots=True)
class Poem:
    """A cleaned poem; the fields are the columns of the table."""

    id: int
    title: str
    author: str
    dynasty: str
    form: str
    tune: str | None
    text: str
    original: str | None
    gaps: int
    twin: int | None = None


def words(text: str) -> str:
    """The pairs of neighbouring characters in ``text``, as the index holds them.

    Punctuation is no neighbour and a gap (□) has none; the last character stands alone, so that a search for a
    single one by its prefix finds it too.
    """
    found = []
    for run in NOT_HAN.sub(lambda mark: " " if mark[0] == "□" else "", text).split():
        found += [run[at : at + 2] for at in range(len(run))]
    return " ".join(found)


def kind_words(author: str | None = None, form: str | None = None, tune: str | None = None) -> str:
    """The words by which the index knows a poem's author, form and tune, so that they narrow a search at once."""
    named = (("作", author), ("体", form), ("牌", tune))
    return " ".join(mark + name for mark, name in named if name)


def corpus_path(cache: Path) -> Path:
    """Where the corpus of a cache folder is."""
    return cache / NAME


def write(path: Path, poems: Iterable[Poem], report: Report, meta: dict[str, str]) -> None:
    """Write the corpus beside ``path`` and then move it there. One process at a time: the caller holds a lock.

    Raises:
        CorpusError: the disk is full or can't be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        database = sqlite3.connect(partial)
        try:
            _fill(database, poems, report, meta)
        finally:
            database.close()
        partial.replace(path)
    except (OSError, sqlite3.Error) as error:
        raise CorpusError(
            f"the corpus can't be written to {path}: {error}.", f"语料库不能写入 {path}：{error}。"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _fill(database: sqlite3.Connection, poems: Iterable[Poem], report: Report, meta: dict[str, str]) -> None:
    database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SCHEMA)
    with database:
        for poem in poems:
            database.execute("INSERT INTO poem VALUES (?,?,?,?,?,?,?,?,?,?)", astuple(poem))
            database.execute(
                "INSERT INTO words (rowid, title, text, kind) VALUES (?,?,?,?)",
                (poem.id, words(poem.title), words(poem.text), kind_words(poem.author, poem.form, poem.tune)),
            )
        database.execute("INSERT INTO words (words) VALUES ('optimize')")
        database.executescript(_INDEXES)
        database.executemany("INSERT INTO report VALUES (?,?,?,?)", report.rows())
        forms = database.execute("SELECT form FROM poem GROUP BY form ORDER BY count(*) DESC").fetchall()
        meta = {**meta, "forms": " ".join(row[0] for row in forms)}
        database.executemany("INSERT INTO meta VALUES (?,?)", {**meta, "version": VERSION}.items())
    # Nothing before this was forced to the disk; the file is trusted by its name alone, so it must be whole.
    database.execute("PRAGMA synchronous = FULL")
    with database:
        database.execute("INSERT INTO meta VALUES ('complete', 'yes')")


@contextmanager
def opened(cache: Path) -> Iterator[sqlite3.Connection]:
    """The corpus, read-only.

    Raises:
        CorpusError: there is none, it is of another version, or it is broken.
    """
    path = corpus_path(cache)
    if not path.is_file():
        raise CorpusError(
            f"there is no corpus in {cache} yet; run `moyun corpus build`.",
            f"{cache} 中还没有语料库；请先运行 `moyun corpus build`。",
        )
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        _check(database, path)
        yield database
    except sqlite3.OperationalError:
        raise  # a fault of a statement, not of the file
    except sqlite3.DatabaseError as error:
        raise _broken(path, error) from error
    finally:
        database.close()


def _check(database: sqlite3.Connection, path: Path) -> None:
    try:
        meta = dict(database.execute("SELECT key, value FROM meta"))
    except sqlite3.DatabaseError as error:
        raise _broken(path, error) from error
    if meta.get("version") != VERSION or meta.get("complete") != "yes":
        raise CorpusError(
            f"{path} was made by another version of Moyun; run `moyun corpus build --force`.",
            f"{path} 由另一版本的墨韵生成；请运行 `moyun corpus build --force`。",
        )


def _broken(path: Path, error: sqlite3.Error) -> CorpusError:
    return CorpusError(
        f"{path} can't be read ({error}); run `moyun corpus build --force`.",
        f"{path} 无法读取（{error}）；请运行 `moyun corpus build --force`。",
    )


def stored_report(database: sqlite3.Connection) -> list[tuple[str, int, str, str]]:
    """The report of the build that made the corpus, in the order of the steps."""
    rows = {row[0]: row for row in database.execute("SELECT step, number, en, zh FROM report")}
    return [rows[step] for step in STEPS if step in rows]
