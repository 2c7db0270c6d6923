"""What the page says, and that Markdown changes none of it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.chat.options import load_schema
from backend.chat.outcome import Outcome
from backend.chat.plans import Change, WritePlan
from backend.settings import ROOT
from backend.types import Constraint, Finished, Usage
from backend.ui import texts
from backend.ui.texts import Plain
from tests.unit.chat.conftest import MakeConversation, make_conversation, schema

__all__ = ["make_conversation", "schema"]


def plain(line: str) -> str:
    return line.replace(texts.NBSP, " ")


def show(pieces: list[str]) -> str:
    plain = Plain()
    return "".join([*(plain.feed(piece) for piece in pieces), plain.flush()])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Note:this", r"Note\:this"),
        ("std::vector", r"std\:\:vector"),
        (":::note", r"\:\:\:note"),
        ("12:30 and a: b", "12:30 and a: b"),
        ("http://x", "http://x"),
        ("`a:b` c:d", r"`a:b` c\:d"),
        ("```\na:b ` c:d\n```\ne:f", "```\na:b ` c:d\n```\ne\\:f"),
        ("风格：杜甫", "风格：杜甫"),
        ("end:", "end:"),
    ],
)
def test_a_colon_before_a_letter_is_literal_outside_of_code(text: str, shown: str) -> None:
    assert show([text]) == shown
    assert show(list(text)) == shown, "however it is cut"


@settings(deadline=None)
@given(st.lists(st.text("ab:`\n江 "), max_size=12))
def test_pieces_come_out_as_the_whole_would_and_nothing_is_lost(pieces: list[str]) -> None:
    assert show(pieces) == show(["".join(pieces)])
    assert show(pieces).replace("\\", "") == "".join(pieces)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_escaped_text_reads_as_itself(text: str) -> None:
    assert re.sub(r"\\(.)", r"\1", texts.escape(text), flags=re.S) == text
    assert not re.search(r"(?<!\\)(?:\\\\)*[<*_`\[:]", texts.escape(text))


def test_every_sentence_is_there_in_both_languages_with_the_same_gaps() -> None:
    for key, sentences in texts._TEXTS.items():
        gaps = [set(re.findall(r"{(\w+)}", sentences[language])) for language in ("zh", "en")]
        assert gaps[0] == gaps[1], key


def test_the_small_line_says_how_a_text_was_made(make_conversation: MakeConversation) -> None:
    conversation = make_conversation()
    conversation.change({"seed": "42", "temperature": 0.9})
    plan = conversation.plan("写一首关于江村的七律", turn_id="t")
    assert isinstance(plan, WritePlan)
    usage = Usage(30, 0, 96, 0.84, 5.0)
    line = texts.colophon(plan, Finished("stop", usage), "zh").replace(texts.NBSP, " ")
    assert line == r"杜甫 · 适配器 du\_fu · 温度 0.9 · 种子 42 · 不守律 · 96 词元 · 首字 0.8 秒 · 每秒 22.8 词元"
    english = texts.colophon(plan, Finished("length", usage), "en").replace(texts.NBSP, " ")
    assert english.endswith("96 tokens · first after 0.8 s · 22.8 tokens/s · ended at the longest length")
    stopped = texts.colophon(plan, Finished("cancelled", usage), "zh").replace(texts.NBSP, " ")
    assert stopped.endswith("每秒 22.8 词元 · 已停笔")
    failed = texts.colophon(plan, None, "zh", "failed").replace(texts.NBSP, " ")
    assert failed.endswith("种子 42 · 不守律 · 未写完")


def test_the_caption_says_what_was_ordered_and_then_what_was_kept(make_conversation: MakeConversation) -> None:
    plan = make_conversation().plan("以《江村》为题写一首五绝，押尤韵", turn_id="t")
    assert isinstance(plan, WritePlan)
    assert texts.caption(plan, "zh") == "诗 · 五绝 · 《江村》"
    assert texts.caption(plan, "zh", ahead=2) == "诗 · 五绝 · 《江村》 · 前面还有 2 位，稍候"
    assert plan.poem is not None
    outcome = Outcome.of(plan.poem, "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。")
    kept = texts.caption(plan, "zh", outcome=outcome)
    assert kept == "诗 · 五绝，仄起不入韵，押下平十一尤（平水韵） · 《江村》"
    finished = Finished("stop", Usage(30, 0, 24, 0.8, 2.0))
    assert "种子 7 · 合五绝押尤韵 · 24 词元".replace("7", str(plan.seed)) in plain(
        texts.colophon(plan, finished, "zh", None, outcome)
    )
    assert "fits 五绝, rhyme 尤" in plain(texts.colophon(plan, finished, "en", None, outcome))
    held = replace(plan, request=replace(plan.request, constraint=cast("Constraint", object())))
    assert "守五绝押尤韵" in plain(texts.colophon(held, finished, "zh", None, outcome))
    failed = Outcome.of(plan.poem, "白日依山尽，黄河入海流。\n欲穷千里目，更上一层台。")
    assert "未合五绝" in plain(texts.colophon(plan, finished, "zh", None, failed))


def test_a_line_that_was_written_anew_is_told_with_the_old_one() -> None:
    told = plain(texts.told_change(3, 42, "欲穷*千里目", "zh"))
    assert told == r" · 改第3句，种子 42 · 原作“欲穷\*千里目”"


def test_a_change_is_told_in_the_widgets_own_words(make_conversation: MakeConversation) -> None:
    conversation = make_conversation()
    change = conversation.change({"temperature": 1.2, "seed": "7"})
    labels = {"temperature": "温度", "top_p": "top-p", "seed": "种子"}
    assert texts.changes(change, labels) == "温度 0.7 → 1.2 · 种子 — → 7"
    seeded = conversation.change({"seed": "918786143", "system_prompt": "长" * 50})
    labels |= {"system_prompt": "系统提示"}
    assert texts.changes(seeded, labels) == f"种子 7 → 918786143 · 系统提示 — → {'长' * 20}…"
    assert texts.changes(Change(change.after, change.after, ()), labels) == ""


def test_labels_of_the_widgets_have_no_markup() -> None:
    shipped = load_schema(ROOT / "chainlit.config.toml")
    for name in type(shipped).model_fields:
        label = getattr(shipped, name).label
        assert texts.escape(label.zh).replace("\\-", "-") == label.zh
