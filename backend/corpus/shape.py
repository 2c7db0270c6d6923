"""The outward shape of a poem: its clauses, their lengths, the form that these suggest, and wrong breaks."""

from __future__ import annotations

import re

CLAUSE = re.compile(r"[^，。？！；：…\n]+[，。？！；：…]*")
FINAL = "。？！；…"

# Forms by length of line and number of lines; regulated verse is told from old verse by :mod:`regulated`.
FORMS = {(5, 4): "五绝", (7, 4): "七绝", (5, 8): "五律", (7, 8): "七律"}
FRAGMENT, IRREGULAR, CI, OLD = "残句", "杂言", "词", "古风"


def clauses(text: str) -> list[str]:
    """The lines of verse in ``text``: what stands between pauses of a sentence, 、 not counting as one."""
    return [part.rstrip("，。？！；：…").replace("、", "") for part in CLAUSE.findall(text)]


def form_of(lengths: list[int], title: str) -> str:
    """The form that lengths of lines suggest, before tones are looked at.

    Five- and seven-character poems that are longer than a 律诗 are called 五排 or 七排 if their lines come in
    couplets; :mod:`backend.corpus.regulated` makes 古风 of those that don't keep the tones.
    """
    if len(lengths) <= 2 or title.startswith("句"):
        return FRAGMENT
    if len(set(lengths)) > 1:
        return IRREGULAR
    length, number = lengths[0], len(lengths)
    if (length, number) in FORMS:
        return FORMS[length, number]
    if length in (5, 7):
        name = "五排" if length == 5 else "七排"
        return name if number > 8 and number % 2 == 0 else OLD
    return {4: "四言", 6: "六言"}.get(length, IRREGULAR)


def mend(text: str) -> str:
    """``text`` with its sentences broken anew where the breaks were plainly wrong; else ``text`` itself.

    Verse of five or seven characters gets a couplet a line of text. A pause is put in where several lines of
    verse stand together; one inside a line of verse goes if the poem is then one of four or eight lines.
    """
    parts = [part.strip("\n") for part in CLAUSE.findall(text)]
    lengths = [len(clause) for clause in clauses(text)]
    total = sum(lengths)
    for size in (5, 7):
        if total % (2 * size) or sum(length for length in lengths if length == size) * 2 < total:
            continue
        number = total // size
        if number == len(lengths) and all(length == size for length in lengths):
            return _couplets(parts) if number in (4, 8) or not _has_triplets(text) else text
        if _is_misbroken(lengths, size, number):
            run = "".join(clauses(text))
            return _couplets([run[start : start + size] for start in range(0, total, size)])
    return text


def _has_triplets(text: str) -> bool:
    """Whether sentences of three lines occur, which old verse and 浣溪沙 have by intent."""
    return any(len(clauses(line)) == 3 for line in text.split("\n"))


def _is_misbroken(lengths: list[int], size: int, number: int) -> bool:
    """Whether all lines of another length are several lines in one, or parts of one in a poem of 4 or 8."""
    run = 0
    for length in [*lengths, size]:
        if length % size:
            run += length
        elif run not in (0, size) or (run and number not in (4, 8)):
            return False
        else:
            run = 0
    return True


def _couplets(lines: list[str]) -> str:
    """Two lines of verse to a line of text, with a pause after the first and an end after the second."""
    text = []
    for first, second in zip(lines[::2], lines[1::2], strict=True):
        pause = first[-1:] if first[-1:] in "？！；" else "，"
        end = second[-1:] if second[-1:] in FINAL else "。"
        text.append(first.rstrip("，。？！；：…") + pause + second.rstrip("，。？！；：…") + end)
    return "\n".join(text)
