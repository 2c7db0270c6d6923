"""One browser session at work: its conversation, the answer that is being written, and its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import aclosing

import chainlit as cl
from chainlit.chat_context import chat_contexts
from chainlit.chat_settings import ChatSettings
from chainlit.context import context
from chainlit.server import sio
from chainlit.session import WebsocketSession

from backend.chat.conversation import Conversation, Plan
from backend.chat.streaming import stream_pieces
from backend.errors import Language, MoyunError, RequestError, language_of
from backend.types import Finished, Queued, TokenEvent
from backend.ui import runtime
from backend.ui.sheet import Sheet, send_complaint, send_notice
from backend.ui.texts import changes, say, style_name
from backend.ui.widgets import make_commands, make_widgets, sampling_labels

log = logging.getLogger(__name__)

_desks: dict[str, Desk] = {}  # by session id


def find(session_id: str) -> Desk | None:
    """The desk of a session that has one."""
    return _desks.get(session_id)


async def seat() -> Desk:
    """The desk of the session in whose context this runs, made on its first use."""
    session = context.session
    if session.id not in _desks:
        language = language_of(getattr(session, "language", None))
        if not runtime.current().loaded.is_set():
            await send_notice(say(language, "loading"))
        studio = await runtime.current().ready()
        conversation = Conversation(
            studio.generator,
            studio.styles.styles,
            runtime.current().schema,
            session=session.id,
            language=language,
            limits=runtime.current().limits,
        )
        _desks.setdefault(session.id, Desk(conversation))
    return _desks[session.id]


class Desk:
    """A session's place: one answer at a time is written here."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self._stop: asyncio.Event | None = None  # of the answer that is being written
        self._writing_id: str | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._leaving: asyncio.Task[None] | None = None

    @property
    def language(self) -> Language:
        """The writer's interface language."""
        return self.conversation.language

    @property
    def writing(self) -> bool:
        """Whether an answer is being written."""
        return not self._idle.is_set()

    async def lay_out(self) -> None:
        """Show the settings and the commands."""
        await self._send_settings()
        await context.emitter.set_commands(make_commands(self.language))
        self._prepare()
        if context.session.thread_id_to_resume:  # the page has a conversation from before that is gone here
            await send_notice(say(self.language, "lost"))

    async def receive(self, message: cl.Message) -> None:
        """Answer a message, or answer an edited one anew. A second message while one is answered is refused."""
        edited = message.id == self._writing_id or self.conversation.knows(message.id)
        if self.writing and edited:
            self.stop()
            await self._idle.wait()
        if self.writing:
            await send_notice(say(self.language, "busy"))
            return
        self._idle.clear()
        self._stop, self._writing_id = asyncio.Event(), message.id
        try:
            self.conversation.rewind(message.id)
            await self._answer(message, self._stop)
        except MoyunError as error:
            log.warning("%s: %s", type(error).__name__, error, exc_info=not isinstance(error, RequestError))
            await send_complaint(error.say(self.language))
        except Exception:
            log.exception("A message could not be answered")
            await send_complaint(say(self.language, "trouble"))
        finally:
            self._writing_id = None
            self._idle.set()

    async def _answer(self, message: cl.Message, stop: asyncio.Event) -> None:
        before = self.conversation.options.style
        plan = self.conversation.plan(message.content, turn_id=message.id, command=message.command)
        if plan.options.style != before:
            await self._send_settings()
            await send_notice(say(self.language, "called", name=style_name(plan.style, self.language)))
        if plan.newly_left_out:
            await send_notice(say(self.language, "left_out", count=plan.left_out))
        sheet = Sheet(plan, self.language)
        await sheet.open()
        await self._write(plan, sheet, stop)

    async def _write(self, plan: Plan, sheet: Sheet, stop: asyncio.Event) -> None:
        finished: Finished | None = None
        ending: str | None = "failed"
        try:
            async with aclosing(stream_pieces(self.conversation.generator, plan.request, stop)) as events:
                async for event in events:
                    if isinstance(event, Queued):
                        await sheet.show_queue(event.position)
                    elif isinstance(event, TokenEvent):
                        await sheet.write(event.text)
                    else:
                        finished = event
            ending = None
        finally:  # what was written stays, whatever ended it
            self.conversation.keep(plan, sheet.text)
            await sheet.close(finished, ending)
        if plan.intent.kind == "poem":
            self._prepare()

    def _prepare(self) -> None:
        """Let the generator compute how the next question will begin, while the writer reads or thinks."""
        self.conversation.generator.prepare(self.conversation.upcoming(), None, self.conversation.session)

    def stop(self) -> None:
        """End the answer that is being written, within a token; its part stays."""
        if self._stop is not None:
            self._stop.set()

    async def change_settings(self, values: Mapping[str, object]) -> None:
        """Take what the sidebar sent; it is in force from the next message on."""
        change = self.conversation.change(values)
        for refusal in change.refused:
            await send_complaint(refusal.say(self.language))
        after = change.after.as_widget_values()
        if any(after[name] != (value if value is not None else "") for name, value in values.items() if name in after):
            await self._send_settings()  # the page must not show what isn't so
        else:
            context.emitter.set_chat_settings(after)
        if change.switched:
            style = self.conversation.style
            self._prepare()
            if self.conversation.turns or self.writing:
                await send_notice(say(self.language, "switched", name=style_name(style, self.language)))
        labels = sampling_labels(self.conversation.schema, self.language)
        if (self.conversation.turns or self.writing) and (line := changes(change, labels)):
            await send_notice(line)

    async def _send_settings(self) -> None:
        conversation = self.conversation
        longest = conversation.limits.max_new_tokens
        widgets = make_widgets(conversation.schema, conversation.options, conversation.styles, self.language, longest)
        await ChatSettings(widgets).send()

    def leave(self, session: WebsocketSession) -> None:
        """The connection ended: perhaps for a moment, perhaps for good."""
        if self._leaving is not None:
            self._leaving.cancel()
        self._leaving = asyncio.create_task(self._wind_down(session))

    async def _wind_down(self, session: WebsocketSession) -> None:
        run = runtime.current()
        if not session.to_clear:
            await asyncio.sleep(run.grace)
            if _is_connected(session):
                return
        self.stop()
        self.conversation.generator.forget(self.conversation.session)
        if not session.to_clear:
            await asyncio.sleep(max(0.0, run.session_timeout - run.grace))
            if _is_connected(session):
                return
        _desks.pop(session.id, None)
        chat_contexts.pop(session.id, None)


def _is_connected(session: WebsocketSession) -> bool:
    return bool(sio.manager.is_connected(session.socket_id, "/"))
