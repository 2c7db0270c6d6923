"""Mandarin readings in the groups of 中华通韵 (language standard GF 0020-2019), from the package ``pypinyin``.

Tones 1 and 2 are level, 3 and 4 oblique; a neutral tone is nobody's rhyme and is left out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

# The standard's sixteen groups and the finals (pypinyin's strict spelling, v for ü) that each holds.
GROUPS = {
    "一啊": "a ia ua",
    "二喔": "o uo",
    "三鹅": "e ie ve ê",
    "四衣": "i",
    "五乌": "u",
    "六迂": "v",
    "七哀": "ai uai",
    "八欸": "ei uei",
    "九熬": "ao iao",
    "十欧": "ou iou",
    "十一安": "an ian uan van",
    "十二恩": "en in uen vn",
    "十三昂": "ang iang uang",
    "十四英": "eng ing ueng",
    "十五雍": "ong iong",
    "十六儿": "er",
}


def mandarin_readings(characters: Iterable[str]) -> dict[tuple[str, int], list[str]]:
    """Characters by (group, tone 1 to 4); one with several readings stands in several places."""
    from pypinyin import Style, pinyin

    group_of = {final: name for name, finals in GROUPS.items() for final in finals.split()}
    table: dict[tuple[str, int], list[str]] = {(name, tone): [] for name in GROUPS for tone in (1, 2, 3, 4)}
    for character in characters:
        finals = pinyin(character, style=Style.FINALS_TONE3, heteronym=True, strict=True, errors="ignore")
        for final in sorted(set(finals[0] if finals else ())):
            spelling, tone = final[:-1], final[-1]
            if tone in "1234" and spelling in group_of:
                table[group_of[spelling], int(tone)].append(character)
    return table


MIN_USES = 8  # in phrases
MAX_RARE = 0.05  # share of the uses that the other tone may have


def usual_mandarin(table: dict[tuple[str, int], list[str]]) -> dict[str, list[str]]:
    """Characters of two tones that nearly all of pypinyin's phrases read in one: P or Z -> characters.

    Args:
        table: as :func:`mandarin_readings` gives it.
    """
    from pypinyin.contrib.tone_convert import to_tone3
    from pypinyin.phrases_dict import phrases_dict

    uses: dict[str, Counter[str]] = defaultdict(Counter)
    for phrase, syllables in phrases_dict.items():
        for character, (syllable, *_) in zip(phrase, syllables, strict=False):
            tone = to_tone3(syllable)[-1:]
            if tone in set("1234"):
                uses[character]["P" if tone in "12" else "Z"] += 1
    tones: dict[str, set[str]] = defaultdict(set)
    for (_, number), members in table.items():
        for character in members:
            tones[character].add("P" if number < 3 else "Z")
    usual: dict[str, list[str]] = {"P": [], "Z": []}
    for character in sorted(character for character, found in tones.items() if len(found) == 2):
        counts = uses[character]
        if counts.total() >= MIN_USES and min(counts["P"], counts["Z"]) <= MAX_RARE * counts.total():
            usual[max("PZ", key=lambda tone: counts[tone])].append(character)
    return usual
