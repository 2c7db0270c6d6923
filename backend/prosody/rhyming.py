"""Do the rhyme slots of a poem rhyme?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backend.prosody.tables import Readings


@dataclass(frozen=True, slots=True)
class Slot:
    """The last character of a rhyming line; ``readings`` are those of the tone that the slot asks for."""

    line: int  # from 0
    character: str
    readings: Readings
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Agreement:
    """The rhyme that most slots have, and the slots that don't."""

    rhyme: str | None
    neighbours: frozenset[str]
    outsiders: tuple[Slot, ...]


def agree(slots: Sequence[Slot]) -> Agreement:
    """The rhyme of most slots; among equals the one that comes first. Unknown characters have no say."""
    counts: Counter[str] = Counter()
    for slot in slots:
        counts.update(list(dict.fromkeys(reading.rhyme for reading in slot.readings)))
    if not counts:
        return Agreement(None, frozenset(), tuple(slot for slot in slots if slot.is_known))
    rhyme = max(counts, key=lambda name: counts[name])
    groups = frozenset(r.neighbours for slot in slots for r in slot.readings if r.rhyme == rhyme)
    outsiders = tuple(slot for slot in slots if slot.is_known and rhyme not in {r.rhyme for r in slot.readings})
    return Agreement(rhyme, groups, outsiders)


def of_tone(readings: Readings, wanted: str) -> Readings:
    """The readings that a position of tone P, Z or x admits."""
    return tuple(reading for reading in readings if wanted in ("x", reading.tone_class))


def with_rhyme(readings: Readings, rhyme: str) -> Readings:
    """The readings that have the rhyme."""
    return tuple(reading for reading in readings if reading.rhyme == rhyme)


def repeated(slots: Iterable[Slot]) -> list[Slot]:
    """Slots whose character stood in an earlier one."""
    seen: set[str] = set()
    again = []
    for slot in slots:
        if slot.character in seen:
            again.append(slot)
        seen.add(slot.character)
    return again
