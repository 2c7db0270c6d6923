"""Regulated and old-style forms, and forms by name."""

from __future__ import annotations

import pytest

from backend.errors import ProsodyError
from backend.prosody.catalog import all_forms, find_form, understand
from backend.prosody.forms import make_old, make_regulated

SEQUENCES = {  # of eight lines, by the opening and whether the first line rhymes
    5: {
        "仄起不入韵": "aBbAaBbA",
        "仄起入韵": "ABbAaBbA",
        "平起不入韵": "bAaBbAaB",
        "平起入韵": "BAaBbAaB",
    },
    7: {
        "平起不入韵": "aBbAaBbA",
        "平起入韵": "ABbAaBbA",
        "仄起不入韵": "bAaBbAaB",
        "仄起入韵": "BAaBbAaB",
    },
}


@pytest.mark.parametrize("length", [5, 7])
@pytest.mark.parametrize("num_lines", [4, 8, 12])
def test_the_four_sequences_are_those_of_the_handbooks(length: int, num_lines: int) -> None:
    for variant in make_regulated(length, num_lines).variants:
        types = "".join(line.type for line in variant.lines)
        expected = SEQUENCES[length][variant.name]
        assert types[:8] == expected[:num_lines]
        assert types[8:] == expected[4:8][: num_lines - 8 if num_lines > 8 else 0]


def test_even_lines_rhyme_and_odd_ones_after_the_first_end_oblique() -> None:
    for variant in make_regulated(7, 8).variants:
        for number, line in enumerate(variant.lines, 1):
            assert bool(line.rhyme) == (number % 2 == 0 or (number == 1 and variant.name.endswith("起入韵")))
            assert line.tones[-1] == ("P" if line.rhyme else "Z")


def test_a_poem_is_laid_out_a_couplet_a_line() -> None:
    lines = make_regulated(5, 4).variants[0].lines
    assert [line.after for line in lines] == ["，", "。\n", "，", "。"]


@pytest.mark.parametrize(
    ("name", "form"),
    [("七律", "七律"), ("五言绝句", "五绝"), ("七言律詩", "七律"), ("五排", "五排"), ("七言古詩", "七古")],
)
def test_a_form_has_its_usual_names_in_both_scripts(name: str, form: str) -> None:
    assert find_form(name).name == form


def test_an_open_name_takes_its_number_of_lines() -> None:
    assert len(find_form("五排", 20).variants[0].lines) == 20
    assert len(find_form("七古", 6).variants[0].lines) == 6
    assert understand("古风").length is None


@pytest.mark.parametrize(("name", "lines"), [("八律", None), ("七律", 6), ("五排", 8), ("五排", 11), ("", None)])
def test_what_is_no_form_is_refused(name: str, lines: int | None) -> None:
    with pytest.raises(ProsodyError):
        find_form(name, lines)


def test_impossible_shapes_are_refused() -> None:
    for make in (make_regulated, make_old):
        with pytest.raises(ProsodyError):
            make(6, 8)
        with pytest.raises(ProsodyError):
            make(5, 7)


def test_regulated_old_style_and_ci_are_all_listed() -> None:
    kinds = {form.kind for form in all_forms()}
    assert kinds == {"regulated", "old", "ci"}
    names = [form.name for form in all_forms()]
    assert len(names) == len(set(names))
    assert sum(form.kind == "ci" for form in all_forms()) >= 24
