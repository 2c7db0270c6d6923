"""Turns, memory and the token budget."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.chat.conversation import Conversation
from backend.chat.limits import Limits
from backend.chat.options import OptionSchema
from backend.chat.plans import WritePlan
from backend.errors import RequestError, TooLongError
from tests.unit.chat.conftest import MakeConversation


def talk(conversation: Conversation, *texts: str, answer: str = "答。") -> None:
    for number, text in enumerate(texts, len(conversation.turns)):
        conversation.keep(write(conversation, text, f"t{number}"), answer)


def write(conversation: Conversation, text: str, turn_id: str = "t") -> WritePlan:
    plan = conversation.plan(text, turn_id=turn_id)
    assert isinstance(plan, WritePlan)
    return plan


def roles(conversation: Conversation, text: str) -> list[str]:
    return [message.role for message in write(conversation, text).request.messages]


def test_a_poem_has_the_trained_prompt_alone_and_its_adapter(make_conversation: MakeConversation) -> None:
    conversation = make_conversation()
    talk(conversation, "你是谁？")
    plan = write(conversation, "写一首关于江村的七律")
    assert [message.content for message in plan.request.messages] == ["你是诗人杜甫。", "以江村为题写一首七言律诗"]
    assert plan.request.adapter == "du_fu"


def test_a_style_without_weights_writes_poems_with_the_base_model(make_conversation: MakeConversation) -> None:
    conversation = make_conversation()
    conversation.change({"style": "general"})
    assert write(conversation, "写一首关于江村的七律").request.adapter is None


def test_a_question_has_the_persona_the_conversation_and_no_adapter(make_conversation: MakeConversation) -> None:
    conversation = make_conversation(language="en")
    talk(conversation, "写一首关于江村的七律", "好在哪里？")
    plan = write(conversation, "再细说？")
    assert plan.request.adapter is None
    assert plan.request.messages[0].content == "You answer as Du Fu."
    assert [message.role for message in plan.request.messages] == ["system", *["user", "assistant"] * 2, "user"]


def test_the_writers_system_prompt_stands_in_for_the_persona_but_not_for_the_trained_one(
    make_conversation: MakeConversation,
) -> None:
    conversation = make_conversation()
    conversation.change({"system_prompt": "简短作答。"})
    assert write(conversation, "何为诗？").request.messages[0].content == "简短作答。"
    assert write(conversation, "写一首诗").request.messages[0].content == "你是诗人杜甫。"


def test_a_change_of_style_keeps_the_turns_and_names_the_other_voice(make_conversation: MakeConversation) -> None:
    conversation = make_conversation()
    talk(conversation, "你是谁？")
    assert conversation.change({"style": "su_shi"}).switched
    messages = write(conversation, "你呢？").request.messages
    assert messages[0].content == "你以苏轼的口吻作答。"
    assert len(messages) == 4


def test_a_poet_who_is_asked_for_becomes_the_style(make_conversation: MakeConversation) -> None:
    conversation = make_conversation()
    plan = write(conversation, "请苏轼写一首咏月的七绝")
    assert (plan.switched, plan.request.adapter, conversation.options.style) == (True, "su_shi", "su_shi")


def test_a_seed_is_drawn_anew_unless_it_is_set(make_conversation: MakeConversation) -> None:
    conversation = make_conversation()
    drawn = {write(conversation, "何？").seed for _ in range(20)}
    assert len(drawn) > 15
    conversation.change({"seed": "9"})
    assert write(conversation, "何？").seed == 9


def test_older_turns_are_left_out_and_it_is_said_once(make_conversation: MakeConversation) -> None:
    conversation = make_conversation(context=400)
    conversation.change({"max_new_tokens": 64})
    newly = []
    for number in range(12):
        plan = write(conversation, f"第{number}问" + "何" * 30 + "？", f"t{number}")
        assert plan.request.messages[0].role == "system"
        assert plan.request.messages[-1].content.startswith(f"第{number}问")
        assert conversation.generator.count_tokens(plan.request.messages) <= 400 - 64
        newly.append(plan.newly_left_out)
        conversation.keep(plan, "答" * 30)
    assert any(newly)
    first = newly.index(True)
    assert not all(newly[first:]), "turns go several at a time, so that the next prompts begin alike"


def test_a_message_that_cannot_fit_is_refused_with_its_size_and_the_limit(make_conversation: MakeConversation) -> None:
    conversation = make_conversation(context=400)
    conversation.change({"max_new_tokens": 64})
    with pytest.raises(TooLongError) as caught:
        write(conversation, "何" * 500 + "？")
    assert "336" in caught.value.en
    assert "336" in caught.value.zh
    assert "519" in caught.value.en
    assert conversation.turns == []


def test_an_endless_message_is_refused_before_it_is_counted(make_conversation: MakeConversation) -> None:
    conversation = make_conversation(limits=Limits(max_message_chars=10))
    with pytest.raises(TooLongError, match="at most 10"):
        write(conversation, "何" * 11)
    with pytest.raises(RequestError, match="empty"):
        write(conversation, " \n ")


def test_the_longest_answer_never_takes_more_than_half_of_the_context(make_conversation: MakeConversation) -> None:
    conversation = make_conversation(context=200)
    conversation.change({"max_new_tokens": 1024})
    assert write(conversation, "何？").request.max_new_tokens == 100


def test_an_edited_message_takes_back_its_turn_and_all_after_it(make_conversation: MakeConversation) -> None:
    conversation = make_conversation()
    talk(conversation, "一？", "二？", "三？")
    assert conversation.knows("t1")
    assert conversation.rewind("t1")
    assert [turn.text for turn in conversation.turns] == ["一？"]
    assert not conversation.rewind("t1")
    assert roles(conversation, "又？") == ["system", "user", "assistant", "user"]


def test_an_answer_of_which_nothing_was_written_is_not_remembered(make_conversation: MakeConversation) -> None:
    conversation = make_conversation()
    talk(conversation, "一？", answer=" \n")
    assert conversation.turns == []


def test_what_comes_next_begins_as_it_was_said_it_would(make_conversation: MakeConversation) -> None:
    conversation = make_conversation()
    talk(conversation, "一？", "二？")
    upcoming = conversation.upcoming()
    assert write(conversation, "三？").request.messages[: len(upcoming)] == upcoming


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.tuples(st.integers(1, 150), st.integers(1, 150)), max_size=12),
    context=st.integers(300, 900),
    question=st.integers(1, 120),
)
def test_whatever_was_said_a_prompt_fits_and_keeps_the_system_prompt_and_the_newest_turns(
    schema: OptionSchema,
    make_conversation: MakeConversation,
    lengths: list[tuple[int, int]],
    context: int,
    question: int,
) -> None:
    conversation = make_conversation(context=context)
    conversation.change({"max_new_tokens": 64})
    for number, (asked, answered) in enumerate(lengths):
        try:
            plan = write(conversation, "何" * asked + "？", str(number))
        except TooLongError:
            continue
        conversation.keep(plan, "答" * answered)
    try:
        plan = write(conversation, "问" * question + "？", "last")
    except TooLongError:
        smallest = 4 + len("你以杜甫的口吻作答。") + 4 + question + 1
        assert smallest > context - 64
        return
    messages = plan.request.messages
    assert conversation.generator.count_tokens(messages) <= context - plan.request.max_new_tokens
    assert messages[0].role == "system"
    assert messages[-1].content == "问" * question + "？"
    kept = [message.content for message in messages[1:-1]]
    everything = [text for turn in conversation.turns for text in (turn.text, turn.answer)]
    assert kept == everything[len(everything) - len(kept) :], "what is left out is the oldest"
    assert plan.left_out == (len(everything) - len(kept)) // 2


def test_styles_that_come_and_go_are_offered_from_the_next_message_on(make_conversation: MakeConversation) -> None:
    conversation = make_conversation()
    conversation.change({"style": "su_shi"})
    assert not conversation.offer(dict(conversation.styles)), "nothing has changed"
    fewer = {id: style for id, style in conversation.styles.items() if id != "su_shi"}
    assert conversation.offer(fewer)
    assert conversation.options.style == "du_fu", "the default stands in for a poet who is gone"
    assert conversation.style in fewer.values()
