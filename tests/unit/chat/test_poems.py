"""Poems in the conversation: what is ordered, what is kept, one line anew, another one, copied lines, and checks."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from backend.chat.conversation import Conversation
from backend.chat.copies import MAX_ATTEMPTS, copied_lines, tell_again, tell_stays
from backend.chat.limits import Limits
from backend.chat.metre import Metre, tokens_of
from backend.chat.options import MAX_SEED
from backend.chat.plans import CheckPlan, WritePlan
from backend.errors import ProsodyError, RequestError
from backend.models.known_lines import KnownLines
from backend.prosody.catalog import all_forms, find_form
from backend.prosody.constraint import MetreConstraint
from backend.prosody.original import Original
from backend.types import Style
from tests.unit.chat.conftest import MakeConversation, write_by_chance

POEM = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"
BROKEN = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层台。"


@pytest.fixture
def conversation(make_conversation: MakeConversation, metre: Metre) -> Conversation:
    """One whose poems are kept in their form."""
    return make_conversation(metre=metre)


def order(conversation: Conversation, text: str, turn_id: str = "t") -> WritePlan:
    plan = conversation.plan(text, turn_id=turn_id)
    assert isinstance(plan, WritePlan)
    return plan


def check(conversation: Conversation, text: str, command: str | None = None) -> CheckPlan:
    plan = conversation.plan(text, turn_id="c", command=command)
    assert isinstance(plan, CheckPlan)
    return plan


def test_the_sentence_wins_over_the_settings_and_those_over_the_defaults(conversation: Conversation) -> None:
    poem = order(conversation, "写一首关于秋的诗").poem
    assert poem is not None
    assert (poem.form.name, poem.rhyme, poem.strict, poem.book) == ("七律", None, True, "pingshui")
    conversation.change({"form": "五绝", "rhyme": "东", "strict": False, "book": "pingshui"})
    poem = order(conversation, "写一首关于秋的诗").poem
    assert poem is not None
    assert (poem.form.name, poem.rhyme, poem.strict) == ("五绝", "东", False)
    plan = order(conversation, "写一首关于秋的七绝，押尤韵，严格守律")
    assert plan.poem is not None
    assert (plan.poem.form.name, plan.poem.rhyme, plan.keeps_form) == ("七绝", "尤", True)
    assert plan.request.messages[-1].content == "以秋为题写一首七言绝句，押尤韵"


def test_what_is_not_strict_is_not_held(conversation: Conversation, make_conversation: MakeConversation) -> None:
    assert not order(conversation, "写一首七律，不拘平仄，写秋").keeps_form
    assert not order(make_conversation(), "写一首七律，写秋").keeps_form, "this generator takes no constraints"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("写一首七律，押鱼跃韵，写秋", None),
        ("写一首七律，押哈韵，写秋", "哈"),
        ("填一首莺啼序，写秋", "莺啼序"),
        ("写一首七律，押屋韵，写秋", "一屋"),
        ("写一首七律，藏头“一二三”", "3"),
        ("写一首七绝，藏头“山水风冬”", "冬"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_one_sentence_with_what_was_asked(
    conversation: Conversation, text: str, said: str | None
) -> None:
    if said is None:
        assert order(conversation, text).poem is not None, "鱼跃 is no rhyme's name and stays in the topic"
        return
    with pytest.raises(ProsodyError) as caught:
        conversation.plan(text, turn_id="t")
    assert said in caught.value.en
    assert said in caught.value.zh
    assert conversation.turns == []


@pytest.mark.parametrize("name", [form.name for form in all_forms()])
def test_a_poem_of_any_form_fits_and_its_limit_never_cuts_it(
    conversation: Conversation, metre: Metre, name: str
) -> None:
    conversation.change({"max_new_tokens": 32, "form": "auto"})
    order_verb = "填" if find_form(name).kind == "ci" else "写"
    plan = order(conversation, f"{order_verb}一首{name}，题为秋思")
    text = write_by_chance(metre, plan.request)
    outcome = conversation.judge(plan, text)
    assert outcome is not None
    assert outcome.fits, outcome.verdict.summary_en
    assert len(text) < plan.request.max_new_tokens, "a token writes a character or more, and the end is one"
    assert name in outcome.kept("zh")
    assert outcome.commission.form.english in outcome.kept("en")


def test_a_longer_form_raises_the_limit_and_one_that_is_too_long_is_refused_beforehand(
    make_conversation: MakeConversation, metre: Metre
) -> None:
    conversation = make_conversation(metre=metre, limits=Limits(max_new_tokens=300))
    conversation.change({"max_new_tokens": 32})
    plan = order(conversation, "写一首五言排律，四十句，题目是登楼")
    assert plan.request.max_new_tokens == tokens_of(find_form("五排", 40)) == 40 * 5 + 20 + 20 + 19 + 1
    with pytest.raises(RequestError) as caught:
        order(conversation, "写一首七言排律，六十句，题目是登楼")
    assert "300" in caught.value.en
    assert "300" in caught.value.zh


def test_modern_rhymes_are_kept_and_judged_by_their_own_book(conversation: Conversation, metre: Metre) -> None:
    conversation.change({"book": "tongyun"})
    for text in ("写一首七律，题为秋思", "填一首浣溪沙，题为秋思"):
        plan = order(conversation, text)
        outcome = conversation.judge(plan, write_by_chance(metre, plan.request))
        assert outcome is not None
        assert (outcome.fits, outcome.verdict.book) == (True, "tongyun")
        assert "中华通韵" in outcome.kept("zh")


def test_an_acrostic_is_kept_and_gives_the_topic(conversation: Conversation, metre: Metre) -> None:
    plan = order(conversation, "写一首藏头诗：山水风月")
    assert plan.poem is not None
    assert (plan.poem.form.name, plan.poem.topic) == ("七绝", "山水风月")
    outcome = conversation.judge(plan, write_by_chance(metre, plan.request))
    assert outcome is not None
    assert "".join(line.text[0] for line in outcome.verdict.lines) == "山水风月"
    assert outcome.fits


def test_what_a_free_poem_failed_to_keep_is_said(make_conversation: MakeConversation) -> None:
    conversation = make_conversation()
    plan = order(conversation, "写一首五绝，登楼")
    good, bad = conversation.judge(plan, POEM), conversation.judge(plan, BROKEN)
    assert good is not None
    assert bad is not None
    assert good.kept("zh") == "五绝，仄起不入韵，押下平十一尤（平水韵）"
    assert good.kept("en") == "五绝 (5-character quatrain), rhyme 下平十一尤 (Pingshui rhymes (106))"
    assert not bad.fits
    assert "1处不合" in bad.kept("zh")
    assert "1 fault" in bad.kept("en")
    short = conversation.judge(plan, "白日依山尽，")
    assert short is not None
    assert "不成五绝" in short.kept("zh")
    assert conversation.judge(order(conversation, "你是谁？"), "杜甫。") is None


def test_one_line_is_written_anew_and_nothing_else(conversation: Conversation, metre: Metre) -> None:
    for name in ("七律", "浣溪沙", "菩萨蛮", "五古"):
        plan = order(conversation, f"写一首{name}，题为秋思", name)
        old = write_by_chance(metre, plan.request)
        conversation.keep(plan, old)
        before = conversation.judge(plan, old)
        assert before is not None
        for line in range(1, len(before.verdict.lines) + 1):
            anew = conversation.plan_rewrite(name, line)
            text = write_by_chance(metre, anew.request)
            after = conversation.judge(anew, text)
            assert after is not None
            assert (after.fits, anew.line, anew.turn_id) == (True, line, name)
            assert [now.text for number, now in enumerate(after.verdict.lines, 1) if number != line] == [
                was.text for number, was in enumerate(before.verdict.lines, 1) if number != line
            ]
            assert after.verdict.lines[line - 1].text[0] != before.verdict.lines[line - 1].text[0]
            assert anew.poem is not None
            assert anew.poem.rhyme == before.verdict.rhymes.get("A")
            if name in ("七律", "浣溪沙"):  # one rhyme of several words: no second reading can stand for it
                assert after.verdict.rhymes == before.verdict.rhymes
            assert after.verdict.variant == before.verdict.variant


def test_a_rewritten_line_of_an_acrostic_keeps_its_head(conversation: Conversation, metre: Metre) -> None:
    plan = order(conversation, "写一首藏头诗：山水风月")
    old = write_by_chance(metre, plan.request)
    conversation.keep(plan, old)
    text = write_by_chance(metre, conversation.plan_rewrite("t", 2).request)
    before, after = ([line[:2] for line in re.findall(r"\w+", poem)] for poem in (old, text))
    assert [head[0] for head in after] == list("山水风月")
    assert [was == now for was, now in zip(before, after, strict=True)] == [True, False, True, True]


def test_a_rewritten_poem_takes_the_place_of_the_old_one_when_it_is_whole(
    conversation: Conversation, metre: Metre
) -> None:
    conversation.change({"seed": "5"})
    plan = order(conversation, "写一首五绝，题为秋思", "a")
    conversation.keep(plan, write_by_chance(metre, plan.request))
    conversation.keep(order(conversation, "好在哪里？", "b"), "好。")
    anew = conversation.plan_rewrite("a", 3)
    assert anew.seed != 5, "the set seed would write the same line"
    conversation.keep(anew, "半句")
    assert conversation.turns[0].answer == write_by_chance(metre, plan.request), "what was broken off changes nothing"
    text = write_by_chance(metre, anew.request)
    conversation.keep(anew, text)
    assert [(turn.id, turn.answer) for turn in conversation.turns] == [("a", text), ("b", "好。")]
    again = order(conversation, "再写一首")
    assert again.poem is not None
    assert not again.poem.locked, "another one is all new"


def test_a_rewriting_is_by_the_poet_who_wrote_the_poem(conversation: Conversation, metre: Metre) -> None:
    plan = order(conversation, "请苏轼写一首五绝，题为秋思", "a")
    conversation.keep(plan, write_by_chance(metre, plan.request))
    conversation.change({"style": "du_fu"})
    assert conversation.plan_rewrite("a", 1).style.id == "su_shi"
    assert conversation.plan_again("a", new_turn_id="b").style.id == "su_shi"
    assert conversation.options.style == "du_fu"


def test_what_cannot_be_rewritten_is_refused_with_a_sentence(
    conversation: Conversation, make_conversation: MakeConversation
) -> None:
    conversation.keep(order(conversation, "写一首五绝，题为登楼", "a"), POEM)
    for turn, line in (("nowhere", 1), ("a", 5), ("a", 0)):
        with pytest.raises(RequestError):
            conversation.plan_rewrite(turn, line)
    conversation.keep(order(conversation, "写一首五绝，题为登楼", "part"), "白日依山尽，")
    with pytest.raises(RequestError, match="五绝"):
        conversation.plan_rewrite("part", 1)
    free = make_conversation()
    free.keep(order(free, "写一首五绝，题为登楼", "a"), POEM)
    with pytest.raises(RequestError, match="hold"):
        free.plan_rewrite("a", 1)


def test_another_one_keeps_topic_form_and_rhyme_whatever_the_settings_are_now(conversation: Conversation) -> None:
    conversation.change({"seed": "5"})
    conversation.keep(order(conversation, "写一首《春雨》五绝，押东韵", "a"), POEM)
    conversation.change({"form": "七律", "rhyme": "尤"})
    for plan in (order(conversation, "再写一首"), conversation.plan_again("a", new_turn_id="b")):
        assert plan.seed != 5, "it would be the same one"
        assert plan.poem is not None
        assert (plan.poem.form.name, plan.poem.title, plan.poem.rhyme) == ("五绝", "春雨", "东")
    conversation.change({"seed": "6"})
    assert order(conversation, "再写一首").seed == 6
    other = order(conversation, "再来一首七绝").poem
    assert other is not None
    assert (other.form.name, other.title, other.rhyme) == ("七绝", "春雨", "尤")
    other = order(conversation, "再写一首，押先韵，写雪").poem
    assert other is not None
    assert (other.form.name, other.topic, other.rhyme) == ("五绝", "雪", "先")


def may_follow(plan: WritePlan, text: str) -> set[str]:
    """What may stand behind the text under the plan's constraint."""
    assert isinstance(plan.request.constraint, MetreConstraint | Original)
    constraint = plan.request.constraint.fork()
    lexicon = constraint._lexicon
    for place in lexicon.spell(text):
        constraint.advance(int(lexicon.ids[place]))
    return {lexicon.texts[place] for place in np.flatnonzero(constraint.mask())}


def test_a_strict_poem_takes_no_line_from_those_that_its_adapter_was_trained_on(
    make_conversation: MakeConversation, metre: Metre
) -> None:
    asked: list[str] = []

    def find(style: Style) -> KnownLines:
        asked.append(style.id)
        return KnownLines.of(["白日依山尽"])

    wary, careless = make_conversation(metre=metre, known_lines=find), make_conversation(metre=metre)
    wary_plan, careless_plan = (order(place, "写一首五绝，题为登楼") for place in (wary, careless))
    assert may_follow(careless_plan, "白日") - may_follow(wary_plan, "白日") == {"依", "依山"}
    assert may_follow(careless_plan, "白") - may_follow(wary_plan, "白") == {"日依"}
    assert may_follow(careless_plan, "") - may_follow(wary_plan, "") == {"白日依"}
    assert asked == ["du_fu"]


def test_a_poem_with_a_copied_line_is_tried_a_few_times_with_the_next_seed(
    make_conversation: MakeConversation, metre: Metre
) -> None:
    asked: list[str] = []

    def find(style: Style) -> KnownLines:
        asked.append(style.id)
        return KnownLines.of(["白日依山尽", "黄河入海流"])

    conversation = make_conversation(metre=metre, known_lines=find)
    conversation.change({"seed": "7"})
    first = order(conversation, "写一首五绝，题为登楼")
    assert conversation.copied(first, POEM) == (1, 2)
    plans = [first]
    while (again := conversation.retry_plan(plans[-1], POEM)) is not None:
        plans.append(again)
    assert [plan.seed for plan in plans] == [7, 8, 9, 10, 11]
    assert [plan.attempt for plan in plans] == [1, 2, 3, 4, MAX_ATTEMPTS]
    assert len({plan.request.id for plan in plans}) == MAX_ATTEMPTS
    assert set(asked) == {"du_fu"}
    assert conversation.retry_plan(first, "白日依山尽，") is not None, "the first copied line ends it"
    assert conversation.retry_plan(first, "白日依山尽") is None, "a line counts when it is whole"
    assert conversation.retry_plan(first, "白日沉山尽，长河入海流。") is None
    assert conversation.retry_plan(order(conversation, "你是谁？"), POEM) is None, "an answer may quote"


def test_a_growing_poem_is_judged_by_the_lines_that_are_complete() -> None:
    index = KnownLines.of(["白日依山尽", "黄河入海流"])
    assert copied_lines(index, "白日依山尽") == ()
    assert copied_lines(index, "白日依山尽，黄河入海流") == (1,)
    assert copied_lines(index, "白日依山尽，黄河入海流。") == (1, 2)
    assert copied_lines(index, POEM, given=["白日依山尽"]) == (2,), "the writer's own wish is no copy"
    assert copied_lines(None, POEM) == ()


def test_a_rewritten_line_is_judged_alone(make_conversation: MakeConversation, metre: Metre) -> None:
    conversation = make_conversation(metre=metre, known_lines=lambda style: KnownLines.of(["白日依山尽", "黄河入海流"]))
    conversation.keep(order(conversation, "写一首五绝，题为登楼", "a"), POEM)
    other, same = conversation.plan_rewrite("a", 3), conversation.plan_rewrite("a", 2)
    assert conversation.copied(other, POEM) == ()
    assert conversation.retry_plan(other, POEM) is None
    assert conversation.copied(same, POEM) == (2,)
    again = conversation.retry_plan(same, POEM)
    assert again is not None
    assert (again.line, again.seed) == (2, (same.seed + 1) % (MAX_SEED + 1))


def test_copied_lines_are_spoken_of_in_both_languages() -> None:
    assert "第1句" in tell_again((1,), 2, "zh")
    assert "第2次" in tell_again((1,), 2, "zh")
    assert "Line 1" in tell_again((1,), 2, "en")
    assert "attempt 2" in tell_again((1,), 2, "en")
    assert "1、4" in tell_stays((1, 4), 3, "zh")
    assert "1, 4" in tell_stays((1, 4), 3, "en")


def test_a_pasted_poem_is_checked_and_remembered_by_its_summary(conversation: Conversation) -> None:
    plan = check(conversation, f"看看格律：\n{BROKEN}")
    assert (plan.verdict.form, plan.verdict.fits) == ("五绝", False)
    conversation.keep(plan)
    assert conversation.turns[-1].answer == plan.verdict.summary_zh
    messages = order(conversation, "那怎么改好？").request.messages
    assert [message.content for message in messages[1:3]] == [f"看看格律：\n{BROKEN}", plan.verdict.summary_zh]


def test_a_check_needs_no_form_of_the_settings_and_keeps_to_their_book(conversation: Conversation) -> None:
    conversation.change({"form": "七律", "rhyme": "东", "book": "tongyun"})
    assert check(conversation, POEM, "检").verdict.form == "五绝"
    assert check(conversation, POEM, "检").verdict.book == "tongyun"
    assert check(conversation, f"按平水韵看看格律：{POEM}").verdict.book == "pingshui"


def test_a_check_without_a_poem_takes_the_last_one(conversation: Conversation) -> None:
    with pytest.raises(RequestError, match="paste"):
        conversation.plan("", turn_id="c", command="检")
    assert order(conversation, "看看这首的格律").poem is None, "there is none yet: a question"
    conversation.keep(order(conversation, "写一首五绝，题为登楼", "a"), BROKEN)
    for text, command in (("看看这首的格律", None), ("", "检"), ("刚才那首合不合律？", None)):
        plan = check(conversation, text, command)
        assert (plan.verdict.form, plan.verdict.fits, plan.intent.pasted) == ("五绝", False, "")


def test_what_is_no_poem_gets_a_clear_answer(conversation: Conversation) -> None:
    plan = check(conversation, "今天天气不错", "检")
    assert plan.verdict.form is None
    assert plan.answer == plan.verdict.summary_zh
    conversation.language = "en"
    assert check(conversation, "今天天气不错", "检").answer == plan.verdict.summary_en


def test_a_check_neither_changes_the_poet_nor_counts_as_the_last_poem(conversation: Conversation) -> None:
    conversation.keep(order(conversation, "写一首《春雨》五绝", "a"), POEM)
    conversation.keep(check(conversation, f"看看格律：{BROKEN}"))
    again = order(conversation, "再写一首")
    assert again.poem is not None
    assert again.poem.title == "春雨"
    assert replace(again.poem, title="x").topic == "x"
