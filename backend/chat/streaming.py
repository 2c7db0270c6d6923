"""From the generator's events to pieces that are worth sending: joined over a moment, and ended by Stop at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from backend.types import Event, Finished, GenerationRequest, Message, TextGenerator, TokenEvent, Usage

INTERVAL = 0.04  # seconds between two pieces; a message on the socket for each token would cost more than the token


async def stream_pieces(
    generator: TextGenerator,
    request: GenerationRequest,
    stop: asyncio.Event,
    interval: float = INTERVAL,
) -> AsyncGenerator[Event, None]:
    """Events of a request with one candidate, its text joined over ``interval`` seconds.

    Setting ``stop`` closes the generator's stream, which ends the computation within a token. The text that had
    arrived is still yielded, and a ``Finished`` that says what it cost, by this side's clock and count.
    """
    loop = asyncio.get_running_loop()
    arrival, first, written = loop.time(), 0.0, ""
    pending, due = "", 0.0
    stopping = asyncio.create_task(stop.wait())
    async with aclosing(cast("AsyncGenerator[Event, None]", generator.stream(request))) as events:
        arriving = asyncio.create_task(_next(events))
        try:
            while not stop.is_set():
                timeout = max(0.0, due - loop.time()) if pending else None
                await asyncio.wait({arriving, stopping}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
                arrived = arriving.done()
                event = arriving.result() if arrived and arriving.exception() is None else None
                if isinstance(event, TokenEvent):
                    first = first or loop.time() - arrival
                    pending, written = pending + event.text, written + event.text
                ending = arrived and not isinstance(event, TokenEvent)
                if pending and (ending or loop.time() >= due):
                    yield TokenEvent(pending)
                    pending, due = "", loop.time() + interval
                if not arrived:
                    continue
                if event is None:
                    arriving.result()  # raises what the generator raised
                    return
                if not isinstance(event, TokenEvent):
                    yield event
                if isinstance(event, Finished):
                    return
                arriving = asyncio.create_task(_next(events))
            if pending:
                yield TokenEvent(pending)
        finally:
            stopping.cancel()
            arriving.cancel()
            await asyncio.wait({arriving, stopping})
    tokens = _count(generator, written) if written else 0
    usage = Usage(generator.count_tokens(request.messages), 0, tokens, first, loop.time() - arrival)
    yield Finished("cancelled", usage)


def _count(generator: TextGenerator, text: str) -> int:
    """Tokens of ``text`` within a prompt."""
    with_text = generator.count_tokens((Message("assistant", text),))
    return with_text - generator.count_tokens((Message("assistant", ""),))


async def _next(events: AsyncGenerator[Event, None]) -> Event | None:
    """The next event; None at the end, as a task can't raise StopAsyncIteration."""
    return await anext(events, None)
