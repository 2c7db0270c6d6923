"""How a poem stands to one kind of form: regulated verse, old-style verse, a tune.

Each function takes the poem with its readings and gives a :class:`Judgement`; the checker chooses among them and puts
them into words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from backend.prosody import regulated, wording
from backend.prosody.forms import Form, Kind, Variant, make_regulated
from backend.prosody.rhyming import Slot, agree, of_tone, repeated
from backend.prosody.tables import Book, Readings
from backend.prosody.verdict import Finding


@dataclass(frozen=True)
class Poem:
    """Lines with the readings of each character."""

    lines: tuple[str, ...]
    readings: tuple[tuple[Readings, ...], ...]

    @classmethod
    def read(cls, lines: Sequence[str], book: Book, *, traditional: bool) -> Poem:
        """Looks every character up."""
        readings = tuple(book.line_readings(line, traditional=traditional) for line in lines)
        return cls(tuple(lines), readings)

    @property
    def classes(self) -> tuple[tuple[str, ...], ...]:
        """For each character P, Z, PZ, or "" where the book doesn't know it."""
        return tuple(
            tuple("".join(sorted({reading.tone_class for reading in readings})) for readings in line)
            for line in self.readings
        )

    def slot(self, line: int, wanted: str) -> Slot:
        """The line's last character as a rhyme word of tone P, Z or x. Where no reading has that tone, the tone is
        another finding's business, and all readings count."""
        readings = self.readings[line][-1]
        return Slot(line, self.lines[line][-1], of_tone(readings, wanted) or readings, bool(readings))


@dataclass
class Judgement:
    """A poem under one form. ``lines`` are as the form cuts them; lists have an entry a line."""

    form: str
    kind: Kind
    variant: str
    poem: Poem
    patterns: list[str]
    types: list[str]
    letters: list[str]  # of the rhyme slots
    rhymes: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def num_faults(self) -> int:
        """Findings that make the poem unfit."""
        return sum(finding.severity == "fault" for finding in self.findings)

    @property
    def num_faulty_lines(self) -> int:
        """Lines with a fault."""
        return len({finding.line for finding in self.findings if finding.severity == "fault"})


def _unknown(poem: Poem, letters: Sequence[str]) -> list[Finding]:
    return [
        wording.unknown(
            line + 1, index + 1, poem.lines[line][index], at_rhyme=bool(letters[line]) and index + 1 == len(readings)
        )
        for line, readings in enumerate(poem.readings)
        for index, known in enumerate(readings)
        if not known
    ]


def judge_regulated(poem: Poem) -> Judgement:
    """The poem as regulated verse. Its lines must have 5 or 7 characters, and their number must be a form's."""
    fitted = min(map(regulated.fit_poem, _settled_first_lines(poem)), key=_num_wrong)
    letters = ["A" if line.type.isupper() else "" for line in fitted.lines]
    form = make_regulated(len(poem.lines[0]), len(poem.lines))
    patterns = [line.pattern for line in fitted.lines]
    opening = {"Z": "仄起", "P": "平起"}[patterns[0][1]]
    variant = opening + ("入韵" if letters[0] else "不入韵")
    judgement = Judgement(form.name, "regulated", variant, poem, patterns, [x.type for x in fitted.lines], letters)
    findings = judgement.findings
    findings += _unknown(poem, letters)
    for number, line in enumerate(fitted.lines):
        for index in line.wrong:
            character = poem.lines[number][index]
            findings.append(wording.wrong_tone(number + 1, index + 1, character, line.pattern[index], line.fault))
        if line.licence:
            findings.append(wording.licence(line.licence, number + 1))
    findings += [wording.contrast(index + 1) for index in fitted.lacks_contrast]
    findings += [wording.adhesion(index + 1) for index in fitted.lacks_adhesion]
    _judge_regulated_rhyme(judgement)
    return judgement


def _num_wrong(fitted: regulated.FittedPoem) -> int:
    return sum(len(line.wrong) for line in fitted.lines) + len(fitted.lacks_contrast) + len(fitted.lacks_adhesion)


def _settled_first_lines(poem: Poem) -> list[tuple[tuple[str, ...], ...]]:
    """The poem's classes; a first line whose last character can be read either way is read oblique, and first of all
    level where that rhymes."""
    classes = poem.classes
    if classes[0][-1] != "PZ":
        return [classes]
    rhyme = agree([poem.slot(line, "P") for line in range(1, len(poem.lines), 2)]).rhyme
    rhymes = any(reading.is_level and reading.rhyme == rhyme for reading in poem.readings[0][-1])
    return [((*classes[0][:-1], tone), *classes[1:]) for tone in ("PZ" if rhymes else "Z")]


def _judge_regulated_rhyme(judgement: Judgement) -> None:
    poem = judgement.poem
    slots = [poem.slot(line, "P") for line, letter in enumerate(judgement.letters) if letter]
    first, even = (slots[0], slots[1:]) if slots[0].line == 0 else (None, slots)
    agreement = agree(even)
    if agreement.rhyme is None:
        judgement.findings += [wording.out_of_rhyme(s, "？", is_neighbour=False) for s in agreement.outsiders]
        return
    rhyme = judgement.rhymes["A"] = agreement.rhyme
    for slot in agreement.outsiders:
        near = any(reading.neighbours in agreement.neighbours for reading in slot.readings)
        judgement.findings.append(wording.out_of_rhyme(slot, rhyme, is_neighbour=near))
    if first and first.is_known and rhyme not in {reading.rhyme for reading in first.readings}:
        near = any(reading.neighbours in agreement.neighbours for reading in first.readings)
        judgement.findings.append(wording.first_line(first, rhyme, is_neighbour=near))
    judgement.findings += [wording.repeated_rhyme(slot, "fault") for slot in repeated(slots)]


def judge_old(poem: Poem) -> Judgement:
    """The poem as old-style verse: equal length is all that is asked; a rhyme that runs through is reported."""
    num_lines, length = len(poem.lines), len(poem.lines[0])
    letters = ["A" if number % 2 else "" for number in range(num_lines)]
    name = "五七"[length // 7] + "古"
    judgement = Judgement(name, "old", "", poem, ["x" * length] * num_lines, [""] * num_lines, letters)
    agreement = agree([poem.slot(line, "x") for line in range(1, num_lines, 2)])
    if agreement.rhyme and not agreement.outsiders:
        judgement.rhymes["A"] = agreement.rhyme
    judgement.findings += [
        Finding(code="unknown", severity="warning", line=f.line, position=f.position, zh=f.zh, en=f.en)
        for f in _unknown(poem, letters)
    ]
    return judgement


def cut(pieces: Sequence[str], variant: Variant) -> tuple[str, ...] | None:
    """The pieces cut as the variant's lines, or None where lengths differ.

    Where a sentence pauses is the writer's choice; where it rhymes is not: the ends of rhyming lines must be ends
    of pieces.
    """
    if sum(map(len, pieces)) != sum(variant.lengths):
        return None
    text, ends = "".join(pieces), set(accumulate(len(piece) for piece in pieces))
    bounds = list(accumulate(variant.lengths))
    if any(line.rhyme and end not in ends for line, end in zip(variant.lines, bounds, strict=True)):
        return None
    return tuple(text[end - len(line) : end] for line, end in zip(variant.lines, bounds, strict=True))


def judge_tune(pieces: Sequence[str], tune: Form, book: Book, *, traditional: bool) -> Judgement | None:
    """The poem as the tune's variant that it comes nearest to, or None where no variant has its lengths."""
    best: Judgement | None = None
    for variant in tune.variants:
        lines = cut(pieces, variant)
        if lines is None:
            continue
        judgement = _judge_variant(Poem.read(lines, book, traditional=traditional), tune, variant)
        if best is None or judgement.num_faults < best.num_faults:
            best = judgement
    return best


def _judge_variant(poem: Poem, tune: Form, variant: Variant) -> Judgement:
    letters = [line.rhyme for line in variant.lines]
    patterns = [line.tones for line in variant.lines]
    judgement = Judgement(tune.name, tune.kind, variant.name, poem, patterns, [""] * len(letters), letters)
    judgement.findings += _unknown(poem, letters)
    for number, (classes, line) in enumerate(zip(poem.classes, variant.lines, strict=True)):
        for index in regulated.misses(classes, line.tones):
            character = poem.lines[number][index]
            judgement.findings.append(wording.wrong_tone(number + 1, index + 1, character, line.tones[index]))
    for letter in dict.fromkeys(filter(None, letters)):
        slots = [poem.slot(n, line.tones[-1]) for n, line in enumerate(variant.lines) if line.rhyme == letter]
        agreement = agree(slots)
        if agreement.rhyme:
            judgement.rhymes[letter] = agreement.rhyme
        for slot in agreement.outsiders:
            judgement.findings.append(wording.out_of_rhyme(slot, agreement.rhyme or "？", is_neighbour=False))
        judgement.findings += [wording.repeated_rhyme(slot, "note") for slot in repeated(slots)]
    return judgement
