"""What the card is told about a poem."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.errors import Language
from backend.prosody.checker import check
from backend.ui.card_words import CARD_WORDS, ORDINALS
from backend.ui.poem_card import Heading, card_props, is_shown

JIANG_CUN = """江村
杜甫
清江一曲抱村流，长夏江村事事幽。
自去自来堂上燕，相亲相近水中鸥。
老妻画纸为棋局，稚子敲针作钓钩。
但有故人供禄米，微躯此外更何求。"""
XI_JIANG_YUE = """西江月
世事一场大梦，人生几度秋凉。夜来风叶已鸣廊。看取眉头鬓上。\
酒贱常愁客少，月明多被云妨。中秋谁与共孤光。把盏凄然北望。"""


def card(text: str, language: Language = "zh", **more: Any) -> dict[str, Any]:
    return card_props(check(text), text, language, **more)


def rows(props: dict[str, Any]) -> list[str]:
    return ["".join(written(props["lines"][n]) for n in row) for stanza in props["stanzas"] for row in stanza]


def written(line: dict[str, Any]) -> str:
    return "".join(c + mark for c, mark in zip(line["text"]["s"], line["marks"], strict=True))


def test_a_poem_that_fits_has_its_heading_form_rhyme_and_a_couplet_a_row() -> None:
    props = card(JIANG_CUN)
    assert (props["title"]["s"], props["byline"]["s"]) == ("江村", "杜甫")
    assert props["facts"] == ["七律", "平起入韵", "平水韵 · 下平十一尤"]
    assert (props["fits"], props["seal"]["text"], props["findings"]) == (True, "合律", [])
    assert rows(props) == JIANG_CUN.splitlines()[2:]
    assert [line["rhyme"] for line in props["lines"]] == ["A", "A", "", "A", "", "A", "", "A"]
    assert props["lines"][0]["tones"] == "PPZZZPP"
    assert props["lines"][1]["tones"][0] == "B", "长 is read either way here"
    assert props["lines"][1]["label"] == "第二句"


def test_a_fault_is_marked_at_its_character_and_said_in_words() -> None:
    props = card(JIANG_CUN.replace("水中鸥", "水中花"))
    assert not props["fits"]
    assert props["seal"]["text"] == "未合"
    line = props["lines"][3]
    assert line["states"] == "ffffffw"
    assert "出韵" in line["faults"][0]
    assert [finding["severity"] for finding in props["findings"]] == ["fault"]
    english = card(JIANG_CUN.replace("水中鸥", "水中花"), "en")
    assert "does not rhyme" in english["findings"][0]["text"]


@pytest.mark.parametrize(("old", "new", "line", "place"), [("更何求", "更何幽", 7, 6), ("长夏江村", "长江夏村", 1, 1)])
def test_a_fault_of_a_line_points_at_its_character(old: str, new: str, line: int, place: int) -> None:
    props = card(JIANG_CUN.replace(old, new), "en")
    assert props["lines"][line]["states"][place] == "w"
    assert props["lines"][line]["faults"]


def test_a_line_of_the_wrong_length_is_shown_with_the_others() -> None:
    text = JIANG_CUN.replace("相亲相近水中鸥", "相亲相近水鸥")
    assert is_shown(check(text))
    props = card(text)
    assert [line["odd"] for line in props["lines"]] == [False] * 3 + [True] + [False] * 4
    assert props["form"] == ""


@pytest.mark.parametrize("text", ["", "你好吗？", "今天天气真好，我们出去走走吧。", "x" * 6000, "清江一曲抱村流"])
def test_what_is_no_poem_gets_no_card(text: str) -> None:
    assert not is_shown(check(text))


def test_a_ci_has_its_stanzas_and_a_sentence_a_row_also_from_one_paragraph() -> None:
    props = card(XI_JIANG_YUE)
    assert props["form"] == "西江月"
    assert [len(stanza) for stanza in props["stanzas"]] == [3, 3]
    assert rows(props)[0] == "世事一场大梦，人生几度秋凉。"
    assert props["seal"]["text"] == "合谱"


def test_marks_inside_a_line_stay_where_the_writer_put_them() -> None:
    text = (
        "水调歌头·中秋\n明月几时有？把酒问青天。不知天上宫阙，今夕是何年。我欲乘风归去，又恐琼楼玉宇，高处不胜寒。"
        "起舞弄清影，何似在人间。\n转朱阁，低绮户，照无眠。不应有恨，何事长向别时圆？人有悲欢离合，月有阴晴圆缺，"
        "此事古难全。但愿人长久，千里共婵娟。"
    )
    props = card(text)
    assert props["title"]["s"] == "水调歌头·中秋"
    assert "不应有恨，何事长向别时圆？" in rows(props)
    assert "".join(rows(props)) == "".join(text.split("\n")[1:])


def test_lines_without_punctuation_are_kept_apart() -> None:
    props = card("白日依山尽 黄河入海流\n欲穷千里目 更上一层楼")
    assert rows(props) == ["白日依山尽\u3000黄河入海流", "欲穷千里目\u3000更上一层楼"]


def test_notes_and_a_heading_that_is_like_the_poem_mislead_nothing() -> None:
    text = "清江一曲抱村流\n杜甫\n" + JIANG_CUN.split("\n", 2)[2].replace("村流，", "村流（一作幽），")
    props = card(text)
    assert rows(props) == JIANG_CUN.splitlines()[2:]


def test_a_poem_in_traditional_characters_keeps_them() -> None:
    text = (
        "錦瑟無端五十弦，一弦一柱思華年。\n莊生曉夢迷蝴蝶，望帝春心託杜鵑。\n"
        "滄海月明珠有淚，藍田日暖玉生煙。\n此情可待成追憶，只是當時已惘然。"
    )
    props = card(text)
    assert props["traditional"]
    assert props["lines"][2]["text"] == {"s": "庄生晓梦迷蝴蝶", "t": "莊生曉夢迷蝴蝶"}


def test_a_rewritten_line_and_the_turn_are_told() -> None:
    props = card(JIANG_CUN, heading=Heading(title="江村", byline="拟杜甫"), turn="t1", rewritten=3)
    assert props["turn"] == "t1"
    assert [line["new"] for line in props["lines"]].index(True) == 2
    assert card(JIANG_CUN)["turn"] is None, "a checked poem has no actions"


@settings(deadline=None, max_examples=60)
@given(
    st.text("清江一曲抱村流，。\n（）<>《》a ！·𠀀", max_size=80), st.text(max_size=20), st.sampled_from(["zh", "en"])
)
def test_any_text_comes_to_plain_data_with_a_mark_a_character(text: str, title: str, language: Language) -> None:
    props = card_props(check(text), text, language, Heading(title=title))
    assert json.loads(json.dumps(props)) == props
    for line in props["lines"]:
        lengths = {len(line[name]) for name in ("tones", "states", "marks")} | {len(t) for t in line["text"].values()}
        assert len(lengths) == 1
    shown = sorted(n for stanza in props["stanzas"] for row in stanza for n in row)
    assert shown == list(range(len(props["lines"])))


def test_the_words_are_there_in_both_languages() -> None:
    assert CARD_WORDS["zh"].keys() == CARD_WORDS["en"].keys()
    assert [ORDINALS["zh"](n) for n in (1, 10, 11, 20, 21, 99, 100)] == [
        *"一十",
        "十一",
        "二十",
        "二十一",
        "九十九",
        "100",
    ]
