"""Whether verse of five or seven characters keeps the tones of regulated verse, for the form's name alone.

A coarse test on tones, quick enough for every poem of the corpus; what a single poem does is the business of
:func:`backend.prosody.checker.check`.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

from backend.prosody.tables import load_book

# Share of the rules below that a poem keeps, by number of lines. Set so that the poems of 杜甫 divide as his
# editors divide them (about 630 五律, 150 七律 and 130 五排); his 拗体 still count as regulated.
KEPT_BY_EIGHT, KEPT_BY_MORE = 0.75, 0.85


def is_regulated(lines: list[str]) -> bool:
    """Whether lines of one length, in couplets, go by the rules of 近体诗.

    Counted are: the second and fourth (and fourth and sixth) character of a line differ; the second characters
    of a couplet's lines differ (对) and those of neighbouring lines of two couplets agree (粘); even lines end in
    a level tone and the odd ones from the third on don't. Characters of either tone are not counted.
    """
    tones = ["".join(map(_tone, line)) for line in lines]
    pairs = [(line[at], line[at + 2], False) for line in tones for at in range(1, len(line) - 2, 2)]
    pairs += [(one[1], other[1], number % 2 == 1) for number, (one, other) in enumerate(pairwise(tones))]
    ends = [(line[-1], "Z", number % 2 == 0) for number, line in enumerate(tones) if number]
    judged = [(one == other) == same for one, other, same in pairs + ends if "?" not in one + other]
    return sum(judged) >= (KEPT_BY_EIGHT if len(lines) <= 8 else KEPT_BY_MORE) * len(judged)


@cache
def _tone(character: str) -> str:
    classes = {reading.tone_class for reading in load_book("pingshui").readings(character)}
    return classes.pop() if len(classes) == 1 else "?"
