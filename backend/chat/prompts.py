"""How a turn is put to the model: the form that adapters were trained with for poems, a persona for the rest."""

from __future__ import annotations

from collections.abc import Sequence

from backend.errors import Language
from backend.prosody.catalog import understand
from backend.types import Message, Style

_KINDS = {"绝": "绝句", "律": "律诗", "排": "排律", "古": "古诗"}
_LENGTHS = {5: "五言", 7: "七言"}


def poem_sentence(form: str, *, title: str | None = None, theme: str | None = None, rhyme: str | None = None) -> str:
    """What a poem is asked for with, in the chat and in training data alike: 以《江村》为题写一首七言律诗，押尤韵.

    Args:
        form: a form's name, such as 七律 or 水调歌头.
        title: the poem's title; it stands in its marks.
        theme: in place of a title, what the poem is about: a few words.
        rhyme: the rhyme to keep, such as 尤.

    Raises:
        ProsodyError: there is no such form.
    """
    request = understand(form)
    topic = f"以《{title}》为题" if title else f"以{theme}为题" if theme else ""
    if request.tune is not None:
        order = f"填一首{request.name}"
    else:
        order = f"写一首{_LENGTHS[request.length or 5]}{_KINDS[request.shape]}"
    return f"{topic}{order}" + (f"，押{rhyme}韵" if rhyme else "")


def poem_messages(
    style: Style, form: str, *, title: str | None = None, theme: str | None = None, rhyme: str | None = None
) -> tuple[Message, ...]:
    """A poem request as the adapters were trained: the poet's system prompt and one sentence, nothing before it.

    Raises:
        ProsodyError: there is no such form.
    """
    sentence = poem_sentence(form, title=title, theme=theme, rhyme=rhyme)
    return (Message("system", style.poem_prompt), Message("user", sentence))


def question_messages(
    style: Style, language: Language, system_prompt: str, history: Sequence[Message], question: str
) -> tuple[Message, ...]:
    """A question in the conversation. ``system_prompt`` is the writer's own; empty takes the style's persona."""
    return (opening(style, language, system_prompt), *history, Message("user", question))


def opening(style: Style, language: Language, system_prompt: str) -> Message:
    """The system message that questions are asked under."""
    return Message("system", system_prompt.strip() or style.persona[language])
