"""The poem card in a real browser: what it shows, and how it is read."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.cards import JIANG_CUN, Writers, server, tool, writer, writers
from tests.e2e.chatting import Writer
from tests.e2e.serving import Server

__all__ = ["server", "writer", "writers"]
SHUI_DIAO = """水调歌头·中秋
明月几时有？把酒问青天。不知天上宫阙，今夕是何年。我欲乘风归去，又恐琼楼玉宇，高处不胜寒。起舞弄清影，何似在人间。
转朱阁，低绮户，照无眠。不应有恨，何事长向别时圆？人有悲欢离合，月有阴晴圆缺，此事古难全。但愿人长久，千里共婵娟。"""
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def tones(line: Locator) -> str:
    return "".join(mark.get_attribute("data-tone") or "" for mark in line.locator(".pc-tone").all())


def test_a_finished_poem_is_its_card_and_stands_on_the_page_once(server: Server, writer: Writer) -> None:
    known = len(server.answers())
    shown = writer.ask("请杜甫以《江村》为题写一首七律，押尤韵")
    record = server.next_answer(known)
    assert shown == record["text"]
    card = writer.cards.last
    expect(card.locator("h3")).to_have_text("江村")
    expect(card.locator(".pc-heading p")).to_have_text("拟杜甫")
    expect(card).to_have_attribute("data-fits", "true")
    expect(card.locator(".pc-facts")).to_contain_text("下平十一尤")
    expect(card.locator(".pc-seal")).to_have_text("合律")
    expect(card.locator(".pc-findings")).to_have_count(0)
    expect(writer.captions.last).to_contain_text("七律")
    expect(writer.captions.last).to_contain_text("押下平十一尤（平水韵）")
    assert "守七律押尤韵" in writer.colophon()
    visible = writer.page.locator('[data-step-type="assistant_message"] [role=article]:visible')
    assert visible.count() == 0, "the text gave way"
    hidden = writer.answers.last.locator("[role=article]").last.evaluate("part => part.textContent")
    assert hidden.replace("\n", "") == record["text"].replace("\n", ""), "and is still in its message"
    writer.ask("好在哪里？")
    assert ["assistant", record["text"]] in server.next_answer(known + 1)["messages"], "and in the conversation"


def test_the_text_stays_where_the_card_cannot_be_drawn(writer: Writer) -> None:
    writer.page.route("**/public/elements/*", lambda route: route.fulfill(body="throw new Error('no')"))
    writer.ask("请杜甫以《江村》为题写一首五绝")
    expect(writer.cards).to_have_count(0)
    expect(writer.answers.last.locator("[role=article]").first).to_be_visible()
    expect(writer.answers.last.locator("[role=article]").first).to_have_text("江村")
    assert len(writer.text().splitlines()) >= 2


def test_every_character_has_its_tone_and_rhyme_words_their_colour(writer: Writer) -> None:
    card = writer.check(JIANG_CUN)
    lines = card.locator(".pc-line")
    expect(lines).to_have_count(8)
    assert tones(lines.nth(0)) == "PPZZZPP"
    assert tones(lines.nth(1))[0] == "B", "长 is marked as read either way"
    assert card.locator("[data-rhyme]").all_inner_texts() == list("流幽鸥钩求")
    ink = lines.nth(0).locator(".pc-c").first.evaluate("c => getComputedStyle(c).color")
    rhyme = card.locator("[data-rhyme] .pc-c").first.evaluate("c => getComputedStyle(c).color")
    assert ink != rhyme
    marks = {
        tone: card.locator(f'[data-tone="{tone}"]').first.evaluate("mark => mark.innerHTML") for tone in ("P", "Z", "B")
    }
    assert len(set(marks.values())) == 3, "told apart by shape"


def test_a_fault_is_framed_and_said_in_the_writers_language(writers: Writers) -> None:
    poem = JIANG_CUN.replace("水中鸥", "水中花")
    for locale, sentence in (("zh-CN", "第4句韵脚“花”出韵"), ("en-US", "Line 4 does not rhyme")):
        writer = writers(locale)
        card = writer.check(poem)
        expect(card).to_have_attribute("data-fits", "false")
        wrong = card.locator('.pc-zi:not([data-state="f"])')
        assert [text.strip() for text in wrong.locator(".pc-c").all_inner_texts()] == ["花"]
        frame = wrong.evaluate("zi => getComputedStyle(zi, '::before').borderTopStyle")
        assert frame == "solid", "not by colour alone"
        assert wrong.locator(".pc-stroke").count() == 1
        expect(card.locator('.pc-findings [data-severity="fault"]')).to_contain_text(sentence)
        said = card.locator(".pc-line .sr-only").nth(3).inner_text()
        assert sentence in said, "and read out with its line"
        expect(writer.captions.last).to_contain_text("检" if locale == "zh-CN" else "Check")


def test_the_toggles_say_what_they_are_and_are_remembered(writer: Writer) -> None:
    card = writer.check(JIANG_CUN)
    for name in ("vertical", "traditional", "marks"):
        before = tool(card, name).get_attribute("aria-pressed")
        tool(card, name).click()
        expect(tool(card, name)).to_have_attribute("aria-pressed", "false" if before == "true" else "true")
    expect(card).to_have_attribute("data-layout", "vertical")
    assert card.locator(".pc-page").evaluate("page => getComputedStyle(page).writingMode") == "vertical-rl"
    assert "長夏江村事事幽" in "".join(card.locator(".pc-c").all_inner_texts())
    assert card.get_attribute("lang") == "zh-Hant"
    expect(card.locator(".pc-legend")).to_contain_text("自动转写")
    assert card.locator(".pc-tone").first.is_hidden()
    first = card.locator(".pc-row").first.bounding_box()
    second = card.locator(".pc-row").nth(1).bounding_box()
    assert first is not None
    assert second is not None
    assert second["x"] < first["x"], "columns go from the right to the left"
    other = writer.check(JIANG_CUN)
    expect(other).to_have_attribute("data-layout", "vertical")


def test_a_poem_that_came_in_traditional_characters_is_shown_so(writer: Writer) -> None:
    poem = "錦瑟\n李商隱\n錦瑟無端五十弦，一弦一柱思華年。\n莊生曉夢迷蝴蝶，望帝春心託杜鵑。"
    card = writer.check(f"{poem}\n滄海月明珠有淚，藍田日暖玉生煙。\n此情可待成追憶，只是當時已惘然。")
    expect(card.locator("h3")).to_have_text("錦瑟")
    expect(card.locator(".pc-legend")).to_have_count(1)
    tool(card, "traditional").click()
    expect(card.locator("h3")).to_have_text("锦瑟")


def test_the_card_is_worked_and_read_without_eyes_and_mouse(writer: Writer) -> None:
    writer.ask("请杜甫以《江村》为题写一首七绝")
    card = writer.cards.last
    assert "江村" in (card.get_attribute("aria-label") or "")
    said = card.locator(".pc-line .sr-only").first.inner_text()
    assert said.startswith("第一句：")
    assert "平仄：" in said
    assert card.locator(".pc-characters").first.get_attribute("aria-hidden") == "true"
    names = ["竖排", "繁体", "平仄", "复制", "改一句", "再来一首"]
    assert card.get_by_role("button").all_inner_texts() == names
    tool(card, "vertical").focus()
    for name in names[1:]:
        writer.page.keyboard.press("Tab")
        assert writer.page.evaluate("() => document.activeElement.innerText") == name
    tool(card, "rewrite").press("Enter")
    expect(card.get_by_role("button", name="改写 第一句")).to_be_focused()
    expect(card.get_by_role("status")).to_contain_text("只重写这一句")
    writer.page.keyboard.press("Escape")
    expect(tool(card, "rewrite")).to_be_focused()
    expect(card.locator(".pc-pick")).to_have_count(0)


def test_copy_gives_plain_text_with_the_title(writers: Writers) -> None:
    writer = writers(permissions=["clipboard-read", "clipboard-write"])
    card = writer.check(JIANG_CUN)
    tool(card, "copy").click()
    expect(tool(card, "copy")).to_have_text("已复制")
    copied = writer.page.evaluate("() => navigator.clipboard.readText()")
    assert copied.splitlines() == [*JIANG_CUN.splitlines()[:2], "", *JIANG_CUN.splitlines()[2:]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("layout", ["horizontal", "vertical"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_a_long_ci_fits_its_window(writers: Writers, width: int, layout: str, scheme: str) -> None:
    writer = writers(viewport={"width": width, "height": 844}, color_scheme=scheme)
    card = writer.check(SHUI_DIAO)
    if layout == "vertical":
        tool(card, "vertical").click()
    assert writer.page.evaluate(OVERFLOW) <= 0
    box = card.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert card.locator(".pc-stanza").count() == 2
    if layout == "horizontal":
        ends = "lines => Math.max(...lines.map(line => line.getBoundingClientRect().right))"
        right = card.locator(".pc-line").evaluate_all(ends)
        assert right <= width, "no line is cut off"
    paper = card.locator("xpath=ancestor::*[contains(@class, 'message-content')]").evaluate(
        "leaf => getComputedStyle(leaf).backgroundColor"
    )
    ink = card.locator(".pc-c").first.evaluate("c => getComputedStyle(c).color")
    assert contrast(paper, ink) > 7


def contrast(one: str, other: str) -> float:
    """The contrast of two CSS colours (WCAG 2.2)."""

    def luminance(colour: str) -> float:
        parts = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_what_is_no_poem_gets_a_clear_sentence(writer: Writer) -> None:
    writer.check("今天天气真好，我们出去走走吧。", '.step[data-step-type="complaint_message"]')
    expect(writer.complaints.last).to_contain_text("看不出诗的样子")
    expect(writer.cards).to_have_count(0)
    writer.ask("还在吗？")


def test_a_pasted_poem_with_a_request_is_checked_without_the_command(writer: Writer) -> None:
    writer.send(f"帮我看看格律：\n{JIANG_CUN}")
    expect(writer.cards).to_have_count(1)
    expect(writer.cards.first.locator("h3")).to_have_text("江村")


def test_the_last_poem_is_checked_when_none_is_pasted(writer: Writer) -> None:
    poem = writer.ask("请杜甫以《江村》为题写一首五绝")
    writer.send("这首合不合格律？")
    expect(writer.cards).to_have_count(2)
    expect(writer.cards.last.locator("h3")).to_have_text("江村")
    assert writer.text() == poem
