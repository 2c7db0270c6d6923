"""How disagreements between the rhyme books are decided, and the state of the files that record it."""

from __future__ import annotations

import csv

import pytest

from backend.prosody.build.books import Reading, Rhyme
from backend.prosody.build.decide import RULES, Correction, correct, decide, rule_for
from backend.prosody.tables import DATA, load_book

EAST, WINTER = Rhyme("平", "上平", "一东"), Rhyme("平", "上平", "二冬")


@pytest.mark.parametrize(
    ("yes", "no", "rule"),
    [
        ("ABCDE", "", "all"),
        ("AB", "CDE", "both lists"),
        ("E", "ABCD", "addition"),
        ("CDE", "AB", "majority"),
        ("BC", "DE", "tie, listed"),
        ("C", "D", "tie, unlisted"),
        ("CE", "ABD", "minority"),
        ("A", "BCDE", "minority"),
    ],
)
def test_a_reading_is_settled_by_who_has_it(yes: str, no: str, rule: str) -> None:
    assert rule_for(set(yes), set(no)) == rule


def test_what_is_settled_is_logged() -> None:
    books = {letter: {"x": {Reading(EAST, "东")}} for letter in "ABCD"}
    books["C"]["x"].add(Reading(WINTER, "冬"))
    decisions = decide(books)
    assert decisions.readings["x"] == {EAST}
    assert decisions.log["minority", "C", "ABD"] == ["x冬"]


def test_corrections_add_remove_and_alias_and_tell_when_they_are_idle() -> None:
    readings = {"x": {EAST}, "y": {WINTER}}
    corrections = [
        Correction("add", "x", "冬", "a reason"),
        Correction("remove", "x", "东", "a reason"),
        Correction("alias", "z", "y", "a reason"),
        Correction("add", "y", "冬", "idle"),
    ]
    assert correct(readings, corrections) == ["add y 冬"]
    assert readings == {"x": {WINTER}, "y": {WINTER}, "z": {WINTER}}


def test_the_corrections_are_in_the_table() -> None:
    book = load_book("pingshui")
    with (DATA / "corrections.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            headings = {r.rhyme[-1] for r in book.readings(row["character"], traditional=True)}
            at_end = {r.rhyme[-1] for r in book.readings(row["character"], ends_line=True)}
            if row["action"] == "alias":
                assert {r.rhyme[-1] for r in book.readings(row["value"], traditional=True)} <= headings
            elif row["action"] == "final":
                assert row["value"] in at_end - headings
            else:
                assert (row["value"] in headings) == (row["action"] == "add"), row


def test_the_log_of_decisions_agrees_with_the_rules() -> None:
    with (DATA / "decisions.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows:
        assert rule_for(set(row["have it"]), set(row["lack it"])) == row["rule"]
        assert (row["kept"] == "yes") == RULES[row["rule"]][0]
        assert len(row["characters"].split()) == int(row["readings"])
