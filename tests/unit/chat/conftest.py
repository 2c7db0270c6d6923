"""A conversation without a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backend.chat.conversation import Conversation, Limits
from backend.chat.options import OptionSchema, load_schema
from backend.scripted import Answer, Script, ScriptedGenerator
from backend.settings import ROOT
from backend.types import Style


def make_style(id: str, name: str, english: str, poet: str | None = None, adapter: bool = True) -> Style:
    return Style(
        id=id,
        name={"zh": name, "en": english},
        poem_prompt=f"你是诗人{name}。",
        persona={"zh": f"你以{name}的口吻作答。", "en": f"You answer as {english}."},
        poet=poet,
        adapter=ROOT / "adapters" / id if adapter else None,
    )


STYLES = {
    "general": make_style("general", "通用", "General", adapter=False),
    "du_fu": make_style("du_fu", "杜甫", "Du Fu", "杜甫"),
    "su_shi": make_style("su_shi", "苏轼", "Su Shi", "苏轼"),
}


@pytest.fixture(scope="session")
def schema() -> OptionSchema:
    """The settings that ship."""
    return load_schema(ROOT / "chainlit.config.toml")


MakeConversation = Callable[..., Conversation]


@pytest.fixture(scope="session")
def make_conversation(schema: OptionSchema) -> MakeConversation:
    """Conversations over a scripted generator with a context of ``context`` characters."""

    def make(context: int = 4096, **given: Any) -> Conversation:
        script = Script(context_length=context, answers=(Answer(text="好。"),))
        return Conversation(ScriptedGenerator(script), STYLES, schema, session="s", **{"limits": Limits(), **given})

    return make
