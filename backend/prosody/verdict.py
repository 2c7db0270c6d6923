"""What the checker says about a poem: plain data, with sentences in Chinese and English."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from backend.prosody.tables import BOOKS, Readings

Severity = Literal["fault", "warning", "note"]
CharacterState = Literal["fits", "wrong", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to say about the poem. A fault means that it does not fit; a warning and a note do not."""

    code: str
    severity: Severity
    zh: str
    en: str
    line: int | None = None  # from 1
    position: int | None = None  # character in the line, from 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CharacterVerdict:
    """One character of the poem."""

    character: str
    readings: Readings  # those that count: at a rhyme, the one that rhymes
    tone: str  # P, Z, PZ (read either way, and both fit) or ? (unknown)
    wanted: str  # P, Z or x
    state: CharacterState
    is_rhyme: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LineVerdict:
    """One line of the poem."""

    text: str
    characters: tuple[CharacterVerdict, ...]
    pattern: str  # the tones asked for, a letter a character
    type: str = ""  # regulated verse: a, A, b or B
    type_zh: str = ""
    type_en: str = ""
    rhyme: str = ""  # letter of the rhyme slot

    @property
    def fits(self) -> bool:
        """Whether every character fits."""
        return all(character.state == "fits" for character in self.characters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The checker's answer. ``form`` is None where the text is no poem that it knows."""

    form: str | None
    kind: str | None
    variant: str
    book: str
    heading: tuple[str, ...]
    lines: tuple[LineVerdict, ...]
    rhymes: dict[str, str] = field(default_factory=dict)  # letter of the slot -> rhyme
    findings: tuple[Finding, ...] = ()
    summary_zh: str = ""
    summary_en: str = ""

    @property
    def fits(self) -> bool:
        """Whether the poem keeps its form: length, tones and rhyme."""
        return self.form is not None and not any(finding.severity == "fault" for finding in self.findings)

    def _free_of(self, *codes: str) -> bool:
        faults = {finding.code for finding in self.findings if finding.severity == "fault"}
        return self.form is not None and not faults.intersection(codes)

    @property
    def length_fits(self) -> bool:
        """Whether the number of lines and their lengths are the form's."""
        return self._free_of("length")

    @property
    def tones_fit(self) -> bool:
        """Whether the tones are the form's."""
        return self.length_fits and self._free_of(
            "tone", "lone-level", "three-level", "unsaved", "contrast", "adhesion", "unknown"
        )

    @property
    def rhyme_fits(self) -> bool:
        """Whether the rhyme slots rhyme, with different words."""
        return self.length_fits and self._free_of("rhyme", "repeated-rhyme", "first-line-rhyme", "unknown-rhyme")

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain lists and dictionaries for ``json.dumps``."""
        return {
            "fits": self.fits,
            "length": self.length_fits,
            "tones": self.tones_fit,
            "rhyme": self.rhyme_fits,
            "form": self.form,
            "kind": self.kind,
            "variant": self.variant,
            "book": self.book,
            "book_name": {"zh": BOOKS[self.book][0], "en": BOOKS[self.book][1]},
            "heading": list(self.heading),
            "rhymes": self.rhymes,
            "summary": {"zh": self.summary_zh, "en": self.summary_en},
            "findings": [_finding(finding) for finding in self.findings],
            "lines": [_line(number, line) for number, line in enumerate(self.lines, 1)],
        }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "line": finding.line,
        "position": finding.position,
        "zh": finding.zh,
        "en": finding.en,
    }


def _line(number: int, line: LineVerdict) -> dict[str, Any]:
    return {
        "number": number,
        "text": line.text,
        "type": line.type,
        "type_name": {"zh": line.type_zh, "en": line.type_en},
        "pattern": line.pattern,
        "rhyme": line.rhyme,
        "fits": line.fits,
        "characters": [
            {
                "character": item.character,
                "tone": item.tone,
                "wanted": item.wanted,
                "state": item.state,
                "is_rhyme": item.is_rhyme,
                "readings": [{"tone": reading.tone, "rhyme": reading.rhyme} for reading in item.readings],
            }
            for item in line.characters
        ],
    }
