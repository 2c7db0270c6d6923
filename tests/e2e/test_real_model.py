"""The page with the real model and its adapters: what the page showed is what the engine did.

``MOYUN_E2E_SCRIPTED=1`` runs the same steps against scripted answers, for work on the tests themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from backend.prosody.checker import check
from tests.e2e.chatting import Writer, numbers_of
from tests.e2e.conftest import StartServer
from tests.e2e.serving import Server, wait_until

PATIENCE = 120.0  # seconds for one answer on a slow machine


@pytest.fixture(scope="module")
def real_server(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the model that this machine would use; it is fetched where it isn't there yet."""
    if os.environ.get("MOYUN_E2E_SCRIPTED"):
        slow = "江上清风山间明月，取之无禁用之不竭。" * 12 + "{temperature}/{seed}/{adapter}"
        yield start_server(script={"answers": [{"text": slow, "delay": 0.01}]})
        return
    cache = {"MOYUN_CACHE": given} if (given := os.environ.get("MOYUN_CACHE")) else {}
    server = Server(tmp_path_factory.mktemp("real"), cache, seconds=900)
    yield server
    server.close()


def recorded(server: Server, known: int) -> dict[str, Any]:
    """The record of the answer that follows ``known`` earlier ones."""
    return server.next_answer(known, PATIENCE)


def agree(record: dict[str, Any], writer: Writer, style: str | None, temperature: float) -> None:
    """Check that the record, the small line and the setting that was chosen are the same."""
    shown = numbers_of(writer.colophon())
    assert record["adapter"] == style == shown["adapter"]
    assert record["temperature"] == temperature == float(shown["temperature"] or "nan")
    assert str(record["seed"]) == shown["seed"]


@pytest.mark.timeout(1500)
def test_a_writer_works_through_the_whole_chat_and_the_engine_did_what_the_page_showed(
    browser: Browser, real_server: Server
) -> None:
    writer = Writer(browser, real_server.url)
    known = len(real_server.answers())

    writer.send("请杜甫以《秋江夜泊》为题写一首七言律诗")
    sizes: set[int] = set()
    wait_until(
        lambda: writer.answers.count() and (sizes.add(len(writer.answers.first.inner_text())) or len(sizes) >= 4),
        PATIENCE,
        "a growing poem",
    )
    expect(writer.colophons).to_have_count(1, timeout=PATIENCE * 1000)
    poem = recorded(real_server, known)
    agree(poem, writer, "du_fu", 0.7)
    assert writer.text() == poem["text"].strip()
    assert poem["reason"] == "stop", "a poem ends by itself"
    verdict = check(poem["text"], "七律")
    assert verdict.fits, verdict.summary_zh
    card = writer.cards.last
    expect(card).to_have_attribute("data-fits", "true")
    expect(card.locator(".pc-facts")).to_contain_text(verdict.rhymes["A"])
    expect(writer.captions.last).to_contain_text(f"押{verdict.rhymes['A']}（平水韵）")

    lines = [line.text for line in verdict.lines]
    card.locator("[data-tool=rewrite]").click()
    card.get_by_role("button", name="改写 第三句").click()
    expect(card.locator(".pc-line[data-new]")).to_have_count(1, timeout=PATIENCE * 1000)
    rewritten = recorded(real_server, known + 1)
    again = check(rewritten["text"], "七律")
    assert again.fits, again.summary_zh
    assert [line.text for line in again.lines[:2] + again.lines[3:]] == lines[:2] + lines[3:]
    assert again.rhymes == verdict.rhymes
    assert writer.text() == rewritten["text"].strip()
    expect(writer.page.locator("#chat-submit")).to_be_visible()

    writer.open_settings()
    writer.slide("temperature", 1.0)
    expect(writer.slider("temperature")).to_have_attribute("aria-valuenow", "1")
    writer.choose_style("苏轼")
    writer.confirm()
    expect(writer.notices.first).to_contain_text("苏轼")
    writer.ask("写一首关于西湖的七绝", PATIENCE)
    second = recorded(real_server, known + 2)
    agree(second, writer, "su_shi", 1.0)
    assert writer.text() == second["text"].strip()
    assert writer.answers.count() == 2, "the conversation stays"

    writer.send("请详细讲讲你这一生走过的地方，越细越好。")
    wait_until(lambda: writer.answers.count() == 3 and len(writer.answers.last.inner_text()) > 25, PATIENCE, "a part")
    writer.stop_button.click()
    stopped = recorded(real_server, known + 3)
    expect(writer.colophons).to_have_count(3)
    agree(stopped, writer, None, 1.0)
    assert stopped["reason"] == "cancelled"
    part = "".join(writer.answers.last.inner_text().split())
    computed = "".join(stopped["text"].replace("*", "").replace("#", "").split())
    assert len(part) > 20
    assert computed.startswith(part[:20])
    assert len(computed) - len(part) < 12, "the computation ended with the button"

    writer.edit(1, "写一首关于庐山的五绝")
    expect(writer.answers).to_have_count(2, timeout=PATIENCE * 1000)
    edited = recorded(real_server, known + 4)
    expect(writer.colophons).to_have_count(2, timeout=PATIENCE * 1000)
    agree(edited, writer, "su_shi", 1.0)
    expect(writer.captions.last).to_contain_text("诗 · 五绝，")
    expect(writer.captions.last).to_contain_text("庐山")
    writer.close()


@dataclass(frozen=True)
class Wish:
    """What one session asks for."""

    style: str
    adapter: str
    temperature: float
    seed: str
    message: str


LEFT = Wish("杜甫", "du_fu", 0.6, "11", "写一首关于孤雁的七律")
RIGHT = Wish("苏轼", "su_shi", 1.1, "22", "写一首关于海棠的七绝")


def open_with(browser: Browser, server: Server, wish: Wish) -> Writer:
    """A page of its own with the wish's settings."""
    writer = Writer(browser, server.url)
    writer.set(style=wish.style, temperature=wish.temperature, seed=wish.seed)
    return writer


@pytest.mark.timeout(1500)
def test_two_sessions_at_once_are_each_their_own_and_equal_their_serial_replay(
    browser: Browser, real_server: Server, tmp_path: Path
) -> None:
    known = len(real_server.answers())
    pages = [(open_with(browser, real_server, wish), wish) for wish in (LEFT, RIGHT)]
    for writer, wish in pages:
        writer.page.locator("#chat-input").fill(wish.message)
    for writer, _ in pages:
        writer.page.locator("#chat-input").press("Enter")
    for writer, _ in pages:
        expect(writer.colophons).to_have_count(1, timeout=PATIENCE * 1000)
    records = {record["adapter"]: record for record in real_server.answers()[known:]}
    together = {}
    for writer, wish in pages:
        record = records[wish.adapter]
        agree(record, writer, wish.adapter, wish.temperature)
        assert str(record["seed"]) == wish.seed
        together[wish.adapter] = record["text"]
        assert writer.text(0) == record["text"].strip()
        writer.close()
    assert records["du_fu"]["session"] != records["su_shi"]["session"]

    for wish in (LEFT, RIGHT):
        alone = open_with(browser, real_server, wish)
        alone.ask(wish.message, PATIENCE)
        assert real_server.answers()[-1]["text"] == together[wish.adapter]
        alone.close()
