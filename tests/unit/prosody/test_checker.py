"""The checker's answers: rhyme, unknown characters, scripts, what is no poem, and words for beginners."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.errors import ProsodyError
from backend.prosody.checker import check
from tests.unit.prosody.famous_poems import POEMS

GRASS = "离离原上草，一岁一枯荣。\n野火烧不尽，春风吹又生。\n远芳侵古道，晴翠接荒城。\n又送王孙去，萋萋满别情。"
TOWER = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"


def codes(text: str, form: str = "auto", book: str = "pingshui") -> set[str]:
    """Codes of the faults."""
    return {f.code for f in check(text, form, book).findings if f.severity == "fault"}


def test_grass_on_the_ancient_plain_passes() -> None:
    verdict = check(GRASS)
    assert verdict.fits
    assert (verdict.form, verdict.rhymes) == ("五律", {"A": "下平八庚"})


def test_traditional_text_is_judged_like_simplified() -> None:
    traditional = (
        "離離原上草，一歲一枯榮。\n野火燒不盡，春風吹又生。\n遠芳侵古道，晴翠接荒城。\n又送王孫去，萋萋滿別情。"
    )
    assert check(traditional).findings == check(GRASS).findings


def test_a_rhyme_word_of_another_rhyme_is_a_fault_and_marked() -> None:
    verdict = check(TOWER.replace("楼", "台"))
    assert codes(TOWER.replace("楼", "台")) == {"rhyme"}
    assert verdict.lines[3].characters[4].state == "wrong"
    assert not verdict.rhyme_fits
    assert verdict.tones_fit


def test_a_repeated_rhyme_word_is_a_fault_in_regulated_verse() -> None:
    assert codes(TOWER.replace("楼", "流")) == {"repeated-rhyme"}


def test_a_first_line_may_borrow_a_neighbouring_rhyme_only() -> None:
    near = "碧树绕山东，黄龙入海冬。\n欲穷千里目，更上一层重。"
    assert "lone-goose" in {finding.code for finding in check(near, "五绝").findings}
    far = near.replace("山东", "山前")
    assert "first-line-rhyme" in codes(far, "五绝")


def test_a_first_line_that_could_rhyme_need_not() -> None:
    # 信 is oblique, and level for 伸, which is of this poem's rhyme; the poem was written by the model.
    poem = (
        "江梅已作南枝信，山意还迎北国春。旧日潇湘春色旧，此生湘北瘴烟新。"
        "梅花散作江村雪，柳叶飘成野渡尘。莫笑农家无豆菜，此身犹得保全真。"
    )
    verdict = check(poem, "七律")
    assert verdict.fits
    assert verdict.variant == "平起不入韵"


def test_an_unknown_character_never_passes() -> None:
    verdict = check(TOWER.replace("依", "□"))
    assert not verdict.fits
    assert codes(TOWER.replace("依", "□")) == {"unknown"}
    assert verdict.lines[0].characters[2].state == "unknown"
    assert codes(TOWER.replace("流", "□")) == {"unknown-rhyme"}


def test_mandarin_tones_hold_when_the_writer_chooses_them() -> None:
    entering = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"
    assert check(entering).fits
    verdict = check(entering, book="tongyun")
    assert verdict.book == "tongyun"
    assert verdict.rhymes == {"A": "十欧"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n\n",
        "hello world",
        "今天天气很好，我去公园散步了。",
        "床前明月光，疑是地上霜。",
        "，。！？",
        "1 2 3 4 5",
    ],
)
def test_what_is_no_poem_gets_a_clear_answer(text: str) -> None:
    verdict = check(text)
    assert verdict.form is None
    assert not verdict.fits
    assert verdict.summary_zh
    assert verdict.summary_en


def test_a_line_of_the_wrong_length_is_named() -> None:
    verdict = check("白日依山，黄河入海流。\n欲穷千里目，更上一层楼。")
    assert "第1句4字" in verdict.summary_zh
    assert "line 1 has 4" in verdict.summary_en


def test_a_poem_of_another_form_is_told_what_the_form_wants() -> None:
    verdict = check(TOWER, "七律")
    assert not verdict.length_fits
    assert "八句" in verdict.summary_zh
    assert "8 lines" in verdict.summary_en


def test_old_style_asks_for_line_length_alone() -> None:
    assert check("锄禾日当午，汗滴禾下土。\n谁知盘中餐，粒粒皆辛苦。", "古风").fits
    assert check("锄禾日当午，汗滴禾下土。\n谁知盘中餐，粒粒皆辛苦。").form == "五古"


def test_an_unknown_form_or_book_is_refused() -> None:
    with pytest.raises(ProsodyError):
        check(TOWER, "九律")
    with pytest.raises(ProsodyError):
        check(TOWER, book="guangyun")


def test_every_finding_speaks_both_languages() -> None:
    for poem in POEMS:
        verdict = check(poem.text, poem.form.replace("古", "绝") if len(poem.text) < 30 else poem.form)
        for finding in verdict.findings:
            assert any("一" <= letter <= "鿿" for letter in finding.zh)
            assert any(letter.isascii() and letter.isalpha() for letter in finding.en)


def test_the_verdict_is_plain_json() -> None:
    data = json.loads(json.dumps(check(GRASS).to_json(), ensure_ascii=False))
    assert data["fits"] is True
    assert data["lines"][2]["type"] == "a"
    assert data["lines"][1]["characters"][4]["readings"] == [{"tone": "平", "rhyme": "下平八庚"}]


def test_a_long_regulated_poem_is_judged_as_extended_verse() -> None:
    six = "\n".join([GRASS.splitlines()[0].replace("荣", "生").replace("草", "草"), *GRASS.splitlines()[1:]])
    long = "\n".join([*six.splitlines(), "离离原上草，一岁一枯荣。"])
    verdict = check(long, "五排")
    assert verdict.form == "五排"
    assert verdict.length_fits


def test_a_prose_preface_is_set_aside() -> None:
    preface = "余登此楼，北望长河，感而有作，遂成四句以记其事云。"
    verdict = check(f"登鹳雀楼\n王之涣\n{preface}\n{TOWER}")
    assert verdict.fits
    assert verdict.form == "五绝"
    assert verdict.heading[0] == "登鹳雀楼"


@pytest.mark.parametrize("row", ["山", "山水", "白日依山尽", "白日依山尽，黄河入海流。", "《山》", "（山", "a"])
def test_a_long_paste_is_answered_at_once(row: str) -> None:
    started = time.perf_counter()
    for form in ("auto", "七律", "水调歌头"):
        check(((row + "\n") * 5000)[:5000], form)
        assert "5,000" in check((row + "\n") * 5000, form).summary_en
    assert time.perf_counter() - started < 5


verses = st.text(
    alphabet=st.sampled_from("山水月风春秋人不有一看听過国龘。，、\n；！ （）《》□aß1😀\u200b\ufe0f"), max_size=120
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(verses, st.text(max_size=200)), st.sampled_from(["auto", "五绝", "七律", "五排", "古风", "水调歌头"]))
def test_no_input_crashes_the_checker(text: str, form: str) -> None:
    verdict = check(text, form)
    json.dumps(verdict.to_json(), ensure_ascii=False)
    assert verdict.summary_zh
    assert verdict.summary_en


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([(4, 5), (8, 5), (4, 7), (8, 7), (12, 5)]),
    st.data(),
    st.sampled_from(["pingshui", "tongyun"]),
)
def test_any_rectangle_of_characters_gets_a_verdict_for_each(
    shape: tuple[int, int], data: st.DataObject, book: str
) -> None:
    alphabet = "天地玄黄宇宙洪荒日月盈昃辰宿列张看听重中为□龘"
    lines = [data.draw(st.text(alphabet=alphabet, min_size=shape[1], max_size=shape[1])) for _ in range(shape[0])]
    verdict = check("\n".join(lines), {4: "绝句", 8: "律诗", 12: "排律"}[shape[0]], book)
    assert [line.text for line in verdict.lines] == lines
    assert all(len(line.characters) == len(line.text) for line in verdict.lines)
    if "□" in "".join(lines):
        assert not verdict.fits
    if verdict.fits:
        assert all(item.state == "fits" for line in verdict.lines for item in line.characters)
