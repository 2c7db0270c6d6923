"""A session's end: a passing disconnect ends nothing, a lasting one frees everything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from backend.chat.options import load_schema
from backend.scripted import ScriptedGenerator
from backend.settings import ROOT, Settings
from backend.ui import desk, runtime
from backend.ui.desk import Desk
from backend.ui.runtime import Runtime
from tests.unit.chat.conftest import MakeConversation, make_conversation, schema

__all__ = ["make_conversation", "schema"]


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A session whose connection the test decides; grace 0.4 s, the rest 0.8 s."""
    from chainlit.chat_context import chat_contexts

    run = Runtime(Settings.model_validate({}), load_schema(ROOT / "chainlit.config.toml"), 1.2, 0.4)
    monkeypatch.setattr(runtime, "_current", run)
    fake = SimpleNamespace(id="s", to_clear=False, connected=False)
    monkeypatch.setattr(desk, "_is_connected", lambda session: session.connected)
    chat_contexts["s"] = []
    yield fake
    chat_contexts.pop("s", None)
    desk._desks.pop("s", None)


@pytest.fixture
def place(session: Any, make_conversation: MakeConversation) -> Desk:
    """A desk at which an answer is being written."""
    made = Desk(make_conversation())
    desk._desks["s"] = made
    made._stop = asyncio.Event()
    return made


def forgotten(place: Desk) -> list[str]:
    return cast("ScriptedGenerator", place.conversation.generator).forgotten


async def test_a_connection_that_comes_back_finds_everything_as_it_was(place: Desk, session: Any) -> None:
    place.leave(session)
    await asyncio.sleep(0.05)
    session.connected = True
    await asyncio.sleep(0.8)
    assert forgotten(place) == []
    assert place._stop is not None
    assert not place._stop.is_set()
    assert desk.find("s") is place


async def test_one_that_stays_away_ends_the_answer_and_then_frees_the_session(place: Desk, session: Any) -> None:
    from chainlit.chat_context import chat_contexts

    place.leave(session)
    await asyncio.sleep(0.7)
    assert place._stop is not None
    assert place._stop.is_set()
    assert forgotten(place) == ["s"]
    assert desk.find("s") is place, "a writer who returns still finds the conversation"
    await asyncio.sleep(1.0)
    assert desk.find("s") is None
    assert "s" not in chat_contexts


async def test_a_new_chat_frees_the_old_one_at_once(place: Desk, session: Any) -> None:
    session.to_clear = True
    place.leave(session)
    await asyncio.sleep(0.02)
    assert desk.find("s") is None
    assert forgotten(place) == ["s"]


async def test_leaving_twice_winds_down_once(place: Desk, session: Any) -> None:
    place.leave(session)
    place.leave(session)
    await asyncio.sleep(1.6)
    assert forgotten(place) == ["s"]
