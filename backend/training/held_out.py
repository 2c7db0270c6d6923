"""Which poems are never trained on: a list of digests beside each adapter, without any text.

``proof`` are the poems that scores are published for; ``validation`` are those that a training looks at to know when
to stop. Versions of either are kept out of training too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backend.errors import TrainingError
from backend.training.verse import Verse

NAME = "held_out.json"
Part = Literal["proof", "validation"]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One poem of the list."""

    title: str
    form: str
    digest: str
    part: Part


def read_list(folder: Path) -> tuple[HeldOut, ...]:
    """The list in an adapter's folder; empty where there is none.

    Raises:
        TrainingError: the file is broken.
    """
    path = folder / NAME
    if not path.is_file():
        return ()
    try:
        return tuple(HeldOut(**entry) for entry in json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(f"{path} can't be read ({error}).", f"{path} 读不出来（{error}）。") from error


def write_list(folder: Path, entries: Iterable[HeldOut]) -> None:
    """Write the list, one poem a line of the file."""
    rows = [
        json.dumps({"title": e.title, "form": e.form, "digest": e.digest, "part": e.part}, ensure_ascii=False)
        for e in entries
    ]
    path = folder / NAME
    partial = path.with_name(f".{NAME}.partial")
    partial.write_text("[\n" + ",\n".join(rows) + "\n]\n", "utf-8")
    partial.replace(path)


@dataclass(frozen=True, slots=True)
class Split:
    """A poet's poems in three parts; versions of one poem are in the same part."""

    training: tuple[Verse, ...]
    validation: tuple[Verse, ...]
    proof: tuple[Verse, ...]


def split(verses: Sequence[Verse], entries: Sequence[HeldOut]) -> Split:
    """Part the poems by the list. Of several versions of a held-out poem the listed one is scored, none is trained."""
    parts = {entry.digest: entry.part for entry in entries}
    groups: dict[int, Part] = {}
    for verse in verses:
        if verse.digest in parts:
            groups[verse.group] = parts[verse.digest]
    training = tuple(v for v in verses if v.digest not in parts and v.group not in groups)
    held = {part: tuple(v for v in verses if parts.get(v.digest) == part) for part in ("proof", "validation")}
    return Split(training, held["validation"], held["proof"])
