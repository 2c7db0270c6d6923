"""What messages ask for, in both languages."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.chat.intent import Intent, read_intent
from backend.chat.prompts import poem_sentence
from backend.chat.topics import MAX_TOPIC_CHARS
from backend.prosody.catalog import all_forms
from backend.prosody.forms import Form

POETS = {"du_fu": ("杜甫", "Du Fu"), "su_shi": ("苏轼", "Su Shi")}


@pytest.mark.parametrize(
    ("text", "form", "topic", "style"),
    [
        ("写一首关于秋思的七律", "七律", "秋思", None),
        ("以《江村》为题写一首七言律诗", "七律", "江村", None),
        ("请杜甫以“秋兴”为题写一首七言律诗", "七律", "秋兴", "du_fu"),
        ("请苏轼写一首咏月的七绝", "七绝", "月", "su_shi"),
        ("用苏轼的风格写一首关于中秋的诗", None, "中秋", "su_shi"),
        ("杜甫，写一首七律，题为《登高》", "七律", "登高", "du_fu"),
        ("写一首怀念杜甫的诗", None, "怀念杜甫", None),
        ("七律 秋思", "七律", "秋思", None),
        ("秋思 七律", "七律", "秋思", None),
        ("来日绮窗 七律", "七律", "来日绮窗", None),
        ("五绝·春雨", "五绝", "春雨", None),
        ("春江花月夜 五古", "五古", "春江花月夜", None),
        ("写一首7言绝句，关于雪", "七绝", "雪", None),
        ("请以“中秋夜怀子由”为题，作七绝一首", "七绝", "中秋夜怀子由", None),
        ("作一首七言律诗，写洞庭湖", "七律", "洞庭湖", None),
        ("七律秋思", "七律", "秋思", None),
        ("秋思（七律）", "七律", "秋思", None),
        ("七绝《山行》", "七绝", "山行", None),
        ("七律", "七律", None, None),
        ("Quatrain: snow", "七绝", "snow", None),
        ("写春天的诗", None, "春天", None),
        ("给我写诗", None, None, None),
        ("请李白写一首关于月的五绝", "五绝", "月", None),
        (f"以《{'长' * 60}》为题写一首七律", "七律", "长" * 30, None),
        ("咏梅", None, "咏梅", None),
        ("写首春天的诗", None, "春天", None),
        ("写一首诗", None, None, None),
        ("给我写首诗吧", None, None, None),
        ("写一首思乡", None, "思乡", None),
        ("帮我写一首送别朋友去边塞的五律吧", "五律", "送别朋友去边塞", None),
        ("能写一首关于长江的诗吗？", None, "长江", None),
        ("写一首关于人为什么活着的诗", None, "人为什么活着", None),
        ("Write a poem about autumn rain", None, "autumn rain", None),
        (
            "Write a seven-character regulated verse about the river in the style of Du Fu",
            "七律",
            "the river",
            "du_fu",
        ),
        ("Write a five-character quatrain on snow", "五绝", "snow", None),
        ("Du Fu, write a quatrain on the moon", "七绝", "the moon", "du_fu"),
        ("Can you write me a poem titled “Night Rain”?", None, "Night Rain", None),
        ("A poem about snow, please", None, "snow", None),
        ("Write me a poem", None, None, None),
    ],
)
def test_a_poem_request_is_read(text: str, form: str | None, topic: str | None, style: str | None) -> None:
    intent = read_intent(text, poets=POETS)
    assert intent.kind == "poem"
    assert (intent.form, intent.topic, intent.style) == (form, topic, style)


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
        "填词难吗",
        "教我填词",
        "什么是七律",
        "《水调歌头》写的是什么",
        "苏轼的水调歌头好在哪里",
        "沁园春是什么词牌",
        "水调歌头有几种格式？",
        "念奴娇和水调歌头有什么区别",
        "我喜欢水调歌头",
        "念奴娇真难",
        "赏析苏轼的《念奴娇》",
        "讲讲词牌",
        "苏轼的词好在哪里",
        "什么是藏头诗",
        "藏头诗怎么写",
        "押韵是什么意思？",
        "七律押什么韵？",
        "什么叫平起首句入韵",
        "平水韵和中华通韵有什么不同",
        "如何检查格律？",
        "七律的格律怎么看",
        "How does one check the metre of a ci?",
        "水调歌头怎么填",
        "你会填词吗",
        "把“明月几时有”填成一首词",
        "诗词鉴赏",
        "赏析：白日依山尽，黄河入海流。欲穷千里目，更上一层楼。",
        "How do I rhyme a regulated verse?",
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
    assert read_intent(text, poets=POETS) == Intent(kind="question")


@pytest.mark.parametrize(
    ("text", "form", "title", "theme"),
    [
        ("填一首水调歌头，写中秋", "水调歌头", None, "中秋"),
        ("以中秋为题填一首念奴娇", "念奴娇", None, "中秋"),
        ("以《赤壁怀古》为题填一首念奴娇", "念奴娇", "赤壁怀古", None),
        ("请苏轼填一首江城子，悼亡妻", "江城子", None, "悼亡妻"),
        ("填一首《定风波》", "定风波", None, None),
        ("用《念奴娇》填词，写赤壁", "念奴娇", None, "赤壁"),
        ("按水调歌头词牌写一首关于中秋的词", "水调歌头", None, "中秋"),
        ("写一首词，词牌用蝶恋花，关于离别", "蝶恋花", None, "离别"),
        ("填一首大江东去，写长江", "念奴娇", None, "长江"),
        ("填一首沁園春，寫雪", "沁园春", None, "雪"),
        ("请用水调歌头这个词牌写一首关于登山的词", "水调歌头", None, "登山"),
        ("以“念奴娇”为词牌，写一首咏长江的词", "念奴娇", None, "长江"),
        ("作一首词牌为鹊桥仙的词，主题七夕", "鹊桥仙", None, "七夕"),
        ("能不能填一首临江仙，写夜归？", "临江仙", None, "夜归"),
        ("写一首诗，题目是《长相思》", None, "长相思", None),
        ("Write a lyric to the tune of Niannujiao", "念奴娇", None, None),
        ("水调歌头·中秋", "水调歌头", None, "中秋"),
        ("中秋 水调歌头", "水调歌头", None, "中秋"),
        ("浣溪沙", "浣溪沙", None, None),
        ("作念奴娇一阕，写秋", "念奴娇", None, "秋"),
        ("填一首词", "词", None, None),
        ("写一首关于中秋的词", "词", None, "中秋"),
        ("填一首中秋词", "词", None, "中秋"),
        ("填一首莺啼序，写秋", "莺啼序", None, "秋"),
        ("写一首雨霖铃", "雨霖铃", None, None),
        ("填一首风月无边，写秋", "风月无边", None, "秋"),
        ("写一首关于菩萨的诗", None, None, "菩萨"),
        ("以木兰花为题写一首七律", "七律", None, "木兰花"),
        ("以《长相思》为题写一首五绝", "五绝", "长相思", None),
        ("a ci to the tune 水调歌头", "水调歌头", None, None),
        ("Write a ci to the tune of Shui Diao Ge Tou about the moon", "水调歌头", None, "the moon"),
        ("Write a Dingfengbo about rain", "定风波", None, "rain"),
        ("Please write a ci about snow", "词", None, "snow"),
        ("写一首五言排律，题目是登楼", "五排", None, "登楼"),
        ("写一首七排，写长安", "七排", None, "长安"),
        ("写一首七古，咏剑", "七古", None, "剑"),
        ("Write a five-character extended regulated verse about war", "五排", None, "war"),
        ("Write a seven-character old-style verse about wine", "七古", None, "wine"),
        ("写一首关于秋思的七律", "七律", None, "秋思"),
        ("七律《登高》", "七律", "登高", None),
    ],
)
def test_every_form_can_be_asked_for_and_a_title_is_what_stands_in_its_marks(
    text: str, form: str | None, title: str | None, theme: str | None
) -> None:
    intent = read_intent(text, poets=POETS)
    assert (intent.kind, intent.form, intent.title, intent.theme) == ("poem", form, title, theme)


@pytest.mark.parametrize(
    ("text", "rhyme", "topic"),
    [
        ("写一首七律，押尤韵，题为秋思", "尤", "秋思"),
        ("写一首押尤韵的七律，题为秋思", "尤", "秋思"),
        ("写一首秋思七律，押下平十一尤", "下平十一尤", "秋思"),
        ("押十一尤，写一首关于秋思的七律", "十一尤", "秋思"),
        ("用东韵写一首咏春的五绝", "东", "春"),
        ("以东韵写一首咏春的五绝", "东", "春"),
        ("七律，尤韵，题为秋思", "尤", "秋思"),
        ("写一首七绝，韵用“先”，咏月", "先", "月"),
        ("写一首七绝，限阳韵，咏月", "阳", "月"),
        ("填一首念奴娇，押第十八部，写赤壁", "第十八部", "赤壁"),
        ("Write a seven-character regulated verse rhyming on 尤 about autumn", "尤", "autumn"),
        ("Write a quatrain about snow, with the rhyme 东", "东", "snow"),
        ("Write a quatrain about snow in the 东 rhyme", "东", "snow"),
        ("写一首七律送别友人，押平水韵下平七阳", "下平七阳", "送别友人"),
        ("写一首七律，用上平一东韵，送别", "上平一东", "送别"),
        ('A quatrain rhyming with 东 titled "Spring"', "东", "Spring"),
        ("Can you write a poem that rhymes?", None, None),
        ("写一首七律，以东风为题", None, "东风"),
        ("写一首七绝，以东韵写桃花", "东", "桃花"),
        ("写一首七律，要押韵，题为秋思", None, "秋思"),
        ("写一首七律，押平声韵，题为秋思", None, "秋思"),
        ("写一首关于韵味的七律", None, "韵味"),
    ],
)
def test_the_rhyme_is_read_from_the_sentence_and_leaves_no_trace_in_the_topic(
    text: str, rhyme: str | None, topic: str | None
) -> None:
    intent = read_intent(text, poets=POETS)
    assert (intent.kind, intent.wishes.rhyme, intent.topic) == ("poem", rhyme, topic)


@pytest.mark.parametrize(
    ("text", "acrostic", "form", "topic"),
    [
        ("写一首藏头诗：我爱中国", "我爱中国", None, None),
        ("写一首藏头诗“春夏秋冬”", "春夏秋冬", None, None),
        ("藏头“春夏秋冬”的七绝", "春夏秋冬", "七绝", None),
        ("写一首七绝，藏头“春夏秋冬”，写四季", "春夏秋冬", "七绝", "四季"),
        ("以“春夏秋冬”藏头写一首五绝", "春夏秋冬", "五绝", None),
        ("写一首关于故乡的七绝，每句首字是春夏秋冬", "春夏秋冬", "七绝", "故乡"),
        ("藏头诗：生日快乐", "生日快乐", None, None),
        ("帮我写一首生日藏头诗，藏“生日快乐”四个字", "生日快乐", None, "生日"),
        ("写一首五言藏头诗，藏“春暖花开”", "春暖花开", "五绝", None),
        ("写一首五律，藏头“春暖花开”", "春暖花开", "五律", None),
        ("以“春暖花开”为题写一首藏头诗", "春暖花开", None, "春暖花开"),
        ("Write a quatrain, acrostic 春夏秋冬, about the seasons", "春夏秋冬", "七绝", "the seasons"),
    ],
)
def test_an_acrostic_is_read_from_the_sentence(text: str, acrostic: str, form: str | None, topic: str | None) -> None:
    intent = read_intent(text, poets=POETS)
    assert (intent.kind, intent.wishes.acrostic, intent.form, intent.topic) == ("poem", acrostic, form, topic)


@pytest.mark.parametrize(
    ("text", "wishes"),
    [
        ("写一首平起的七律，题为秋思", {"opening": "平起"}),
        ("写一首仄起首句入韵的七律，题为秋思", {"opening": "仄起", "first_line_rhymes": True}),
        ("写一首七律，首句不入韵，题为秋思", {"first_line_rhymes": False}),
        ("写一首七律，不拘平仄，题为秋思", {"strict": False}),
        ("写一首七律，严格守律，题为秋思", {"strict": True}),
        ("写一首七律，注意格律，题为秋思", {"strict": True}),
        ("不用守律，写一首七律，题为秋思", {"strict": False}),
        ("按中华通韵写一首七律，题为秋思", {"book": "tongyun"}),
        ("写一首七律，用平水韵，题为秋思", {"book": "pingshui"}),
    ],
)
def test_opening_first_line_book_and_strictness_are_read(text: str, wishes: dict[str, object]) -> None:
    intent = read_intent(text)
    assert (intent.kind, intent.form, intent.topic) == ("poem", "七律", "秋思")
    assert {name: getattr(intent.wishes, name) for name in wishes} == wishes
    assert intent.wishes == replace(intent.wishes, **wishes), "and nothing else"


def test_the_length_of_a_form_that_leaves_it_open_is_read() -> None:
    assert read_intent("写一首五言排律，十韵，题目是登楼").num_lines == 20
    assert read_intent("写一首二十四句的七古，题为将进酒").num_lines == 24
    assert read_intent("写一首七律，四句写景").num_lines is None


POEM = "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。"


@pytest.mark.parametrize(
    ("text", "form", "book"),
    [
        (f"看看格律：{POEM}", None, None),
        (f"{POEM}\n看看格律", None, None),
        (f"帮我看看这首五绝合不合律：\n登鹳雀楼\n{POEM}", "五绝", None),
        (f"检查格律\n{POEM}", None, None),
        (f"{POEM}合律吗？", None, None),
        (f"{POEM}\n这首诗的平仄对不对？", None, None),
        (f"按中华通韵检查一下平仄：{POEM}", None, "tongyun"),
        (f"Check the metre: {POEM}", None, None),
        (f"Check my poem: {POEM}", None, None),
        (f"这首诗押韵吗：{POEM}", None, None),
        (f"请检查下面这首诗是否合律。{POEM}", None, None),
        (f"Please check the meter of this quatrain:\n{POEM}", "七绝", None),
        (f"{POEM}\nDoes it keep the metre?", None, None),
    ],
)
def test_a_pasted_poem_is_checked_where_the_metre_is_asked_for(text: str, form: str | None, book: str | None) -> None:
    intent = read_intent(text)
    assert (intent.kind, intent.form, intent.wishes.book) == ("check", form, book)
    assert intent.pasted.removeprefix("登鹳雀楼\n") == POEM


@pytest.mark.parametrize("text", ["看看这首的格律", "刚才那首合不合律？", "Check the metre of the last poem"])
def test_a_check_may_mean_the_last_poem(text: str) -> None:
    assert (read_intent(text).kind, read_intent(text).pasted) == ("check", "")


def test_the_command_checks_whatever_follows() -> None:
    assert read_intent("床前明月光，疑是地上霜。", command="检").pasted == "床前明月光，疑是地上霜。"
    assert read_intent(f"七律\n{POEM}", command="检").pasted == f"七律\n{POEM}"
    assert read_intent(POEM) == Intent(kind="question"), "a poem alone is not a request"


@pytest.mark.parametrize("text", ["再写一首", "再来一首吧", "换一首", "再填一阕", "another one", "One more, please"])
def test_another_one_names_no_topic_of_its_own(text: str) -> None:
    intent = read_intent(text)
    assert (intent.kind, intent.again, intent.form, intent.topic) == ("poem", True, None, None)


def test_another_one_keeps_what_it_names_itself() -> None:
    assert read_intent("换一首，不要那么悲").topic is None, "a remark on the last one"
    assert read_intent("再写一首关于雪的").topic == "雪"
    assert read_intent("再来一首七律").form == "七律"
    assert read_intent("再来一首，押东韵").wishes.rhyme == "东"


def test_commands_force_either_reading() -> None:
    assert read_intent("写一首七律", command="问") == Intent(kind="question", forced=True)
    forced = read_intent("什么是家国？", command="诗")
    assert (forced.kind, forced.topic, forced.forced) == ("poem", "什么是家国", True)
    assert read_intent("写一首关于秋思的七律", command="诗").topic == "秋思"
    assert read_intent("中秋 水调歌头", command="诗").form == "水调歌头"


@settings(deadline=None)
@given(st.text(max_size=80), st.sampled_from([None, "诗", "问", "检", "别的"]))
def test_any_text_is_read_and_topics_stay_short(text: str, command: str | None) -> None:
    topic = read_intent(text, command=command, poets=POETS).topic
    assert topic is None or 0 < len(topic) <= MAX_TOPIC_CHARS
    assert "\n" not in (topic or "")


@settings(deadline=None)
@given(st.text("春夏秋冬山水风月花鸟江湖", min_size=1, max_size=12), st.sampled_from(all_forms()))
def test_a_topic_in_its_marks_and_a_form_come_back_as_they_were(topic: str, form: Form) -> None:
    for request in (poem_sentence(form.name, title=topic), f"请以《{topic}》为题写一首{form.name}"):
        intent = read_intent(request)
        assert (intent.form, intent.title) == (form.name, topic)


@settings(deadline=None)
@given(st.text("春夏秋冬山水风月花鸟江湖", min_size=2, max_size=6), st.sampled_from(all_forms()))
def test_the_sentence_of_the_training_data_is_understood_in_the_chat(theme: str, form: Form) -> None:
    intent = read_intent(poem_sentence(form.name, theme=theme, rhyme="尤"))
    assert (intent.form, intent.theme, intent.wishes.rhyme) == (form.name, theme, "尤")


@pytest.mark.parametrize(
    "unit",
    [
        "请",
        "写",
        "诗",
        "写一首",
        "请你再来",
        "《",
        "on ",
        "about ",
        "七律 ",
        "请杜",
        "write poem ",
        "关于",
        "押",
        "填一首",
        "藏头",
        "首句",
        "检查格律",
        "词牌",
        "一韵",
    ],
)
def test_the_longest_message_is_read_in_a_moment(unit: str) -> None:
    started = time.perf_counter()
    read_intent((unit * 20_000)[:20_000], poets=POETS)
    assert time.perf_counter() - started < 2.0
