"""What the poem card shows: a verdict and its text as plain data for ``public/elements/PoemCard.jsx``.

The card is drawn from this alone. It holds text, never markup; every string is a text node on the page.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.chat.commission import UNTITLED, Commission
from backend.errors import Language
from backend.prosody.catalog import find_form
from backend.prosody.forms import Form
from backend.prosody.tables import BOOKS
from backend.prosody.verdict import CharacterVerdict, Finding, LineVerdict, Verdict
from backend.prosody.wording import TONES_EN, TONES_ZH
from backend.types import Style
from backend.ui.card_words import AFTER, CARD_WORDS, LINE, ORDINALS, seal_of
from backend.ui.glyphs import both_scripts

MAX_LINES = 200  # a longer text is no poem, and would only fill the page
MAX_TITLE = 30  # characters
_MARKS = "，。！？；、：,.!?;:"
_SENTENCE_ENDS = tuple("。！？；.!?;")
_NOTE = re.compile(r"（[^（）]*）|\([^()]*\)|〔[^〔〕]*〕|\[[^\[\]]*\]|【[^【】]*】")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_STATES: Final = {"fits": "f", "wrong": "w", "unknown": "u"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What stands above the poem."""

    title: str = ""
    byline: str = ""


def is_shown(verdict: Verdict) -> bool:
    """Whether the verdict is on something that looks like a poem: one with a form, or verse with a line too long."""
    if not 2 <= len(verdict.lines) <= MAX_LINES:
        return False
    return verdict.form is not None or any(f.code == "length" and f.line for f in verdict.findings)


def holds_all(verdict: Verdict, text: str) -> bool:
    """Whether the verdict's lines are the whole text but for its marks, so that a card of them loses nothing."""
    return sum(len(line.text) for line in verdict.lines) == sum(map(str.isalnum, text))


def poem_heading(commission: Commission, style: Style | None = None, language: Language = "zh") -> Heading:
    """Title and poet of a poem that was ordered. The poet didn't write it, and the card doesn't say so."""
    title = commission.topic
    if commission.form.kind == "ci":
        title = f"{commission.form.name}·{title}" if title != UNTITLED else commission.form.name
    poet = style.name.get(language) if style is not None and style.poet else None
    return Heading(title=title, byline=AFTER[language].format(poet=poet) if poet else "")


def heading_of(verdict: Verdict, text: str) -> Heading:
    """Title and author as they stood above a pasted poem: 江村 and 杜甫, or 水调歌头·中秋."""
    title, *rest = verdict.heading or ("",)
    first_row = text.strip().split("\n")[0].strip(" 　《》")
    if rest and title in first_row and rest[0] in first_row:
        title = first_row[:MAX_TITLE]
        rest.pop(0)
    return Heading(title=title, byline=rest[0] if len(rest) == 1 and len(rest[0]) <= 4 else "")


def card_props(
    verdict: Verdict,
    text: str,
    language: Language,
    heading: Heading | None = None,
    *,
    turn: str | None = None,
    rewritten: int | None = None,
) -> dict[str, Any]:
    """The card's properties, ready for JSON.

    Args:
        text: the poem as it was written, for its punctuation and line breaks.
        heading: its title and poet; those above the text where none is given.
        turn: the id that the card's actions name; None gives a card without actions.
        rewritten: the line, from 1, that is new.
    """
    heading = heading or heading_of(verdict, text)
    lines = [line.text for line in verdict.lines]
    glyphs = both_scripts([heading.title, heading.byline, *lines], of=text)
    gaps = _gaps(text, lines)
    stanzas = _stanzas(verdict, [behind[-1] for behind in gaps])
    marks = [[_mark(gap) for gap in behind] for behind in gaps]
    if not any(map(any, marks)):  # written without punctuation: the lines of a row are kept apart
        for n in (n for row in _rows(stanzas) for n in row[:-1]):
            marks[n][-1] = "\u3000"
    return {
        "turn": turn,
        "language": language,
        "traditional": glyphs.came_traditional,
        "title": _pair(glyphs.simplified[0], glyphs.traditional[0]),
        "byline": _pair(glyphs.simplified[1], glyphs.traditional[1]),
        "form": verdict.form or "",
        "facts": _facts(verdict, language),
        "fits": verdict.fits,
        "seal": seal_of(verdict, language),
        "stanzas": stanzas,
        "lines": [
            _line(verdict, n, language)
            | {
                "text": _pair(glyphs.simplified[n + 2], glyphs.traditional[n + 2]),
                "marks": marks[n],
                "new": n + 1 == rewritten,
            }
            for n in range(len(lines))
        ],
        "findings": [
            {"severity": finding.severity, "text": _sentence(finding, language)} for finding in verdict.findings
        ],
        "words": CARD_WORDS[language],
    }


def _line(verdict: Verdict, n: int, language: Language) -> dict[str, Any]:
    """What the verdict says of line ``n``, from 0."""
    line, faults = verdict.lines[n], _faults(verdict, n)
    return {
        "tones": "".join(_tone(item) for item in line.characters),
        "states": _states(verdict, n),
        "rhyme": line.rhyme if line.characters[-1:] and line.characters[-1].is_rhyme else "",
        "label": LINE[language].format(number=ORDINALS[language](n + 1)),
        "said": _said(line, language),
        "faults": [_sentence(finding, language) for finding in faults],
        "odd": any(finding.code == "length" for finding in faults),
    }


def _pair(simplified: str, traditional: str) -> dict[str, str]:
    return {"s": simplified, "t": traditional}


def _sentence(finding: Finding, language: Language) -> str:
    return finding.zh if language == "zh" else finding.en


def _faults(verdict: Verdict, n: int) -> list[Finding]:
    """What is wrong with line ``n``, from 0."""
    return [finding for finding in verdict.findings if finding.severity == "fault" and finding.line == n + 1]


def _states(verdict: Verdict, n: int) -> str:
    """A letter a character: f fits, w wrong, u unknown to the book. A fault of the line points at its character."""
    characters = verdict.lines[n].characters
    states = [_STATES[item.state] for item in characters]
    for finding in _faults(verdict, n):
        place = finding.position or (len(states) if "rhyme" in finding.code else 0)
        if 0 < place <= len(states) and states[place - 1] == "f":
            states[place - 1] = "w"
    return "".join(states)


def _tone(item: CharacterVerdict) -> str:
    """P, Z, B (either) or ? (unknown)."""
    return "B" if len(item.tone) == 2 else item.tone


def _said(line: LineVerdict, language: Language) -> str:
    """The tones of a line, to be read out."""
    names = TONES_ZH | {"B": "通", "?": "？"} if language == "zh" else TONES_EN | {"B": "either", "?": "unknown"}
    return ("" if language == "zh" else ", ").join(names[_tone(item)] for item in line.characters)


def _facts(verdict: Verdict, language: Language) -> list[str]:
    """Form and rhyme by name."""
    facts = []
    if verdict.form is not None:
        form = _form(verdict)
        facts.append(verdict.form if language == "zh" or form is None else f"{verdict.form} ({form.english})")
        if verdict.variant and verdict.kind == "regulated" and language == "zh":
            facts.append(verdict.variant)
    if rhymes := list(dict.fromkeys(verdict.rhymes.values())):
        book = BOOKS[verdict.book][0 if language == "zh" else 1]
        facts.append(f"{book} · {'、'.join(rhymes)}")
    return facts


def _form(verdict: Verdict) -> Form | None:
    if verdict.form is None:
        return None
    open_lines = len(verdict.lines) if verdict.form[-1] in "排古" else None
    return find_form(verdict.form, open_lines)


# ---- where lines and stanzas end ---------------------------------------------------------------------------------


def _gaps(text: str, lines: Sequence[str]) -> list[list[str]]:
    """What stands behind each character of each line in the text. Read from the end, as a heading can be like it."""
    text = "".join(c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c) not in ("Mn", "Cf"))
    text = _NOTE.sub("", text).rstrip()
    gaps, end = [[""] * len(line) for line in lines], len(text)
    for line, behind in zip(reversed(lines), reversed(gaps), strict=True):
        for index in range(len(line) - 1, -1, -1):
            found = text.rfind(line[index], 0, end)
            if found < 0:
                return gaps
            behind[index] = text[found + 1 : end]
            end = found
    return gaps


def _mark(gap: str) -> str:
    """The first punctuation mark of what stands between two characters."""
    return next((character for character in gap if character in _MARKS), "")


def _stanzas(verdict: Verdict, gaps: Sequence[str]) -> list[list[list[int]]]:
    """Stanzas of rows of line numbers, from 0: a couplet a row, in ci a sentence."""
    count = len(verdict.lines)
    form = _form(verdict)
    breaks = {n for n in range(count - 1) if _BLANK_LINE.search(gaps[n])}
    if form is not None and form.kind == "ci":
        variant = next((v for v in form.variants if v.name == verdict.variant and len(v.lines) == count), None)
        if variant is not None:
            breaks = {n for n, line in enumerate(variant.lines) if line.after.endswith("\n\n")}
            gaps = [line.after for line in variant.lines]
    else:
        breaks = {n for n in breaks if n % 2}
    stanzas: list[list[list[int]]] = [[[]]]
    for n in range(count):
        stanzas[-1][-1].append(n)
        if n == count - 1:
            break
        if n in breaks:
            stanzas.append([[]])
        elif n % 2 if form is None or form.kind != "ci" else _mark(gaps[n]) in _SENTENCE_ENDS:
            stanzas[-1].append([])
    return stanzas


def _rows(stanzas: list[list[list[int]]]) -> list[list[int]]:
    return [row for stanza in stanzas for row in stanza]
