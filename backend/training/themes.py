"""Key words of a poem, found in the poem itself: pairs of characters that belong together more than by chance.

A line of verse falls into pairs before its last three characters (2+3, 2+2+3), so pairs are taken from there and from
either side of the three. A pair is a word where the corpus has it far more often than its characters' frequencies
alone would make it (pointwise mutual information), and says something where few poems have it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

LEAST = 12  # occurrences in the sample
BOUND = 3.0  # natural logarithm: twenty times as often as by chance
COMMON = 0.01  # share of the sample's lines above which a pair says nothing (不知, 何处)
# Pairs that pass the above and name no subject.
_EMPTY_TEXT = "不知不见不可何处何人何时何事何足无人可怜如何此时今日谁能不能不用自有未有安得须信依然"
_EMPTY = frozenset(_EMPTY_TEXT[at : at + 2] for at in range(0, len(_EMPTY_TEXT), 2))


class Words:
    """What counts as a word, learnt from many lines of verse."""

    def __init__(self, lines: Iterable[str], least: int = LEAST) -> None:
        singles: Counter[str] = Counter()
        pairs: Counter[str] = Counter()
        number = 0
        for line in lines:
            number += 1
            singles.update(line)
            pairs.update(_pairs(line))
        total, total_pairs = sum(singles.values()) or 1, sum(pairs.values()) or 1
        self._known = {
            pair
            for pair, count in pairs.items()
            if least <= count <= max(least, COMMON * number)
            and pair not in _EMPTY
            and pair[0] != pair[1]
            and math.log(count / total_pairs) - math.log(singles[pair[0]] * singles[pair[1]] / total**2) > BOUND
        }

    def of(self, lines: Sequence[str]) -> list[str]:
        """The words of a poem, in its order, each once and none overlapping another."""
        found: list[str] = []
        for line in lines:
            end = 0
            for at in _places(line):
                if at >= end and line[at : at + 2] in self._known:
                    found.append(line[at : at + 2])
                    end = at + 2
        return list(dict.fromkeys(found))


def _places(line: str) -> list[int]:
    """Where pairs may begin: 0, 2 and 3 of five; 0, 2, 4 and 5 of seven; anywhere in a line of another length."""
    if len(line) in (5, 7):
        return [*range(0, len(line) - 3, 2), len(line) - 3, len(line) - 2]
    return list(range(len(line) - 1))


def _pairs(line: str) -> list[str]:
    return [line[at : at + 2] for at in _places(line)]
