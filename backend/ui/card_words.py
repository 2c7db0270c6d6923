"""The poem card's own words, in both interface languages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from backend.errors import Language
from backend.prosody.verdict import Verdict

_DIGITS = " 一二三四五六七八九"


def _numeral(number: int) -> str:
    """一, 十二, 二十; digits from 100 on."""
    if number > 99:
        return str(number)
    tens, ones = divmod(number, 10)
    return f"{_DIGITS[tens] if tens > 1 else ''}{'十' if tens else ''}{_DIGITS[ones] if ones else ''}"


LINE: Final[dict[Language, str]] = {"zh": "第{number}句", "en": "Line {number}"}
AFTER: Final[dict[Language, str]] = {"zh": "拟{poet}", "en": "after {poet}"}
ORDINALS: Final[dict[Language, Callable[[int], str]]] = {
    "zh": _numeral,
    "en": str,
}
CARD_WORDS: Final[dict[Language, dict[str, str]]] = {
    "zh": {
        "card": "诗笺",
        "tones": "平仄",
        "rhyme": "韵脚",
        "new": "新改",
        "vertical": "竖排",
        "script": "繁体",
        "marks": "平仄",
        "copy": "复制",
        "copied": "已复制",
        "uncopied": "复制不成，请选中文字复制",
        "rewrite": "改一句",
        "rewriting": "改写",
        "another": "再来一首",
        "choose": "点一句，只重写这一句，其余不动。",
        "waiting": "正在改{line}……",
        "legend": "○ 平　● 仄　◐ 平仄两读",
        "legend_wrong": "方框 不合",
        "converted": "繁体为自动转写，一字对应多字处或有出入。",
        "tools": "诗笺的选项",
        "fault": "误",
        "warning": "慎",
        "note": "注",
        "colon": "：",
        "comma": "，",
        "semicolon": "；",
    },
    "en": {
        "card": "Poem",
        "tones": "Tones",
        "rhyme": "Rhyme word",
        "new": "rewritten",
        "vertical": "Vertical",
        "script": "Traditional",
        "marks": "Tones",
        "copy": "Copy",
        "copied": "Copied",
        "uncopied": "Could not copy; select the text instead",
        "rewrite": "Rewrite a line",
        "rewriting": "Rewrite",
        "another": "Another one",
        "choose": "Choose a line: it alone is written anew, the others stay.",
        "waiting": "{line} is being written anew …",
        "legend": "○ level　● oblique　◐ read either way",
        "legend_wrong": "framed: does not fit",
        "converted": "Traditional characters are converted; where one stands for several words they can be wrong.",
        "tools": "What the card shows",
        "fault": "wrong",
        "warning": "mind",
        "note": "note",
        "colon": ": ",
        "comma": ", ",
        "semicolon": "; ",
    },
}
_SEALS: Final[dict[str, tuple[str, str]]] = {
    "fits": ("合律", "keeps its form"),
    "free": ("古体", "old style: tones are free"),
    "faults": ("未合", "does not keep its form"),
}


def seal_of(verdict: Verdict, language: Language) -> dict[str, str]:
    """Two characters for the seal under the poem, and what they mean."""
    key = "faults" if not verdict.fits else "free" if verdict.kind == "old" else "fits"
    if key == "fits" and verdict.kind == "ci":
        return {"text": "合谱", "said": "合谱" if language == "zh" else _SEALS["fits"][1]}
    text, english = _SEALS[key]
    return {"text": text, "said": text if language == "zh" else english}
