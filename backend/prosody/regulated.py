"""Line types, 拗救, 对 and 粘 of regulated verse.

Each line is fitted to a line type, and the types to each other, with the fewest faults over the whole poem: a
shortest path through the lines, in which a line out of its type costs a fault for each character and a couplet out
of step (失对, 失粘) one. A poem with no fault has one of the four sequences of :mod:`backend.prosody.forms`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from backend.prosody.forms import LINE_TYPES, line_pattern

# Further tails that are accepted: (type, tail, name of the licence).
# 王力《诗词格律》2.4: 平平仄平仄 for 平平平仄仄; 孤平拗救 inside the line; 三仄尾 is tolerated.
LICENCES = (
    ("b", "PPZPZ", "special"),
    ("b", "xPZZZ", "three-oblique"),
    ("B", "ZPPZP", "self-saved"),
    ("a", "xZxZZ", "couplet-saved"),
)
COSTS = {"": 0.0, "special": 0.001, "self-saved": 0.001, "couplet-saved": 0.001, "three-oblique": 0.01}

Classes = Sequence[str]  # for each character: P, Z, PZ, or "" where it is unknown


@dataclass(frozen=True, slots=True)
class FittedLine:
    """A line under one type: the pattern that it comes nearest to, and where it misses it."""

    type: str
    pattern: str
    licence: str  # "", or one of LICENCES
    wrong: tuple[int, ...]  # positions from 0
    fault: str = ""  # the name of the fault: tone, lone-level, three-level, unsaved

    @property
    def cost(self) -> float:
        """Faults, and a little for a licence so that the plain type wins a tie."""
        return len(self.wrong) + COSTS[self.licence]


@dataclass(slots=True)
class FittedPoem:
    """The line types that fit best, and where couplets are out of step (numbers of lines from 0)."""

    lines: list[FittedLine] = field(default_factory=list)
    lacks_contrast: list[int] = field(default_factory=list)  # 失对: the second line of a couplet
    lacks_adhesion: list[int] = field(default_factory=list)  # 失粘: the first line of a couplet


def misses(classes: Classes, pattern: str) -> tuple[int, ...]:
    """Positions whose characters have no reading of the tone asked for; an unknown character is never counted."""
    return tuple(
        index
        for index, (tones, wanted) in enumerate(zip(classes, pattern, strict=True))
        if tones and wanted != "x" and wanted not in tones
    )


def fit_line(classes: Classes, line_type: str, following: Classes | None) -> FittedLine:
    """The line under a type. ``following`` is the next line, which may make good a 大拗 (对句救)."""
    length = len(classes)
    plain = line_pattern(line_type, length)
    candidates = [FittedLine(line_type, plain, "", misses(classes, plain))]
    for licensed_type, tail, name in LICENCES:
        if licensed_type != line_type:
            continue
        if name == "couplet-saved" and not (following and "P" in (following[-3] or "P")):
            continue
        pattern = plain[:-5] + tail
        candidates.append(FittedLine(line_type, pattern, name, misses(classes, pattern)))
    best = min(candidates, key=lambda line: line.cost)
    return FittedLine(best.type, best.pattern, best.licence, best.wrong, _name_fault(best, length))


def _name_fault(line: FittedLine, length: int) -> str:
    if not line.wrong:
        return ""
    tail = [index - (length - 5) for index in line.wrong]
    named = {("B", 0): "lone-level", ("A", 2): "three-level", ("a", 3): "unsaved"}
    return named.get((line.type, tail[0]), "tone") if len(tail) == 1 else "tone"


def _allowed(index: int) -> str:
    if index == 0:
        return "aAbB"
    return "AB" if index % 2 else "ab"


def _step(previous: str, current: str, index: int) -> float:
    """1 where the second characters do not stand as 对 (inside a couplet) or 粘 (between couplets) asks."""
    same = LINE_TYPES[previous][1] == LINE_TYPES[current][1]
    return float(same if index % 2 else not same)


def fit_poem(lines: Sequence[Classes]) -> FittedPoem:
    """The best line types for a poem whose lines have 5 or 7 characters each."""
    paths: dict[str, tuple[float, list[FittedLine]]] = {}
    for index, classes in enumerate(lines):
        following = lines[index + 1] if index % 2 == 0 and index + 1 < len(lines) else None
        reached: dict[str, tuple[float, list[FittedLine]]] = {}
        for line_type in _allowed(index):
            fitted = fit_line(classes, line_type, following)
            if not paths:
                reached[line_type] = fitted.cost, [fitted]
                continue
            cost, before = min(
                ((cost + _step(name, line_type, index), path) for name, (cost, path) in paths.items()),
                key=lambda pair: pair[0],
            )
            reached[line_type] = cost + fitted.cost, [*before, fitted]
        paths = reached
    _, best = min(paths.values(), key=lambda pair: pair[0])
    poem = FittedPoem(best)
    for index in range(1, len(best)):
        if _step(best[index - 1].type, best[index].type, index):
            (poem.lacks_contrast if index % 2 else poem.lacks_adhesion).append(index)
    return poem
