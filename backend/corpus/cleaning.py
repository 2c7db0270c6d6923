"""Editors' notes, junk and gaps out of titles and texts; every step is counted.

Works on simplified text. What is removed stays in the poem's original.
"""

from __future__ import annotations

import html
import re

from backend.corpus.report import Report
from backend.corpus.script import HAN, only_han

GAP = "□"  # a character that is missing or can't be shown
PUNCTUATION = "，。、？！；：…"

_NOTE = re.compile(r"（[^（）]*）|〖[^〖〗]*〗|〈[^〈〉]*〉|\([^()]*\)|【[^【】]*】")
_OPEN_NOTE = re.compile(r"[（〖(【][^）〗)】]*$")
_STRAY = re.compile(r"[（）〖〗〈〉()【】]")
_MARKER = re.compile(r"\[[一二三四五六七八九十〇○\d]{1,5}\]|\[附\]")  # references to a note, or "appended"
_MODE = re.compile(r"〔[^〔〕]{2,}〕")  # 〔黄钟为角〕: musical directions in ritual songs
_SUPPLIED = re.compile(r"[\[\]〔〕［］]")
_COMPOSED = re.compile(r"\{[^{}]*\}|[⿰-⿻].{2}")  # {炙火=肉}: a character described by its parts
_MARKUP = re.compile(r"<[^<>]*>|&(?:[a-zA-Z]+|#\d+);")
_QUOTES = re.compile(r"[「」『』“”‘’\"'《》]")
_JUNK = re.compile(f"[^{HAN}{PUNCTUATION}{GAP}\n]")
_MESSED = re.compile(r"[\ufffd]+")
_UNUSUAL = re.compile(f"[^{HAN}{PUNCTUATION}\n]")
_RUN = re.compile(f"(?<=[{PUNCTUATION}])[{PUNCTUATION}]+|(?m:^[{PUNCTUATION}]+)")
_ASCII = str.maketrans(
    {",": "，", ".": "。", "?": "？", "!": "！", ";": "；", ":": "：", "·": "", "・": "", " ": "", "\u3000": ""}
)
# Sentences that an editor wrote: sources, collations, lists of lost poems.
_EDITOR = re.compile(
    r"《[^》]*》(?:.{0,4}卷|引|作|云|本|并)|ff。?$|^按：|^案：|诗题：|首句：|附注：|出处：|原注：|铎案|校作"
)
_PLACEHOLDERS = {"空", "略", "缺", "阙"}  # where an editor only wrote a note
_LISTED = re.compile(r"^存目")

_NUMERAL = "一二三四五六七八九十〇百"
_NUMBER = re.compile(rf"(?<=\S)\s+(?:其)?([{_NUMERAL}]+)$")
_ANY_NUMERAL = re.compile(rf"(?<=[{_NUMERAL}])○|○(?=[{_NUMERAL}])")


def clean_text(paragraphs: tuple[str, ...], report: Report) -> str:
    """The poem's text, one sentence a line; empty where nothing of a poem was left."""
    text = "\n".join(paragraphs)
    if _UNUSUAL.search(text):
        text = _without_notes(_without_markup(text, report), report)
        text = _without_junk(text, report)
    text = _RUN.sub("", text)
    if only_han(text) in _PLACEHOLDERS:
        return ""
    lines = (line.strip() for line in text.split("\n"))
    return "\n".join(_closed(line) for line in lines if re.search(f"[{HAN}]", line))


def clean_title(title: str, report: Report) -> str:
    """The title without notes, its number in the form 其三."""
    cleaned = _innermost(_NOTE, _MARKUP.sub("", title))
    cleaned = _OPEN_NOTE.sub("", cleaned)
    cleaned = _MARKER.sub("", cleaned)
    cleaned = _SUPPLIED.sub("", _STRAY.sub("", cleaned))
    cleaned = _COMPOSED.sub(GAP, cleaned)
    cleaned = _ANY_NUMERAL.sub("〇", _ANY_NUMERAL.sub("〇", cleaned))
    cleaned = " ".join(cleaned.split()).rstrip("。，：")
    cleaned = _NUMBER.sub(r" 其\1", cleaned)
    if cleaned != " ".join(title.split()):
        report.add("titles")
    return cleaned or "无题"


def is_list_entry(title: str) -> bool:
    """Whether the record names a lost or doubtful poem instead of giving one (存目)."""
    return bool(_LISTED.match(title))


def is_prose(text: str) -> bool:
    """Whether sentences too long for verse prevail: prefaces and essays among the poems."""
    lengths = [len(clause) for clause in re.split(f"[{PUNCTUATION}\n]", text) if clause]
    return "兮" not in text and sum(length for length in lengths if length > 11) > 0.5 * sum(lengths)


def _without_markup(text: str, report: Report) -> str:
    cleaned = html.unescape(_MARKUP.sub("", text))
    if cleaned != text:
        report.add("markup")
    return cleaned


def _without_notes(text: str, report: Report) -> str:
    cleaned = _innermost(_NOTE, text)
    cleaned = _MODE.sub("", _MARKER.sub("", _OPEN_NOTE.sub("", cleaned)))
    cleaned = _STRAY.sub("", cleaned)
    cleaned = "\n".join(line for line in cleaned.split("\n") if not _EDITOR.search(line))
    if cleaned != text:
        report.add("notes")
    supplied = _SUPPLIED.sub("", cleaned)
    if supplied != cleaned:
        report.add("supplied")
    return supplied


def _without_junk(text: str, report: Report) -> str:
    unquoted = _QUOTES.sub("", text)
    if unquoted != text:
        report.add("quotes")
    shown = unquoted.translate(_ASCII)
    cleaned = _JUNK.sub(GAP, _MESSED.sub(GAP, _COMPOSED.sub(GAP, shown).replace("○", GAP).replace("●", GAP)))
    if cleaned.count(GAP) != unquoted.count(GAP):
        report.add("junk")
    if GAP in cleaned:
        report.add("gaps")
    return cleaned


def _innermost(pattern: re.Pattern[str], text: str) -> str:
    """Remove matches from the inside out, so that nested brackets go too."""
    while True:
        shorter = pattern.sub("", text)
        if shorter == text:
            return text
        text = shorter


def _closed(line: str) -> str:
    """A line that ends as a sentence does."""
    line = line.strip("，、；：\n")
    return line if line[-1:] in "。？！…" else line + "。"
