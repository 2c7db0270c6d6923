"""What a writer does with a card: a line anew, another poem; and what nobody can do with it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, expect

from backend.models.known_lines import KnownLines
from tests.e2e.cards import server, tool, writer, writers
from tests.e2e.chatting import Writer
from tests.e2e.conftest import StartServer
from tests.e2e.serving import ROOT, Server, wait_until
from tests.e2e.socketing import Client, in_thread

__all__ = ["server", "writer", "writers"]
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
    assert f"改第3句，种子 {record['seed']} · 原作“{old[2]}”" in writer.colophon()
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
    expect(writer.cards.last.get_by_role("status")).to_contain_text("正在改第五句")
    expect(tool(writer.cards.last, "another")).to_be_disabled()
    tool(writer.cards.last, "another").dispatch_event("click")
    writer.stop_button.click()
    record = server.next_answer(known, 4.0)
    assert record["reason"] == "cancelled"
    expect(writer.notices.last).to_contain_text("诗仍是原来的样子")
    assert writer.text() == before
    expect(writer.page.locator("#chat-submit")).to_be_visible()
    expect(tool(writer.cards.last, "another")).to_be_enabled()
    assert len(server.answers()) == known + 1, "nothing else was begun"


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
    assert "未合五绝" in writer.colophon()
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


def test_what_a_card_asks_while_something_is_written_is_refused(server: Server) -> None:
    async def work() -> None:
        client = Client()
        await client.start(server.url)
        id = await client.say("请杜甫以《江村》为题写一首五绝")
        await client.until(lambda: client.outputs("colophon_message"))
        await client.say("请杜甫以慢为题写一首七律")
        await client.until(lambda: client.events.count("stream_start") == 2)
        for name in ("rewrite_line", "another_poem"):
            action = {"name": name, "payload": {"turn": id, "line": 1}, "id": "x", "label": ""}
            async with httpx.AsyncClient() as browser:
                await browser.post(f"{server.url}/project/action", json={"sessionId": client.session, "action": action})
        await client.until(lambda: len(client.outputs("notice_message")) == 2)
        assert [event for event in client.events if event.startswith("task_")][-1] == "task_start", "Stop is offered"
        assert client.events.count("stream_start") == 2
        await client.socket.emit("stop")
        await client.until(lambda: len(client.outputs("colophon_message")) == 2)
        await client.socket.disconnect()

    in_thread(work())


def test_a_poem_with_a_copied_line_is_begun_again_and_the_writer_is_told(
    browser: Browser, start_server: StartServer, tmp_path: Path
) -> None:
    poem = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"
    adapters = Path(shutil.copytree(ROOT / "adapters", tmp_path / "adapters"))
    KnownLines.of(["更上一层楼"]).save(adapters / "du_fu")
    server = start_server(script={"answers": [{"text": poem, "delay": 0.002}]}, MOYUN_ADAPTERS=str(adapters))
    writer = Writer(browser, server.url)
    writer.ask("请杜甫以《登楼》为题写一首五绝")
    expect(writer.captions.last).to_contain_text("换一个种子重写（第5次）")
    expect(writer.notices.last).to_contain_text("与所学原诗相同")
    assert writer.text() == poem, "written once on the page"
    expect(writer.cards).to_have_count(1)
    seeds = [answer["seed"] for answer in server.answers()]
    assert len(seeds) == 5
    assert seeds[4] - seeds[0] in (4, 4 - 2**31)
    assert str(seeds[4]) in writer.colophon()
    writer.close()
