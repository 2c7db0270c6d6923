"""The verdict in a few sentences for someone who is new to metre."""

from __future__ import annotations

from backend.prosody.catalog import find_form
from backend.prosody.judging import Judgement
from backend.prosody.tables import BOOKS, BookName
from backend.prosody.verdict import Finding

NAMED_FAULTS = 3


def summarize(judgement: Judgement, book: BookName) -> tuple[str, str]:
    """(Chinese, English)."""
    zh, en = _opening(judgement, book)
    faults = [finding for finding in judgement.findings if finding.severity == "fault"]
    if judgement.kind == "old":
        return (
            f"{zh}古风只看句子长短，平仄不拘。",
            f"{en} Old-style verse is free in its tones; line length alone is checked.",
        )
    if faults:
        more = len(faults) - NAMED_FAULTS
        rest_zh = f"此外还有{more}处。" if more > 0 else ""
        rest_en = f" And {more} more." if more > 0 else ""
        counted = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        return (
            f"{zh}有{len(faults)}处不合：{''.join(f.zh for f in faults[:NAMED_FAULTS])}{rest_zh}",
            f"{en} {counted}: {' '.join(f.en for f in faults[:NAMED_FAULTS])}{rest_en}",
        )
    rescues = sum(f.code in ("special", "self-saved", "couplet-saved") for f in judgement.findings)
    zh += f"平仄、押韵都合{'，其中' + str(rescues) + '处拗而有救' if rescues else ''}。"
    en += f" Tones and rhyme fit{f', with {rescues} licensed deviation(s)' if rescues else ''}."
    return zh, en


def _opening(judgement: Judgement, book: BookName) -> tuple[str, str]:
    rhymes = list(dict.fromkeys(judgement.rhymes.values()))
    kept_zh = f"，押{'、'.join(rhymes)}（{BOOKS[book][0]}）" if rhymes else ""
    kept_en = f", rhyme {', '.join(rhymes)} ({BOOKS[book][1]})" if rhymes else ""
    variant = f"，{judgement.variant}" if judgement.variant else ""
    english = find_form(judgement.form, _open_lines(judgement)).english
    name = f"{judgement.form} ({english})" if english else judgement.form
    return f"这是一首{judgement.form}{variant}{kept_zh}。", f"This is a {name}{kept_en}."


def _open_lines(judgement: Judgement) -> int | None:
    num_lines = len(judgement.poem.lines)
    return num_lines if judgement.form[-1] == "排" else None


def summarize_nothing(name: str | None, finding: Finding) -> tuple[str, str]:
    """(Chinese, English) where the text has not the shape that was looked for."""
    if name is None:
        return finding.zh, finding.en
    return f"这不是一首{name}。{finding.zh}", f"This is not a {name}. {finding.en}"
