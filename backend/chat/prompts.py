"""How a turn is put to the model: the form that adapters were trained with for poems, a persona for the rest."""

from __future__ import annotations

from collections.abc import Sequence

from backend.chat.intent import Form
from backend.errors import Language
from backend.types import Message, Style


def poem_messages(style: Style, form: Form, topic: str) -> tuple[Message, ...]:
    """A poem request as the adapters were trained: the poet's system prompt and one sentence, nothing before it."""
    return (
        Message("system", style.poem_prompt),
        Message("user", f"以《{topic}》为题写一首{form.name}"),
    )


def question_messages(
    style: Style, language: Language, system_prompt: str, history: Sequence[Message], question: str
) -> tuple[Message, ...]:
    """A question in the conversation. ``system_prompt`` is the writer's own; empty takes the style's persona."""
    return (opening(style, language, system_prompt), *history, Message("user", question))


def opening(style: Style, language: Language, system_prompt: str) -> Message:
    """The system message that questions are asked under."""
    return Message("system", system_prompt.strip() or style.persona[language])
