"""Writes the table files and prints what was decided."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from backend.prosody.build import decide as deciding
from backend.prosody.build.books import Rhyme, is_han, read_books, read_ci_groups
from backend.prosody.build.mandarin import mandarin_readings, usual_mandarin
from backend.prosody.build.variants import Scripts, fold, read_scripts

DATA = Path(__file__).resolve().parent.parent / "data"
PARTS = ("上平", "下平", "上", "去", "入")

Row = tuple[Rhyme, int]  # a rhyme and the group of 词林正韵


def spread(
    readings: dict[str, set[Rhyme]], scripts: Scripts, books: list[dict[str, object]]
) -> tuple[dict[str, set[Rhyme]], dict[str, set[Rhyme]]]:
    """Readings by written form: (of the form as a word, added where the text is simplified)."""
    own: dict[str, set[Rhyme]] = {}
    forms = filter(is_han, set(scripts.simplified) | set(scripts.traditional) | set(readings).union(*books))
    for form in forms:
        words = scripts.traditional.get(scripts.simplified.get(form, form), ())
        if scripts.is_invented(form):
            own[form] = set().union(*(readings.get(word, set()) for word in words))
        else:
            own[form] = set(readings.get(scripts.word(form), ())) or (
                set().union(*(readings.get(word, set()) for word in words))
            )
        if not own[form] and form in readings:
            own[form] = set(readings[form])
    merged = {
        form: set().union(*(own.get(word, set()) for word in words)) - own.get(form, set())
        for form, words in scripts.traditional.items()
        if form in words and len(words) > 1
    }
    return own, merged


def write_pingshui(tables: tuple[dict[str, set[Rhyme]], ...], groups: deciding.CiGroups) -> None:
    """pingshui.tsv: a row for each rhyme and group of 词林正韵, and a column for each of the three tables."""
    rows: dict[Row, tuple[list[str], ...]] = defaultdict(lambda: ([], [], []))
    for column, table in enumerate(tables):
        for form in sorted(table):
            for rhyme in table[form]:
                rows[rhyme, groups.of(form, rhyme)][column].append(form)
    order = sorted(rows, key=lambda row: (PARTS.index(row[0].part), number(row[0].heading), row[1]))
    lines = ["tone\tpart\theading\tci\tcharacters\tsimplified\tfinal"]
    for rhyme, group in order:
        columns = (rhyme.tone, rhyme.part, rhyme.heading, str(group), *map("".join, rows[rhyme, group]))
        lines.append("\t".join(columns))
    (DATA / "pingshui.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def number(heading: str) -> int:
    """The number that a heading begins with: 二十一马 is 21."""
    digits = "零一二三四五六七八九"
    tens, _, ones = heading[:-1].rpartition("十")
    ten = (digits.index(tens) if tens else 1) if "十" in heading[:-1] else 0
    return 10 * ten + (digits.index(ones) if ones else 0)


def write_mandarin(characters: list[str]) -> None:
    """tongyun.tsv: a row for each group and tone of 中华通韵; usual_tongyun.tsv: the tones that phrases really use."""
    table = mandarin_readings(characters)
    lines = ["group\ttone\tcharacters"]
    for (group, tone), members in table.items():
        lines.append(f"{group}\t{tone}\t{''.join(members)}")
    (DATA / "tongyun.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    usual = ["tone\tcharacters", *(f"{tone}\t{''.join(members)}" for tone, members in usual_mandarin(table).items())]
    (DATA / "usual_tongyun.tsv").write_text("\n".join(usual) + "\n", encoding="utf-8")


def write_decisions(decisions: deciding.Decisions) -> None:
    """decisions.tsv: every disputed reading (character and rhyme heading) under the rule that settled it."""
    lines = ["rule\tkept\thave it\tlack it\treadings\treason\tcharacters"]
    for rule, (kept, reason) in deciding.RULES.items():
        for (name, yes, no), items in sorted(decisions.log.items()):
            if name == rule:
                row = (rule, "yes" if kept else "no", yes, no, str(len(items)), reason, " ".join(items))
                lines.append("\t".join(row))
    (DATA / "decisions.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Read, compare, decide, write."""
    scripts = read_scripts()
    raw = read_books({ord(key): value for key, value in scripts.simplified.items()})
    books = {letter: fold(book, scripts) for letter, book in raw.items()}
    decisions = deciding.decide(books)
    corrections = list(deciding.read_corrections(DATA / "corrections.tsv"))
    idle = deciding.correct(decisions.readings, corrections)
    own, merged = spread(decisions.readings, scripts, [dict(book) for book in raw.values()])
    final = deciding.final_readings(decisions.readings, corrections)
    write_pingshui((own, merged, final), deciding.CiGroups(read_ci_groups(), books, scripts.simplified))
    write_mandarin(sorted(form for form, readings in own.items() if readings))
    pairs = sorted(scripts.simplified.items())
    text = "\n".join("".join(pair[side] for pair in pairs) for side in (0, 1))
    (DATA / "simplified.txt").write_text(text + "\n", encoding="utf-8")
    write_decisions(decisions)
    print(f"{sum(map(bool, own.values())):,} characters, {sum(map(len, own.values())):,} readings")
    for rule, (kept, _) in deciding.RULES.items():
        if rule == "all":
            continue
        count = sum(len(items) for (name, _, _), items in decisions.log.items() if name == rule)
        print(f"{rule:14} {'kept' if kept else 'dropped':8} {count:6,}")
    for line in idle:
        print(f"correction without effect: {line}")


if __name__ == "__main__":
    main()
