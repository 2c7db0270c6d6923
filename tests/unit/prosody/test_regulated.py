"""Line types and 拗救: the rules, vector by vector."""

from __future__ import annotations

from itertools import product

import pytest

from backend.prosody.regulated import fit_line, fit_poem
from backend.prosody.tables import load_book


def classes(text: str) -> list[str]:
    """P, Z or PZ for each character of a line."""
    book = load_book("pingshui")
    return ["".join(sorted({r.tone_class for r in book.readings(c)})) for c in text]


def test_a_rescue_in_the_next_line_makes_good_five_oblique_tones() -> None:
    upper, lower = classes("野火烧不尽"), classes("春风吹又生")
    fitted = fit_line(upper, "a", lower)
    assert (fitted.licence, fitted.wrong) == ("couplet-saved", ())


def test_without_the_rescue_the_same_line_is_a_fault() -> None:
    fitted = fit_line(classes("野火烧不尽"), "a", classes("月色照孤城"))
    assert fitted.fault == "unsaved"


def test_a_line_that_saves_itself_fits() -> None:
    fitted = fit_line(classes("故园今若何"), "B", None)
    assert (fitted.licence, fitted.wrong) == ("self-saved", ())


def test_a_lone_level_is_a_fault_at_its_place() -> None:
    fitted = fit_line(classes("臂悬两角弓"), "B", None)
    assert (fitted.fault, fitted.wrong) == ("lone-level", (0,))


def test_three_level_tones_at_the_end_are_a_fault() -> None:
    fitted = fit_line(list("ZZPPP"), "A", None)
    assert (fitted.fault, fitted.wrong) == ("three-level", (2,))


def test_three_oblique_tones_at_the_end_are_tolerated() -> None:
    assert fit_line(list("ZPZZZ"), "b", None).licence == "three-oblique"


def test_the_special_line_wants_a_level_first_character() -> None:
    assert fit_line(list("PPZPZ"), "b", None).licence == "special"
    assert fit_line(list("ZPZPZ"), "b", None).wrong == (0,)


def test_level_and_entering_readings_of_xian_are_told_apart_by_the_line() -> None:
    # 先 must be level in 出师未捷身先死 (平平仄仄平平仄 in seven characters)
    fitted = fit_line(classes("出师未捷身先死"), "a", classes("长使英雄泪满襟"))
    assert fitted.wrong == ()
    assert fitted.pattern[5] == "P"


ACCEPTED = {
    "a": {"xZxPZ"},
    "A": {"xZZPP"},
    "b": {"xPPZZ", "PPZPZ", "xPZZZ"},
    "B": {"PPxZP", "ZPPZP"},
}


def _matches(tones: str, pattern: str) -> bool:
    return all(wanted in ("x", tone) for tone, wanted in zip(tones, pattern, strict=True))


@pytest.mark.parametrize("line_type", "aAbB")
def test_every_one_of_the_32_tone_sequences_is_judged_as_the_table_says(line_type: str) -> None:
    for letters in product("PZ", repeat=5):
        tones = "".join(letters)
        fitted = fit_line(list(tones), line_type, None)
        assert (not fitted.wrong) == any(_matches(tones, p) for p in ACCEPTED[line_type]), tones


@pytest.mark.parametrize("line_type", "aAbB")
def test_seven_characters_put_a_free_one_and_an_opposite_one_in_front(line_type: str) -> None:
    for letters in product("PZ", repeat=5):
        tail = list(letters)
        if fit_line(tail, line_type, None).wrong:
            continue
        opposite = "P" if line_type in "aA" else "Z"
        assert not fit_line([*"PP"[:1], opposite, *tail], line_type, None).wrong
        assert not fit_line([*"Z", opposite, *tail], line_type, None).wrong
        other = "Z" if opposite == "P" else "P"
        assert fit_line(["P", other, *tail], line_type, None).wrong


def test_contrast_and_adhesion_are_reported_where_they_fail() -> None:
    regular = ["ZZPPZ", "PPZZP", "PPPZZ", "ZZZPP"]
    assert not fit_poem(regular).lacks_contrast
    fitted = fit_poem(["ZZPPZ", "PPZZP", "ZZPPZ", "PPZZP"])
    assert fitted.lacks_adhesion == [2]
    assert not fitted.lacks_contrast
    fitted = fit_poem(["ZZPPZ", "ZZZPP", "ZZPPZ", "PPZZP"])
    assert fitted.lacks_contrast == [1]
