"""Events on their way from the model thread to a reader."""

from __future__ import annotations

import asyncio

import pytest

from backend.engine.mailbox import Mailbox
from backend.errors import NumericsError
from backend.types import Event, Finished, Queued, TokenEvent, Usage

END = Finished("stop", Usage(1, 0, 1, 0.1, 0.2))


async def read(mailbox: Mailbox) -> list[Event]:
    return [event async for event in mailbox.events()]


async def test_what_nobody_read_yet_is_joined_and_nothing_is_lost() -> None:
    mailbox = Mailbox(1)
    for event in (Queued(3), Queued(2), TokenEvent("春"), TokenEvent("江"), END):
        mailbox.put(event)
    assert await read(mailbox) == [Queued(2), TokenEvent("春江"), END]
    assert mailbox.complete


async def test_pieces_of_different_candidates_stay_apart() -> None:
    mailbox = Mailbox(1)
    for event in (TokenEvent("春", 0), TokenEvent("秋", 1), TokenEvent("江", 0), END):
        mailbox.put(event)
    assert await read(mailbox) == [TokenEvent("春", 0), TokenEvent("秋", 1), TokenEvent("江", 0), END]


async def test_a_reader_that_never_reads_holds_one_piece() -> None:
    mailbox = Mailbox(1)
    for _ in range(1000):
        mailbox.put(TokenEvent("春"))
    assert len(mailbox._items) == 1


async def test_it_waits_for_every_candidate() -> None:
    mailbox = Mailbox(2)
    mailbox.put(END)
    reader = asyncio.create_task(read(mailbox))
    await asyncio.sleep(0.01)
    assert not reader.done()
    mailbox.put(END)
    assert len(await reader) == 2


async def test_an_error_is_raised_after_what_came_before_it() -> None:
    mailbox = Mailbox(1)
    mailbox.put(TokenEvent("春"))
    mailbox.put(NumericsError("no", "不行"))
    events = mailbox.events()
    assert await anext(events) == TokenEvent("春")
    with pytest.raises(NumericsError):
        await anext(events)
