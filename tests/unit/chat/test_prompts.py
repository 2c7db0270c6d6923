"""The sentence that poems are asked for with, in the chat and in training data alike."""

from __future__ import annotations

import pytest

from backend.chat.prompts import poem_messages, poem_sentence
from backend.errors import ProsodyError
from tests.unit.chat.conftest import STYLES


@pytest.mark.parametrize(
    ("form", "given", "sentence"),
    [
        ("七律", {"title": "江村"}, "以《江村》为题写一首七言律诗"),
        ("七律", {"theme": "秋思"}, "以秋思为题写一首七言律诗"),
        ("七律", {"theme": "秋思", "rhyme": "尤"}, "以秋思为题写一首七言律诗，押尤韵"),
        ("五绝", {"theme": "春雨、江上"}, "以春雨、江上为题写一首五言绝句"),
        ("五排", {"title": "登楼"}, "以《登楼》为题写一首五言排律"),
        ("七古", {"title": "将进酒"}, "以《将进酒》为题写一首七言古诗"),
        ("水调歌头", {"theme": "中秋"}, "以中秋为题填一首水调歌头"),
        ("大江东去", {"title": "赤壁怀古", "rhyme": "第十八部"}, "以《赤壁怀古》为题填一首念奴娇，押第十八部韵"),
        ("七律", {}, "写一首七言律诗"),
    ],
)
def test_the_sentence_names_topic_form_and_rhyme(form: str, given: dict[str, str], sentence: str) -> None:
    assert poem_sentence(form, **given) == sentence
    messages = poem_messages(STYLES["du_fu"], form, **given)
    assert [(message.role, message.content) for message in messages] == [
        ("system", STYLES["du_fu"].poem_prompt),
        ("user", sentence),
    ]


def test_a_form_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ProsodyError, match="莺啼序"):
        poem_sentence("莺啼序", theme="秋")
