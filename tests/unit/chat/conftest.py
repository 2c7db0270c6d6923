"""A conversation without a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

from backend.chat.conversation import Conversation
from backend.chat.limits import Limits
from backend.chat.metre import Metre
from backend.chat.options import OptionSchema, load_schema
from backend.prosody.constraint import MetreConstraint
from backend.prosody.varied import Varied
from backend.scripted import Answer, Script, ScriptedGenerator
from backend.settings import ROOT
from backend.types import GenerationRequest, Style
from tests.unit.prosody.lexicons import END, small_lexicon, walk


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


def spell(text: str) -> str:
    """A text as byte-level BPE spells it (see :func:`backend.prosody.lexicon.decode_byte_level`)."""
    spelled = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in spelled]
    letters = {byte: chr(byte) for byte in spelled} | {byte: chr(256 + n) for n, byte in enumerate(others)}
    return "".join(letters[byte] for byte in text.encode())


@pytest.fixture(scope="session")
def metre() -> Metre:
    """Constraints over the small vocabulary of the prosody's tests."""
    lexicon = small_lexicon()
    texts = {text: int(id) for text, id in zip(lexicon.texts, lexicon.ids, strict=True) if text}
    return Metre({spell(text): id for text, id in texts.items()}, END)


def write_by_chance(metre: Metre, request: GenerationRequest) -> str:
    """The poem that a model without any sense would write to a request under its constraint."""
    constraint = cast("MetreConstraint | Varied", request.constraint).fork()
    return walk(cast("MetreConstraint", constraint), constraint._lexicon, np.random.default_rng(request.seeds[0]))
