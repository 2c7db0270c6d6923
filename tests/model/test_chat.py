"""The conversation over the embedded model: a form is kept however hot the ink, and one line changes alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from backend.chat.conversation import Conversation
from backend.chat.options import load_schema
from backend.chat.outcome import Outcome
from backend.chat.plans import WritePlan
from backend.settings import ROOT, load_settings
from backend.types import Finished, TokenEvent

if TYPE_CHECKING:
    from backend.models.sources import PreparedModel
    from backend.startup import Studio


@pytest.fixture(scope="module")
def studio(prepared_model: PreparedModel) -> Iterator[Studio]:
    from backend.startup import start

    studio = start(load_settings().model_copy(update={"model": "embedded", "record": None}))
    yield studio
    asyncio.run(studio.close())


@pytest.fixture
def conversation(studio: Studio) -> Conversation:
    schema = load_schema(ROOT / "chainlit.config.toml")
    made = Conversation(
        studio.generator,
        studio.styles.styles,
        schema,
        session="test",
        metre=studio.metre,
        known_lines=studio.known_lines,
    )
    made.change({"temperature": 1.5, "max_new_tokens": 32, "seed": "3"})
    return made


async def write(conversation: Conversation, plan: WritePlan) -> tuple[Outcome, str]:
    text, reason = "", ""
    async for event in conversation.generator.stream(plan.request):
        if isinstance(event, TokenEvent):
            text += event.text
        elif isinstance(event, Finished):
            reason = event.reason
    outcome = conversation.judge(plan, text)
    assert outcome is not None
    assert reason == "stop", "the form's own length, not the setting's, ends a poem"
    conversation.keep(plan, text)
    return outcome, text


@pytest.mark.parametrize(
    ("text", "form", "rhyme"),
    [
        ("写一首七律，押尤韵，题为秋思", "七律", "下平十一尤"),
        ("请苏轼填一首贺新郎，写中秋", "贺新郎", None),
        ("写一首五言排律，十韵，题目是登楼", "五排", None),
        ("按中华通韵写一首七绝，写高铁", "七绝", None),
    ],
)
async def test_a_poem_keeps_its_form_at_the_highest_temperature(
    conversation: Conversation, text: str, form: str, rhyme: str | None
) -> None:
    plan = conversation.plan(text, turn_id="t")
    assert isinstance(plan, WritePlan)
    outcome, _ = await write(conversation, plan)
    assert outcome.verdict.form == form
    assert outcome.fits, outcome.verdict.summary_en
    assert rhyme is None or outcome.verdict.rhymes == {"A": rhyme}


async def test_one_line_changes_and_the_others_stay(conversation: Conversation) -> None:
    plan = conversation.plan("写一首七绝，题为春雨", turn_id="t")
    assert isinstance(plan, WritePlan)
    before, _ = await write(conversation, plan)
    after, text = await write(conversation, conversation.plan_rewrite("t", 3))
    lines = [[line.text for line in outcome.verdict.lines] for outcome in (before, after)]
    assert after.fits, after.verdict.summary_en
    assert [was == now for was, now in zip(*lines, strict=True)] == [True, True, False, True]
    assert conversation.turns[-1].answer == text.strip()
