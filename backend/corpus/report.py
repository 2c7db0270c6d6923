"""What the cleaning did: one count a step, printed after a build and stored in the corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

STEPS: dict[str, tuple[str, str]] = {
    "read": ("poems read", "读入"),
    "unreadable": ("records without the fields of a poem, left out", "字段不全而舍去的记录"),
    "simplified": ("poems turned into simplified characters, the original kept", "转为简体（保留原文）"),
    "variants": ("poems with variant forms of characters unified", "统一异体字"),
    "markup": ("poems with HTML markup or entities removed", "去除网页标记"),
    "notes": ("poems with editors' notes removed from the text", "去除正文中的校注"),
    "supplied": ("poems with brackets removed around a supplied character", "去除补字的括号"),
    "junk": ("poems with mis-decoded or private characters, marked □", "乱码、造字改作□"),
    "gaps": ("poems with missing characters (□)", "有缺字（□）"),
    "quotes": ("poems with quotation and title marks removed", "去除引号、书名号"),
    "titles": ("titles cleaned of notes, numbering unified", "清理题目中的校注、统一编号"),
    "authors": ("poems whose author's name was unified", "统一作者名"),
    "tuned": ("ci among the shi, their tune found by title and shape", "诗集中的词（据题目和句式认出词牌）"),
    "old": ("poems of 8 lines and more that don't keep the tones, named 古风", "八句以上而不合平仄，归入古风"),
    "rebroken": ("poems with wrong sentence breaks, broken anew", "断句有误而重新断开"),
    "empty": ("records without text, left out", "舍去无正文的条目"),
    "listed": ("entries of a list of lost poems, left out", "舍去存目"),
    "prose": ("prose among the poems, left out", "舍去混入的散文"),
    "repeated": ("repeated poems of one author, left out", "舍去同一作者的重复篇目"),
    "twins": ("near-duplicates of another poem, kept and marked", "近似重复（保留并标明）"),
    "contested": ("of these, poems under another author's name", "其中归于不同作者者"),
    "kept": ("poems kept", "收录"),
}


@dataclass
class Report:
    """Counts by step, in the order of :data:`STEPS`."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, step: str, number: int = 1) -> None:
        """Count ``number`` poems under ``step``."""
        if step not in STEPS:
            raise KeyError(step)
        self.counts[step] += number

    def rows(self) -> Iterator[tuple[str, int, str, str]]:
        """Step, count, and its name in English and Chinese; steps that did nothing have 0."""
        for step, (en, zh) in STEPS.items():
            yield step, self.counts[step], en, zh
