"""The poem card in a real browser: poems that keep their form by lot, and poems that a writer has checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.e2e.chatting import Writer
from tests.e2e.conftest import StartServer
from tests.e2e.serving import Server, wait_until
from tests.e2e.socketing import Client, in_thread

JIANG_CUN = """江村
杜甫
清江一曲抱村流，长夏江村事事幽。
自去自来堂上燕，相亲相近水中鸥。
老妻画纸为棋局，稚子敲针作钓钩。
但有故人供禄米，微躯此外更何求。"""
SHUI_DIAO = """水调歌头·中秋
明月几时有？把酒问青天。不知天上宫阙，今夕是何年。我欲乘风归去，又恐琼楼玉宇，高处不胜寒。起舞弄清影，何似在人间。
转朱阁，低绮户，照无眠。不应有恨，何事长向别时圆？人有悲欢离合，月有阴晴圆缺，此事古难全。但愿人长久，千里共婵娟。"""
SCRIPT: dict[str, Any] = {
    "metre": True,
    "answers": [
        {"when": "慢", "text": "慢", "delay": 0.05},
        {"text": "答。", "delay": 0.002},
    ],
}
ATTACKS = (
    "<img src=x onerror=window.pwned=1>",
    "<script>window.pwned=2</script>",
    '"><svg onload=window.pwned=3>',
    "{{constructor.constructor('window.pwned=4')()}}",
    "${window.pwned=5}",
    "</section><iframe srcdoc='<script>parent.pwned=6</script>'></iframe>",
    "javascript:window.pwned=7",
    "`;window.pwned=8//",
    "[x](javascript:window.pwned=9)",
)
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
Writers = Callable[..., Writer]


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Server:
    """A server whose poems keep their form."""
    return start_server(script=SCRIPT)


@pytest.fixture
def writers(browser: Browser, server: Server) -> Iterator[Writers]:
    """Open pages of that server; what breaks its policy is a problem of the page."""
    opened: list[Writer] = []

    def open_page(locale: str = "zh-CN", **context: Any) -> Writer:
        opened.append(Writer(browser, server.url, locale, **context))
        return opened[-1]

    yield open_page
    for writer in opened:
        assert writer.problems == []
        assert writer.outside() == []
        writer.close()


@pytest.fixture
def writer(writers: Writers) -> Writer:
    """A Chinese reader's page."""
    return writers()


def tones(line: Locator) -> str:
    return "".join(mark.get_attribute("data-tone") or "" for mark in line.locator(".pc-tone").all())


def tool(card: Locator, name: str) -> Locator:
    return card.locator(f"[data-tool={name}]")


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
    assert "守律" in writer.colophon()
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
        right = max(line.bounding_box()["x"] + line.bounding_box()["width"] for line in card.locator(".pc-line").all())  # type: ignore[index]
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


def test_one_line_is_written_anew_and_the_others_stay(server: Server, writer: Writer) -> None:
    before = writer.ask("请杜甫以《江村》为题写一首七律")
    known = len(server.answers())
    card = writer.cards.last
    tool(card, "rewrite").click()
    card.get_by_role("button", name="改写 第三句").click()
    expect(card.locator(".pc-line[data-new]")).to_have_count(1)
    after = writer.text()
    record = server.next_answer(known)
    assert after == record["text"]
    old, new = (text.replace("\n", "").replace("。", "，").split("，") for text in (before, after))
    assert [n for n in range(8) if old[n] != new[n]] == [2]
    expect(card).to_have_attribute("data-fits", "true")
    assert f"第3句原作“{old[2]}”" in writer.colophon()
    expect(writer.cards).to_have_count(1)
    expect(writer.page.locator("#chat-submit")).to_be_visible()
    writer.ask("好在哪里？")
    assert ["assistant", after] in server.next_answer(known + 1)["messages"], "the new poem is the one remembered"


def test_a_line_that_is_being_rewritten_can_be_stopped_and_is_one_answer_at_a_time(
    server: Server, writer: Writer
) -> None:
    before = writer.ask("请杜甫以慢为题写一首七律", 40)
    known = len(server.answers())
    tool(writer.cards.last, "rewrite").click()
    writer.cards.last.get_by_role("button", name="改写 第五句").click()
    expect(writer.stop_button).to_be_visible()
    tool(writer.cards.last, "another").click()
    expect(writer.notices).to_have_count(0)
    writer.stop_button.click()
    record = server.next_answer(known, 4.0)
    assert record["reason"] == "cancelled"
    expect(writer.notices.last).to_contain_text("诗仍是原来的样子")
    assert writer.text() == before
    expect(writer.page.locator("#chat-submit")).to_be_visible()


def test_another_poem_has_the_same_form_title_and_rhyme(server: Server, writer: Writer) -> None:
    first = writer.ask("请杜甫以《江村》为题写一首五律，押尤韵")
    known = len(server.answers())
    tool(writer.cards.last, "another").click()
    expect(writer.cards).to_have_count(2)
    record = server.next_answer(known)
    assert record["messages"][-1] == ["user", "以《江村》为题写一首五言律诗，押尤韵"]
    assert writer.text() == record["text"] != first
    expect(writer.cards.last.locator("h3")).to_have_text("江村")


def test_a_settings_switch_frees_the_form_and_a_fixed_form_is_taken(server: Server, writer: Writer) -> None:
    known = len(server.answers())
    writer.open_settings()
    writer.page.locator("#form").click()
    writer.page.get_by_role("option", name="五绝", exact=True).click()
    writer.page.locator("#strict").click()
    writer.confirm()
    writer.send("以《江村》为题写一首诗")
    expect(writer.colophons).to_have_count(1)
    assert server.next_answer(known)["messages"][-1] == ["user", "以《江村》为题写一首五言绝句"]
    assert "不守律" in writer.colophon()
    assert writer.text() == "答。", "the model is free"
    expect(writer.cards).to_have_count(0)
    expect(writer.captions.last).to_contain_text("不成五绝")


def test_hostile_titles_and_lines_are_text_and_run_nothing(writer: Writer) -> None:
    writer.page.evaluate("addEventListener('securitypolicyviolation', e => (window.broken ??= []).push(e.blockedURI))")
    for attack in ATTACKS:
        writer.ask(f"请杜甫以《{attack}》为题写一首五绝")
        writer.check(f"{attack}\n白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。")
    assert writer.page.evaluate("() => window.pwned") is None
    assert writer.page.evaluate("() => window.broken") is None, "nothing even tried"
    assert writer.page.locator(".poem-card img, .poem-card script, .poem-card iframe, .poem-card a").count() == 0
    assert writer.page.locator("iframe").count() == 0


def test_scripts_in_line_and_from_elsewhere_do_not_run(writer: Writer) -> None:
    writer.page.evaluate(
        """() => {
          window.broken = [];
          addEventListener('securitypolicyviolation', event => window.broken.push(event.effectiveDirective));
          const add = made => document.body.append(Object.assign(document.createElement('script'), made));
          add({textContent: 'window.pwned = 1'});
          add({src: 'http://evil.example/x.js'});
          add({src: 'data:text/javascript,window.pwned=2'});
          const button = document.createElement('button');
          button.setAttribute('onclick', 'window.pwned = 3');
          document.body.append(button);
          button.click();
        }"""
    )
    wait_until(lambda: len(writer.page.evaluate("() => window.broken")) >= 4, 5, "the policy's refusals")
    assert writer.page.evaluate("() => window.pwned") is None
    writer.requests = [url for url in writer.requests if "evil.example" not in url and not url.startswith("data:")]


def test_what_a_card_asks_is_checked_by_the_server(server: Server) -> None:
    import httpx

    async def work() -> Client:
        client = Client()
        await client.start(server.url)

        async def act(name: str, payload: Any) -> int:
            body = {"sessionId": client.session, "action": {"name": name, "payload": payload, "id": "x", "label": ""}}
            async with httpx.AsyncClient() as browser:
                return (await browser.post(f"{server.url}/project/action", json=body)).status_code

        for payload in ({}, {"turn": "none", "line": 1}, {"turn": ["x"], "line": "1"}, {"turn": {}, "line": -1}):
            assert await act("rewrite_line", payload) == 200
            assert await act("another_poem", payload) == 200
        await client.until(lambda: len(client.outputs("complaint_message")) == 8)
        assert await act("open_the_door", {}) == 404
        id = await client.say("请杜甫以《江村》为题写一首五绝")
        await client.until(lambda: client.outputs("colophon_message"))
        for line in (0, 5, 10**9, True, 1.0, "1"):
            before = len(client.outputs("complaint_message"))
            await act("rewrite_line", {"turn": id, "line": line})
            await client.until(lambda before=before: len(client.outputs("complaint_message")) == before + 1)
        other = Client()
        await other.start(server.url)
        await other.socket.disconnect()
        await client.socket.disconnect()
        return client

    client = in_thread(work())
    assert "对话里已没有那首诗" in client.outputs("complaint_message")[0]
    element = {"type": "custom", "id": "x", "name": "../../evil", "display": "inline"}
    for method in ("PUT", "DELETE"):
        answer = httpx.request(method, server.url + "/project/element", json={"sessionId": "s", "element": element})
        assert answer.status_code == 404
