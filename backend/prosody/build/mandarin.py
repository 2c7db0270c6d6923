"""Mandarin readings in the groups of 中华通韵 (language standard GF 0020-2019), from the package ``pypinyin``.

Tones 1 and 2 are level, 3 and 4 oblique; a neutral tone is nobody's rhyme and is left out.
"""

from __future__ import annotations

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
