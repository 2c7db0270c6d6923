"""A form with the writer's wishes laid over it: what each place of the poem must be.

A plan is made once for a request. Places that the writer fixed (the first characters of an acrostic, whole locked
lines) are forced; what lies between them is free, under the tones of one variant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from backend.errors import ProsodyError
from backend.prosody.forms import Form, Line, Variant
from backend.prosody.regulated import fit_line, misses
from backend.prosody.tables import Book

Fixed = dict[tuple[int, int], str]  # (line, place in the line) -> character, both from 0


@dataclass(frozen=True, slots=True)
class Place:
    """One character of the poem."""

    tones: str  # wanted from here to the end of the line or to the next fixed character
    ends_line: bool  # whether those tones end the line
    letter: str  # the line's rhyme slot, ""; it counts where ``ends_line``
    fixed: str  # the character that must stand here, ""
    line: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A variant, place by place. ``marks`` has what is written after each line."""

    variant: str
    lines: tuple[Line, ...]
    places: tuple[Place, ...]
    marks: tuple[str, ...]
    bounds: tuple[int, ...]  # number of characters before the end of each line

    def free_slots(self, letter: str, position: int) -> list[str]:
        """Tones of the rhyme slots of a letter from ``position`` on that no fixed character fills."""
        ends = ((bound - 1, line) for bound, line in zip(self.bounds, self.lines, strict=True))
        return [
            line.tones[-1]
            for place, line in ends
            if line.rhyme == letter and place >= position and not self.places[place].fixed
        ]

    def fixed_run(self, position: int) -> str:
        """The fixed characters that stand at ``position`` and directly behind it in the same line."""
        run = ""
        for place in self.places[position : self.bounds[self.places[position].line]]:
            if not place.fixed:
                break
            run += place.fixed
        return run


def acrostic_places(text: str, num_lines: int) -> Fixed:
    """An acrostic (藏头) at the head of every line, or of every couplet.

    Raises:
        ProsodyError: its length is neither.
    """
    if len(text) == num_lines:
        return {(line, 0): character for line, character in enumerate(text)}
    if 2 * len(text) == num_lines:
        return {(2 * couplet, 0): character for couplet, character in enumerate(text)}
    raise ProsodyError(
        f"An acrostic for {num_lines} lines has {num_lines} characters (a line each) or {num_lines // 2} "
        f"(a couplet each), not {len(text)}.",
        f"{num_lines}句的藏头应为{num_lines}字（每句一字）或{num_lines // 2}字（每联一字），不是{len(text)}字。",
    )


def locked_places(locked: Mapping[int, str], form: Form) -> Fixed:
    """Whole lines that stay as they are, by number from 1.

    Raises:
        ProsodyError: a number that the form lacks, or a line of another length.
    """
    lengths = form.variants[0].lengths
    fixed: Fixed = {}
    for number, text in locked.items():
        if not 1 <= number <= len(lengths):
            raise ProsodyError(
                f"{form.name} has {len(lengths)} lines; line {number} can't be kept.",
                f"{form.name}有{len(lengths)}句，没有第{number}句可以保留。",
            )
        if len(text) != lengths[number - 1]:
            raise ProsodyError(
                f"Line {number} of {form.name} has {lengths[number - 1]} characters; {text!r} has {len(text)}.",
                f"{form.name}第{number}句应为{lengths[number - 1]}字，“{text}”有{len(text)}字。",
            )
        fixed.update({(number - 1, place): character for place, character in enumerate(text)})
    return fixed


def choose_variants(
    form: Form, opening: str | None, first_line_rhymes: bool | None, variant: str | None
) -> Sequence[Variant]:
    """The variants of a form that a writer's choices leave; of a ci the first.

    Raises:
        ProsodyError: none is left.
    """
    found = [
        item
        for item in form.variants
        if (variant is None or item.name == variant)
        and (not form.is_regulated or opening is None or item.name.startswith(opening))
        and (not form.is_regulated or first_line_rhymes is None or bool(item.lines[0].rhyme) == first_line_rhymes)
    ]
    if not found:
        names = "、".join(item.name for item in form.variants if item.name) or "-"
        raise ProsodyError(f"{form.name} has no such variant; it has {names}.", f"{form.name}没有这种格式；有{names}。")
    return found if form.is_regulated else found[:1]


def make_plans(form: Form, fixed: Fixed, book: Book, variants: Sequence[Variant]) -> list[Plan]:
    """Plans for those of the variants that admit what is fixed.

    Raises:
        ProsodyError: none does; says which character is in the way.
    """
    plans, obstacles = [], []
    for variant in variants:
        if variant.lengths != variants[0].lengths:
            continue  # one request has one shape: the first variant's
        lines = list(variant.lines)
        obstacle = _admit(lines, fixed, book)
        if obstacle is None:
            plans.append(_lay_out(variant.name, lines, fixed))
        else:
            obstacles.append(obstacle)
    if plans:
        return plans
    line, place = min(obstacles, key=lambda item: item)
    character = fixed[line, place]
    raise ProsodyError(
        f"{character!r}, character {place + 1} of line {line + 1}, does not fit the tones of {form.name}.",
        f"第{line + 1}句第{place + 1}字“{character}”与{form.name}的平仄不合。",
    )


def _admit(lines: list[Line], fixed: Fixed, book: Book) -> tuple[int, int] | None:
    """Makes room for the fixed characters where the rules have a licence for them (拗救); the first that no rule
    admits is returned."""
    for number, line in enumerate(lines):
        here = {place: character for (at, place), character in fixed.items() if at == number}
        if not here:
            continue
        classes = [
            "".join(sorted({r.tone_class for r in book.readings(here[place], ends_line=place == len(line) - 1)}))
            if place in here
            else ""
            for place in range(len(line))
        ]
        unknown = [place for place, character in here.items() if not book.readings(character)]
        if unknown:
            return number, unknown[0]
        if not line.type:
            wrong = misses(classes, line.tones)
            if wrong:
                return number, wrong[0]
            continue
        following = [""] * len(line) if line.type == "a" else None
        fitted = fit_line(classes, line.type, following)
        if fitted.wrong:
            return number, fitted.wrong[0]
        lines[number] = Line(fitted.pattern, line.rhyme, line.after, line.type)
        if fitted.licence == "couplet-saved":
            after = lines[number + 1]
            saved = after.tones[:-3] + "P" + after.tones[-2:]
            lines[number + 1] = Line(saved, after.rhyme, after.after, after.type)
            kept = fixed.get((number + 1, len(after) - 3))
            if kept and not any(reading.is_level for reading in book.readings(kept)):
                return number, len(line) - 2
    return None


def _lay_out(name: str, lines: Sequence[Line], fixed: Fixed) -> Plan:
    places = []
    for number, line in enumerate(lines):
        for start in range(len(line)):
            end = next((place for place in range(start, len(line)) if (number, place) in fixed), len(line))
            places.append(
                Place(line.tones[start:end], end == len(line), line.rhyme, fixed.get((number, start), ""), number)
            )
    bounds = tuple(accumulate(len(line) for line in lines))
    return Plan(name, tuple(lines), tuple(places), tuple(line.after for line in lines), bounds)
