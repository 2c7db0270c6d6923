"""A connection that breaks for a moment: the answer is written on and nothing of it is lost."""

from __future__ import annotations

import asyncio

from tests.e2e.conftest import SLOW_POEM
from tests.e2e.serving import Server
from tests.e2e.socketing import Client, in_thread


def test_who_comes_back_finds_the_whole_answer_and_can_still_stop_the_next(server: Server) -> None:
    known = len(server.answers())

    async def work() -> Client:
        before = Client()
        await before.start(server.url)
        await before.say("慢慢说一说？")
        await before.until(lambda: "stream_start" in before.events)
        await before.socket.disconnect()
        await asyncio.sleep(0.5)
        after = Client(before.session)
        await after.connect(server.url)
        await after.until(lambda: "task_start" in after.events)
        await asyncio.sleep(0.2)
        ends = [event for event in after.events if event in ("task_start", "task_end")]
        assert ends[-1] == "task_start", "Stop is offered again"
        await after.until(lambda: after.outputs("colophon_message"), 20)
        assert after.outputs("assistant_message") == [SLOW_POEM]
        await after.say("慢慢再说一说？")
        await after.until(lambda: "stream_start" in after.events)
        await after.socket.emit("stop")
        await after.until(lambda: len(after.outputs("colophon_message")) == 2)
        await after.socket.disconnect()
        return after

    in_thread(work())
    first, second = server.answers()[known:]
    assert (first["reason"], second["reason"]) == ("stop", "cancelled")
    assert second["messages"][2] == ["assistant", SLOW_POEM], "and the conversation is there"


def test_who_comes_back_to_a_server_that_has_forgotten_is_told_so(server: Server) -> None:
    async def work() -> None:
        page = Client(thread="a-conversation-from-before")
        await page.start(server.url)
        await page.until(lambda: page.outputs("notice_message"))
        assert "不再记得" in page.outputs("notice_message")[0]
        await page.say("你好吗？")
        await page.until(lambda: page.outputs("colophon_message"))
        await page.socket.disconnect()

    in_thread(work())
