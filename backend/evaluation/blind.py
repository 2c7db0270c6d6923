"""Pairs of poems to be read blind: texts without labels in one file, labels in another, verdicts counted afterwards."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import Any

from backend.errors import SettingsError

PAIRS, LABELS = "pairs.txt", "labels.json"


@dataclass(frozen=True, slots=True)
class BlindPair:
    """Two poems on one topic."""

    topic: str
    form: str
    texts: dict[str, str]  # by the name of the side


def write_pairs(pairs: Sequence[BlindPair], folder: Path) -> None:
    """pairs.txt for the reader, labels.json for afterwards: pairs, and sides within a pair, are in an order by lot."""
    lot, texts, labels = random.Random(len(pairs)), [], {}
    order = lot.sample(range(len(pairs)), len(pairs))
    for number, index in enumerate(order, 1):
        pair = pairs[index]
        sides = list(pair.texts)
        lot.shuffle(sides)
        labels[number] = dict(zip("AB", sides, strict=True))
        texts.append(f"== {number} · {pair.topic} · {pair.form}")
        texts += [f"-- {letter}\n{pair.texts[side]}" for letter, side in zip("AB", sides, strict=True)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAIRS).write_text("\n".join(texts) + "\n", encoding="utf-8")
    (folder / LABELS).write_text(json.dumps(labels), encoding="utf-8")


def count_verdicts(verdicts: Path, labels: Path, one: str, other: str) -> dict[str, Any]:
    """What a reader preferred; each line of ``verdicts`` is a pair's number and A, B or =.

    Raises:
        SettingsError: a file can't be read, or a line names what isn't there.
    """
    try:
        sides = json.loads(labels.read_text(encoding="utf-8"))
        words = [line.split() for line in verdicts.read_text(encoding="utf-8").splitlines() if line.strip()]
        chosen = Counter("equal" if word[1] == "=" else sides[word[0]][word[1]] for word in words)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise SettingsError(
            f"The verdicts can't be read ({error}); each line is a pair's number and A, B or =.",
            f"判断无法读取（{error}）；每行写一对的编号和 A、B 或 =。",
        ) from error
    return count(chosen, one, other)


def count(chosen: Counter[str], one: str, other: str) -> dict[str, Any]:
    """The verdicts, and how probable so many for one side are if there were no difference (two-sided sign test)."""
    wins, losses = chosen[one], chosen[other]
    decided = wins + losses
    tail = sum(comb(decided, k) for k in range(max(wins, losses), decided + 1)) / 2**decided
    return {one: wins, other: losses, "equal": chosen["equal"], "p": round(min(1.0, 2 * tail), 3)}
