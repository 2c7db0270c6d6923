"""Who may talk to the application: its own page under its own names, over HTTP and WebSocket alike.

Without this any web page could drive an application on the reader's own machine: Chainlit checks no origin on its
socket, and a name that is rebound to 127.0.0.1 would pass for the application itself.

The policy for scripts (:func:`backend.ui.page.policy_for`) has one loose word, 'unsafe-eval'. Chainlit 2.12 compiles
the source of a custom element in the page and runs it by ``new Function``; it has no way to load one that is compiled.
What it compiles is what this server has under /public/elements, and nothing that a client sent: its routes for changing
elements are shut. Scripts in line, in attributes and from other hosts stay forbidden, and text is never markup.
"""

from __future__ import annotations

import ipaddress
import json
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.settings import Settings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware: foreign hosts and origins are refused, and every answer carries strict headers."""

    def __init__(self, app: ASGIApp, *, settings: Settings, policy: str) -> None:
        self._app = app
        self._policy = policy
        named = {name.strip().lower() for name in settings.allowed_hosts.split(",") if name.strip()}
        self._names = LOOPBACK | named | {settings.host.lower()}
        self._any_address = settings.host.lower() not in LOOPBACK

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is allowed."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        problem = self._problem(headers)
        if problem is None:
            await self._app(scope, receive, self._with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _refuse(send, problem)

    def _problem(self, headers: Headers) -> str | None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            name = _name_of(host) or host
            return (
                f"This address is not served under the name {name!r}. If it should be, set MOYUN_ALLOWED_HOSTS to it. "
                f"这里不以“{name}”之名提供服务；若确要如此，请把它写进 MOYUN_ALLOWED_HOSTS。"
            )
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return (
                f"Requests from {origin!r} are refused: only this application's own page may talk to it. "
                f"来自“{origin}”的请求不予受理：只有本应用自己的页面可以访问。"
            )
        return None

    def _is_ours(self, host: str) -> bool:
        name = _name_of(host)
        if name is None:
            return False
        return name in self._names or (self._any_address and _is_address(name))

    def _with_headers(self, send: Send) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-cache")  # asked again each time, answered by the ETag
                if headers.get("content-type", "").startswith("text/html"):
                    headers.setdefault("Content-Security-Policy", self._policy)
            await send(message)

        return send_with_headers


def _name_of(host: str) -> str | None:
    """The name in a Host header, without its port; None where there is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    """Whether a name is a numeric address: no page elsewhere can be bound to one by a name server."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _refuse(send: Send, problem: str) -> None:
    body = json.dumps({"error": problem}, ensure_ascii=False).encode()
    headers = [(b"content-type", b"application/json; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
