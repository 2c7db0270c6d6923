"""How much poems repeat themselves and each other, and whether they speak of their topic. Characters are the words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from backend.corpus.script import only_han, simplify
from backend.corpus.shape import clauses


def distinct(poems: Sequence[str], size: int) -> float:
    """Different runs of ``size`` characters over all runs, of all poems together (Li et al. 2016); 1 is no repetition.

    Runs don't cross lines. The figure falls with the number of poems: compare equal numbers of equal forms.
    """
    runs = [run for poem in poems for line in clauses(poem) for run in _runs(only_han(line), size)]
    return len(set(runs)) / len(runs) if runs else 0.0


def self_bleu(poems: Sequence[str], order: int) -> float:
    """Mean BLEU (Papineni et al. 2002) of each poem against all the others (Zhu et al. 2018), 0 to 1; low is diverse.

    Args:
        order: longest run of characters that is compared. There is no smoothing: a poem that shares no run of this
            length with another counts 0, as nearly all do from four characters on.
    """
    texts = [only_han(poem) for poem in poems]
    counts = [[Counter(_runs(text, size)) for size in range(1, order + 1)] for text in texts]
    if len(texts) < 2:
        return 0.0
    best = [_two_highest([count[size] for count in counts]) for size in range(order)]
    scores = []
    for index, text in enumerate(texts):
        precisions = []
        for size in range(order):
            own = counts[index][size]
            matched = sum(min(number, _highest(best[size][run], index)) for run, number in own.items())
            precisions.append(matched / max(1, own.total()))
        lengths = [len(other) for place, other in enumerate(texts) if place != index]
        closest = min(lengths, key=lambda length: (abs(length - len(text)), length))
        brevity = 1.0 if len(text) > closest else math.exp(1 - closest / max(1, len(text)))
        scores.append(brevity * math.prod(precisions) ** (1 / order))
    return sum(scores) / len(scores)


def on_topic(poems: Sequence[str], topics: Sequence[str]) -> float:
    """Share of poems that contain a character of their topic."""
    hits = [
        bool(set(only_han(simplify(poem))) & set(only_han(simplify(topic))))
        for poem, topic in zip(poems, topics, strict=True)
    ]
    return sum(hits) / len(hits) if hits else 0.0


def _runs(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(len(text) - size + 1)]


def _two_highest(counts: Sequence[Counter[str]]) -> dict[str, tuple[tuple[int, int], tuple[int, int]]]:
    """For each run, the two poems that have it most often: ((times, poem), (times, poem))."""
    highest: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {}
    for poem, count in enumerate(counts):
        for run, times in count.items():
            first, second = highest.get(run, ((0, -1), (0, -1)))
            if times > first[0]:
                first, second = (times, poem), first
            elif times > second[0]:
                second = (times, poem)
            highest[run] = first, second
    return highest


def _highest(two: tuple[tuple[int, int], tuple[int, int]], poem: int) -> int:
    """How often the run is in the poem other than ``poem`` that has it most often."""
    (first, owner), (second, _) = two
    return second if owner == poem else first
