"""One browser session at work: its conversation, the answer that is being written, and its end."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping

import chainlit as cl
from chainlit.chat_context import chat_contexts
from chainlit.chat_settings import ChatSettings
from chainlit.context import context
from chainlit.server import sio
from chainlit.session import WebsocketSession

from backend.chat.conversation import Conversation
from backend.chat.plans import CheckPlan, WritePlan
from backend.errors import Language, MoyunError, RequestError, language_of
from backend.ui import runtime, scribe
from backend.ui.poem_card import poem_heading
from backend.ui.sheet import Sheet, send_check, send_complaint, send_notice
from backend.ui.texts import changes, say, style_name
from backend.ui.widgets import make_commands, make_widgets, sampling_labels

log = logging.getLogger(__name__)
Work = Callable[[asyncio.Event], Awaitable[None]]  # told when to stop

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
        await asyncio.to_thread(studio.refresh)  # an adapter that was finished meanwhile is there from this chat on
        conversation = Conversation(
            studio.generator,
            studio.styles.styles,
            runtime.current().schema,
            session=session.id,
            language=language,
            limits=runtime.current().limits,
            metre=studio.metre,
            known_lines=studio.known_lines,
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
        self._sheets: dict[str, Sheet] = {}  # of poems, by the turn's id: a line of them can still change

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
        await self._alone(message.id, lambda stop: self._answer(message, stop))

    async def rewrite_line(self, turn_id: object, line: object) -> None:
        """Write one line of a poem anew, as its card asks: what the page sent is checked against the conversation."""

        async def work(stop: asyncio.Event) -> None:
            plan = self.conversation.plan_rewrite(_text(turn_id), line if type(line) is int else 0)
            if plan.turn_id in self._sheets:
                await scribe.rewrite(self.conversation, plan, self._sheets[plan.turn_id], stop)

        await self._act(work)

    async def write_another(self, turn_id: object) -> None:
        """Write another poem like an earlier one, as its card asks."""

        async def work(stop: asyncio.Event) -> None:
            plan = self.conversation.plan_again(_text(turn_id), new_turn_id=str(uuid.uuid4()))
            await self._write(plan, stop)

        await self._act(work)

    async def _act(self, work: Work) -> None:
        """Do what a card asks, with Stop on the page as for a message."""
        await context.emitter.task_start()
        try:
            await self._alone(None, work)
        finally:
            await context.emitter.task_end()

    async def _alone(self, message_id: str | None, work: Work) -> None:
        """Do ``work`` as the one thing that is being written; refused while there is another."""
        if self.writing:
            await send_notice(say(self.language, "busy"))
            return
        self._idle.clear()
        self._stop, self._writing_id = asyncio.Event(), message_id
        try:
            await work(self._stop)
        except MoyunError as error:
            log.warning("%s: %s", type(error).__name__, error, exc_info=not isinstance(error, RequestError))
            await send_complaint(error.say(self.language))
        except Exception:
            log.exception("A message could not be answered")
            await send_complaint(say(self.language, "trouble"))
        finally:
            self._writing_id = None
            self._idle.set()

    async def _look_at_styles(self) -> None:
        """Take up styles that were finished, changed or removed since the chat began."""
        if (studio := runtime.current().studio) is not None:
            await asyncio.to_thread(studio.refresh)
            if self.conversation.offer(studio.styles.styles):
                await self._send_settings()

    async def _answer(self, message: cl.Message, stop: asyncio.Event) -> None:
        self.conversation.rewind(message.id)
        await self._look_at_styles()
        before = self.conversation.options.style
        plan = self.conversation.plan(message.content, turn_id=message.id, command=message.command)
        if isinstance(plan, CheckPlan):
            await self._show_check(plan)
            return
        if plan.options.style != before:
            await self._send_settings()
            await send_notice(say(self.language, "called", name=style_name(plan.style, self.language)))
        if plan.newly_left_out:
            await send_notice(say(self.language, "left_out", count=plan.left_out))
        await self._write(plan, stop)

    async def _show_check(self, plan: CheckPlan) -> None:
        poem, heading = plan.intent.pasted, None
        if not poem:
            last = next(turn for turn in reversed(self.conversation.turns) if turn.poem is not None)
            assert last.poem is not None
            poem, heading = (
                last.answer,
                poem_heading(last.poem, self.conversation.styles.get(last.style), self.language),
            )
        self.conversation.keep(plan)
        await send_check(plan.verdict, poem, self.language, heading)

    async def _write(self, plan: WritePlan, stop: asyncio.Event) -> None:
        sheet = Sheet(plan, self.language)
        self._sheets = {id: old for id, old in self._sheets.items() if self.conversation.knows(id)}
        if plan.poem is not None:
            self._sheets[plan.turn_id] = sheet
        await sheet.open()
        await scribe.write(self.conversation, plan, sheet, stop)
        if plan.poem is not None:
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
        await self._look_at_styles()
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


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _is_connected(session: WebsocketSession) -> bool:
    return bool(sio.manager.is_connected(session.socket_id, "/"))
