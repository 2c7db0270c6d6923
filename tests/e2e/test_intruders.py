"""What other programs and other pages may not do, over HTTP and the socket."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx
import pytest
import socketio

from tests.e2e.serving import Server, wait_until
from tests.e2e.socketing import Client, in_thread


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Host": "localhost:{port}"}, True),
        ({"Origin": "{url}"}, True),
        ({"Host": "evil.example"}, False),
        ({"Host": "evil.example:{port}"}, False),
        ({"Host": "127.0.0.1.evil.example:{port}"}, False),
        ({"Host": ""}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "http://localhost:1"}, False),
        ({"Origin": "null"}, False),
    ],
)
def test_only_the_pages_own_host_and_origin_are_served(server: Server, headers: dict[str, str], allowed: bool) -> None:
    filled = {name: value.format(port=server.port, url=server.url) for name, value in headers.items()}
    for path in ("/", "/project/settings?language=zh-CN", "/ready", "/public/moyun.css"):
        response = httpx.get(server.url + path, headers=filled)
        assert response.status_code == (200 if allowed else 403), (path, filled)
        assert "access-control-allow-origin" not in response.headers or not allowed


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}])
def test_a_foreign_page_gets_no_socket(server: Server, headers: dict[str, str]) -> None:
    async def work() -> None:
        client = Client()
        with pytest.raises(socketio.exceptions.ConnectionError):
            await client.start(server.url, **headers)

    in_thread(work())
    polling = httpx.get(server.url + "/ws/socket.io/?EIO=4&transport=polling", headers=headers)
    assert polling.status_code == 403


def test_the_pages_own_origin_gets_a_socket(server: Server) -> None:
    async def work() -> None:
        client = Client()
        await client.start(server.url, Origin=server.url)
        assert client.socket.connected
        await client.socket.disconnect()

    in_thread(work())


def test_settings_from_any_client_are_clamped_and_whitelisted(server: Server) -> None:
    known = len(server.answers())
    bad: dict[str, Any] = {
        "style": "../../etc/passwd",
        "temperature": 1e308,
        "top_p": -3,
        "top_k": "NaN",
        "min_p": [1],
        "repetition_penalty": "1.2",
        "max_new_tokens": 10**9,
        "seed": -5,
        "system_prompt": "长" * 100_000,
        "__class__": "x",
        "adapter": "evil",
    }

    async def work() -> Client:
        client = Client()
        await client.start(server.url)
        await client.socket.emit("chat_settings_change", bad)
        await client.until(lambda: len(client.outputs("complaint_message")) == 2)
        await client.say("你好吗？")
        await client.until(lambda: client.outputs("colophon_message"))
        await client.socket.disconnect()
        return client

    client = in_thread(work())
    record = server.next_answer(known)
    assert (record["temperature"], record["top_p"], record["top_k"]) == (1.5, 0.1, 0)
    assert (record["min_p"], record["repetition_penalty"]) == (0.05, 1.2)
    assert record["messages"][0] == ["system", "长" * 2000]
    shown = {widget["id"]: widget["initial"] for widget in client.inputs}
    assert shown["style"] == "du_fu", "the page is told what holds"
    assert shown["max_new_tokens"] == 1024
    assert shown["temperature"] == 1.5


def test_a_second_message_while_one_is_answered_is_refused_and_nothing_interleaves(server: Server) -> None:
    known = len(server.answers())

    async def work() -> Client:
        client = Client()
        await client.start(server.url)
        await client.say("慢慢说一说？")
        await client.until(lambda: "stream_start" in client.events)
        await client.say("插一句？")
        await client.until(lambda: client.outputs("notice_message"))
        after = len(client.events)
        await asyncio.sleep(0.3)
        assert "stream_token" in client.events[after:], "the first goes on"
        assert client.events[after:].count("stream_start") == 0
        starts_and_ends = [event for event in client.events if event in ("task_start", "task_end")]
        assert starts_and_ends[-1] == "task_start", "Stop is still offered"
        await client.socket.emit("stop")
        await client.until(lambda: client.outputs("colophon_message"))
        await client.socket.disconnect()
        return client

    client = in_thread(work())
    assert client.outputs("notice_message") == ["上一篇还没写完，这一条没有送出；请等它写完，或先停笔再发。"]
    assert len(server.answers()) == known + 1
    assert server.answers()[known]["reason"] == "cancelled"


def test_an_edit_of_the_message_that_is_being_answered_ends_it_first(server: Server) -> None:
    known = len(server.answers())

    async def work() -> None:
        client = Client()
        await client.start(server.url)
        id = await client.say("慢慢说一说？")
        await client.until(lambda: "stream_start" in client.events)
        await client.socket.emit("edit_message", {"message": {"id": id, "output": "快说？"}})
        await client.until(lambda: any("答：" in text for text in client.outputs("assistant_message")))
        await client.socket.disconnect()

    in_thread(work())
    wait_until(lambda: len(server.answers()) == known + 2)
    first, second = server.answers()[known:]
    assert (first["reason"], second["reason"]) == ("cancelled", "stop")
    assert second["messages"][1:] == [["user", "快说？"]]


def test_nonsense_on_the_socket_breaks_nothing(server: Server) -> None:
    async def work() -> None:
        client = Client()
        await client.start(server.url)
        await client.socket.emit("edit_message", {"message": {"id": str(uuid.uuid4()), "output": "没有这条"}})
        await client.socket.emit("chat_settings_change", {})
        await client.socket.emit("stop")
        await client.say("   ")
        await client.until(lambda: client.outputs("complaint_message"))
        await client.say("好" * 20_001)
        await client.until(lambda: len(client.outputs("complaint_message")) == 2)
        await client.say("还好吗？")
        await client.until(lambda: client.outputs("colophon_message"))
        assert "20001 字，最多 20000 字" in client.outputs("complaint_message")[1]
        await client.socket.disconnect()

    in_thread(work())
