"""A client of the socket that isn't the page."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import socketio


def in_thread(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine apart from the browser's loop."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(asyncio.run(work))
        except Exception as error:  # noqa: BLE001 - raised again below
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    assert outcome, "the client hangs"
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


class Client:
    """A client of the socket that isn't the page."""

    def __init__(self, session: str | None = None, thread: str = "") -> None:
        self.thread = thread
        self.session = session or str(uuid.uuid4())
        self.socket = socketio.AsyncClient(reconnection=False)
        self.steps: dict[str, dict[str, Any]] = {}
        self.events: list[str] = []
        self.inputs: list[dict[str, Any]] = []
        self.socket.on("*", self._note)

    async def _note(self, event: str, data: Any = None) -> None:
        self.events.append(event)
        if event in ("new_message", "update_message", "stream_start"):
            self.steps[data["id"]] = data
        if event == "chat_settings":
            self.inputs = data

    async def connect(self, url: str, **headers: str) -> None:
        """Connect, or come back as the same session."""
        auth = {
            "sessionId": self.session,
            "clientType": "webapp",
            "userEnv": "{}",
            "chatProfile": "",
            "threadId": self.thread,
        }
        await self.socket.connect(
            url,
            headers={"Accept-Language": "zh-CN", **headers},
            auth=auth,
            socketio_path="/ws/socket.io",
            transports=["websocket"],
        )
        await self.socket.emit("connection_successful")

    async def start(self, url: str, **headers: str) -> None:
        """Connect as a new session and wait until it is laid out."""
        await self.connect(url, **headers)
        await self.until(lambda: self.inputs)

    async def until(self, done: Callable[[], Any], seconds: float = 10.0) -> None:
        """Wait for ``done``."""
        for _ in range(int(seconds / 0.02)):
            if done():
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"it did not happen; the events were {self.events}, the steps {list(self.steps.values())}")

    async def say(self, text: str) -> str:
        """Send a message; returns its id."""
        id = str(uuid.uuid4())
        step = {"id": id, "name": "User", "type": "user_message", "output": text, "createdAt": "2026-01-01T00:00:00Z"}
        await self.socket.emit("client_message", {"message": step, "fileReferences": []})
        return id

    def outputs(self, kind: str) -> list[str]:
        """The texts of one type of message."""
        return [step["output"] for step in self.steps.values() if step["type"] == kind]
