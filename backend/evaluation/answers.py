"""Questions are answered by the base model with a persona: adapters, new or old, must not change a word of it.

Forty questions, half to each of two poets, are answered greedily while the adapters are in the engine and after they
have been taken out. Equal answers are what "not worse" means here; nobody has to judge them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.chat.prompts import question_messages
from backend.errors import Language
from backend.evaluation.poems import texts_of
from backend.types import GenerationRequest, Sampling, Style

if TYPE_CHECKING:
    from backend.startup import Studio

TOKENS = 64  # of an answer; a difference shows within the first few
ROWS = 8  # answers at a time


def questions() -> list[str]:
    """The forty questions."""
    return Path(__file__).with_name("questions.txt").read_text(encoding="utf-8").splitlines()


async def answers(studio: Studio, styles: Sequence[Style], asked: Sequence[str]) -> list[str]:
    """One answer a question, the styles' personas taking turns in blocks of equal size."""
    gate = asyncio.Semaphore(ROWS)

    async def answer(style: Style, question: str) -> str:
        language: Language = "en" if question.isascii() else "zh"
        request = GenerationRequest(
            messages=question_messages(style, language, "", (), question),
            samplings=(Sampling(temperature=0.0),),
            max_new_tokens=TOKENS,
        )
        async with gate:
            return (await texts_of(studio, request))[0][0]

    size = -(-len(asked) // len(styles))
    return await asyncio.gather(*[answer(styles[at // size], question) for at, question in enumerate(asked)])


async def compare(studio: Studio, styles: Sequence[Style], asked: Sequence[str]) -> dict[str, Any]:
    """How many answers are the same without adapters. Takes every adapter out of the engine: call it last."""
    resident = [style.id for style in studio.styles.styles.values() if style.adapter is not None]
    after = await answers(studio, styles, asked)
    for name in resident:
        studio.generator.remove_adapter(name).result()  # type: ignore[attr-defined]
    before = await answers(studio, styles, asked)
    same = sum(one == other for one, other in zip(before, after, strict=True))
    return {"questions": len(asked), "identical": same, "adapters": resident}
