"""The templates of ci tunes: their notation, the facts they must agree with, and famous ci with known verdicts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.corpus.fit import disagreements
from backend.errors import ProsodyError
from backend.prosody.checker import check
from backend.prosody.ci import facts, parse_template, tunes, write_template
from backend.prosody.forms import Form, Line

FAMOUS: list[dict[str, str]] = json.loads(Path(__file__).with_name("famous_ci.json").read_text(encoding="utf-8"))
SU_SHI_AND_HIS_TIME = (
    "水调歌头 念奴娇 江城子 定风波 临江仙 蝶恋花 浣溪沙 西江月 卜算子 满庭芳 南乡子 菩萨蛮 鹧鸪天 虞美人 如梦令 忆江南 "
    "清平乐 浪淘沙 渔家傲 减字木兰花 南歌子 点绛唇 采桑子 水龙吟"
)
BY_NAME = {form.name: form for form in tunes()}


def famous(opening: str) -> str:
    [text] = [ci["text"] for ci in FAMOUS if ci["text"].startswith(opening)]
    return text


@pytest.mark.parametrize("name", SU_SHI_AND_HIS_TIME.split())
def test_every_tune_of_su_shi_and_his_time_is_there(name: str) -> None:
    assert BY_NAME[name].kind == "ci"


@pytest.mark.parametrize("form", tunes(), ids=lambda form: form.name)
def test_the_usual_variant_agrees_with_the_handbooks(form: Form) -> None:
    assert disagreements(form.variants[0], facts()[form.name]) == []


@pytest.mark.parametrize("form", tunes(), ids=lambda form: form.name)
def test_templates_are_well_formed(form: Form) -> None:
    assert len({variant.name for variant in form.variants}) == len(form.variants)
    for variant in form.variants:
        assert parse_template(write_template(variant.lines)) == variant.lines
        assert variant.lines[-1].after == "。"
        assert sum(line.after.endswith("\n\n") for line in variant.lines) <= 1
        slots = [line for line in variant.lines if line.rhyme]
        assert all(line.tones[-1] in "PZ" for line in slots)
        assert all(sum(other.rhyme == line.rhyme for other in slots) >= 2 for line in slots)


def test_no_name_means_two_tunes() -> None:
    names = [name for form in tunes() for name in (form.name, *form.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("pattern", ["", "xZPP", "xZPPA。", "xZPPa；", "xQ。", "，", "a。", "xZ。|PP。x"])
def test_what_is_no_template_is_refused(pattern: str) -> None:
    with pytest.raises(ProsodyError):
        parse_template(pattern)


LINES = st.builds(
    Line,
    tones=st.text(alphabet="PZx", min_size=1, max_size=10),
    rhyme=st.sampled_from(["", "A", "B"]),
    after=st.sampled_from(["，", "。\n", "。\n\n"]),
)


@given(st.lists(LINES, min_size=1, max_size=20))
def test_any_template_survives_writing_and_reading(lines: list[Line]) -> None:
    last = Line(lines[-1].tones, lines[-1].rhyme, "。")
    template = (*lines[:-1], last)
    assert parse_template(write_template(template)) == template


@pytest.mark.parametrize("ci", FAMOUS, ids=lambda ci: f"{ci['tune']} {ci['text'][:4]}")
def test_a_famous_ci_keeps_its_tune_named_or_found(ci: dict[str, str]) -> None:
    named = check(ci["text"], form=ci["tune"])
    assert named.fits, [finding.en for finding in named.findings]
    found = check(ci["text"])
    assert (found.form, found.fits) == (ci["tune"], True)
    opening = re.split("[，。、]", ci["text"])[0]
    titled = check(f"{ci['tune']}·{opening}\n{ci['author']}\n\n{ci['text']}")
    assert (titled.form, titled.fits) == (ci["tune"], True)


def faults(text: str, tune: str) -> list[tuple[str, int | None, int | None]]:
    findings = check(text, form=tune).findings
    return [(found.code, found.line, found.position) for found in findings if found.severity == "fault"]


def test_su_shis_red_cliff_rhymes_out_of_its_group_once() -> None:
    # 物雪杰发灭月 are of the 18th group, 壁 of the 17th: handbooks have long noted it.
    text = (
        "大江东去，浪淘尽、千古风流人物。故垒西边，人道是、三国周郎赤壁。乱石穿空，惊涛拍岸，卷起千堆雪。江山如画，"
        "一时多少豪杰。遥想公瑾当年，小乔初嫁了，雄姿英发。羽扇纶巾，谈笑间、强虏灰飞烟灭。故国神游，多情应笑，"
        "我早生华发。人间如梦，一尊还酹江月。"
    )
    assert [code for code, _, _ in faults(text, "念奴娇")] == ["rhyme"]


def test_yan_shu_mixes_two_halves_of_a_rhyme() -> None:
    # 杯回徊 are of the third group, 台来 of the fifth: the old rhyme 灰 is divided between them.
    text = "一曲新词酒一杯。去年天气旧亭台。夕阳西下几时回。无可奈何花落去，似曾相识燕归来。小园香径独徘徊。"
    assert {code for code, _, _ in faults(text, "浣溪沙")} == {"rhyme"}


def test_a_word_turned_round_in_a_misprint_is_found() -> None:
    text = (
        "纤云弄巧，飞星传恨，银汉迢迢暗度。金风玉露一相逢，便胜却、人间无数。柔情似水，佳期如梦，忍顾鹊桥归路。"
        "两情若是久长时，又岂在、朝朝暮暮。"
    )
    assert faults(text, "鹊桥仙") == []
    assert faults(text.replace("久长", "长久"), "鹊桥仙") == [("tone", 9, 6)]


def test_xin_qiji_takes_a_freedom_that_few_take() -> None:
    text = (
        "何处望神州。满眼风光北固楼。千古兴亡多少事，悠悠。不尽长江滚滚流。年少万兜鍪。坐断东南战未休。"
        "天下英雄谁敌手，曹刘。生子当如孙仲谋。"
    )
    assert faults(text, "南乡子") == [("tone", 10, 5)]


def test_a_line_that_is_a_character_short_is_no_ci_of_the_tune() -> None:
    text = famous("莫听穿林").replace("谁怕", "怕")
    assert [code for code, _, _ in faults(text, "定风波")] == ["length"]


def test_both_tones_rhyme_in_西江月_and_only_within_one_group() -> None:
    text = famous("世事一场大梦")
    assert len(set(check(text, form="西江月").rhymes.values())) == 1
    assert any(code == "rhyme" for code, _, _ in faults(text.replace("凄然北望", "凄然北去"), "西江月"))


def test_菩萨蛮_changes_its_rhyme_four_times() -> None:
    assert list(check(famous("娟娟缺月"), form="菩萨蛮").rhymes) == ["A", "B", "C", "D"]


def test_another_name_of_the_tune_will_do() -> None:
    assert check(famous("春未老"), form="望江南").form == "忆江南"
    assert check(famous("东城渐觉"), form="木兰花").fits


OPPOSITE = {"P": "月", "Z": "东"}  # a character of one reading for the tone that is not wanted


@given(st.data())
def test_one_character_of_the_wrong_tone_is_found_where_it_stands(data: st.DataObject) -> None:
    ci = data.draw(st.sampled_from(FAMOUS))
    verdict = check(ci["text"], form=ci["tune"])
    fixed = [
        (line, place)
        for line, found in enumerate(verdict.lines, 1)
        for place, tone in enumerate(found.pattern, 1)
        if tone in "PZ" and not (found.rhyme and place == len(found.pattern))
    ]
    line, place = data.draw(st.sampled_from(fixed))
    model = verdict.lines[line - 1]
    wrong = model.text[: place - 1] + OPPOSITE[model.pattern[place - 1]] + model.text[place:]
    text = "，".join(wrong if number == line else other.text for number, other in enumerate(verdict.lines, 1))
    again = check(text + "。", form=ci["tune"])
    if again.variant == verdict.variant:
        assert ("tone", line, place) in [(found.code, found.line, found.position) for found in again.findings]
