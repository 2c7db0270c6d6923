"""Between the model thread and one asyncio reader: events in order, pieces of text joined while nobody reads."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from threading import Lock

from backend.types import Event, Finished, Queued, TokenEvent


class Mailbox:
    """One request's events.

    The writing side never waits: a slow reader finds fewer, longer pieces, and what is held never exceeds the text
    itself. Make it on the event loop's thread.
    """

    def __init__(self, candidates: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._lock = Lock()
        self._items: deque[Event | Exception] = deque()
        self._missing = candidates

    @property
    def complete(self) -> bool:
        """Whether the last event was read."""
        return self._missing == 0

    def put(self, item: Event | Exception) -> None:
        """Called on the model thread."""
        with self._lock:
            if not self._join(item):
                self._items.append(item)
        with suppress(RuntimeError):  # the loop is closed: nobody reads any more
            self._loop.call_soon_threadsafe(self._arrived.set)

    async def events(self) -> AsyncIterator[Event]:
        """Events until every candidate is finished.

        Raises:
            GenerationError: the one that the engine put.
        """
        while self._missing:
            await self._arrived.wait()
            self._arrived.clear()
            with self._lock:
                items, self._items = self._items, deque()
            for item in items:
                if isinstance(item, Exception):
                    self._missing = 0
                    raise item
                self._missing -= isinstance(item, Finished)
                yield item

    def _join(self, item: Event | Exception) -> bool:
        """Merge an event into the last one where nothing is lost by it."""
        last = self._items[-1] if self._items else None
        if isinstance(item, TokenEvent) and isinstance(last, TokenEvent) and last.candidate == item.candidate:
            self._items[-1] = TokenEvent(last.text + item.text, item.candidate)
            return True
        if isinstance(item, Queued) and isinstance(last, Queued):
            self._items[-1] = item
            return True
        return False
