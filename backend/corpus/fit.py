"""How well templates of ci tunes fit the ci that were written to them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backend.corpus.tunes import Ci, groups, readings
from backend.prosody.forms import Variant


@dataclass(frozen=True, slots=True)
class Faults:
    """What of one ci doesn't fit a template."""

    tones: int  # characters without a reading of the right tone
    slots: int  # rhyming lines outside the group of the others with their letter


@dataclass(frozen=True, slots=True)
class Fit:
    """Shares over the ci of a tune; those of tones and rhymes are of the ci that fit the lengths."""

    poems: int
    lengths: float  # ci whose lines have the lengths of a variant
    tones: float  # ci without a wrong tone
    characters: float  # characters with the right tone
    slots: float  # rhyming lines that rhyme
    rhymes: float  # ci that rhyme in every slot


def faults(poem: Ci, variant: Variant) -> Faults:
    """Faults of a ci that has the variant's lengths."""
    wrong = sum(
        all(reading.tone_class != wanted for reading in readings(character))
        for line, model in zip(poem.lines, variant.lines, strict=True)
        for character, wanted in zip(line, model.tones, strict=True)
        if wanted != "x"
    )
    shared: dict[str, list[frozenset[str]]] = {}
    for line, model in zip(poem.lines, variant.lines, strict=True):
        if model.rhyme:
            ending = model.tones[-1]
            shared.setdefault(model.rhyme, []).append(groups(line[-1], "PZ" if ending == "x" else ending))
    return Faults(wrong, sum(map(_outside, shared.values())))


def _outside(slots: Sequence[frozenset[str]]) -> int:
    """Slots without the group that most of them have."""
    counted = Counter(group for slot in slots for group in slot)
    return len(slots) - max(counted.values(), default=0)


def best(poem: Ci, variants: Iterable[Variant]) -> tuple[Faults, Variant] | None:
    """The fewest faults over the variants of the ci's shape; None where there is none."""
    found = [(faults(poem, variant), variant) for variant in variants if variant.lengths == poem.shape]
    return min(found, key=lambda item: item[0].tones + item[0].slots, default=None)


def fit(poems: Sequence[Ci], variants: Sequence[Variant]) -> Fit:
    """Shares of ``poems`` that fit, each under its best variant."""
    results = [(poem, *found) for poem in poems if (found := best(poem, variants)) is not None]
    fitting = max(1, len(results))
    characters = sum(sum(poem.shape) for poem, _, _ in results)
    slots = sum(bool(line.rhyme) for _, _, variant in results for line in variant.lines)
    return Fit(
        poems=len(poems),
        lengths=len(results) / max(1, len(poems)),
        tones=sum(not found.tones for _, found, _ in results) / fitting,
        characters=1 - sum(found.tones for _, found, _ in results) / max(1, characters),
        slots=1 - sum(found.slots for _, found, _ in results) / max(1, slots),
        rhymes=sum(not found.slots for _, found, _ in results) / fitting,
    )


def disagreements(variant: Variant, fact: dict[str, object]) -> list[str]:
    """What of a template contradicts the handbooks' facts of its tune, in English; for the usual variant."""
    found = []
    chars, first = sum(variant.lengths), 0
    if chars != fact["chars"]:
        found.append(f"{chars} characters, not {fact['chars']}")
    stanzas = [0] * len(variant.stanzas)
    rhymes = [""] * len(variant.stanzas)
    for number, count in enumerate(variant.stanzas):
        lines = variant.lines[first : first + count]
        stanzas[number] = sum(map(len, lines))
        rhymes[number] = "".join({"P": "平", "Z": "仄"}[line.tones[-1]] for line in lines if line.rhyme)
        first += count
    wanted = [fact["first"], chars - int(str(fact["first"]))] if "first" in fact else [chars]
    if stanzas != wanted:
        found.append(f"stanzas of {stanzas} characters, not {wanted}")
    if not re.fullmatch(str(fact["rhymes"]).replace("|", r"\|"), "|".join(rhymes)):
        found.append(f"rhymes {'|'.join(rhymes)}, not {fact['rhymes']}")
    letters = len({line.rhyme for line in variant.lines if line.rhyme})
    if letters != fact["letters"]:
        found.append(f"{letters} rhymes, not {fact['letters']}")
    return found
