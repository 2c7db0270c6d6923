"""What a sentence asks of a poem besides form and topic: rhyme, rhyme book, acrostic, opening, strictness; and the
length of forms that leave it open."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from backend.prosody.tables import BookName, to_simplified

MAX_ACROSTIC = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """None where the sentence leaves it open."""

    rhyme: str | None = None  # as it was named: 尤, 下平十一尤, 第七部
    book: BookName | None = None
    acrostic: str | None = None
    opening: Literal["平起", "仄起"] | None = None
    first_line_rhymes: bool | None = None
    strict: bool | None = None


_QUOTES = "“”\"'「」『』‘’《》"
_BOOK = re.compile(
    r"[,，]?\s*(?:押|用|按照?|依|以|遵)?\s*(?P<book>平水|中华新|中华通|新|通|词林正)韵(?:书)?(?!律)|"
    r"[,;]?\s*\b(?:in|by|with|under|using)\s+(?:the\s+)?(?P<english>pingshui|tongyun|cilin|modern|mandarin)"
    r"(?:\s+rhymes?(?:\s+book)?)?\b",
    re.I,
)
_BOOKS: dict[str, BookName] = {"平水": "pingshui", "词林正": "pingshui", "pingshui": "pingshui", "cilin": "pingshui"}
_HEADING = r"(?:[上下]平声?|上声|去声|入声)?(?:[一二三四五六七八九十]{1,3})?[一-鿿]|第?[一二三四五六七八九十\d]{1,3}部"
_RHYME = re.compile(
    rf"[,，]?\s*(?:并|且|要求?|请|须|必须)*(?:押韵?|限韵?|韵脚?(?:用|为|是|押|限)|用韵|[用依以](?=[^，。,]{{1,8}}韵))"
    rf"\s*(?:[：:]|为|用|在)?[{_QUOTES}]?(?P<rhyme>{_HEADING})[{_QUOTES}]?(?:字|部)?(?:为)?(?P<mark>韵)?"
    r"(?=$|[\s，。,.;；！!？?、写题填作咏的以为])|"
    rf"[,，]?\s*(?:押|用|依)?(?P<full>[上下]平声?[一二三四五六七八九十]{{1,3}}[一-鿿])(?:字|部)?韵?|"
    rf"[,，\s]+(?P<bare>(?:[上下]平声?|上声|去声|入声)?[一二三四五六七八九十]{{0,3}}[一-鿿])韵(?=$|[\s，。,.;；])|"
    r"[,;]?\s*\b(?:(?:that\s+)?rhym(?:e|es|ed|ing)(?:\s+(?:group|word|words))?\s*(?:on|in|with|to|is|:)?|"
    r"(?:with|on|in|to)\s+(?:the\s+)?rhyme(?:\s+(?:of|group))?)\s*"
    rf"[{_QUOTES}]?(?P<english>{_HEADING}|\d{{1,2}}\b)[{_QUOTES}]?",
    re.I,
)
_IN_RHYME = re.compile(rf"[,;]?\s*\bin\s+(?:the\s+)?[{_QUOTES}]?(?P<rhyme>{_HEADING})[{_QUOTES}]?\s+rhyme\b", re.I)
_NO_HEADING = {"韵", "平", "仄", "什么", "何", "哪", "原", "险", "宽", "窄", "其", "本", "一", "个"}
_NUMBER = re.compile(r"[一二三四五六七八九十]+")
_ACROSTIC = re.compile(
    rf"[,，]?\s*(?:以|用|把|将)\s*[{_QUOTES}]?(?P<before>[一-鿿]{{2,16}}?)[{_QUOTES}]?(?:这?[几二三四五六七八]个?字)?"
    rf"(?:来|作|做|为)*\s*(?:藏头|嵌在?[每各]?句首)(?P<kind>诗)?|"
    rf"[,，]?\s*藏头(?P<word>诗|七绝|五绝|七律|五律)?\s*(?:[：:，,]|为|是|用|藏)?\s*"
    rf"(?:[{_QUOTES}](?P<quoted>[一-鿿，、\s]{{2,24}})[{_QUOTES}]|(?P<plain>[一-鿿]{{2,16}})(?=$|[\s，。,！!]))|"
    rf"(?:(?<=藏头诗)|(?<=藏头)|[,，])\s*藏[{_QUOTES}](?P<hidden>[一-鿿]{{2,16}})[{_QUOTES}](?:[一二两三四五六七八]个?字)?|"
    rf"[,，]?\s*(?:[每各]句)?(?:句首|首字|第一个字|开头)(?:连起来)?(?:的字)?(?:要?[是为]|嵌入?|连成|组成|依次[是为])\s*"
    rf"[{_QUOTES}]?(?P<heads>[一-鿿]{{2,16}})[{_QUOTES}]?|"
    rf"[,;]?\s*\b(?:an?\s+)?acrostic(?:\s+(?:poem|quatrain))?\s*(?:on|of|for|spelling|:)?\s*"
    rf"[{_QUOTES}]?(?P<english>[一-鿿]{{2,16}})[{_QUOTES}]?",
    re.I,
)
_OPENING = re.compile(r"[,，]?\s*(?:用)?([平仄])起式?|[,;]?\s*\b(level|oblique)[- ](?:tone[- ])?opening\b", re.I)
_FIRST_LINE = re.compile(
    r"[,，]?\s*首句(不)?(?:入|押|用)韵(?:式)?|"
    r"[,;]?\s*\b(?:(?:with\s+)?(?:the\s+)?first line (not )?rhym(?:es|ing))\b|(?<=起)(不)?入韵",
    re.I,
)
_LOOSE = re.compile(
    r"[,，]?\s*(?:可以?)?(?:不拘|不限|不必|不用|不需要?|不要|不守|不管|不论|别管|无须|无需|放开)(?:讲究?|遵守|于|守|合|顾)?"
    r"(?:格律|平仄|声律|律)(?:平仄)?|[,;]?\s*\b(?:in\s+)?free(?:ly|\s+of\s+(?:the\s+)?metre)\b|"
    r"[,;]?\s*\b(?:without|ignore|ignoring|regardless of)\s+(?:the\s+)?(?:metre|meter|tones)\b",
    re.I,
)
_STRICT = re.compile(
    r"[,，]?\s*(?:要|须|必须|务必|严格)*(?:守律|合律|合乎格律|按格律|遵守格律|守格律|"
    r"注意(?:格律|平仄|押韵)|(?:格律|平仄)(?:要|须)?(?:工整|严谨|正确))",
    re.I,
)
_LENGTH = re.compile(
    r"[,，]?\s*(?:共|计|要)?(\d{1,3}|[一二三四五六七八九十百]{1,4})\s*(句|韵)(?![首脚])|\b(\d{1,3})\s+lines\b", re.I
)


def take_wishes(text: str) -> tuple[Wishes, str]:
    """The wishes that ``text`` names, and the text without them."""
    acrostic, text = _take_acrostic(text)
    first, text = _take(_FIRST_LINE, text)
    opening, text = _take(_OPENING, text)
    loose, text = _take(_LOOSE, text)
    strict, text = _take(_STRICT, text)
    book, text = _take(_BOOK, text)
    rhyme, text = _take_rhyme(text)
    chosen = book and (book["book"] or book["english"].lower())
    return Wishes(
        rhyme=rhyme,
        book=_BOOKS.get(chosen, "tongyun") if chosen else None,
        acrostic=acrostic,
        opening=_opening_of(opening) if opening else None,
        first_line_rhymes=not (first[1] or first[2] or first[3]) if first else None,
        strict=False if loose else True if strict else None,
    ), text.lstrip("的，, ")


def take_length(text: str) -> tuple[int | None, str]:
    """The number of lines that ``text`` names (二十句, 十韵, 20 lines), and the text without it."""
    found, rest = _take(_LENGTH, text)
    return (_lines_of(found), rest) if found else (None, text)


def _take(pattern: re.Pattern[str], text: str) -> tuple[re.Match[str] | None, str]:
    found = pattern.search(text)
    return found, _without(text, found) if found else text


def _without(text: str, found: re.Match[str]) -> str:
    before, after = text[: found.start()], text[found.end() :]
    if not before or not after or after[0] in "，,。；;":
        joint = ""
    else:
        joint = " " if found[0].isascii() or after[0] == "的" else "，"
    return (before + joint + after).strip()


def _take_rhyme(text: str) -> tuple[str | None, str]:
    for pattern in (_IN_RHYME, _RHYME):
        for found in pattern.finditer(text):
            named = next(filter(None, found.groupdict().values()), "")
            if named and named not in _NO_HEADING and not _NUMBER.fullmatch(named):
                return named, _without(text, found)
    return None, text


def _take_acrostic(text: str) -> tuple[str | None, str]:
    found = _ACROSTIC.search(text)
    if found is None:
        return None, text
    parts = found.groupdict()
    heads = next(filter(None, (parts[name] for name in ("before", "quoted", "plain", "hidden", "heads", "english"))))
    heads = re.sub(r"[^一-鿿]", "", heads)
    if not heads or (parts["plain"] and re.search(r"怎么|什么|如何|是|很|真|的", heads)):
        return None, text
    word = " poem " if parts["english"] else parts["word"] or ("诗" if parts["kind"] else "")
    return to_simplified(heads), (text[: found.start()] + word + text[found.end() :]).removeprefix("的").strip()


def _opening_of(found: re.Match[str]) -> Literal["平起", "仄起"]:
    return "平起" if found[1] == "平" or (found[2] or "").lower() == "level" else "仄起"


_NUMBERS = {digit: number for number, digit in enumerate("一二三四五六七八九", 1)}


def _lines_of(found: re.Match[str]) -> int | None:
    digits = found[1] or found[3]
    number = int(digits) if digits.isdigit() else _read_number(digits)
    return number * (2 if found[2] == "韵" else 1) or None


def _read_number(digits: str) -> int:
    total, last = 0, 0
    for digit in digits:
        if digit in _NUMBERS:
            last = _NUMBERS[digit]
        else:
            total, last = total + (last or 1) * (10 if digit == "十" else 100), 0
    return total + last
