"""Pieces: joined, complete, and ended at once."""

from __future__ import annotations

import asyncio

import pytest

from backend.chat.streaming import stream_pieces
from backend.errors import NumericsError
from backend.scripted import Answer, Script, ScriptedGenerator
from backend.types import Event, Finished, GenerationRequest, Message, Queued, TokenEvent

REQUEST = GenerationRequest(messages=(Message("user", "问"),))
TEXT = "江流宛转绕芳甸，月照花林皆似霰。" * 8


def generator(**answer: object) -> ScriptedGenerator:
    return ScriptedGenerator(Script(answers=(Answer.model_validate(answer),)))


async def collect(source: ScriptedGenerator, stop: asyncio.Event, interval: float = 0.04) -> list[Event]:
    return [event async for event in stream_pieces(source, REQUEST, stop, interval)]


async def test_the_pieces_join_to_the_whole_text_and_are_far_fewer_than_the_tokens() -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    events = await collect(generator(text=TEXT, delay=0.001), asyncio.Event())
    most = (loop.time() - started) / 0.04 + 2
    pieces = [event.text for event in events if isinstance(event, TokenEvent)]
    assert "".join(pieces) == TEXT
    assert len(pieces) <= most
    assert isinstance(events[-1], Finished)


async def test_the_first_character_does_not_wait_for_others() -> None:
    stop = asyncio.Event()
    source = generator(text="一二", delay=5.0)
    async for event in stream_pieces(source, REQUEST, stop):
        assert isinstance(event, TokenEvent)
        assert event.text == "一"
        break


async def test_what_waits_is_sent_when_its_moment_comes_though_nothing_follows() -> None:
    loop = asyncio.get_running_loop()
    source = generator(pieces=["一", "二", "三"], delay=0.03)
    times = []
    async for event in stream_pieces(source, REQUEST, asyncio.Event(), 0.05):
        if isinstance(event, TokenEvent):
            times.append((event.text, loop.time()))
    assert "".join(text for text, _ in times) == "一二三"


async def test_stop_ends_the_generator_and_still_yields_what_had_arrived() -> None:
    stop = asyncio.Event()
    source = generator(text=TEXT, delay=0.01)
    events: list[Event] = []
    async for event in stream_pieces(source, REQUEST, stop, 0.2):
        events.append(event)
        asyncio.get_running_loop().call_later(0.3, stop.set)
    text = "".join(event.text for event in events if isinstance(event, TokenEvent))
    assert 2 < len(text) < len(TEXT)
    assert TEXT.startswith(text)
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.reason, last.usage.completion_tokens) == ("cancelled", len(text))
    assert 0 < last.usage.first_token_seconds < last.usage.seconds


async def test_stop_works_while_the_request_still_waits() -> None:
    stop = asyncio.Event()
    stop_soon = asyncio.get_running_loop().call_later(0.05, stop.set)
    events = await asyncio.wait_for(collect(generator(text="好", wait=30.0, queue=[1], queue_delay=0), stop), 2)
    assert events[0] == Queued(1)
    assert isinstance(events[1], Finished)
    assert (events[1].reason, events[1].usage.completion_tokens) == ("cancelled", 0)
    stop_soon.cancel()


async def test_stop_that_comes_with_the_end_changes_nothing() -> None:
    stop = asyncio.Event()
    events: list[Event] = []
    async for event in stream_pieces(generator(text="好"), REQUEST, stop):
        events.append(event)
        if isinstance(event, Finished):
            stop.set()
    assert [event.reason for event in events if isinstance(event, Finished)] == ["stop"]


async def test_an_error_comes_after_the_text_that_was_written() -> None:
    source = generator(text="半句", error="NumericsError")
    events = stream_pieces(source, REQUEST, asyncio.Event(), 1.0)
    written = [await anext(events), await anext(events)]
    assert written == [TokenEvent("半"), TokenEvent("句")]
    with pytest.raises(NumericsError):
        await anext(events)


async def test_leaving_the_loop_early_closes_the_generator(tmp_path_factory: pytest.TempPathFactory) -> None:
    record = tmp_path_factory.mktemp("record") / "record.jsonl"
    source = ScriptedGenerator(Script(answers=(Answer(text=TEXT, delay=0.01),)), record)
    pieces = stream_pieces(source, REQUEST, asyncio.Event())
    await anext(pieces)
    await pieces.aclose()
    assert '"cancelled"' in record.read_text(encoding="utf-8")
