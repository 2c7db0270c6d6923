"""A poet's poems out of the corpus, and which of them are held out."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backend.errors import TrainingError
from backend.training.held_out import HeldOut, Part, Split, read_list, split
from backend.training.themes import Words
from backend.training.verse import Verse, read_verse

MAX_LINES = 16  # longer poems are seldom asked for, and one costs as much as five quatrains
_SAMPLE = 40_000  # poems that key words are learnt from


@dataclass(slots=True)
class Collection:
    """Poems of one poet, and how many were left out, by the reason."""

    verses: list[Verse]
    left_out: Counter[str] = field(default_factory=Counter)


def poems_of(database: sqlite3.Connection, poet: str, max_lines: int = MAX_LINES) -> Collection:
    """A poet's poems that have a form, near-duplicates grouped, in the order of the corpus.

    Left out are fragments and gaps, poems of mixed or odd lengths, ci whose tune has no template, long poems, and
    poems that the corpus shows under another author.

    Raises:
        TrainingError: the corpus has no such poet.
    """
    rows = database.execute(
        "SELECT poem.id, poem.title, poem.text, poem.tune, poem.form, poem.twin, shown.author FROM poem "
        "LEFT JOIN poem AS shown ON shown.id = poem.twin WHERE poem.author = ? ORDER BY poem.id",
        [poet],
    ).fetchall()
    if not rows:
        raise TrainingError(f"The corpus has no poems by {poet!r}.", f"语料库中没有“{poet}”的诗。")
    collection = Collection([])
    for number, title, text, tune, form, twin, shown in rows:
        if form == "残句":
            collection.left_out["fragment"] += 1
        elif shown not in (None, poet):
            collection.left_out["shown under another author"] += 1
        elif (verse := read_verse(title, text, tune, source=number, group=twin or number)) is None:
            collection.left_out["ci without a template" if tune else "mixed or odd lengths, gaps"] += 1
        elif tune is None and len(verse.lines) > max_lines:
            collection.left_out[f"over {max_lines} lines"] += 1
        else:
            collection.verses.append(verse)
    return collection


def corpus_words(database: sqlite3.Connection) -> Words:
    """Key words as a sample of the whole corpus has them, the same sample every time."""
    step = max(1, database.execute("SELECT count(*) FROM poem").fetchone()[0] // _SAMPLE)
    from backend.corpus.shape import clauses

    rows = database.execute("SELECT text FROM poem WHERE twin IS NULL AND id % ? = 0", [step])
    return Words(line for (text,) in rows for line in clauses(text))


def parted(folder: Path, collection: Collection) -> Split:
    """The poems in parts, by the list beside the adapter.

    Raises:
        TrainingError: there is no list, or poems that it holds out aren't in the corpus.
    """
    entries = read_list(folder)
    parts = split(collection.verses, entries)
    missing = len(entries) - len(parts.validation) - len(parts.proof)
    if not entries or missing > len(entries) // 20:
        raise TrainingError(
            f"{missing} of the {len(entries)} held-out poems of {folder.name} aren't in this corpus.",
            f"{folder.name} 留出的 {len(entries)} 首诗中有 {missing} 首不在此语料库中。",
        )
    return parts


def held_out_poems(folder: Path, database: sqlite3.Connection, poet: str, part: Part = "proof") -> tuple[Verse, ...]:
    """The held-out poems of an adapter's folder, as the corpus has them."""
    parts = parted(folder, poems_of(database, poet))
    return parts.proof if part == "proof" else parts.validation


def choose_held_out(verses: Sequence[Verse], num_proof: int, num_validation: int, seed: int) -> list[HeldOut]:
    """A list for poems that have none yet: drawn by the seed, one version of a poem at most."""
    groups = {verse.group: verse for verse in reversed(verses)}
    drawn = random.Random(seed).sample(sorted(groups), min(len(groups), num_proof + num_validation))
    return [
        HeldOut(groups[g].title, groups[g].form, groups[g].digest, "proof" if at < num_proof else "validation")
        for at, g in enumerate(drawn)
    ]
