"""Chainlit's callbacks. What they do is in ``backend.ui``; start the application with ``moyun serve``."""

from __future__ import annotations

from typing import Any

import chainlit as cl
from chainlit.context import context
from chainlit.session import WebsocketSession

from backend.errors import language_of
from backend.ui import desk, stopping
from backend.ui.widgets import make_starters

stopping.install()


@cl.set_starters
async def set_starters(user: cl.User | None, language: str | None = None) -> list[cl.Starter]:
    return make_starters(language_of(language))


@cl.on_chat_start
async def on_chat_start() -> None:
    await (await desk.seat()).lay_out()


@cl.on_message
async def on_message(message: cl.Message) -> None:
    await (await desk.seat()).receive(message)


@cl.on_settings_update
async def on_settings_update(settings: dict[str, Any]) -> None:
    await (await desk.seat()).change_settings(settings)


@cl.action_callback("rewrite_line")
async def rewrite_line(action: cl.Action) -> None:
    await (await desk.seat()).rewrite_line(action.payload.get("turn"), action.payload.get("line"))


@cl.action_callback("another_poem")
async def another_poem(action: cl.Action) -> None:
    await (await desk.seat()).write_another(action.payload.get("turn"))


@cl.on_chat_end
async def on_chat_end() -> None:
    place = desk.find(context.session.id)
    if place is not None and isinstance(context.session, WebsocketSession):
        place.leave(context.session)
