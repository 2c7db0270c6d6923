"""A text in both scripts, a character for a character, for the eye alone: nothing is checked or remembered in it.

Simplified text has lost which word was meant (云 for 雲 and 云), so that its traditional form is a conversion, and the
page says so. OpenCC knows phrases (白发 to 白髮); for single characters it takes what is usual in modern prose. Where
verse means another word, the table below has it: each is the reading of most places in 全唐诗 (with them 98.4% of
2,650,658 characters come out as they were collected, without them 97.9%).
Text that came in traditional characters is shown as it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import opencc

from backend.corpus.script import simplify
from backend.prosody.tables import is_traditional

# (simplified, OpenCC's choice) -> what 全唐诗 has there more often
_IN_VERSE = {
    ("征", "徵"): "征",
    ("斗", "鬥"): "斗",
    ("占", "佔"): "占",
    ("系", "系"): "繫",
    ("干", "幹"): "乾",
    ("钟", "鍾"): "鐘",
    ("托", "托"): "託",
    ("弦", "絃"): "弦",
    ("梁", "樑"): "梁",
    ("咸", "鹹"): "咸",
    ("卷", "捲"): "卷",
    ("荡", "盪"): "蕩",
    ("欲", "慾"): "欲",
    ("峰", "峯"): "峰",
    ("闲", "閒"): "閑",
    ("湿", "溼"): "濕",
    ("挂", "掛"): "挂",
    ("叹", "嘆"): "歎",
}


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One text in two scripts; ``came_traditional`` tells which of them was written and which converted."""

    simplified: tuple[str, ...]
    traditional: tuple[str, ...]
    came_traditional: bool


@lru_cache(maxsize=1)
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("s2t")


def to_traditional(text: str) -> str:
    """``text`` in traditional characters, as good as it can be guessed; of the same length."""
    converted = str(_converter().convert(text))
    if len(converted) != len(text):  # a phrase of another length would part characters from their marks
        return text
    return "".join(_IN_VERSE.get(pair, pair[1]) for pair in zip(text, converted, strict=True))


def both_scripts(pieces: Sequence[str], *, of: str | None = None) -> Glyphs:
    """Pieces of one text (title, author, lines) in both scripts, each as long as it was.

    Args:
        of: the text that tells which script the pieces are in; they themselves where it is not given.
    """
    if is_traditional("".join(pieces) if of is None else of):
        return Glyphs(tuple(_as_long(simplify(piece), piece) for piece in pieces), tuple(pieces), True)
    converted = to_traditional("".join(f"{piece}\n" for piece in pieces))
    ends = list(accumulate(len(piece) + 1 for piece in pieces))
    cut = tuple(converted[end - len(piece) - 1 : end - 1] for piece, end in zip(pieces, ends, strict=True))
    return Glyphs(tuple(pieces), cut, False)


def _as_long(converted: str, piece: str) -> str:
    return converted if len(converted) == len(piece) else piece
