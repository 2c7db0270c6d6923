"""Both scripts of a text."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.ui.glyphs import both_scripts, to_traditional


def test_phrases_are_converted_by_what_they_mean_and_single_characters_as_verse_has_them() -> None:
    assert to_traditional("白发三千丈") == "白髮三千丈"
    assert to_traditional("秦时明月汉时关，万里长征人未还") == "秦時明月漢時關，萬里長征人未還"
    assert to_traditional("北斗") == "北斗"


def test_what_came_in_traditional_characters_is_shown_as_it_came() -> None:
    glyphs = both_scripts(["錦瑟", "莊生曉夢迷蝴蝶"])
    assert glyphs.traditional == ("錦瑟", "莊生曉夢迷蝴蝶")
    assert glyphs.simplified == ("锦瑟", "庄生晓梦迷蝴蝶")
    assert glyphs.came_traditional


def test_the_whole_text_tells_the_script_of_its_pieces() -> None:
    assert both_scripts(["云"], of="云：莊生曉夢迷蝴蝶").traditional == ("云",)
    assert both_scripts(["云"]).traditional == ("雲",)


@settings(deadline=None)
@given(st.lists(st.text(max_size=20), max_size=6))
def test_every_piece_keeps_its_length_and_its_place(pieces: list[str]) -> None:
    glyphs = both_scripts(pieces)
    for piece, simplified, traditional in zip(pieces, glyphs.simplified, glyphs.traditional, strict=True):
        assert len(piece) == len(simplified) == len(traditional)
