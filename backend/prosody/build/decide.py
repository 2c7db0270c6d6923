"""Decides each reading on which the books disagree, and remembers under which rule."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backend.prosody.build.books import Reading, Rhyme, ranked

LISTS = {"A", "B"}  # the two lists of the 106 rhymes

# Rule name -> (kept, why), in the order in which they are tried.
RULES: dict[str, tuple[bool, str]] = {
    "all": (True, "every book that lists the character has the reading"),
    "both lists": (True, "both lists of the 106 rhymes have it: it belongs to 平水韵 as printed"),
    "addition": (False, "增韵 alone has it: an enlargement that the 106 rhymes did not take over"),
    "majority": (True, "more than half of the books that list the character have it"),
    "tie, listed": (True, "half of the books have it, a list of the 106 rhymes among them"),
    "tie, unlisted": (True, "half have it; the lists of the 106 rhymes do not know the character at all"),
    "minority": (False, "fewer than half have it: a rare sense, or a slip of one transcription"),
}

Votes = dict[str, set[str]]  # "yes" and "no": letters of books


@dataclass
class Decisions:
    """What was decided: readings by word, and for each (rule, yes, no) the characters and rhymes it settled."""

    readings: dict[str, set[Rhyme]] = field(default_factory=lambda: defaultdict(set))
    log: dict[tuple[str, str, str], list[str]] = field(default_factory=lambda: defaultdict(list))


def rule_for(yes: set[str], no: set[str]) -> str:
    """The rule that settles a reading which the books ``yes`` have and the books ``no`` lack."""
    present = len(yes) + len(no)
    if not no:
        return "all"
    if yes >= LISTS:
        return "both lists"
    if yes == {"E"}:
        return "addition"
    if 2 * len(yes) > present:
        return "majority"
    if 2 * len(yes) == present and yes & LISTS:
        return "tie, listed"
    if 2 * len(yes) == present and not (yes | no) & LISTS:
        return "tie, unlisted"
    return "minority"


def decide(books: Mapping[str, Mapping[str, set[Reading]]]) -> Decisions:
    """Settles every reading of every word."""
    decisions = Decisions()
    for word in sorted(set().union(*books.values())):
        has = {letter: {r.rhyme for r in book[word]} for letter, book in books.items() if word in book}
        for rhyme in sorted(set().union(*has.values())):
            yes = {letter for letter, rhymes in has.items() if rhyme in rhymes}
            rule = rule_for(yes, set(has) - yes)
            if rule != "all":
                key = rule, "".join(sorted(yes)), "".join(sorted(set(has) - yes))
                decisions.log[key].append(f"{word}{rhyme.heading[-1]}")
            if RULES[rule][0]:
                decisions.readings[word].add(rhyme)
    return decisions


@dataclass(frozen=True)
class Correction:
    """One line of corrections.tsv: add or remove a reading (its rhyme's heading), have one at the end of a line
    alone, or read the character as another."""

    action: str  # add, remove, final or alias
    character: str
    value: str  # a rhyme's heading without its number; for alias, the character to read instead
    reason: str


def read_corrections(path: Path) -> Iterator[Correction]:
    """The corrections; an unknown action is an error of the file."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            assert row["action"] in ("add", "remove", "final", "alias"), row
            yield Correction(row["action"], row["character"], row["value"], row["reason"])


def correct(readings: dict[str, set[Rhyme]], corrections: list[Correction]) -> list[str]:
    """Applies the corrections but the final ones; returns those that change nothing (they should leave the file)."""
    rhymes = {rhyme.heading[-1]: rhyme for values in readings.values() for rhyme in values}
    idle = []
    for item in [item for item in corrections if item.action != "final"]:
        before = set(readings.get(item.character, ()))
        if item.action == "alias":
            after = before | readings[item.value]
        else:
            after = before | {rhymes[item.value]} if item.action == "add" else before - {rhymes[item.value]}
        readings[item.character] = after
        if before == after:
            idle.append(f"{item.action} {item.character} {item.value}")
    return idle


def final_readings(readings: dict[str, set[Rhyme]], corrections: list[Correction]) -> dict[str, set[Rhyme]]:
    """Readings that the end of a line alone has."""
    rhymes = {rhyme.heading[-1]: rhyme for values in readings.values() for rhyme in values}
    return {item.character: {rhymes[item.value]} for item in corrections if item.action == "final"}


class CiGroups:
    """词林正韵 of a reading.

    Nearly all of the 106 rhymes fall into one group; 灰 贿 队, 元 阮 愿, 佳 卦 and 泰 fall apart.

    A character's own entry decides where it names exactly one of its rhyme's groups; else the group of most
    characters under the heading of the 206; else that of most characters of the rhyme.
    """

    SHARE = 0.15  # a group that fewer of a rhyme's characters have is a slip, not a split

    def __init__(
        self,
        entries: Mapping[tuple[str, str], set[int]],
        books: Mapping[str, Mapping[str, set[Reading]]],
        simplified: Mapping[str, str],
    ) -> None:
        self._entries = entries
        self._simplified = simplified
        self._headings: dict[tuple[str, Rhyme], set[str]] = defaultdict(set)
        self._by_heading: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
        self._by_rhyme: dict[Rhyme, Counter[int]] = defaultdict(Counter)
        for letter in "CDE":
            for word, readings in books[letter].items():
                for rhyme, heading in readings:
                    self._headings[word, rhyme].add(heading)
                    self._by_heading[rhyme.tone, heading].update(self._entry(word, rhyme))
                    self._by_rhyme[rhyme].update(self._entry(word, rhyme))

    def _entry(self, word: str, rhyme: Rhyme) -> set[int]:
        tone = rhyme.tone if rhyme.tone in "平入" else "仄"
        return self._entries.get((self._simplified.get(word, word), tone), set())

    def of(self, word: str, rhyme: Rhyme) -> int:
        """The group, 1 to 19."""
        counts = self._by_rhyme[rhyme]
        total = sum(counts.values())
        allowed = {group for group, count in counts.items() if count >= self.SHARE * total}
        named = self._entry(word, rhyme) & allowed
        if len(named) == 1:
            return named.pop()
        for heading in sorted(self._headings[word, rhyme], key=lambda name: (-len(name), name)):
            usual = [group for group in ranked(self._by_heading[rhyme.tone, heading]) if group in allowed]
            if usual:
                return usual[0]
        return ranked(counts)[0]
