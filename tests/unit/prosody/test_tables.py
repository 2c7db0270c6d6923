"""Rhyme books: readings, names of rhymes, scripts."""

from __future__ import annotations

import csv
import time

import pytest

from backend.errors import ProsodyError
from backend.prosody.tables import DATA, is_traditional, load_book, to_simplified


def rhymes_of(character: str, *, traditional: bool = False) -> set[str]:
    """Headings without part and number."""
    return {r.rhyme[-1] for r in load_book("pingshui").readings(character, traditional=traditional)}


def test_there_are_106_rhymes_19_groups_and_16_groups() -> None:
    assert len(load_book("pingshui").rhymes) == 106
    assert len(load_book("cilin").rhymes) == 19
    assert len(load_book("tongyun").rhymes) == 16


@pytest.mark.parametrize(
    ("character", "headings"),
    [
        ("先", {"先", "霰"}),  # some public tables lack the first
        ("听", {"青", "径"}),
        ("讲", {"讲"}),
        ("国", {"职"}),
        ("爱", {"队"}),
        ("东", {"东"}),
        ("爲", {"支", "寘"}),
        ("发", {"月"}),
        ("看", {"寒", "翰"}),
        ("白", {"陌"}),  # entering tone, though Mandarin reads it level
    ],
)
def test_a_character_has_all_its_readings(character: str, headings: set[str]) -> None:
    assert rhymes_of(character) == headings


def test_simplified_traditional_and_variant_forms_of_one_word_read_alike() -> None:
    for forms in ("国國", "为為爲", "群羣", "说說説", "听聽", "却卻", "着著"):
        assert len({frozenset(rhymes_of(form)) for form in forms}) == 1, forms


def test_a_merged_character_reads_as_each_of_its_words_in_simplified_text_only() -> None:
    assert rhymes_of("斗") == {"有", "宥"}
    assert rhymes_of("斗", traditional=True) == {"有"}
    assert rhymes_of("鬥") == {"宥"}


def test_a_question_ends_in_不_as_a_level_rhyme_and_nowhere_else() -> None:
    book = load_book("pingshui")
    assert {reading.tone for reading in book.readings("不")} == {"上", "入"}
    assert [reading.rhyme for reading in book.line_readings("不知君老不")[-1]][-1] == "下平十一尤"
    assert all(reading.tone != "平" for reading in book.line_readings("不知君老不")[0])


def test_拼_stands_for_拚_and_并_is_level_in_the_name_of_a_place() -> None:
    assert rhymes_of("拚") < rhymes_of("拼")
    assert "庚" in rhymes_of("并")
    assert to_simplified("拚") == "拚"


@pytest.mark.parametrize(
    ("character", "group"),
    [("杯", "第三部"), ("来", "第五部"), ("元", "第七部"), ("门", "第六部"), ("佳", "第十部"), ("街", "第五部")],
)
def test_rhymes_that_ci_divides_fall_into_their_groups(character: str, group: str) -> None:
    assert group in {reading.rhyme for reading in load_book("cilin").readings(character)}


def test_mandarin_tones_decide_in_tongyun() -> None:
    (reading,) = load_book("tongyun").readings("国")
    assert (reading.tone_class, reading.rhyme) == ("P", "二喔")


@pytest.mark.parametrize(
    ("book", "name", "rhyme"),
    [
        ("pingshui", "尤", "下平十一尤"),
        ("pingshui", "十一尤", "下平十一尤"),
        ("pingshui", "東韻", "上平一东"),
        ("cilin", "12", "第十二部"),
        ("cilin", "尤", "第十二部"),
        ("tongyun", "安", "十一安"),
    ],
)
def test_a_rhyme_is_found_by_the_names_that_people_use(book: str, name: str, rhyme: str) -> None:
    assert load_book(book).find_rhyme(name) == rhyme  # type: ignore[arg-type]


def test_an_unknown_rhyme_or_book_is_refused_in_both_languages() -> None:
    with pytest.raises(ProsodyError) as refused:
        load_book("pingshui").find_rhyme("喵")
    assert "喵" in refused.value.en
    assert "喵" in refused.value.zh
    with pytest.raises(ProsodyError):
        load_book("nonsense")  # type: ignore[arg-type]


def test_every_correction_and_every_decision_has_its_reason() -> None:
    for name in ("corrections.tsv", "decisions.tsv"):
        with (DATA / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        assert rows
        assert all(row["reason"] for row in rows)


def test_simplifying_changes_no_simplified_text() -> None:
    assert to_simplified("頭髮發髮") == "头发发发"
    assert to_simplified("床前明月光") == "床前明月光"


@pytest.mark.parametrize(
    ("text", "traditional"),
    [
        ("國破山河在城春草木深", True),
        ("国破山河在城春草木深", False),
        ("生公手种殿前树馀香", False),  # one character that the editors left as it was
        ("白日依山盡", True),
        ("人闲桂花落", False),
        ("床前明月光", False),
    ],
)
def test_the_script_of_a_text_is_told_by_most_of_its_characters(text: str, traditional: bool) -> None:
    assert is_traditional(text) == traditional


def test_the_table_loads_in_milliseconds() -> None:
    load_book.cache_clear()
    started = time.perf_counter()
    load_book("pingshui")
    assert time.perf_counter() - started < 0.1
