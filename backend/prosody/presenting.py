"""Lines and characters of a verdict, from a judgement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backend.prosody import wording
from backend.prosody.judging import Judgement
from backend.prosody.rhyming import of_tone, with_rhyme
from backend.prosody.tables import Book, Readings
from backend.prosody.verdict import CharacterState, CharacterVerdict, LineVerdict


def _character(
    character: str,
    readings: Readings,
    wanted: str,
    rhyme: str | None,
    is_rhyme: bool,
) -> CharacterVerdict:
    fitting = of_tone(readings, wanted)
    if is_rhyme and rhyme:
        fitting = with_rhyme(fitting, rhyme) or fitting
    counted = fitting or readings
    tone = "".join(sorted({reading.tone_class for reading in counted})) or "?"
    state: CharacterState = "fits" if fitting else ("wrong" if readings else "unknown")
    return CharacterVerdict(
        character=character, readings=counted, tone=tone, wanted=wanted, state=state, is_rhyme=is_rhyme
    )


def line_verdicts(judgement: Judgement) -> tuple[LineVerdict, ...]:
    """The judged lines, a verdict for every character."""
    out_of_rhyme = {f.line for f in judgement.findings if f.code in ("rhyme", "first-line-rhyme")}
    verdicts = []
    for number, text in enumerate(judgement.poem.lines):
        pattern, letter = judgement.patterns[number], judgement.letters[number]
        rhyme = judgement.rhymes.get(letter)
        characters = []
        for index, readings in enumerate(judgement.poem.readings[number]):
            is_rhyme = bool(letter) and index == len(text) - 1
            item = _character(text[index], readings, pattern[index], rhyme, is_rhyme)
            if is_rhyme and number + 1 in out_of_rhyme and item.state == "fits":
                item = replace(item, state="wrong")
            characters.append(item)
        zh, en = wording.type_name(pattern, judgement.types[number])
        verdicts.append(
            LineVerdict(
                text=text,
                characters=tuple(characters),
                pattern=pattern,
                type=judgement.types[number],
                type_zh=zh,
                type_en=en,
                rhyme=letter,
            )
        )
    return tuple(verdicts)


def _bare(character: str, readings: Readings) -> CharacterVerdict:
    return _character(character, readings, "x", None, False)


def bare_lines(lines: Sequence[str], book: Book) -> tuple[LineVerdict, ...]:
    """Lines that no form was found for: readings alone."""
    return tuple(
        LineVerdict(
            text=line,
            characters=tuple(map(_bare, line, book.line_readings(line))),
            pattern="x" * len(line),
        )
        for line in lines
    )
