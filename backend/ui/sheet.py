"""The page's side of one answer: the line over it, the text as it is written, the small line under it.

Each is a message of its own. A message's type becomes the ``data-step-type`` of its element, which is what the style
sheet goes by; the text itself keeps Chainlit's own type, so that it can be copied.
"""

from __future__ import annotations

from typing import Any, cast

import chainlit as cl

from backend.chat.conversation import Plan
from backend.errors import Language
from backend.types import Finished
from backend.ui.texts import Plain, caption, colophon, escape


def _message(content: str, type: str, author: str | None = None) -> cl.Message:
    return cl.Message(content=content, author=author, type=cast("Any", type))


async def send_notice(text: str) -> None:
    """A line of the page's own between the messages."""
    await _message(escape(text), "notice_message").send()


async def send_complaint(text: str) -> None:
    """One clear sentence about what went wrong and what to do."""
    await _message(escape(text), "complaint_message").send()


def _caption_type(plan: Plan) -> str:
    """Tells the style sheet what follows: an answer, or a poem with lines of five or of seven characters."""
    if plan.intent.form is None:
        return "question_caption_message"
    return f"poem_{'five' if plan.intent.form.characters == '五言' else 'seven'}_caption_message"


class Sheet:
    """Where one answer is written."""

    def __init__(self, plan: Plan, language: Language) -> None:
        self._plan = plan
        self._language: Language = language
        self._plain = Plain()
        self._caption = _message(caption(plan, language), _caption_type(plan), plan.style.id)
        self._answer = _message("", "assistant_message", plan.style.id)
        self.text = ""

    async def open(self) -> None:
        """Show what was understood, before the first word."""
        await self._caption.send()

    async def show_queue(self, ahead: int) -> None:
        """Say how many are waiting before this request."""
        self._caption.content = caption(self._plan, self._language, ahead)
        await self._caption.update()

    async def write(self, piece: str) -> None:
        """Append a piece of the answer."""
        if not self.text and self._caption.content != (settled := caption(self._plan, self._language)):
            self._caption.content = settled
            await self._caption.update()
        self.text += piece
        await self._answer.stream_token(self._plain.feed(piece))

    async def close(self, finished: Finished | None, ending: str | None = None) -> None:
        """Settle the text and set the small line under it; ``ending`` is why it broke off, where it did."""
        rest = self._plain.flush()
        if self.text:
            self._answer.content += rest
            await self._answer.send()  # also repairs a page that lost pieces while it was disconnected
        if self.text or finished is not None:
            line = colophon(self._plan, finished, self._language, ending)
            await _message(line, "colophon_message", self._plan.style.id).send()
