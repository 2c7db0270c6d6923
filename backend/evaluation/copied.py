"""How many lines of new poems stand in old ones."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backend.corpus.copying import RUN, copies
from backend.corpus.script import only_han, simplify
from backend.corpus.shape import clauses


@dataclass(frozen=True, slots=True)
class Copied:
    """Counts over many poems."""

    lines: int  # of five characters or more; shorter ones are common property
    verbatim: int  # of them, lines that are lines of an old poem
    shared: int  # of them, lines with five characters in a row of an old line, the verbatim ones included
    poems: int  # with two verbatim lines or more

    def to_json(self) -> dict[str, Any]:
        """The counts, and percent of lines."""
        return {
            "lines": self.lines,
            "verbatim": self.verbatim,
            "shared": self.shared,
            "verbatim_percent": percent(self.verbatim, self.lines),
            "shared_percent": percent(self.shared, self.lines),
            "poems_with_two": self.poems,
        }


def count_copies(
    database: sqlite3.Connection,
    texts: Sequence[str],
    *,
    author: str | None = None,
    not_author: str | None = None,
    dynasty: str | None = None,
) -> Copied:
    """Compare every line with the corpus.

    Args:
        author: with this author's poems alone.
        not_author: with everybody else's, for real poems by this author.
        dynasty: with poems of this dynasty alone.
    """
    lines = verbatim = shared = poems = 0
    for text in texts:
        found = copies(database, text, author=author, not_author=not_author, dynasty=dynasty)
        whole = sum(copy.verbatim for copy in found)
        lines += sum(len(only_han(line)) >= RUN for line in clauses(simplify(text)))
        verbatim, shared, poems = verbatim + whole, shared + len(found), poems + (whole >= 2)
    return Copied(lines, verbatim, shared, poems)


def repeated_share(texts: Sequence[str]) -> float:
    """Share of poems in which one character stands four times or more."""
    hammered = [max(Counter(only_han(text)).values(), default=0) >= 4 for text in texts]
    return sum(hammered) / len(hammered) if hammered else 0.0


def percent(part: float, whole: float) -> float:
    """To two places; 0 of nothing."""
    return round(100 * part / whole, 2) if whole else 0.0
