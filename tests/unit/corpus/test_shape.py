"""The shape of a poem: lines, forms, wrong breaks, regulated and old verse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.corpus.authors import UNKNOWN, aliases, unify
from backend.corpus.cleaning import clean_text, clean_title, is_prose
from backend.corpus.regulated import is_regulated
from backend.corpus.report import Report
from backend.corpus.script import only_han, simplify, variants
from backend.corpus.shape import clauses, form_of, mend

SPRING = [
    "国破山河在",
    "城春草木深",
    "感时花溅泪",
    "恨别鸟惊心",
    "烽火连三月",
    "家书抵万金",
    "白头搔更短",
    "浑欲不胜簪",
]
OLD = ["床前看月光", "疑是地上霜", "举头望山月", "低头思故乡"]


@pytest.mark.parametrize(
    ("lengths", "title", "form"),
    [
        ([5] * 4, "", "五绝"),
        ([7] * 4, "", "七绝"),
        ([5] * 8, "", "五律"),
        ([7] * 8, "", "七律"),
        ([5] * 12, "", "五排"),
        ([7] * 10, "", "七排"),
        ([5] * 6, "", "古风"),
        ([7] * 9, "", "古风"),
        ([6] * 4, "", "六言"),
        ([4] * 8, "", "四言"),
        ([3, 7, 7, 7], "", "杂言"),
        ([7] * 2, "", "残句"),
        ([5] * 4, "句 其二", "残句"),
    ],
)
def test_lengths_and_number_of_lines_name_the_form(lengths: list[int], title: str, form: str) -> None:
    assert form_of(lengths, title) == form


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("国破山河在城春草木深。\n感时花溅泪，恨别鸟惊心。", "国破山河在，城春草木深。\n感时花溅泪，恨别鸟惊心。"),
        ("国破山河在。\n城春草木深，感时花溅泪。\n恨别鸟惊心。", "国破山河在，城春草木深。\n感时花溅泪，恨别鸟惊心。"),
        ("国破：山河在，城春草木深。\n感时花溅泪，恨别鸟惊心。", "国破山河在，城春草木深。\n感时花溅泪，恨别鸟惊心。"),
    ],
)
def test_wrong_breaks_are_mended(text: str, mended: str) -> None:
    assert mend(text) == mended
    assert mend(mended) == mended


@pytest.mark.parametrize(
    "text",
    [
        "国破山河在，城春草木深。\n感时花溅泪，恨别鸟惊心？",
        "蓼岸风多橘柚香，江边一望楚天长，片帆烟际闪孤光。\n目送征鸿飞杳杳，思随流水去茫茫，兰红波碧忆潇湘。",
        "君不见，黄河之水天上来，奔流到海不复回。\n君不见，高堂明镜悲白发，朝如青丝暮成雪。",
        "绿水青山从此隔，王敬伯。\n一曲一杯歌且饮，春风十里送行客。",
    ],
)
def test_what_old_verse_and_ci_break_on_purpose_stays(text: str) -> None:
    assert mend(text) == text


@given(st.lists(st.text(alphabet="国破山河在城春", min_size=1, max_size=9), min_size=1, max_size=12), st.data())
def test_mending_loses_no_character_and_is_done_once(lines: list[str], data: st.DataObject) -> None:
    text = "".join(line + data.draw(st.sampled_from(["，", "。", "？", "。\n", "，\n"])) for line in lines)
    assert only_han(mend(text)) == only_han(text)
    assert mend(mend(text)) == mend(text)


def test_regulated_verse_is_told_from_old_verse() -> None:
    assert is_regulated(SPRING)
    assert not is_regulated(OLD * 2)


@given(st.lists(st.text(max_size=30), max_size=5))
def test_cleaning_takes_any_text(paragraphs: list[str]) -> None:
    report = Report()
    text = clean_text(tuple(paragraphs), report)
    assert not set(text) & set("（）〖〗[]{}「」『』《》<>")
    assert clean_text(tuple(text.split("\n")), report) == text
    assert clean_title("".join(paragraphs), report)


@pytest.mark.parametrize(
    ("title", "cleaned"),
    [
        ("帝京篇十首 一", "帝京篇十首 其一"),
        ("句  其二○", "句 其二〇"),
        ("秦妇吟[一]", "秦妇吟"),
        ("[溪]居寓言", "溪居寓言"),
        ("和渔父词（十五首）（《颜鲁公集》云：「（共）和。」） 六", "和渔父词 其六"),
        ("（题拟）", "无题"),
        ("咏柳", "咏柳"),
    ],
)
def test_titles_lose_their_notes(title: str, cleaned: str) -> None:
    assert clean_title(title, Report()) == cleaned


def test_long_sentences_without_pauses_are_prose_and_songs_are_not() -> None:
    assert is_prose("是稿初印于丙子岁当时收诗止二百七十有奇，暂分七卷名曰全唐诗补逸初稿。")
    assert not is_prose("穷天地兮一人揭日月而照临万里，嗟愚陋之不明兮乃商赐之为疑。")
    assert not is_prose("国破山河在，城春草木深。")


@pytest.mark.parametrize(
    ("name", "unified"),
    [
        ("不详", UNKNOWN),
        ("", UNKNOWN),
        ("王炎2", "王炎"),
        ("耿[湋]", "耿湋"),
        ("太宗皇帝李世民", "李世民"),
        ("太宗皇帝", "李世民"),
        ("僧皎然", "皎然"),
        ("向", "向□"),
        ("黄{甾攴}", "黄□"),
        ("杜甫", "杜甫"),
    ],
)
def test_authors_get_one_name(name: str, unified: str) -> None:
    report = Report()
    assert unify(name, report) == unified
    assert report.counts["authors"] == (name != unified)


def test_no_alias_leads_to_another_alias() -> None:
    assert not set(aliases()) & set(aliases().values())


def test_every_variant_form_leads_to_a_standard_one() -> None:
    assert not {chr(code) for code in variants()} & set("".join(variants().values()))
    assert simplify("旧隠賦歸哉，鷄鳴慙愧") == "旧隐赋归哉，鸡鸣惭愧"
    assert simplify("乾坤、乾德、乾糧") == "乾坤、乾德、干粮"


def test_commas_inside_a_line_do_not_divide_it() -> None:
    assert clauses("便胜却、人间无数。") == ["便胜却人间无数"]
