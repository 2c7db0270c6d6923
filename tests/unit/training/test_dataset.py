"""Pairs: asked as the chat asks, about what the poem holds, differently in each pass."""

from __future__ import annotations

from collections import Counter

from backend.chat.prompts import poem_sentence
from backend.training.dataset import alpaca, make_pairs, sharegpt
from backend.training.held_out import HeldOut, split
from backend.training.recipe import Mix
from backend.training.themes import Words
from backend.training.verse import Verse, read_verse

LINES = ["白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼"]


def verse(title: str = "登鹳雀楼", group: int = 1, source: int = 1) -> Verse:
    found = read_verse(title, "，".join(LINES), source=source, group=group)
    assert found is not None
    return found


def words() -> Words:
    return Words(["白日依山尽", "黄河入海流"] * 20 + ["春眠不觉晓", "夜来风雨声", "花落知多少"] * 1000, least=3)


def mix(**shares: float) -> Mix:
    return Mix(**{"title": 0, "theme": 0, "form": 0, "couplet": 0, "rhyme": 0} | shares)


def test_key_words_are_found_in_the_poem_at_the_breaks_of_the_line() -> None:
    assert words().of(LINES) == ["白日", "依山", "黄河", "入海"]


def test_prompts_are_the_sentences_of_the_chat() -> None:
    (pair,) = make_pairs([verse()], words(), mix(title=1, rhyme=1), 0, 0)
    assert pair.instruction == poem_sentence("五绝", title="登鹳雀楼", rhyme="尤")
    assert pair.output == verse().text
    (pair,) = make_pairs([verse()], words(), mix(theme=1), 0, 0)
    theme = pair.instruction.removeprefix("以").partition("为题")[0]
    assert pair.instruction == poem_sentence("五绝", theme=theme)
    assert set(theme.split("、")) <= {"白日", "依山", "黄河", "入海"}


def test_a_couplet_is_given_and_only_the_rest_is_the_answer() -> None:
    (pair,) = make_pairs([verse()], words(), mix(couplet=1), 0, 0)
    assert pair.instruction.endswith("首联是“白日依山尽，黄河入海流。”")
    assert pair.output == "欲穷千里目，更上一层楼。"


def test_passes_ask_differently_and_a_seed_repeats_them() -> None:
    shares = mix(title=1, theme=1, form=1, couplet=1)
    asked = [make_pairs([verse()], words(), shares, 5, number)[0] for number in range(40)]
    assert len({pair.instruction for pair in asked}) > 5
    assert Counter(pair.kind for pair in asked).keys() == {"title", "theme", "form", "continue"}
    assert make_pairs([verse()], words(), shares, 5, 3)[0] == asked[3]


def test_versions_of_a_held_out_poem_are_not_trained_on() -> None:
    other = read_verse("登楼", "白日依山尽，黄河入海流。欲穷千里目，更上一重楼。", source=2, group=1)
    unrelated = read_verse("静夜思", "床前明月光，疑是地上霜。举头望明月，低头思故乡。", source=3, group=3)
    assert other is not None
    assert unrelated is not None
    parts = split([verse(), other, unrelated], [HeldOut("登鹳雀楼", "五绝", verse().digest, "proof")])
    assert parts.proof == (verse(),)
    assert parts.training == (unrelated,)
    assert parts.validation == ()


def test_rows_for_other_tools_carry_the_system_prompt() -> None:
    pairs = make_pairs([verse()], words(), mix(form=1), 0, 0)
    assert list(alpaca(pairs, "你是诗人。")) == [
        {"instruction": "写一首五言绝句", "input": "", "output": verse().text, "system": "你是诗人。"}
    ]
    (row,) = sharegpt(pairs, "你是诗人。")
    assert row["conversations"] == [
        {"from": "human", "value": "写一首五言绝句"},
        {"from": "gpt", "value": verse().text},
    ]
