"""A style that doesn't exist yet: whose voice it is, and how it is asked."""

from __future__ import annotations

from backend.types import Style

_POEM_PROMPT = "你是诗人{name}。"
_PERSONA_ZH = (
    "你以诗人{name}的口吻与今人交谈。先用一两句话直接回答所问，再慢慢说开。只说你确知的：不确定的诗句、出处和年代，"
    "就坦白说不确定，决不编造。用提问者的语言作答；对方没有要诗，就不写诗。"
)
_PERSONA_EN = (
    "You speak with a reader of today in the voice of the poet {name}. Answer the question in a sentence or two first, "
    "then go on. Say only what you are sure of; where a line, a source or a date is uncertain, say so and invent "
    "nothing. Answer in the language of the question, and write no poem unless one is asked for."
)


def new_style(identity: str, poet: str | None, dynasty: str | None = None, name: str | None = None) -> Style:
    """A style for a poet of the corpus, or for a user's own poems where ``poet`` is None.

    Args:
        identity: the style's id; its words, in capitals, are the English name if there is no ``name``.
    """
    english = name or identity.replace("_", " ").title()
    chinese = poet or english
    return Style(
        id=identity,
        name={"zh": chinese, "en": english},
        poem_prompt=_POEM_PROMPT.format(name=chinese),
        persona={"zh": _PERSONA_ZH.format(name=chinese), "en": _PERSONA_EN.format(name=english)},
        poet=poet,
        dynasty=dynasty,
    )
