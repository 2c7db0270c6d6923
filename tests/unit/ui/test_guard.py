"""Hosts and origins, and the headers of every answer."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from backend.settings import Settings
from backend.ui.guard import Guard


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    kind = b"text/html; charset=utf-8" if scope["path"] == "/" else b"text/css"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": b""})


async def call(kind: str, headers: dict[str, str], path: str = "/", **settings: Any) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    scope: Scope = {
        "type": kind,
        "path": path,
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
    }
    await Guard(app, settings=Settings.model_validate(settings), policy="default-src 'self'")(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    ("settings", "headers", "allowed"),
    [
        ({}, {"host": "127.0.0.1:8000"}, True),
        ({}, {"host": "localhost:8000"}, True),
        ({}, {"host": "LOCALHOST:8000"}, True),
        ({}, {"host": "[::1]:8000"}, True),
        ({}, {}, False),
        ({}, {"host": "evil.example:8000"}, False),
        ({}, {"host": "localhost.evil.example"}, False),
        ({}, {"host": "192.168.1.7:8000"}, False),
        ({}, {"host": "[::1"}, False),
        ({}, {"host": "localhost:8000", "origin": "http://localhost:8000"}, True),
        ({}, {"host": "localhost:8000", "origin": "https://localhost:8000"}, True),
        ({}, {"host": "localhost:8000", "origin": "http://localhost:3000"}, False),
        ({}, {"host": "localhost:8000", "origin": "http://evil.example"}, False),
        ({}, {"host": "localhost:8000", "origin": "http://localhost:8000.evil.example"}, False),
        ({}, {"host": "localhost:8000", "origin": "null"}, False),
        ({}, {"host": "localhost:8000", "origin": ""}, False),
        ({"allowed_hosts": "moyun.example, b.example"}, {"host": "moyun.example"}, True),
        ({"allowed_hosts": "moyun.example, b.example"}, {"host": "B.example:443"}, True),
        ({"allowed_hosts": "moyun.example"}, {"host": "evil.example"}, False),
        ({"host": "0.0.0.0"}, {"host": "192.168.1.7:8000"}, True),
        ({"host": "0.0.0.0"}, {"host": "evil.example:8000"}, False),
        ({"host": "poet.lan"}, {"host": "poet.lan:8000"}, True),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_only_known_names_and_the_same_origin_pass(
    kind: str, settings: dict[str, str], headers: dict[str, str], allowed: bool
) -> None:
    first = (await call(kind, headers, **settings))[0]
    if kind == "http":
        assert first["status"] == (200 if allowed else 403)
    else:
        assert first["type"] == ("websocket.accept" if allowed else "websocket.close")


async def test_a_refusal_says_what_to_do() -> None:
    _, body = await call("http", {"host": "poet.example"})
    assert "MOYUN_ALLOWED_HOSTS" in body["body"].decode()
    assert "poet.example" in body["body"].decode()


async def test_pages_carry_the_policy_and_everything_the_strict_headers() -> None:
    headers = {"host": "localhost"}
    html = dict((await call("http", headers))[0]["headers"])
    css = dict((await call("http", headers, "/a.css"))[0]["headers"])
    assert html[b"content-security-policy"] == b"default-src 'self'"
    assert b"content-security-policy" not in css
    for answer in (html, css):
        assert answer[b"x-content-type-options"] == b"nosniff"
        assert answer[b"referrer-policy"] == b"no-referrer"
