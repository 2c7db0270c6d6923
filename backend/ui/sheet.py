"""The page's side of one answer: the line over it, the text as it is written, the card of a finished poem, the small
line under it.

Each is a message of its own, but for the card, which is an element of the text: the text stays in the message, and the
style sheet lets the card take its place where it can be drawn. A message's type becomes the ``data-step-type`` of its
element, which is what the style sheet goes by; the text itself keeps Chainlit's own type, so that it can be copied.
"""

from __future__ import annotations

import json
from typing import Any, cast

import chainlit as cl

from backend.chat.outcome import Outcome
from backend.chat.plans import WritePlan
from backend.errors import Language
from backend.prosody.verdict import Verdict
from backend.types import Finished
from backend.ui.poem_card import Heading, card_props, holds_all, is_shown, poem_heading
from backend.ui.texts import SEPARATOR, Plain, caption, check_caption, colophon, escape, told_change

CARD = "PoemCard"  # public/elements/PoemCard.jsx


def _message(content: str, type: str, author: str | None = None) -> cl.Message:
    return cl.Message(content=content, author=author, type=cast("Any", type))


def _card(props: dict[str, Any]) -> cl.CustomElement:
    return cl.CustomElement(name=CARD, props=props, display="inline")


async def send_notice(text: str) -> None:
    """A line of the page's own between the messages."""
    await _message(escape(text), "notice_message").send()


async def send_complaint(text: str) -> None:
    """One clear sentence about what went wrong and what to do."""
    await _message(escape(text), "complaint_message").send()


async def send_check(verdict: Verdict, poem: str, language: Language, heading: Heading | None) -> None:
    """What a checked poem came to: its card, or a sentence where it is none."""
    if not is_shown(verdict):
        await send_complaint(verdict.summary_zh if language == "zh" else verdict.summary_en)
        return
    await _message(check_caption(verdict, language), "poem_ci_caption_message").send()
    message = _message(_rows(poem), "assistant_message")
    message.elements = [_card(card_props(verdict, poem, language, heading))]
    await message.send()


def _rows(text: str) -> str:
    """Verse as Markdown that keeps its lines."""
    return "\n\n".join("  \n".join(map(escape, part.splitlines())) for part in text.strip().split("\n\n"))


def _caption_type(plan: WritePlan) -> str:
    """Tells the style sheet what follows: an answer, or a poem and how wide its rows are."""
    if plan.poem is None:
        return "question_caption_message"
    form = plan.poem.form
    width = "ci" if form.kind == "ci" else "five" if len(form.variants[0].lines[0]) == 5 else "seven"
    return f"poem_{width}_caption_message"


class Sheet:
    """Where one answer is written, and a line of it written anew."""

    def __init__(self, plan: WritePlan, language: Language) -> None:
        self._plan = plan
        self._language: Language = language
        self._plain = Plain()
        self._said = ""  # behind the caption: why a poem was begun again
        self._caption = _message(caption(plan, language), _caption_type(plan), plan.style.id)
        self._answer = _message("", "assistant_message", plan.style.id)
        self._colophon = _message("", "colophon_message", plan.style.id)
        self._element: cl.CustomElement | None = None
        self.text = ""

    @property
    def _heading(self) -> str:
        """A poem's title stands over it from its first character on."""
        return f"{escape(poem_heading(self._plan.poem).title)}\n\n" if self._plan.poem is not None else ""

    async def open(self) -> None:
        """Show what was understood, before the first word."""
        await self._caption.send()

    async def show_queue(self, ahead: int) -> None:
        """Say how many are waiting before this request."""
        await self._set_caption(caption(self._plan, self._language, ahead=ahead))

    async def _set_caption(self, text: str) -> None:
        text += SEPARATOR + escape(self._said) if self._said else ""
        if self._caption.content != text:
            self._caption.content = text
            await self._caption.update()

    async def write(self, piece: str) -> None:
        """Append a piece of the answer."""
        if not self.text:
            await self._set_caption(caption(self._plan, self._language))
            await self._answer.stream_token(self._heading, is_sequence=True)
        self.text += piece
        await self._answer.stream_token(self._plain.feed(piece))

    async def restart(self, plan: WritePlan, why: str) -> None:
        """Begin again with another plan of the same poem."""
        self._plan, self._said, self._plain, self.text = plan, why, Plain(), ""
        await self._set_caption(caption(plan, self._language))
        await self._answer.stream_token(self._heading, is_sequence=True)

    async def close(self, finished: Finished | None, ending: str | None = None, outcome: Outcome | None = None) -> None:
        """Settle the text and set the small line under it.

        Args:
            ending: why it broke off, where it did.
            outcome: of a poem that is complete: it gets its card, and the caption says what it kept.
        """
        rest = self._plain.flush()
        if outcome is not None:
            await self._set_caption(caption(self._plan, self._language, outcome=outcome))
        if self.text:
            self._answer.content += rest
            self._lay_card(outcome, None)
            await self._answer.send()  # also repairs a page that lost pieces while it was disconnected
        if self.text or finished is not None:
            self._colophon.content = colophon(self._plan, finished, self._language, ending, outcome)
            await self._colophon.send()

    async def revise(self, text: str, outcome: Outcome, line: int, seed: int) -> None:
        """Put the poem with its new line in the place of the old one; the small line keeps the old line."""
        old = self._element.props["lines"][line - 1]["text"]["s"] if self._element is not None else ""
        self.text = text
        self._answer.content = self._heading + _rows(text)
        await self._set_caption(caption(self._plan, self._language, outcome=outcome))
        self._lay_card(outcome, line)
        await self._answer.update()
        self._colophon.content += told_change(line, seed, old, self._language)
        await self._colophon.update()

    def _lay_card(self, outcome: Outcome | None, line: int | None) -> None:
        if outcome is None or not is_shown(outcome.verdict) or not holds_all(outcome.verdict, self.text):
            self._answer.elements = []
            return
        heading = poem_heading(outcome.commission, self._plan.style, self._language)
        props = card_props(outcome.verdict, self.text, self._language, heading, turn=self._plan.turn_id, rewritten=line)
        if self._element is None:
            self._element = _card(props)
        self._element.props, self._element.content = props, json.dumps(props)
        self._answer.elements = [self._element]
