"""Forms of verse as data: lines of tone classes, rhyme slots and what is written after each line.

One representation for regulated verse (近体诗), old-style verse (古风) and ci tunes (词牌), read by the
checker, the constraint and the grammar. Regulated forms are made here; ci tunes by
``backend.prosody.ci.tunes() -> tuple[Form, ...]``; both are found by name in :mod:`backend.prosody.catalog`.

Rules of regulated verse: four line types of five characters,

    a 仄起仄收 x Z x P Z      A 仄起平收 x Z Z P P      b 平起仄收 x P P Z Z      B 平起平收 P P x Z P

and a seven-character line puts two in front: the first free, the second opposite to the tail's second.
(王力《诗词格律》, chapters 2.3 to 2.5.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Literal

from backend.errors import ProsodyError

Kind = Literal["regulated", "old", "ci"]

LEVEL, OBLIQUE, EITHER = "P", "Z", "x"  # 平, 仄, 中

MAX_LINES = 200  # 排律 has no bound of its own; the longest of 全唐诗 have 200 lines


@dataclass(frozen=True, slots=True)
class Line:
    """What one line must be.

    ``tones`` has a letter a character: P 平, Z 仄, x either. ``rhyme`` is the letter of the rhyme that the
    last character belongs to ("A", "B", ... in order of appearance), "" where the line does not rhyme. Lines
    with the same letter rhyme with each other whatever their tones: whether a slot is level or oblique is
    said by the last letter of ``tones`` (西江月: slots of one letter, some ending in P and some in Z).

    ``after`` is what is written behind the line when the poem is laid out: one punctuation mark and, where
    the written line ends, a line break ("。\\n"), or two at the end of a stanza of a ci ("。\\n\\n"); the
    last line of the poem has its mark alone.
    """

    tones: str
    rhyme: str = ""
    after: str = "，"
    type: str = ""  # regulated verse: a, A, b or B

    def __len__(self) -> int:
        return len(self.tones)


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to write a form, for example 仄起不入韵 of a regulated form or the 定格 of a tune."""

    name: str
    lines: tuple[Line, ...]

    @property
    def lengths(self) -> tuple[int, ...]:
        """Characters of each line."""
        return tuple(len(line) for line in self.lines)

    @property
    def stanzas(self) -> tuple[int, ...]:
        """Lines of each stanza."""
        ends = [number for number, line in enumerate(self.lines, 1) if line.after.endswith("\n\n")]
        edges = [0, *ends, len(self.lines)]
        return tuple(end - start for start, end in pairwise(edges) if end > start)


@dataclass(frozen=True, slots=True)
class Form:
    """A form of verse and its variants, the most usual first."""

    name: str  # 五律, 水调歌头
    kind: Kind
    variants: tuple[Variant, ...]
    aliases: tuple[str, ...] = ()  # other names, traditional characters included
    english: str = ""

    @property
    def is_regulated(self) -> bool:
        """Whether 对, 粘, 孤平 and 三平尾 apply."""
        return self.kind == "regulated"


LINE_TYPES = {"a": "xZxPZ", "A": "xZZPP", "b": "xPPZZ", "B": "PPxZP"}

# Couplets of the four sequences; what follows repeats from the second couplet on.
_SEQUENCES = {
    "aB": ("aB", "bA"),
    "AB": ("AB", "bA", "aB"),
    "bA": ("bA", "aB"),
    "BA": ("BA", "aB", "bA"),
}
_OPENINGS = {"Z": "仄起", "P": "平起"}
_OPPOSITE = {"P": "Z", "Z": "P"}


def line_pattern(line_type: str, length: int) -> str:
    """Tones of a regulated line type (a, A, b, B) of 5 or 7 characters."""
    tail = LINE_TYPES[line_type]
    return tail if length == 5 else EITHER + _OPPOSITE[tail[1]] + tail


def sequence_types(sequence: str, num_lines: int) -> str:
    """Line types of a poem whose first couplet is ``sequence`` (aB, AB, bA or BA)."""
    opening, *rest = _SEQUENCES[sequence]
    if sequence[0].islower():
        rest = [*rest, opening]
    couplets = [opening, *(rest[index % 2] for index in range(num_lines // 2))]
    return "".join(couplets)[:num_lines]


def _after(number: int, num_lines: int) -> str:
    if number % 2:
        return "，"
    return "。" if number == num_lines else "。\n"


def _regulated_variant(sequence: str, length: int, num_lines: int) -> Variant:
    lines = tuple(
        Line(line_pattern(kind, length), "A" if kind.isupper() else "", _after(number, num_lines), kind)
        for number, kind in enumerate(sequence_types(sequence, num_lines), 1)
    )
    rhyming = "入韵" if sequence[0].isupper() else "不入韵"
    return Variant(_OPENINGS[lines[0].tones[1]] + rhyming, lines)


@cache
def make_regulated(length: int, num_lines: int) -> Form:
    """The regulated form of that shape: 绝句 of 4 lines, 律诗 of 8, 排律 of 10 and more.

    Raises:
        ProsodyError: there is none with that many lines.
    """
    if length not in (5, 7) or num_lines % 2 or not 4 <= num_lines <= MAX_LINES or num_lines == 6:
        raise ProsodyError(
            f"There is no regulated form of {num_lines} lines of {length} characters: "
            "lines have 5 or 7, and a poem has 4 or 8 lines, or 10 and more in couplets.",
            f"近体诗没有 {num_lines} 句、每句 {length} 字的体裁：每句五字或七字，全诗四句、八句，或十句以上的双数句。",
        )
    number, shape = "五七"[length // 7], {4: "绝", 8: "律"}.get(num_lines, "排")
    full = f"{number}言{'排律' if shape == '排' else shape + ('句' if shape == '绝' else '诗')}"
    english = {"绝": "quatrain", "律": "regulated verse of eight lines", "排": "extended regulated verse"}[shape]
    sequences = ("aB", "AB", "bA", "BA") if length == 5 else ("BA", "AB", "bA", "aB")
    return Form(
        name=number + shape,
        kind="regulated",
        variants=tuple(_regulated_variant(sequence, length, num_lines) for sequence in sequences),
        aliases=(full, number + {"绝": "绝句", "律": "律诗", "排": "排律"}[shape]),
        english=f"{length}-character {english}",
    )


@cache
def make_old(length: int, num_lines: int) -> Form:
    """Old-style verse, where line length alone is a rule.

    The even lines carry a rhyme slot of either tone, which the constraint keeps and the checker reports.

    Raises:
        ProsodyError: no such length or number of lines.
    """
    if length not in (5, 7) or num_lines % 2 or not 2 <= num_lines <= MAX_LINES:
        raise ProsodyError(
            f"Old-style verse has lines of 5 or 7 characters in couplets, not {num_lines} lines of {length}.",
            f"古风每句五字或七字、句数成双，不能是 {num_lines} 句、每句 {length} 字。",
        )
    lines = tuple(
        Line(EITHER * length, "" if number % 2 else "A", _after(number, num_lines))
        for number in range(1, num_lines + 1)
    )
    digit = "五七"[length // 7]
    return Form(
        digit + "古",
        "old",
        (Variant("", lines),),
        (f"{digit}言古诗", f"{digit}言古风"),
        f"{length}-character old-style verse",
    )
