"""Carries a plan out: the generator's events go to the sheet, and what comes of them into the conversation."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from backend.chat.conversation import Conversation
from backend.chat.copies import tell_again, tell_stays
from backend.chat.plans import WritePlan
from backend.chat.streaming import stream_pieces
from backend.types import Finished, Queued, TokenEvent
from backend.ui.sheet import Sheet, send_notice
from backend.ui.texts import say


async def write(conversation: Conversation, plan: WritePlan, sheet: Sheet, stop: asyncio.Event) -> None:
    """Write an answer or a poem onto its sheet; a poem that copies too much is begun again.

    Raises:
        GenerationError: the generator failed; what was written stays.
    """
    language = conversation.language
    finished: Finished | None = None
    ending: str | None = "failed"
    again: WritePlan | None = plan
    try:
        while again is not None:
            plan, again = again, None
            async with aclosing(stream_pieces(conversation.generator, plan.request, stop)) as events:
                async for event in events:
                    if isinstance(event, Queued):
                        await sheet.show_queue(event.position)
                    elif isinstance(event, Finished):
                        finished = event
                    else:
                        await sheet.write(event.text)
                        if not stop.is_set() and (again := conversation.retry_plan(plan, sheet.text)):
                            break
            if again is not None:
                why = tell_again(conversation.copied(plan, sheet.text), again.attempt, language)
                await sheet.restart(again, why)
        ending = None
    finally:  # what was written stays, whatever ended it
        conversation.keep(plan, sheet.text)
        complete = finished is not None and finished.reason == "stop"
        await sheet.close(finished, ending, conversation.judge(plan, sheet.text) if complete else None)
    if copied := conversation.copied(plan, sheet.text):
        await send_notice(tell_stays(copied, plan.attempt, language))


async def rewrite(conversation: Conversation, plan: WritePlan, sheet: Sheet, stop: asyncio.Event) -> None:
    """Write one line of a poem anew, again where it is copied; the poem on the sheet changes when the line is there.

    Raises:
        GenerationError: the generator failed; the poem stays as it was.
    """
    line = plan.line
    assert line is not None
    text, complete = "", False
    again: WritePlan | None = plan
    while again is not None:
        plan, again, text = again, None, ""
        async with aclosing(stream_pieces(conversation.generator, plan.request, stop)) as events:
            async for event in events:
                if isinstance(event, TokenEvent):
                    text += event.text
                    if not stop.is_set() and (again := conversation.retry_plan(plan, text)):
                        break
                elif isinstance(event, Finished):
                    complete = event.reason == "stop"
    outcome = conversation.judge(plan, text)
    if not complete or outcome is None or not outcome.verdict.length_fits:
        await send_notice(say(conversation.language, "line_stays"))
        return
    conversation.keep(plan, text)
    await sheet.revise(text.strip(), outcome, line, plan.seed)
    if copied := conversation.copied(plan, text):
        await send_notice(tell_stays(copied, plan.attempt, conversation.language))
