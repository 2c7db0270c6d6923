"""Templates of ci tunes, induced from the Song ci that were written to them.

For each shape (lengths of lines) that enough ci of a tune have:

1. A line rhymes if most of the ci end it in 。 (the collection marks rhymes so); rhyming lines whose last characters
   mostly share a group of 词林正韵 get one letter.
2. A character is P or Z if nearly all ci have that tone there, counting characters of one tone alone; else x. A line
   that several shapes have in the same place is counted over all of them, and so are the stanzas of tunes that
   repeat one stanza.
3. Where two characters of a line go by turns (仄…平 or 平…仄), the ci are divided and each part gets its template.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations

from backend.corpus.tunes import Ci, groups, tone
from backend.prosody.forms import Line, Variant

FIXED, FIXED_ODD = 0.92, 0.95  # share of one tone that makes a character P or Z; the rhythm is in the even ones
FIXED_RHYME = 0.85  # the same for a rhyme: strays are misprints and readings that the book lacks
SAME = 0.15  # difference of that share between two stanzas that makes no difference
RHYMING = 0.8  # share of ci that end a line in 。 if it rhymes
AGREEING = 0.6  # share of ci whose two lines rhyme, if the lines have one letter; by chance it is 0.1
TURNING = 0.8  # share of ci whose two characters agree (or differ) if they go by turns
SHARE, FEWEST = 0.025, 6  # of a tune's ci that a shape needs to get a template
POOL = 10  # ci that tones are counted over at least, except for a tune's main shape
SPLIT_SHARE, SPLIT_FEWEST = 0.07, 25  # of the ci counted together that each part needs when they are divided
USUAL = 0.3  # of a tune's ci that a shape has for its ci to be divided
MOST_PARTS = 4
NUMBERS = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥"


@dataclass
class _Shape:
    """The ci of one shape and one kind of rhyme, and where they rhyme."""

    poems: list[Ci]
    tone: str  # of the rhymes; "" for tunes that have both
    letters: dict[int, str]  # by line

    @property
    def key(self) -> tuple[str, int, tuple[int, ...]]:
        """What shapes that are counted together have in common."""
        ends = list(accumulate(self.poems[0].shape))
        return self.tone, ends[-1], tuple(ends[line] for line in self.letters)


def induce(poems: Sequence[Ci], fact: dict[str, object]) -> list[tuple[Variant, int]]:
    """Templates with the number of ci that each rests on, the most usual first.

    Args:
        fact: the tune's entry in the facts file; it tells the stanzas and whether the tune has level and oblique
            rhymes together.
    """
    shapes = _shapes(poems, mixed=len(set(str(fact["rhymes"])) & set("平仄")) > 1)
    pools: dict[object, list[Ci]] = {}
    for shape in shapes:
        pools.setdefault(shape.key, []).extend(shape.poems)
    made = []
    for number, shape in enumerate(shapes):
        pool = pools[shape.key]
        if number and len(pool) < POOL:
            continue
        lengths = shape.poems[0].shape
        usual = len(shape.poems) >= USUAL * len(poems)
        for part in _parts(pool, lengths) if usual else [pool]:
            support = round(len(shape.poems) * len(part) / len(pool))
            if part is not pool and support < SHARE * len(poems):
                continue
            made.append((_lines(part, lengths, shape.letters, fact), shape.tone, support))
    made.sort(key=lambda item: -item[2])
    names = _names([(sum(map(len, lines)), tones) for lines, tones, _ in made])
    return [(Variant(name, lines), support) for name, (lines, _, support) in zip(names, made, strict=True)]


def _shapes(poems: Sequence[Ci], mixed: bool) -> list[_Shape]:
    found: dict[tuple[object, str], list[Ci]] = {}
    for poem in poems:
        found.setdefault((poem.shape, "" if mixed else poem.rhyme_tone), []).append(poem)
    enough = max(FEWEST, SHARE * len(poems))
    shapes = [_Shape(some, tones, _letters(some)) for (_, tones), some in found.items() if len(some) >= enough]
    return sorted(shapes, key=lambda shape: -len(shape.poems))


def _letters(poems: Sequence[Ci]) -> dict[int, str]:
    """The rhyme's letter for each rhyming line."""
    count = len(poems)
    slots = [line for line in range(len(poems[0].lines)) if sum(poem.stops[line] for poem in poems) >= RHYMING * count]

    def rhyme(first: int, second: int) -> bool:
        shared = sum(bool(groups(poem.lines[first][-1]) & groups(poem.lines[second][-1])) for poem in poems)
        return shared >= AGREEING * count

    letters: dict[int, str] = {}
    for slot in slots:
        known = [letters[other] for other in letters if rhyme(other, slot)]
        letters[slot] = known[-1] if known else chr(ord("a") + len(set(letters.values())))
    alone = {letter for letter, number in Counter(letters.values()).items() if number == 1}
    return {slot: letter for slot, letter in letters.items() if letter not in alone}


def _parts(pool: list[Ci], lengths: tuple[int, ...]) -> list[list[Ci]]:
    """The pool, divided where characters of a line go by turns; ci with a character of either tone there drop out."""
    parts = [pool]
    while len(parts) < MOST_PARTS:
        for part in sorted(parts, key=len, reverse=True):
            place = _turning_place(part, lengths)
            if place is not None:
                parts.remove(part)
                parts += [[poem for poem in part if _tones(poem)[place] == kind] for kind in "PZ"]
                break
        else:
            break
    return parts


def _turning_place(poems: list[Ci], lengths: tuple[int, ...]) -> int | None:
    """The character at which to divide: the first of two in a line that go by turns most strictly."""
    fewest = max(SPLIT_FEWEST, SPLIT_SHARE * len(poems))
    rows = [_tones(poem) for poem in poems]
    best: tuple[float, int] | None = None
    start = 0
    for length in lengths:
        # The even characters carry the rhythm; the others are free so often that they'd turn by chance.
        for first, second in combinations(range(start + 1, start + length, 2), 2):
            pairs = Counter(row[first] + row[second] for row in rows if "?" not in row[first] + row[second])
            same, other = pairs["PP"] + pairs["ZZ"], pairs["PZ"] + pairs["ZP"]
            small = min(pairs["PP"] + pairs["PZ"], pairs["ZP"] + pairs["ZZ"])
            strict = max(same, other) / max(1, same + other)
            if small >= fewest and strict >= TURNING and (best is None or strict > best[0]):
                best = (strict, first)
        start += length
    return None if best is None else best[1]


def _tones(poem: Ci) -> str:
    return "".join(map(tone, "".join(poem.lines)))


def _lines(
    poems: list[Ci], lengths: tuple[int, ...], letters: dict[int, str], fact: dict[str, object]
) -> tuple[Line, ...]:
    columns = _columns(poems, lengths)
    ends = list(accumulate(lengths))
    pause = _stanza_end(ends, letters, fact)
    lines = []
    for number, (end, length) in enumerate(zip(ends, lengths, strict=True)):
        stop = number in letters or number == len(lengths) - 1
        after = "，" if not stop else "。" if end == ends[-1] else "。\n\n" if number == pause else "。\n"
        shares = [FIXED if place % 2 else FIXED_ODD for place in range(length)]
        shares[-1] = FIXED_RHYME if number in letters else FIXED
        tones = "".join(map(_class, columns[end - length : end], shares))
        # Where some ci rhyme in the other tone the rhyme is no rule of the tune.
        rhyme = letters.get(number, "").upper() if tones[-1] != "x" else ""
        lines.append(Line(tones, rhyme, after))
    return tuple(lines)


def _columns(poems: list[Ci], lengths: tuple[int, ...]) -> list[Counter[str]]:
    """How often each character is P, Z or either; together for the stanzas of a tune that repeats its stanza."""
    rows = [(_tones(poem), set(_spans(poem.shape))) for poem in poems]
    columns: list[Counter[str]] = []
    for start, end in _spans(lengths):
        same = [tones for tones, spans in rows if (start, end) in spans]
        counted = same if len(same) >= POOL else [tones for tones, _ in rows]
        columns += [Counter(tones[place] for tones in counted) for place in range(start, end)]
    lines, half = len(lengths) // 2, len(columns) // 2
    if lengths[:lines] == lengths[lines:]:
        for place in range(half):
            first, second = columns[place], columns[place + half]
            if abs(_level(first) - _level(second)) <= SAME:
                columns[place] = columns[place + half] = first + second
    return columns


def _spans(lengths: tuple[int, ...]) -> list[tuple[int, int]]:
    """Where each line begins and ends."""
    return [(end - length, end) for end, length in zip(accumulate(lengths), lengths, strict=True)]


def _level(column: Counter[str]) -> float:
    return column["P"] / max(1, column["P"] + column["Z"])


def _class(column: Counter[str], share: float) -> str:
    wanted = share * (column["P"] + column["Z"])
    return next((kind for kind in "PZ" if wanted and column[kind] >= wanted), "x")


def _stanza_end(ends: list[int], letters: dict[int, str], fact: dict[str, object]) -> int | None:
    """The line that ends the first stanza: the rhyming one nearest to where the handbook has it."""
    first, chars = fact.get("first"), fact["chars"]
    if not isinstance(first, int) or not isinstance(chars, int) or ends[-1] < 0.7 * chars or not letters:
        return None
    return min(letters, key=lambda line: abs(ends[line] - first * ends[-1] / chars))


def _names(kinds: list[tuple[int, str]]) -> list[str]:
    """A name for each variant: its characters, the rhyme's tone if the tune has both, and a number."""
    both = len({tones for _, tones in kinds}) > 1
    bases = [f"{chars}字" + ({"P": "平韵", "Z": "仄韵"}[tones] if both else "") for chars, tones in kinds]
    seen: Counter[str] = Counter()
    names = []
    for base in bases:
        names.append(base + (NUMBERS[seen[base]] if bases.count(base) > 1 else ""))
        seen[base] += 1
    return names
