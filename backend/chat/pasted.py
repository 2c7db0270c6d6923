"""A request to check a poem's metre, and the poem that was pasted with it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from backend.chat.form_words import ANY_CI, take_form
from backend.chat.wishes import take_wishes
from backend.errors import ProsodyError
from backend.prosody.catalog import AUTO, understand
from backend.prosody.layout import rows_of
from backend.prosody.tables import BookName

_REQUEST = re.compile(
    r"(?:看|查|检|验|校|判|析|审|对|合|测)[^，。！？\n]{0,16}(?:格律|平仄|声律|押韵|出韵|词律|词谱|合律|出律)|"
    r"(?:格律|平仄|声律|押韵)[^，。！？\n]{0,6}(?:对不对|对吗|如何|怎么样|怎样|检查|有没有|有无|合不合|合吗|是否|行吗|行不行|错)|"
    r"合不合(?:格?律|平仄|词谱|韵)|合(?:格?律|平仄|韵)(?:吗|么|否|不)|是否(?:合|符合|出)(?:格?律|平仄|韵)|(?:出|押)韵了?(?:吗|没有|没)|"
    r"检查[^，。！？\n]{0,4}[这下][首面篇]|\b(?:check|verify) (?:my|this|the|a) (?:poem|verse|quatrain|ci)\b|"
    r"\b(?:check|verify|scan|examine|analy[sz]e|look at)\b[^.!?\n]{0,50}\b(?:met(?:re|er)|tones?|tonal pattern|rhymes?|"
    r"scansion|prosody)\b|\bkeeps? (?:its |the )?(?:met(?:re|er)|form)\b|\bscans?\b[^.\n]{0,20}\?",
    re.I,
)
_THE_LAST = re.compile(
    r"这[首篇阕]|上[一]?[首篇阕]|刚才|刚刚|那[首篇阕]|你(?:写|作)的|"
    r"\b(?:this|that|the|last|your) (?:one|poem|ci)\b",
    re.I,
)
_PIECE = re.compile(r"[^，。！？；：、,.!?;:\n]+[，。！？；：、,.!?;:]*|\n")
_FEWEST = 4  # lines of verse


@dataclass(frozen=True, slots=True)
class Check:
    """What to check, and against what."""

    poem: str  # empty: the last poem of the conversation
    form: str | None = None
    book: BookName | None = None


def read_check(text: str, *, forced: bool = False) -> Check | None:
    """The check that ``text`` asks for: the poem in it, or the last one that it points to. None where it asks for
    none. ``forced``: a command says that it is one."""
    request, poem = _divide(text)
    if not request and not forced:
        return None
    num_lines = sum(len(row.pieces) for row in rows_of(poem)[1])
    is_poem = num_lines >= (1 if forced else _FEWEST)
    if not is_poem and not forced and not _THE_LAST.search(request):
        return None
    asked = f"{request} {poem}" if not is_poem else request
    wishes, rest = take_wishes(asked)
    form, _ = take_form(rest)
    return Check(poem if is_poem else "", form if form is not None and _is_form(form) else None, wishes.book)


def _is_form(name: str) -> bool:
    if name in (ANY_CI, AUTO):
        return False
    try:
        return bool(understand(name))
    except ProsodyError:
        return False


def _divide(text: str) -> tuple[str, str]:
    """(the words that ask, the rest). What asks is the clauses that speak of checking; in a row of its own, with
    everything else of that row before or after the poem."""
    pieces = [match[0] for match in _PIECE.finditer(text)]
    asking = [bool(_REQUEST.search(piece)) for piece in pieces]
    if not any(asking):
        return "", text.strip()
    for number, piece in enumerate(pieces):  # 请帮我看看这首七律，合不合律：
        beside = asking[max(0, number - 1) : number + 2]
        asking[number] = asking[number] or (any(beside) and bool(_THE_LAST.search(piece)))
    request = "".join(piece for piece, asks in zip(pieces, asking, strict=True) if asks)
    poem = "".join(piece for piece, asks in zip(pieces, asking, strict=True) if not asks)
    return request.strip(), poem.strip()
