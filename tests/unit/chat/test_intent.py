"""What messages ask for, in both languages."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.chat.intent import DEFAULT_FORM, MAX_TOPIC_CHARS, UNTITLED, Form, Intent, read_intent

POETS = {"du_fu": ("杜甫", "Du Fu"), "su_shi": ("苏轼", "Su Shi")}


@pytest.mark.parametrize(
    ("text", "form", "topic", "style"),
    [
        ("写一首关于秋思的七律", "七言律诗", "秋思", None),
        ("以《江村》为题写一首七言律诗", "七言律诗", "江村", None),
        ("请杜甫以“秋兴”为题写一首七言律诗", "七言律诗", "秋兴", "du_fu"),
        ("请苏轼写一首咏月的七绝", "七言绝句", "月", "su_shi"),
        ("用苏轼的风格写一首关于中秋的诗", None, "中秋", "su_shi"),
        ("杜甫，写一首七律，题为《登高》", "七言律诗", "登高", "du_fu"),
        ("写一首怀念杜甫的诗", None, "怀念杜甫", None),
        ("七律 秋思", "七言律诗", "秋思", None),
        ("秋思 七律", "七言律诗", "秋思", None),
        ("来日绮窗 七律", "七言律诗", "来日绮窗", None),
        ("五绝·春雨", "五言绝句", "春雨", None),
        ("春江花月夜 五古", "五言古诗", "春江花月夜", None),
        ("写一首7言绝句，关于雪", "七言绝句", "雪", None),
        ("请以“中秋夜怀子由”为题，作七绝一首", "七言绝句", "中秋夜怀子由", None),
        ("作一首七言律诗，写洞庭湖", "七言律诗", "洞庭湖", None),
        ("七律秋思", "七言律诗", "秋思", None),
        ("秋思（七律）", "七言律诗", "秋思", None),
        ("七绝《山行》", "七言绝句", "山行", None),
        ("七律", "七言律诗", None, None),
        ("Quatrain: snow", "七言绝句", "snow", None),
        ("写春天的诗", None, "春天", None),
        ("给我写诗", None, None, None),
        ("请李白写一首关于月的五绝", "五言绝句", "月", None),
        (f"以《{'长' * 60}》为题写一首七律", "七言律诗", "长" * 30, None),
        ("咏梅", None, "咏梅", None),
        ("写首春天的诗", None, "春天", None),
        ("写一首诗", None, None, None),
        ("给我写首诗吧", None, None, None),
        ("写一首思乡", None, "思乡", None),
        ("帮我写一首送别朋友去边塞的五律吧", "五言律诗", "送别朋友去边塞", None),
        ("能写一首关于长江的诗吗？", None, "长江", None),
        ("写一首关于人为什么活着的诗", None, "人为什么活着", None),
        ("Write a poem about autumn rain", None, "autumn rain", None),
        (
            "Write a seven-character regulated verse about the river in the style of Du Fu",
            "七言律诗",
            "the river",
            "du_fu",
        ),
        ("Write a five-character quatrain on snow", "五言绝句", "snow", None),
        ("Du Fu, write a quatrain on the moon", "七言绝句", "the moon", "du_fu"),
        ("Can you write me a poem titled “Night Rain”?", None, "Night Rain", None),
        ("A poem about snow, please", None, "snow", None),
        ("Write me a poem", None, None, None),
    ],
)
def test_a_poem_request_is_read(text: str, form: str | None, topic: str | None, style: str | None) -> None:
    intent = read_intent(text, poets=POETS)
    assert intent.kind == "poem"
    assert (intent.form.name if intent.form else None, intent.topic, intent.style) == (form, topic, style)


@pytest.mark.parametrize(
    "text",
    [
        "你好",
        "你会写诗吗？",
        "律诗和绝句有什么区别？",
        "如何写一首七绝？",
        "写一首七律需要注意什么",
        "杜甫写过哪些诗",
        "把“床前明月光”改写成七律",
        "赏析《登高》",
        "你最喜欢自己的哪首诗？",
        "苏轼，你为什么被贬到黄州？",
        "填一首词",
        "诗",
        "帮我看看这首七律",
        "我喜欢七律",
        "七律真难",
        "写诗很难",
        "教我写诗",
        "我想学写诗",
        "这首绝句我没看懂",
        "登高是律诗",
        "How do I write a quatrain?",
        "What is a regulated verse?",
        "Translate this poem: 床前明月光",
        "Who was Su Shi?",
        "",
    ],
)
def test_anything_else_is_a_question(text: str) -> None:
    assert read_intent(text, poets=POETS) == Intent("question")


@pytest.mark.parametrize("text", ["再写一首", "再来一首吧", "换一首", "another one", "One more, please"])
def test_another_one_takes_topic_and_form_from_the_poem_before(text: str) -> None:
    before = Intent("poem", Form("五言", "绝句"), "春雨")
    after = read_intent(text, poets=POETS).following(before)
    assert (after.kind, after.form, after.topic) == ("poem", before.form, "春雨")


def test_another_one_keeps_what_it_names_itself() -> None:
    before = Intent("poem", Form("五言", "绝句"), "春雨")
    assert read_intent("再写一首关于雪的").following(before).topic == "雪"
    assert read_intent("再来一首七律").following(before).form == Form("七言", "律诗")


def test_what_is_left_open_has_defaults() -> None:
    intent = read_intent("写一首诗").following(None)
    assert (intent.form, intent.topic) == (DEFAULT_FORM, UNTITLED)
    later = read_intent("写一首诗").following(Intent("poem", Form("五言", "绝句"), "春雨"))
    assert later.topic == UNTITLED, "only another one follows the last"


def test_commands_force_either_reading() -> None:
    assert read_intent("写一首七律", command="问") == Intent("question", forced=True)
    forced = read_intent("什么是家国？", command="诗")
    assert (forced.kind, forced.topic, forced.forced) == ("poem", "什么是家国", True)
    assert read_intent("写一首关于秋思的七律", command="诗").topic == "秋思"


@settings(deadline=None)
@given(st.text(max_size=80), st.sampled_from([None, "诗", "问", "别的"]))
def test_any_text_is_read_and_topics_stay_short(text: str, command: str | None) -> None:
    intent = read_intent(text, command=command, poets=POETS).following(None)
    assert intent.form is not None
    assert intent.topic
    assert len(intent.topic) <= MAX_TOPIC_CHARS
    assert "\n" not in intent.topic


@settings(deadline=None)
@given(st.text("春夏秋冬山水风月花鸟江湖", min_size=1, max_size=12), st.sampled_from("五七"), st.sampled_from("绝律古"))
def test_a_topic_in_its_marks_and_a_form_come_back_as_they_were(topic: str, characters: str, kind: str) -> None:
    intent = read_intent(f"请以《{topic}》为题写一首{characters}{kind}")
    assert intent.form is not None
    assert intent.form.name.startswith(characters + "言" + kind)
    assert intent.topic == topic


@pytest.mark.parametrize(
    "unit",
    ["请", "写", "诗", "写一首", "请你再来", "《", "on ", "about ", "七律 ", "请杜", "write poem ", "关于"],
)
def test_the_longest_message_is_read_in_a_moment(unit: str) -> None:
    started = time.perf_counter()
    read_intent((unit * 20_000)[:20_000], poets=POETS)
    assert time.perf_counter() - started < 2.0
